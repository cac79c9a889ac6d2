/** Chooses a backend: the only file that names them all. */

import { ConfigurationError, messageOf, PlatformError } from '../base/errors.ts';
import { checkOptions, option } from '../base/options.ts';
import { CheckedBackend, type UncheckedBackend } from './checked.ts';
import { CompiledBackend } from './compiled/backend.ts';
import type { Host } from './host.ts';
import { createNativeModule } from './native/module.ts';
import type { TraceEvent } from './trace/event.ts';
import type { Backend, BackendName } from './types.ts';
import { createWasmModule } from './wasm/module.ts';

/** More threads than a processor has only cost memory. */
const MAX_THREADS = 512;

export interface BackendOptions {
  /** Default: native where the addon loads, else WebAssembly. */
  readonly backend?: BackendName | undefined;
  /** Default: `PERFORMERS_THREADS` in Node, else the number of processors. At least 1. */
  readonly numThreads?: number | undefined;
  /**
   * 1: prints a line for every call (name, time, GFLOP/s, shapes). 2: also stops at the first result that is NaN or infinite, and
   * says which call of which layer gave it. Default: `PERFORMERS_DEBUG` in Node, else 0.
   */
  readonly debug?: 0 | 1 | 2 | undefined;
  /**
   * Where every call is recorded for chrome://tracing and Perfetto: a file, in Node only, or a function that is given each event.
   * Default: the file that `PERFORMERS_TRACE` names in Node, else nowhere.
   */
  readonly trace?: string | ((event: TraceEvent) => void) | undefined;
}

/**
 * Creates a backend on `host`. Without a choice, takes the native addon where it loads and WebAssembly elsewhere; in
 * Node it then says so once.
 * @throws PlatformError if the backend asked for cannot be loaded
 * @throws ConfigurationError if an option or variable of the environment is not valid
 */
export async function createBackendOn(host: Host, options: BackendOptions = {}): Promise<Backend> {
  checkOptions<BackendOptions>('createBackend', options, {
    backend: option.string,
    numThreads: option.number,
    debug: option.number,
    trace: option.either(option.string, option.function),
  });
  const { backend, numThreads = Math.min(host.defaultThreads, MAX_THREADS) } = options;
  if (!Number.isInteger(numThreads) || numThreads < 1 || numThreads > MAX_THREADS) {
    throw new ConfigurationError(
      `numThreads is ${numThreads}: it must be a whole number of at least 1, and at most ${MAX_THREADS}.`,
    );
  }
  const watch = await watcher(host, options);
  const behindDoor = (inner: UncheckedBackend) => new CheckedBackend(watch(inner));
  switch (backend) {
    case 'reference': {
      const { createReferenceBackend } = await import('./reference/backend.ts');
      return createReferenceBackend(watch);
    }
    case 'wasm':
      return behindDoor(new CompiledBackend(await createWasmModule(host, numThreads)));
    case 'native':
      return behindDoor(createNativeBackend(host, numThreads));
    case undefined:
      break;
    default:
      throw new ConfigurationError(`There is no backend "${String(backend)}": choose native, wasm or reference.`);
  }
  if (host.loadAddon) {
    try {
      return behindDoor(createNativeBackend(host, numThreads));
    } catch (error) {
      const reason = messageOf(error);
      host.warn(
        `performers: the native addon did not load (${reason}), so the slower WebAssembly kernels are used: ` +
          'install a C++ compiler and run `npm run build`.',
      );
    }
  }
  return behindDoor(new CompiledBackend(await createWasmModule(host, numThreads)));
}

function createNativeBackend(host: Host, numThreads: number): UncheckedBackend {
  if (!host.loadAddon) throw new PlatformError('The native backend runs in Node only: use wasm here.');
  return new CompiledBackend(createNativeModule(host.loadAddon(), numThreads));
}

/** What a backend is wrapped in to print and record its calls; nothing where neither is asked for. */
async function watcher(host: Host, options: BackendOptions): Promise<(inner: UncheckedBackend) => UncheckedBackend> {
  const level = options.debug ?? Number(host.debug || 0);
  if (level !== 0 && level !== 1 && level !== 2) {
    const [name, value] = options.debug === undefined ? ['PERFORMERS_DEBUG', host.debug] : ['debug', options.debug];
    throw new ConfigurationError(
      `${name} is ${JSON.stringify(value)}: 1 prints every call, 2 also stops at the first NaN or infinity, 0 does neither.`,
    );
  }
  const trace = options.trace ?? host.trace;
  if (level === 0 && !trace) return (inner) => inner;
  if (typeof trace === 'string' && trace && !host.openTrace) {
    throw new ConfigurationError('A trace is written to a file in Node only: pass a function as trace here.');
  }
  const { watched } = await import('./trace/watched.ts');
  const sink = typeof trace === 'function' ? { write: trace, flush() {} } : trace ? host.openTrace?.(trace) : undefined;
  return (inner) => watched(inner, { level, log: host.log, sink });
}
