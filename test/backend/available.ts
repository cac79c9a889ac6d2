import { existsSync } from 'node:fs';

const addon = new URL(`../../dist/kernels/performers-${process.platform}-${process.arch}.node`, import.meta.url);

/** The compiled backends to test: native only where the addon has been built, which takes a C++ compiler. */
export const compiledBackends: ('native' | 'wasm')[] = existsSync(addon) ? ['native', 'wasm'] : ['wasm'];

export const hasAddon = compiledBackends.includes('native');
if (!hasAddon) console.warn('skipped: native backend tests need the addon, and so a C++ compiler');
