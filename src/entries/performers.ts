/** `performers` in Node: as in a browser, and what needs files or the native kernels. */
import { nodeHost } from '../backend/native/node-host.ts';
import { type BackendOptions, createBackendOn } from '../backend/select.ts';
import type { Backend } from '../backend/types.ts';

/**
 * Creates a backend: native where the addon loads, else WebAssembly, which standard error then says once.
 *
 * @throws PlatformError if the backend asked for cannot be loaded.
 */
export async function createBackend(options?: BackendOptions): Promise<Backend> {
  return createBackendOn(nodeHost, options);
}

export * from './browser/performers.ts';

// Models, made anew or read from a directory.
export { loadModel, type LoadedModel } from '../storage/load.ts';
export { saveModel, type SavedModelFiles } from '../storage/save.ts';
