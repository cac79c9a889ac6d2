import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { groupTests } from './scripts/test-groups.mjs';
import { RELAXED_PROBE } from './src/backend/wasm/module.ts';

// Node 20 has relaxed SIMD behind a flag; newer versions have it, and not the flag.
const relaxedFlag = WebAssembly.validate(RELAXED_PROBE) ? [] : ['--experimental-wasm-relaxed-simd'];

export default defineConfig({
  test: {
    execArgv: relaxedFlag,
    // Vitest leaves a processor to itself, which is half of a machine that has two.
    maxWorkers: availableParallelism(),
    // Twenty times what the longest test takes alone: machines differ, and what hangs is found all the same.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    projects: Object.entries(groupTests(import.meta.dirname)).map(([name, include]) => ({
      extends: true,
      // Fast tests share their modules: loading these for each file takes as long as the tests.
      test: { name, include, isolate: name !== 'fast' },
    })),
  },
});
