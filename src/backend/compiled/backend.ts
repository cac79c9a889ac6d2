/** The backend over compiled kernels, native or WebAssembly: sizes and addresses in, kernel calls out. */
import { LifetimeError, PlatformError } from '../../base/errors.ts';
import type { UncheckedBackend } from '../checks/arrays.ts';
import {
  type AdamWArguments,
  type FavorArguments,
  type GemmArguments,
  type LayerNormBackwardArguments,
  type LshAttentionArguments,
  type LshAttentionBackwardArguments,
  MAX_ARGUMENTS,
  NORM_BLOCK,
  type StridedCopyArguments,
} from '../kernels.ts';
import type { PlainNumbers } from '../numbers.ts';
import type { DataType, FloatArray, Storage } from '../storage.ts';
import { CachingAllocator } from './allocator.ts';
import { type AddressOf, fillSlots, type KernelArguments, type KernelName, SingleKernels } from './kernel-calls.ts';
import { indexKernels, type KernelModule } from './module.ts';
import { addressOf, BYTES, CompiledStorage } from './storage.ts';

/** gemv takes products of at most this many rows. */
const FEW_ROWS = 4;

/** Checks whose arrays are and of which type; the rest is for the door before it, `checked.ts`. */
export class CompiledBackend extends SingleKernels implements UncheckedBackend {
  readonly name: 'native' | 'wasm';
  readonly description: string;
  readonly numThreads: number;
  readonly #module: KernelModule;
  readonly #kernels: Partial<Record<KernelName, number>>;
  readonly #memory: CachingAllocator;
  readonly #slots = new Float64Array(MAX_ARGUMENTS);
  #closed = false;

  /** @throws PlatformError if the module's kernels are not those of this version. */
  constructor(module: KernelModule) {
    super();
    this.name = module.name;
    this.numThreads = module.numThreads;
    this.description = `${module.name} ${module.instructionSet}, ${module.numThreads} thread${module.numThreads === 1 ? '' : 's'}`;
    this.#module = module;
    this.#kernels = indexKernels(module);
    this.#memory = new CachingAllocator(module);
  }

  get bytesAllocated(): number {
    return this.#memory.bytesHeld;
  }

  // — memory —

  allocate(length: number, type: DataType = 'float32'): Storage {
    this.#checkOpen();
    const address = this.#memory.allocate(length * BYTES[type]);
    return CompiledStorage.at(address, this, type, length);
  }

  upload(data: PlainNumbers): Storage {
    const storage = this.allocate(data.length, data instanceof Int32Array ? 'int32' : 'float32');
    this.write(storage, data);
    return storage;
  }

  write(storage: Storage, data: PlainNumbers, offset = 0): void {
    const address = this.#address(storage, storage.type, offset + data.length) + offset * BYTES[storage.type];
    if (storage.type === 'int32')
      this.#module.write(address, data instanceof Int32Array ? data : Int32Array.from(data));
    else if (storage.type === 'float64') this.#module.write(address, new Float64Array(data));
    else this.#module.write(address, data instanceof Float32Array ? data : new Float32Array(data));
  }

  async read(storage: Storage): Promise<FloatArray> {
    const numbers = this.peek(storage, storage.length);
    return numbers instanceof Int32Array ? new Float64Array(numbers) : numbers;
  }

  own(storage: Storage): void {
    this.#checkOpen();
    CompiledStorage.of(storage, this);
  }

  owns(storage: unknown): storage is Storage {
    return !this.#closed && CompiledStorage.belongs(storage, this);
  }

  peek(storage: Storage, count: number): Int32Array | FloatArray {
    const { type } = storage;
    const address = this.#address(storage, type, count);
    const data =
      type === 'int32' ? new Int32Array(count) : type === 'float64' ? new Float64Array(count) : new Float32Array(count);
    this.#module.read(address, data);
    return data;
  }

  slice(storage: Storage, offset: number, length: number): Storage {
    this.#checkOpen();
    return CompiledStorage.of(storage, this).part(offset, length);
  }

  release(storage: Storage): void {
    if (this.#closed) return;
    this.#memory.release(CompiledStorage.of(storage, this).end());
  }

  trim(): void {
    this.#checkOpen();
    this.#memory.trim();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.close();
    this.#module.close();
  }

  copy(source: Storage, target: Storage): void {
    const to = this.#address(target, source.type, source.length);
    this.#module.copy(this.#address(source, source.type, source.length), to, source.length * BYTES[source.type]);
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new LifetimeError(`This ${this.name} backend is closed: create another with createBackend().`);
  }

  #address(storage: Storage, type: DataType, count: number): number {
    this.#checkOpen();
    return addressOf(storage, this, type, count);
  }

  readonly #at: AddressOf = (storage, type) => this.#address(storage, type, 0);

  protected override run<K extends KernelName>(kernel: K, args: KernelArguments<K>): void {
    // A union of functions would take an intersection of arguments.
    const fill = fillSlots[kernel] as (slots: Float64Array, args: KernelArguments<K>, at: AddressOf) => void;
    fill(this.#slots, args, this.#at);
    const number = this.#kernels[kernel];
    if (number === undefined) {
      throw new PlatformError(
        `The kernels of this backend are those for inference, without ${kernel}: create the backend without purpose: 'inference'.`,
      );
    }
    this.#module.call(number, this.#slots);
  }

  // — calls of several kernels —

  gemm(args: GemmArguments): void {
    const { a, b, c, bias, m, n, k } = args;
    const { transposeA = false, transposeB = false, batch = 1, alpha = 1, accumulate = false } = args;
    const { lda = transposeA ? m : k, ldb = transposeB ? k : n, ldc = n } = args;
    if (m <= FEW_ROWS && !transposeA && batch === 1) {
      this.run('gemv', { a, b, bias, c, m, n, k, lda, ldb, ldc, transposeB, alpha, accumulate });
      return;
    }
    const { strideA = (transposeA ? k : m) * lda, strideB = (transposeB ? n : k) * ldb, strideC = m * ldc } = args;
    const numPacked = strideB === 0 ? 1 : batch;
    const packedSize = this.#module.gemmPackedSize(n, k);
    const packed = this.allocate(numPacked * packedSize);
    try {
      this.run('gemm_pack', { b, packed, n, k, ldb, transposeB, batch: numPacked, strideB });
      const strides = { batch, strideA, strideB: numPacked === 1 ? 0 : packedSize, strideC };
      this.run('gemm', { a, packedB: packed, bias, c, m, n, k, lda, ldc, transposeA, ...strides, alpha, accumulate });
    } finally {
      this.release(packed);
    }
  }

  /** Integers too, without the kernel. */
  override fill(x: Storage, value: number): void {
    if (x.type !== 'int32') super.fill(x, value);
    else this.write(x, new Int32Array(x.length).fill(value));
  }

  /** Integers too, whose bits the kernel moves as it moves those of floats. */
  override stridedCopy(args: StridedCopyArguments): void {
    const asFloats = (storage: Storage): Storage =>
      storage.type === 'int32' ? CompiledStorage.of(storage, this).part(0, storage.length, 'float32') : storage;
    super.stridedCopy({ ...args, x: asFloats(args.x), out: asFloats(args.out) });
  }

  async squaredNorm(x: Storage): Promise<number> {
    const partials = this.allocate(Math.ceil(x.length / NORM_BLOCK), 'float64');
    try {
      this.run('squared_norm', { x, partials });
      let total = 0;
      for (const partial of await this.read(partials)) total += partial;
      return total;
    } finally {
      this.release(partials);
    }
  }

  layerNormBackward(args: LayerNormBackwardArguments): void {
    this.run('layer_norm_backward', args);
    this.run('layer_norm_backward_parameters', args);
  }

  adamW(args: AdamWArguments): void {
    const { beta1, beta2, step } = args;
    this.run('adamw', { ...args, correction1: 1 - beta1 ** step, correction2: 1 - beta2 ** step });
  }

  lshAttention(args: LshAttentionArguments): void {
    for (let hash = 0; hash < args.numHashes; hash++) this.run('lsh_attention', { ...args, hash });
  }

  lshAttentionBackward(args: LshAttentionBackwardArguments): void {
    for (let hash = 0; hash < args.numHashes; hash++) this.run('lsh_attention_backward', { ...args, hash });
  }

  favor(args: FavorArguments): void {
    this.run('favor_keys', args);
    this.run('favor_queries', args);
  }
}
