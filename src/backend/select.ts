/** Chooses a backend: the only file that names them all. */

import { ConfigurationError, messageOf, PlatformError } from '../base/errors.ts';
import { checkOptions, option } from '../base/options.ts';
import { CheckedBackend } from './checked.ts';
import { CompiledBackend } from './compiled/backend.ts';
import type { Host } from './host.ts';
import { createNativeModule } from './native/module.ts';
import type { Backend, BackendName } from './types.ts';
import { createWasmModule } from './wasm/module.ts';

/** More threads than a processor has only cost memory. */
const MAX_THREADS = 512;

export interface BackendOptions {
  /** Default: native where the addon loads, else WebAssembly. */
  readonly backend?: BackendName | undefined;
  /** Default: `PERFORMERS_THREADS` in Node, else the number of processors. At least 1. */
  readonly numThreads?: number | undefined;
}

/**
 * Creates a backend on `host`. Without a choice, takes the native addon where it loads and WebAssembly elsewhere; in
 * Node it then says so once.
 * @throws if the backend asked for cannot be loaded, or numThreads is not a whole number of at least 1.
 */
export async function createBackendOn(host: Host, options: BackendOptions = {}): Promise<Backend> {
  checkOptions<BackendOptions>('createBackend', options, { backend: option.string, numThreads: option.number });
  const { backend, numThreads = Math.min(host.defaultThreads, MAX_THREADS) } = options;
  if (!Number.isInteger(numThreads) || numThreads < 1 || numThreads > MAX_THREADS) {
    throw new ConfigurationError(
      `numThreads is ${numThreads}: it must be a whole number of at least 1, and at most ${MAX_THREADS}.`,
    );
  }
  switch (backend) {
    case 'reference': {
      const { createReferenceBackend } = await import('./reference/backend.ts');
      return createReferenceBackend();
    }
    case 'wasm':
      return new CheckedBackend(new CompiledBackend(await createWasmModule(host, numThreads)));
    case 'native':
      return createNativeBackend(host, numThreads);
    case undefined:
      break;
    default:
      throw new ConfigurationError(`There is no backend "${String(backend)}": choose native, wasm or reference.`);
  }
  if (host.loadAddon) {
    try {
      return createNativeBackend(host, numThreads);
    } catch (error) {
      const reason = messageOf(error);
      host.warn(
        `performers: the native addon did not load (${reason}), so the slower WebAssembly kernels are used: ` +
          'install a C++ compiler and run `npm run build`.',
      );
    }
  }
  return new CheckedBackend(new CompiledBackend(await createWasmModule(host, numThreads)));
}

function createNativeBackend(host: Host, numThreads: number): Backend {
  if (!host.loadAddon) throw new PlatformError('The native backend runs in Node only: use wasm here.');
  return new CheckedBackend(new CompiledBackend(createNativeModule(host.loadAddon(), numThreads)));
}
