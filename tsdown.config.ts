import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { defineConfig } from 'tsdown';

const entries: Record<string, string> = {
  index: 'src/index.ts',
  node: 'src/node.ts',
  cli: 'cli/main.ts',
  bench: 'bench/main.ts',
  'bench-memory': 'bench/memory-child.ts',
  'kernels/worker': 'src/backend/wasm-worker.ts',
};

/** Packages that become part of dist: most of zod is never used, and loading all of it took as long as everything else. */
const BUNDLED = ['zod'];
const isBundled = (id: string): boolean => BUNDLED.some((name) => id === name || id.startsWith(`${name}/`));
const isPackage = (id: string): boolean => /^[@\w]/.test(id) && !isAbsolute(id);
const isDeclaration = (path: string): boolean => /\.d\.ts$/.test(path);

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
  deps: {
    // Types stay in the package: declarations import them.
    alwaysBundle: (id, importer = '') => isBundled(id) && !isDeclaration(importer),
    onlyBundle: BUNDLED,
    neverBundle: (id, importer) =>
      importer !== undefined && isPackage(id) && (!isBundled(id) || isDeclaration(importer)),
  },
  copy: BUNDLED.map((name) => ({ from: `node_modules/${name}/LICENSE`, rename: `LICENSE.${name}` })),
  logLevel: 'warn',
});
