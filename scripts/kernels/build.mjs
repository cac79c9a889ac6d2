// Builds the kernels only: `node scripts/kernels/build.mjs [native] [wasm]`, by default both.
import { pathToFileURL } from 'node:url';
import { step } from '../build-tools.mjs';
import { generateKernels } from '../generate-kernels.mjs';
import { buildNative } from './native.mjs';
import { buildWasm } from './wasm.mjs';

export async function buildKernels({ quiet = false, native = true, wasm = true } = {}) {
  await step('kernel calls', quiet, () => generateKernels().join(', ') || undefined);
  if (native) await step('native kernels', quiet, (doing) => buildNative({ doing }));
  if (wasm) await step('wasm kernels', quiet, buildWasm);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const wanted = process.argv.slice(2);
  const all = wanted.length === 0;
  await buildKernels({ native: all || wanted.includes('native'), wasm: all || wanted.includes('wasm') });
}
