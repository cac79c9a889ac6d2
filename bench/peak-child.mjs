// Runs the peak kernel of the build that PERFORMERS_INSTRUCTION_SET names, chosen once in a process. Arguments are the
// backend, its number of threads and the iterations. A message asks for one run, and the answer is a message.
import { createBackend } from '../dist/node.js';

const [name, threads, iterations] = process.argv.slice(2);
const backend = await createBackend({ backend: name, numThreads: Number(threads) });
const out = backend.allocate(backend.numThreads);
process.on('message', () => {
  backend.peak({ out, iterations: Number(iterations) });
  process.send('done');
});
process.send('ready');
