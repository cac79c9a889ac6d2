/** The public API for browsers: reaches no Node module (a test walks its imports). */
import { browserHost } from './backend/browser-host.ts';
import { type BackendOptions, createBackendOn } from './backend/select.ts';
import type { Backend } from './backend/types.ts';

export type { BackendOptions } from './backend/select.ts';
export type * from './backend/types.ts';

/**
 * Creates a backend: WebAssembly, with threads where the page is cross-origin isolated.
 * @throws if the kernels cannot be fetched, or the engine lacks WebAssembly SIMD.
 */
export function createBackend(options?: BackendOptions): Promise<Backend> {
  return createBackendOn(browserHost, options);
}
