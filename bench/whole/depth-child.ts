/**
 * Two training steps in a process of its own: prints, as JSON, the most that the backend has held.
 * Arguments: backend, threads, layers, variant.
 */
import { createBackend } from '../../src/entries/performers.ts';
import { createDeepTrainer, type StepMemory, type Variant } from './depth-inputs.ts';

const [kind, threads, numLayers, variant] = process.argv.slice(2);

const backend = await createBackend({ backend: kind === 'wasm' ? 'wasm' : 'native', numThreads: Number(threads) });
const trainer = createDeepTrainer(backend, Number(numLayers), variant as Variant);
for (let step = 0; step < 2; step++) await trainer.step();
const memory: StepMemory = { held: backend.bytesAllocated, numParameters: trainer.model.numParameters };
backend.close();
console.log(JSON.stringify(memory));
