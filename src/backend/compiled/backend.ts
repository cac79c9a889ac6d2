/** The backend over compiled kernels, native or WebAssembly: sizes and addresses in, kernel calls out. */
import { LifetimeError } from '../../base/errors.ts';
import type { UncheckedBackend } from '../checked.ts';
import { projectionLength, snapshotsLength } from '../estimator.ts';
import type { PlainNumbers } from '../numbers.ts';
import {
  type ActivationKind,
  type AdamWArguments,
  type AttentionArrays,
  type AttentionGradients,
  type AttentionLayout,
  type Backend,
  type DataType,
  type FavorFeatures,
  type FavorStateArrays,
  type FloatArray,
  featureMapKinds,
  type GemmArguments,
  type LshArrays,
  projectionForms,
  RUN_COLUMNS,
  type Storage,
} from '../types.ts';
import { CachingAllocator } from './allocator.ts';
import { indexKernels, type KernelModule, type KernelName } from './module.ts';
import { addressOf, BYTES, CompiledStorage, ownStorage } from './storage.ts';

const ACTIVATIONS: Record<ActivationKind, number> = { relu: 0, gelu: 1, geluTanh: 2, tanh: 3 };
const MAX_ARGUMENTS = 32;
/** Elements per partial sum of the kernel squared_norm. */
const SQUARED_NORM_BLOCK = 65536;

const layoutNumber = (layout: AttentionLayout): number => (layout === 'blhd' ? 1 : 0);

/** Trusts its callers with all but the sizes of arrays: `checked.ts` is the door before it. */
export class CompiledBackend implements UncheckedBackend {
  readonly name: 'native' | 'wasm';
  readonly description: string;
  readonly numThreads: number;
  readonly #module: KernelModule;
  readonly #kernels: Record<KernelName, number>;
  readonly #memory: CachingAllocator;
  readonly #slots = new Float64Array(MAX_ARGUMENTS);
  #closed = false;

  /** @throws if the module's kernels are not those of this version. */
  constructor(module: KernelModule) {
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
    return new CompiledStorage(this, type, length, { address });
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
    ownStorage(storage, this);
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
    const { type, block, offset: start } = ownStorage(storage, this);
    return new CompiledStorage(this, type, length, block, { offset: start + offset * BYTES[type] });
  }

  release(storage: Storage): void {
    if (this.#closed) return;
    const { block, isSlice } = ownStorage(storage, this);
    if (isSlice) throw new LifetimeError('A slice cannot be released: release the storage it was cut from.');
    this.#memory.release(block.address);
    block.address = 0;
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

  #f32(storage: Storage, count: number): number {
    return this.#address(storage, 'float32', count);
  }

  #i32(storage: Storage, count: number): number {
    return this.#address(storage, 'int32', count);
  }

  #optional(storage: Storage | undefined, count: number): number {
    return storage === undefined ? 0 : this.#f32(storage, count);
  }

  #call(kernel: KernelName, ...values: number[]): void {
    this.#slots.set(values);
    this.#module.call(this.#kernels[kernel], this.#slots);
  }

  // — dense algebra —

  gemm(args: GemmArguments): void {
    const { m, n, k, transposeA = false, transposeB = false, batch = 1, alpha = 1, accumulate = false } = args;
    if (m === 0 || n === 0 || batch === 0) return;
    const { lda = transposeA ? m : k, ldb = transposeB ? k : n, ldc = n } = args;
    const rowsA = transposeA ? k : m;
    const rowsB = transposeB ? n : k;
    const { strideA = rowsA * lda, strideB = rowsB * ldb, strideC = m * ldc } = args;
    const extent = (rows: number, columns: number, ld: number, stride: number): number =>
      rows === 0 || columns === 0 ? 0 : (batch - 1) * stride + (rows - 1) * ld + columns;
    const a = this.#f32(args.a, extent(rowsA, transposeA ? m : k, lda, strideA));
    const b = this.#f32(args.b, extent(rowsB, transposeB ? k : n, ldb, strideB));
    const c = this.#f32(args.c, extent(m, n, ldc, strideC));
    const bias = this.#optional(args.bias, n);
    if (m <= 4 && !transposeA && batch === 1) {
      this.#call('gemv', a, b, bias, c, m, n, k, lda, ldb, ldc, +transposeB, alpha, +accumulate);
      return;
    }
    const numPacked = strideB === 0 ? 1 : batch;
    const packedSize = this.#module.gemmPackedSize(n, k);
    const packedBytes = numPacked * packedSize * 4;
    const packed = this.#memory.allocate(packedBytes);
    try {
      this.#call('gemm_pack', b, packed, n, k, ldb, +transposeB, numPacked, strideB);
      const packedStride = numPacked === 1 ? 0 : packedSize;
      const strides = [batch, strideA, packedStride, strideC];
      this.#call('gemm', a, packed, bias, c, m, n, k, lda, ldc, +transposeA, ...strides, alpha, +accumulate);
    } finally {
      this.#memory.release(packed);
    }
  }

  // — elementwise and reductions —

  fill(x: Storage, value: number): void {
    if (x.type !== 'int32') this.#call('fill', this.#f32(x, x.length), x.length, value);
    else this.write(x, new Int32Array(x.length).fill(value));
  }

  add(a: Storage, b: Storage, out: Storage): void {
    const count = out.length;
    this.#call('add', this.#f32(a, count), this.#f32(b, count), this.#f32(out, count), count);
  }

  axpy(alpha: number, x: Storage, y: Storage): void {
    this.#call('axpy', alpha, this.#f32(x, y.length), this.#f32(y, y.length), y.length);
  }

  multiply(a: Storage, b: Storage, out: Storage): void {
    const count = out.length;
    this.#call('multiply', this.#f32(a, count), this.#f32(b, count), this.#f32(out, count), count);
  }

  scale(x: Storage, out: Storage, alpha: number): void {
    this.#call('scale', this.#f32(x, out.length), this.#f32(out, out.length), out.length, alpha);
  }

  scaleRows(args: Parameters<Backend['scaleRows']>[0]): void {
    const { rows, width } = args;
    const numFactors = args.factors.length;
    const factors = this.#f32(args.factors, Math.min(1, rows));
    const arrays = [this.#f32(args.x, rows * width), factors, this.#f32(args.out, rows * width)];
    this.#call('scale_rows', ...arrays, rows, width, numFactors);
  }

  activation(kind: ActivationKind, x: Storage, out: Storage): void {
    this.#call('activation', ACTIVATIONS[kind], this.#f32(x, out.length), this.#f32(out, out.length), out.length);
  }

  activationBackward(kind: ActivationKind, x: Storage, dOut: Storage, dX: Storage): void {
    const count = dX.length;
    const arrays = [this.#f32(x, count), this.#f32(dOut, count), this.#f32(dX, count)];
    this.#call('activation_backward', ACTIVATIONS[kind], ...arrays, count);
  }

  columnSum(args: { x: Storage; out: Storage; rows: number; columns: number; accumulate?: boolean }): void {
    const { rows, columns, accumulate = false } = args;
    const x = this.#f32(args.x, rows * columns);
    this.#call('column_sum', x, this.#f32(args.out, columns), rows, columns, +accumulate);
  }

  async squaredNorm(x: Storage): Promise<number> {
    const partials = this.allocate(Math.ceil(x.length / SQUARED_NORM_BLOCK), 'float64');
    try {
      const address = this.#address(partials, 'float64', partials.length);
      this.#call('squared_norm', this.#f32(x, x.length), address, x.length);
      let total = 0;
      for (const partial of await this.read(partials)) total += partial;
      return total;
    } finally {
      this.release(partials);
    }
  }

  // — layer norm —

  layerNorm(args: Parameters<Backend['layerNorm']>[0]): void {
    const { rows, width, epsilon } = args;
    const parameters = [this.#f32(args.gamma, width), this.#f32(args.beta, width)];
    const statistics = [this.#f32(args.mean, rows), this.#f32(args.inverseDeviation, rows)];
    const out = this.#f32(args.out, rows * width);
    this.#call('layer_norm', this.#f32(args.x, rows * width), ...parameters, out, ...statistics, rows, width, epsilon);
  }

  layerNormBackward(args: Parameters<Backend['layerNormBackward']>[0]): void {
    const { rows, width } = args;
    const x = this.#f32(args.x, rows * width);
    const dOut = this.#f32(args.dOut, rows * width);
    const statistics = [this.#f32(args.mean, rows), this.#f32(args.inverseDeviation, rows)];
    const dX = this.#f32(args.dX, rows * width);
    const dParameters = [this.#f32(args.dGamma, width), this.#f32(args.dBeta, width)];
    this.#call('layer_norm_backward', x, this.#f32(args.gamma, width), ...statistics, dOut, dX, rows, width);
    this.#call('layer_norm_backward_parameters', x, ...statistics, dOut, ...dParameters, rows, width);
  }

  // — embedding, positions, dropout, loss, optimizer —

  embedding(args: Parameters<Backend['embedding']>[0]): void {
    const { count, width } = args;
    const table = this.#f32(args.table, 0);
    this.#call('embedding', table, this.#i32(args.ids, count), this.#f32(args.out, count * width), count, width);
  }

  embeddingBackward(args: Parameters<Backend['embeddingBackward']>[0]): void {
    const { count, width } = args;
    const dOut = this.#f32(args.dOut, count * width);
    this.#call('embedding_backward', this.#i32(args.ids, count), dOut, this.#f32(args.dTable, 0), count, width);
  }

  rotary(args: Parameters<Backend['rotary']>[0]): void {
    const { batch, heads, length, dHead, layout, offset, base, inverse } = args;
    const count = batch * heads * length * dHead;
    const sizes = [batch, heads, length, dHead, layoutNumber(layout), offset, base, +inverse];
    this.#call('rotary', this.#f32(args.x, count), this.#f32(args.out, count), ...sizes);
  }

  dropout(args: Parameters<Backend['dropout']>[0]): void {
    const { rate, seed, stream } = args;
    const count = args.out.length;
    const key = [seed[0] >>> 0, seed[1] >>> 0, stream >>> 0];
    this.#call('dropout', this.#f32(args.x, count), this.#f32(args.out, count), count, rate, ...key);
  }

  softmaxCrossEntropy(args: Parameters<Backend['softmaxCrossEntropy']>[0]): void {
    const { rows, vocabSize, gradientScale } = args;
    const logits = this.#f32(args.logits, rows * vocabSize);
    const outputs = [
      this.#f32(args.loss, rows),
      this.#optional(args.correct, rows),
      this.#optional(args.dLogits, rows * vocabSize),
    ];
    const targets = this.#i32(args.targets, rows);
    this.#call('softmax_cross_entropy', logits, targets, ...outputs, rows, vocabSize, gradientScale);
  }

  softmaxKlDivergence(args: Parameters<Backend['softmaxKlDivergence']>[0]): void {
    const { rows, vocabSize, inverseTemperature, gradientScale } = args;
    const arrays = [
      this.#f32(args.logits, rows * vocabSize),
      this.#f32(args.targets, rows * vocabSize),
      this.#f32(args.loss, rows),
      this.#optional(args.correct, rows),
      this.#optional(args.dLogits, rows * vocabSize),
    ];
    this.#call('softmax_kl_divergence', ...arrays, rows, vocabSize, inverseTemperature, gradientScale);
  }

  adamW(args: AdamWArguments): void {
    const { beta1, beta2, step } = args;
    const count = args.parameter.length;
    const arrays = [args.parameter, args.gradient, args.firstMoment, args.secondMoment];
    const corrections = [1 - beta1 ** step, 1 - beta2 ** step];
    const rates = [args.learningRate, beta1, beta2, args.epsilon, args.weightDecay];
    const addresses = arrays.map((array) => this.#f32(array, count));
    this.#call('adamw', ...addresses, count, ...rates, ...corrections, args.gradientScale);
  }

  // — attention: the batch size is not an argument, so arrays are checked against each other —

  #attention(args: AttentionArrays): { q: number; k: number; v: number; keyMask: number; runs: number } {
    const { heads, lengthK, dHead, dValue, numRuns } = args;
    return {
      q: this.#f32(args.q, 0),
      k: this.#f32(args.k, 0),
      v: this.#f32(args.v, (args.k.length / dHead) * dValue),
      keyMask: this.#optional(args.keyMask, lengthK === 0 ? 0 : args.k.length / (heads * dHead)),
      runs: this.#i32(args.runs, numRuns * RUN_COLUMNS),
    };
  }

  #gradients(args: AttentionArrays & AttentionGradients): { outputs: number[]; gradients: number[] } {
    return {
      outputs: [this.#perQuery(args.out, args, args.dValue), this.#perQuery(args.dOut, args, args.dValue)],
      gradients: [
        this.#f32(args.dQ, args.q.length),
        this.#f32(args.dK, args.k.length),
        this.#f32(args.dV, args.v.length),
      ],
    };
  }

  /** An array with `width` numbers for every query of every head. */
  #perQuery(storage: Storage, args: AttentionArrays, width: number): number {
    return this.#f32(storage, (args.q.length / args.dHead) * width);
  }

  /** The arguments of an estimator. */
  #estimator(args: FavorFeatures, dHead: number): number[] {
    const { numFeatures, form, factors, directions, map, epsilon } = args;
    const projection = this.#f32(args.projection, projectionLength(args, dHead));
    const numbers = [projectionForms.indexOf(form), factors, directions, featureMapKinds.indexOf(map), epsilon];
    return [projection, this.#optional(args.bias, numFeatures), numFeatures, ...numbers];
  }

  #state(state: FavorStateArrays, numStates: number, numFeatures: number, dValue: number): number[] {
    const count = numStates * numFeatures * (dValue + 1);
    const sums = [this.#f32(state.sums, count), this.#f32(state.compensation, count)];
    return [...sums, this.#f32(state.scales, numStates * numFeatures)];
  }

  softmaxAttention(args: Parameters<Backend['softmaxAttention']>[0]): void {
    const { numRuns, heads, lengthQ, lengthK, dHead, dValue, layout, causal, scale, normalise } = args;
    const { q, k, v, keyMask, runs } = this.#attention(args);
    const outputs = [this.#perQuery(args.out, args, dValue), this.#perQuery(args.logSumExp, args, 1)];
    const sizes = [numRuns, heads, lengthQ, lengthK, dHead, dValue, layoutNumber(layout), +causal, scale, +normalise];
    this.#call('softmax_attention', q, k, v, keyMask, runs, ...outputs, ...sizes);
  }

  softmaxAttentionBackward(args: Parameters<Backend['softmaxAttentionBackward']>[0]): void {
    const { numRuns, heads, lengthQ, lengthK, dHead, dValue, layout, causal, scale, normalise } = args;
    const { q, k, v, keyMask, runs } = this.#attention(args);
    const { outputs, gradients } = this.#gradients(args);
    const arrays = [outputs[0], this.#perQuery(args.logSumExp, args, 1), outputs[1], ...gradients];
    const sizes = [numRuns, heads, lengthQ, lengthK, dHead, dValue, layoutNumber(layout), +causal, scale, +normalise];
    this.#call('softmax_attention_backward', q, k, v, keyMask, runs, ...arrays, ...sizes);
  }

  #lshIndices(args: Omit<LshArrays, 'v' | 'dValue'>): number[] {
    const count = args.numHashes * args.batch * args.heads * args.length;
    return [this.#i32(args.order, count), this.#i32(args.chunks, count)];
  }

  #lsh(args: LshArrays & { scale: number }): { arrays: number[]; sizes: number[] } {
    const { numRuns, batch, heads, length, dHead, dValue, causal, scale, chunkLength, numHashes } = args;
    const rows = batch * heads * length;
    const keyMask = this.#optional(args.keyMask, batch * length);
    const runs = this.#i32(args.runs, numRuns * RUN_COLUMNS);
    const arrays = [this.#f32(args.q, rows * dHead), this.#f32(args.v, rows * dValue), keyMask, runs];
    const widths = [dHead, dValue, layoutNumber(args.layout)];
    const sizes = [numRuns, batch, heads, length, ...widths, +causal, scale, chunkLength, numHashes];
    return { arrays: [...arrays, ...this.#lshIndices(args)], sizes };
  }

  lshSort(args: Parameters<Backend['lshSort']>[0]): void {
    const { numRuns, batch, heads, length, dHead, layout, causal, numHashes, numBuckets, numRotations } = args;
    const arrays = [
      this.#f32(args.q, batch * heads * length * dHead),
      this.#f32(args.rotations, numHashes * numRotations * dHead),
      this.#optional(args.keyMask, batch * length),
      this.#i32(args.runs, numRuns * RUN_COLUMNS),
    ];
    const sizes = [numRuns, batch, heads, length, dHead, layoutNumber(layout), +causal, numHashes];
    const buckets = [numBuckets, numRotations, args.chunkLength];
    this.#call('lsh_sort', ...arrays, ...this.#lshIndices(args), ...sizes, ...buckets);
  }

  lshAttention(args: Parameters<Backend['lshAttention']>[0]): void {
    const { arrays, sizes } = this.#lsh(args);
    const rows = args.batch * args.heads * args.length;
    const results = [args.references, args.sums].map((storage) => this.#f32(storage, rows));
    const out = this.#f32(args.out, rows * args.dValue);
    for (let hash = 0; hash < args.numHashes; hash++) {
      this.#call('lsh_attention', ...arrays, out, ...results, ...sizes, hash);
    }
  }

  lshAttentionBackward(args: Parameters<Backend['lshAttentionBackward']>[0]): void {
    const { arrays, sizes } = this.#lsh(args);
    const rows = args.batch * args.heads * args.length;
    const results = [this.#f32(args.out, rows * args.dValue), this.#f32(args.references, rows)];
    const gradients = [this.#f32(args.dQ, rows * args.dHead), this.#f32(args.dV, rows * args.dValue)];
    const given = [...results, this.#f32(args.sums, rows), this.#f32(args.dOut, rows * args.dValue)];
    for (let hash = 0; hash < args.numHashes; hash++) {
      this.#call('lsh_attention_backward', ...arrays, ...given, ...gradients, ...sizes, hash);
    }
  }

  favorFeatures(args: Parameters<Backend['favorFeatures']>[0]): void {
    const { batch, heads, length, dHead, layout, numFeatures } = args;
    const rows = batch * heads * length;
    const sizes = [batch, heads, length, dHead, layoutNumber(layout)];
    const x = this.#f32(args.x, rows * dHead);
    this.#call('favor_features', x, ...this.#estimator(args, dHead), this.#f32(args.out, rows * numFeatures), ...sizes);
  }

  favor(args: Parameters<Backend['favor']>[0]): void {
    const { numRuns, heads, lengthQ, lengthK, dHead, dValue, numFeatures, layout, weight, stabiliser } = args;
    const { q, k, v, keyMask, runs } = this.#attention(args);
    const estimator = this.#estimator(args, dHead);
    const state = this.#state(args, numRuns * heads, numFeatures, dValue);
    const outputs = [this.#perQuery(args.out, args, dValue), this.#perQuery(args.denominator, args, 1)];
    const widths = [dHead, dValue, layoutNumber(layout)];
    this.#call('favor_keys', k, v, keyMask, runs, ...estimator, ...state, numRuns, heads, lengthK, ...widths);
    const sizes = [numRuns, heads, lengthQ, ...widths, weight, stabiliser];
    this.#call('favor_queries', q, runs, ...estimator, ...state, ...outputs, ...sizes);
  }

  favorBackward(args: Parameters<Backend['favorBackward']>[0]): void {
    const { numRuns, heads, lengthQ, lengthK, dHead, dValue, numFeatures, layout, weight } = args;
    const { q, k, v, keyMask, runs } = this.#attention(args);
    const { outputs, gradients } = this.#gradients(args);
    const state = this.#state(args, numRuns * heads, numFeatures, dValue);
    const arrays = [...this.#estimator(args, dHead), ...state, outputs[0], this.#perQuery(args.denominator, args, 1)];
    const sizes = [numRuns, heads, lengthQ, lengthK, dHead, dValue, layoutNumber(layout), weight];
    this.#call('favor_backward', q, k, v, keyMask, runs, ...arrays, outputs[1], ...gradients, ...sizes);
  }

  favorCausal(args: Parameters<Backend['favorCausal']>[0]): void {
    const { numRuns, heads, lengthQ, lengthK, dHead, dValue, numFeatures, layout, updateState = false } = args;
    const { q, k, v, keyMask, runs } = this.#attention(args);
    const state = args.state ? this.#state(args.state, numRuns * heads, numFeatures, dValue) : [0, 0, 0];
    const outputs = [this.#perQuery(args.out, args, dValue), this.#perQuery(args.denominator, args, 1)];
    const snapshots = this.#optional(args.snapshots, snapshotsLength(args, numFeatures));
    const arrays = [...this.#estimator(args, dHead), ...state, ...outputs, snapshots];
    const sizes = [numRuns, heads, lengthQ, lengthK, dHead, dValue, layoutNumber(layout), +updateState];
    this.#call('favor_causal', q, k, v, keyMask, runs, ...arrays, ...sizes, args.weight, args.stabiliser);
  }

  favorCausalBackward(args: Parameters<Backend['favorCausalBackward']>[0]): void {
    const { numRuns, heads, lengthQ, lengthK, dHead, dValue, numFeatures, layout, weight } = args;
    const { q, k, v, keyMask, runs } = this.#attention(args);
    const { outputs, gradients } = this.#gradients(args);
    const snapshots = this.#f32(args.snapshots, snapshotsLength(args, numFeatures));
    const results = [outputs[0], this.#perQuery(args.denominator, args, 1), snapshots, outputs[1], ...gradients];
    const sizes = [numRuns, heads, lengthQ, lengthK, dHead, dValue, layoutNumber(layout), weight];
    this.#call('favor_causal_backward', q, k, v, keyMask, runs, ...this.#estimator(args, dHead), ...results, ...sizes);
  }

  favorStep(args: Parameters<Backend['favorStep']>[0]): void {
    const { batch, heads, dHead, dValue, numFeatures, weight, stabiliser } = args;
    const rows = batch * heads;
    const arrays = [this.#f32(args.q, rows * dHead), this.#f32(args.k, rows * dHead), this.#f32(args.v, rows * dValue)];
    const state = this.#state(args, rows, numFeatures, dValue);
    const out = this.#f32(args.out, rows * dValue);
    const sizes = [batch, heads, dHead, dValue, weight, stabiliser];
    this.#call('favor_step', ...arrays, ...this.#estimator(args, dHead), ...state, out, ...sizes);
  }

  peak(args: Parameters<Backend['peak']>[0]): void {
    this.#call('peak', this.#f32(args.out, args.out.length), args.iterations, args.out.length);
  }
}
