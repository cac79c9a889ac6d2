// Builds the kernels only: `node scripts/build-kernels.mjs [native] [wasm]`, by default both.
import { pathToFileURL } from 'node:url';
import { buildNative } from './build-native.mjs';
import { step } from './build-tools.mjs';
import { buildWasm } from './build-wasm.mjs';
import { generateKernels } from './generate-kernels.mjs';

export async function buildKernels({ quiet = false, native = true, wasm = true } = {}) {
  await step('kernel calls', quiet, () => generateKernels().join(', ') || undefined);
  if (native) await step('native kernels', quiet, buildNative);
  if (wasm) await step('wasm kernels', quiet, buildWasm);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const wanted = process.argv.slice(2);
  const all = wanted.length === 0;
  await buildKernels({ native: all || wanted.includes('native'), wasm: all || wanted.includes('wasm') });
}
