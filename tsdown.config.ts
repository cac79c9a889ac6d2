import { existsSync } from 'node:fs';
import { defineConfig } from 'tsdown';

const entries: Record<string, string> = {
  index: 'src/index.ts',
  node: 'src/node.ts',
  cli: 'cli/main.ts',
  bench: 'bench/main.ts',
  'bench-memory': 'bench/memory-child.ts',
  'kernels/worker': 'src/backend/wasm-worker.ts',
};

export default defineConfig({
  entry: Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(path))),
  format: 'esm',
  platform: 'node',
  target: 'es2022',
  fixedExtension: false,
  dts: true,
  // Stable chunk names, so that a rebuild leaves no stale files behind.
  hash: false,
  // dist/kernels holds the compiled kernels.
  clean: false,
  skipNodeModulesBundle: true,
  logLevel: 'warn',
});
