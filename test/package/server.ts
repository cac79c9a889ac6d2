// A server in one file: bundlers of CommonJS take no await at the top.
import { createBackend, tensor } from 'performers';

async function main(): Promise<void> {
  const backend = await createBackend({ numThreads: 2 });
  const x = tensor(backend, [1, 2, 3], [3]);
  console.log(`${backend.name} ${(await x.data())[2]}`);
  backend.close();
}

main();
