/** Chooses a backend: the only file that names them all. */

import { ConfigurationError, messageOf, PlatformError } from '../base/errors.ts';
import { checkOptions, type OptionKind, option } from '../base/options.ts';
import { CheckedBackend, type UncheckedBackend } from './checked.ts';
import { CompiledBackend } from './compiled/backend.ts';
import type { Host, Place } from './host.ts';
import { createNativeModule } from './native/module.ts';
import type { TraceEvent } from './trace/event.ts';
import type { Backend, BackendName } from './types.ts';
import { createWasmModule, type OwnKernels, type Purpose, purposes } from './wasm/module.ts';

/** More threads than a processor has only cost memory. */
const MAX_THREADS = 512;

export interface BackendOptions {
  /** Default: native where the addon loads, else WebAssembly. */
  readonly backend?: BackendName | undefined;
  /** Default: `PERFORMERS_THREADS` in Node, else the number of processors. At least 1. */
  readonly numThreads?: number | undefined;
  /**
   * Where the compiled kernels are: a folder with the files of `performers/kernels/`, or one of its .wasm files. Both are
   * given by an address or, in Node, a path; a file may also be its bytes. `kernels.wasm` and `kernels-relaxed.wasm` compute
   * on one thread. Default: beside the library.
   */
  readonly kernels?: string | URL | Uint8Array<ArrayBuffer> | ArrayBuffer | undefined;
  /**
   * What the backend is for. `inference` fetches WebAssembly kernels that are about half as large; a gradient, a loss, dropout
   * or an update then throws a PlatformError. No difference to the other backends. Default: training.
   */
  readonly purpose?: Purpose | undefined;
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
    kernels: kernelsOption,
    purpose: option.oneOf(...purposes),
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
  const own = await ownKernels(host, options);
  const onWasm = async () => behindDoor(new CompiledBackend(await createWasmModule(host, numThreads, own)));
  switch (backend) {
    case 'reference': {
      const { createReferenceBackend } = await import('./reference/backend.ts');
      return createReferenceBackend(watch);
    }
    case 'wasm':
      return onWasm();
    case 'native':
      return behindDoor(createNativeBackend(host, numThreads, own));
    case undefined:
      break;
    default:
      throw new ConfigurationError(`There is no backend "${String(backend)}": choose native, wasm or reference.`);
  }
  if (host.loadAddon && !own.file) {
    try {
      return behindDoor(createNativeBackend(host, numThreads, own));
    } catch (error) {
      host.warn(
        `performers: the native addon did not load (${messageOf(error)}), so the slower WebAssembly kernels are used: ` +
          `${host.addonAdvice}.`,
      );
    }
  }
  return onWasm();
}

function createNativeBackend(host: Host, numThreads: number, { folder }: OwnKernels): UncheckedBackend {
  if (!host.loadAddon) throw new PlatformError('The native backend runs in Node only: use wasm here.');
  return new CompiledBackend(createNativeModule(host.loadAddon(folder), numThreads));
}

const isPlace = (value: unknown): value is Place => typeof value === 'string' || value instanceof URL;
const bytesOf = (value: unknown): Uint8Array<ArrayBuffer> | undefined => {
  if (value instanceof Uint8Array) return value as Uint8Array<ArrayBuffer>;
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
};
const kernelsOption: OptionKind = {
  wanted: 'a URL, a path, or the bytes of a .wasm file',
  accepts: (value) => (isPlace(value) && String(value) !== '') || bytesOf(value) !== undefined,
};

/** An address that is of one file, and not of a folder: bundlers also make data: and blob: of a file. */
const ONE_FILE = /^(data|blob):|\.wasm([?#].*)?$/i;

/** What the option `kernels` gives; a file is read. */
async function ownKernels(host: Host, { kernels, backend, purpose }: BackendOptions): Promise<OwnKernels> {
  if (kernels === undefined) return { purpose };
  if (backend === 'reference') {
    throw new ConfigurationError('The reference backend has no compiled kernels: leave out `kernels`, or choose wasm.');
  }
  if (isPlace(kernels) && !ONE_FILE.test(String(kernels))) return { folder: kernels, purpose };
  if (backend === 'native') {
    throw new ConfigurationError(
      '`kernels` is one WebAssembly file: choose wasm, or give a folder that holds the addon.',
    );
  }
  if (purpose !== undefined) {
    throw new ConfigurationError(
      '`kernels` is one file, which has its kernels: leave out `purpose`, or give a folder.',
    );
  }
  return { file: isPlace(kernels) ? await host.readFile(kernels) : bytesOf(kernels) };
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
