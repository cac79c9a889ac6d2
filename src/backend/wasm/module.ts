/**
 * The kernel module over the WebAssembly builds of `kernels/bindings/wasm.cc`. Threads are workers on one shared memory
 * that wait inside WebAssembly; the calling thread takes part in every job.
 */
import { LifetimeError, messageOf, OutOfMemoryError, PlatformError } from '../../base/errors.ts';
import type { KernelModule, TypedArray } from '../compiled/module.ts';
import type { Host, Place, WasmVariant, WorkerHandle } from '../host.ts';
import { MAX_ARGUMENTS } from '../kernels.ts';
import { LinearMemory } from './linear-memory.ts';

interface WasmExports {
  readonly __heap_base: WebAssembly.Global;
  num_kernels(): number;
  kernel_name(kernel: number): number;
  kernel_arguments(kernel: number): number;
  instruction_set(): number;
  gemm_packed_size(n: number, k: number): number;
  slots_address(): number;
  scratch_bytes(kernel: number): number;
  call(kernel: number, numThreads: number, scratch: number, scratchStride: number): number;
  /** With threads only, as are the next two. */
  set_may_block?(value: number): void;
  stop?(): void;
}

/** A module with one f32x4.relaxed_madd: valid where relaxed SIMD is. */
export const RELAXED_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65,
  0, 253, 15, 253, 133, 2, 11,
]);

/** Pages of 64 KiB that the builds ask for at the start, and the most that they can use. */
const INITIAL_PAGES = 32;
const MAXIMUM_PAGES = [65536, 32768, 16384];
const STACK_BYTES = 2 ** 20;

/** What a backend is for: inference does without the kernels that only training calls. */
export const purposes = ['training', 'inference'] as const;
export type Purpose = (typeof purposes)[number];

/** What `kernels` of createBackend gives: a folder, or one file; and what for. */
export interface OwnKernels {
  readonly folder?: Place;
  readonly file?: Uint8Array<ArrayBuffer>;
  readonly purpose?: Purpose | undefined;
}

/**
 * The WebAssembly kernels: with relaxed SIMD where the engine has it, with threads where memory can be shared and more
 * than one is asked for. A file of one's own says by itself whether it has these.
 * @throws if the file is missing or the engine lacks WebAssembly SIMD.
 */
export async function createWasmModule(
  host: Host,
  requestedThreads: number,
  { folder, file, purpose = 'training' }: OwnKernels = {},
): Promise<KernelModule> {
  const wanted = host.sharesMemory ? requestedThreads : 1;
  const relaxed = useRelaxed(host.instructionSet);
  const part = purpose === 'inference' ? '-inference' : '';
  const variant: WasmVariant = `kernels${part}${relaxed ? '-relaxed' : ''}${wanted > 1 ? '-threads' : ''}`;
  const module = file ? await compileOwn(file) : await host.compileWasm(variant, folder);
  const shared = hasThreads(module);
  const numThreads = shared ? wanted : 1;
  const memory = createMemory(shared);
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  const exports = instance.exports as unknown as WasmExports;
  const blocks = new LinearMemory(memory, exports.__heap_base.value as number);
  exports.set_may_block?.(+host.mayBlock);

  const workers: WorkerHandle[] = [];
  for (let index = 1; index < numThreads; index++) {
    const stack = blocks.allocate(STACK_BYTES);
    if (stack === 0)
      throw new OutOfMemoryError(`No memory for the stacks of ${numThreads} WebAssembly threads: use fewer.`);
    const stackTop = stack + STACK_BYTES;
    try {
      const worker = host.startWorker({ module, memory, index, stackTop }, folder);
      // Not awaited: a job is done by whichever threads are there.
      worker.ready.catch((error) => host.warn(startFailure(error)));
      workers.push(worker);
    } catch (error) {
      host.warn(startFailure(error));
      break;
    }
  }
  return new WasmModule(exports, memory, blocks, workers);
}

const hasThreads = (module: WebAssembly.Module): boolean =>
  WebAssembly.Module.exports(module).some(({ name }) => name === 'stop');

async function compileOwn(file: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  let reason = 'other WebAssembly';
  try {
    const module = await WebAssembly.compile(file);
    if (WebAssembly.Module.exports(module).some(({ name }) => name === 'slots_address')) return module;
  } catch (error) {
    reason = messageOf(error);
  }
  throw new PlatformError(
    `The file that \`kernels\` gives holds no kernels for this engine (${reason}): give performers/kernels/kernels.wasm.`,
  );
}

function startFailure(error: unknown): string {
  const reason = messageOf(error);
  return `performers: a WebAssembly thread did not start (${reason}), so others do its work: pass numThreads: 1 to use none.`;
}

function useRelaxed(forced: string | undefined): boolean {
  const available = WebAssembly.validate(RELAXED_PROBE);
  if (forced === 'relaxed' && !available) {
    throw new PlatformError('PERFORMERS_INSTRUCTION_SET is "relaxed", but this engine has no relaxed SIMD: unset it.');
  }
  return available && forced !== 'simd128';
}

/** Memory up to 4 GiB, or as much of that as the engine lets shared memory reserve. */
function createMemory(shared: boolean): WebAssembly.Memory {
  if (!shared) return new WebAssembly.Memory({ initial: INITIAL_PAGES });
  for (const maximum of MAXIMUM_PAGES) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared });
    } catch {
      // Tries a smaller reservation.
    }
  }
  throw new OutOfMemoryError('No address space for shared WebAssembly memory: use numThreads: 1.');
}

class WasmModule implements KernelModule {
  readonly name = 'wasm';
  readonly kernels: KernelModule['kernels'];
  readonly instructionSet: string;
  readonly numThreads: number;
  readonly #exports: WasmExports;
  readonly #memory: WebAssembly.Memory;
  readonly #blocks: LinearMemory;
  readonly #workers: readonly WorkerHandle[];
  readonly #slotsAddress: number;
  #slots: Float64Array;
  #scratch = 0;
  #scratchBytes = 0;
  #failed = false;

  constructor(
    exports: WasmExports,
    memory: WebAssembly.Memory,
    blocks: LinearMemory,
    workers: readonly WorkerHandle[],
  ) {
    this.#exports = exports;
    this.#memory = memory;
    this.#blocks = blocks;
    this.#workers = workers;
    this.numThreads = workers.length + 1;
    this.#slotsAddress = exports.slots_address();
    this.#slots = new Float64Array(memory.buffer, this.#slotsAddress, MAX_ARGUMENTS);
    this.instructionSet = this.#text(exports.instruction_set());
    this.kernels = Array.from({ length: exports.num_kernels() }, (_, kernel) => ({
      name: this.#text(exports.kernel_name(kernel)),
      numArguments: exports.kernel_arguments(kernel),
    }));
  }

  allocate(bytes: number): number {
    return this.#blocks.allocate(bytes);
  }

  free(address: number): void {
    this.#blocks.free(address);
  }

  write(address: number, data: TypedArray): void {
    this.#view(address, data).set(data);
  }

  read(address: number, data: TypedArray): void {
    data.set(this.#view(address, data));
  }

  copy(from: number, to: number, bytes: number): void {
    new Uint8Array(this.#memory.buffer).copyWithin(to, from, from + bytes);
  }

  call(kernel: number, slots: Float64Array): void {
    if (this.#failed) throw new LifetimeError('This wasm backend stopped after an earlier failure: create another.');
    // Growing detaches or outdates views.
    if (this.#slots.buffer !== this.#memory.buffer) {
      this.#slots = new Float64Array(this.#memory.buffer, this.#slotsAddress, MAX_ARGUMENTS);
    }
    this.#slots.set(slots);
    const stride = Math.ceil(this.#exports.scratch_bytes(kernel) / 64) * 64;
    this.#reserveScratch(stride * this.numThreads);
    let done = false;
    try {
      done = this.#exports.call(kernel, this.numThreads, this.#scratch, stride) !== 0;
    } finally {
      this.#failed = !done;
    }
    if (!done) throw new PlatformError(`A worker of the wasm backend failed in kernel ${this.kernels[kernel].name}.`);
  }

  gemmPackedSize(n: number, k: number): number {
    return this.#exports.gemm_packed_size(n, k);
  }

  close(): void {
    this.#exports.stop?.();
    for (const worker of this.#workers) worker.terminate();
    this.#failed = true;
  }

  #reserveScratch(bytes: number): void {
    if (bytes <= this.#scratchBytes) return;
    if (this.#scratch !== 0) this.#blocks.free(this.#scratch);
    this.#scratch = this.#blocks.allocate(bytes);
    this.#scratchBytes = this.#scratch === 0 ? 0 : bytes;
    if (this.#scratch === 0)
      throw new OutOfMemoryError(`The wasm backend cannot allocate ${bytes} bytes of scratch space.`);
  }

  #view(address: number, like: TypedArray): TypedArray {
    const View = like.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => TypedArray;
    return new View(this.#memory.buffer, address, like.length);
  }

  #text(address: number): string {
    const bytes = new Uint8Array(this.#memory.buffer);
    const end = bytes.indexOf(0, address);
    // TextDecoder refuses shared memory.
    return String.fromCharCode(...bytes.subarray(address, end));
  }
}
