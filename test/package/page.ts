// A page, or a worker: attention on tensors with the types of pages, which name nothing of Node. The kernels are in the bundle.
import { createBackend, favorAttention, tensor } from 'performers/browser';
import kernels from 'performers/kernels/kernels.wasm';
import { Trainer } from 'performers/training';

const backend = await createBackend({ backend: 'wasm', kernels });
const x = tensor(backend, new Float32Array(12).fill(0.5), [1, 1, 3, 4]);
const out = favorAttention(x, x, x, { causal: true, features: { numFeatures: 8, seed: 1 } });
console.log(`${backend.name} ${out.shape.join('x')} ${(await out.data())[11]?.toFixed(3)} ${typeof Trainer}`);
backend.close();
