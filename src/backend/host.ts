/** What a backend needs from where it runs: Node (`node-host.ts`) or a browser (`browser-host.ts`). */
import type { NativeAddon } from './native/module.ts';
import type { TraceSink } from './trace/event.ts';

/**
 * The WebAssembly builds: all kernels or those for inference, with relaxed SIMD (fused multiply-add) or not, with threads on
 * shared memory or not.
 */
export type WasmVariant = `kernels${'' | '-inference'}${'' | '-relaxed'}${'' | '-threads'}`;

/** What a WebAssembly worker is started with. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Its number in the pool, from 1; 0 is the calling thread. */
  readonly index: number;
  /** Top of its own stack in the shared memory. */
  readonly stackTop: number;
}

/** Where files are: an address or, in Node, a path. */
export type Place = string | URL;

export interface WorkerHandle {
  /** Resolves once the worker waits for work. */
  readonly ready: Promise<void>;
  terminate(): void;
}

export interface Host {
  /** Threads to use when nobody says how many. */
  readonly defaultThreads: number;
  /** The instruction set that a person forces, for tests: WebAssembly heeds `simd128` and `relaxed`. */
  readonly instructionSet?: string | undefined;
  /** Whether WebAssembly threads can share memory here. */
  readonly sharesMemory: boolean;
  /** Whether the calling thread may sleep in `Atomics.wait`; a page's main thread may not. */
  readonly mayBlock: boolean;
  /** The native addon; undefined where there is no such thing. @throws if it cannot be loaded. */
  loadAddon?(folder?: Place): NativeAddon;
  /** What a person can do where the addon does not load. */
  readonly addonAdvice?: string;
  /** The kernels of `folder`, by default those beside the library. */
  compileWasm(variant: WasmVariant, folder?: Place): Promise<WebAssembly.Module>;
  /** The bytes of a file. */
  readFile(file: Place): Promise<Uint8Array<ArrayBuffer>>;
  /** @throws if a worker cannot be started */
  startWorker(start: WorkerStart, folder?: Place): WorkerHandle;
  /** PERFORMERS_DEBUG and PERFORMERS_TRACE, where there is an environment. */
  readonly debug?: string | undefined;
  readonly trace?: string | undefined;
  /** Starts a file that holds a trace, complete after every batch of events. */
  openTrace?(path: string): TraceSink;
  /** Prints a line for a person who debugs. */
  log(line: string): void;
  /** Tells a person something once. */
  warn(message: string): void;
}
