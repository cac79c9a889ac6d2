/**
 * The one door to a backend: what a call is given is checked here, before anything is written, so that no call of any
 * backend leaves its arrays, whatever it is given. Indices that come as data (token ids, targets, runs, sorted orders,
 * rotations) are read and compared with the arrays that they index: O(ids), far less than what the call then does.
 */
import { ConfigurationError, DataError, LifetimeError, ShapeError } from '../base/errors.ts';
import { describe } from '../base/options.ts';
import { blockSize, projectionLength, snapshotsLength } from './estimator.ts';
import { type NumberArray, numbersFor, typeOfNumbers } from './numbers.ts';
import {
  type ActivationKind,
  type AdamWArguments,
  type AttentionArrays,
  type AttentionGradients,
  type Backend,
  type BackendName,
  type DataType,
  type FavorFeatures,
  type FavorResult,
  type FavorStateArrays,
  type FloatArray,
  featureMapKinds,
  type GemmArguments,
  type LshArrays,
  projectionForms,
  RUN_COLUMNS,
  type SoftmaxOptions,
  type Storage,
} from './types.ts';

/** A backend that trusts its callers, and what a door needs of it. */
export interface UncheckedBackend extends Backend {
  /** @throws LifetimeError if the backend is closed, or `storage` is another's or released. */
  own(storage: Storage): void;
  /** The first `count` numbers of storage of its own, now. */
  peek(storage: Storage, count: number): Int32Array | FloatArray;
}

const TYPES: readonly DataType[] = ['float32', 'float64', 'int32'];
const ACTIVATIONS: readonly ActivationKind[] = ['relu', 'gelu', 'geluTanh', 'tanh'];
/** WebAssembly has 32-bit sizes. */
const MAX_SIZE = 2 ** 31 - 1;
/** Some seconds of work. */
const MAX_ITERATIONS = 1e7;
/** Kernels keep rows of heads in scratch space. */
const MAX_WIDTH = 65_536;
/** The kernels give chunks that nobody sees numbers far below, and compare differences of 32 bits. */
const MAX_CHUNK = 2 ** 30;

function size(where: string, name: string, value: unknown, least = 0, most = MAX_SIZE): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw new ShapeError(`${where}: ${name} is ${describe(value)}; give a whole number from ${least} to ${most}.`);
}

function number(where: string, name: string, value: unknown): void {
  if (typeof value === 'number') return;
  throw new ConfigurationError(`${where}: ${name} is ${describe(value)}; give a number.`);
}

function flag(where: string, name: string, value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return;
  throw new ConfigurationError(`${where}: ${name} is ${describe(value)}; give true or false.`);
}

function choice(where: string, name: string, value: unknown, choices: readonly string[]): void {
  if (choices.includes(value as string)) return;
  throw new ConfigurationError(`${where}: ${name} is ${describe(value)}; choose ${choices.join(', ')}.`);
}

function argumentsOf(where: string, args: unknown): void {
  if (typeof args === 'object' && args !== null) return;
  throw new ConfigurationError(`${where}: the arguments are ${describe(args)}; give an object.`);
}

/** Batch rows that the runs reach, of queries and of keys. */
interface Reach {
  readonly queries: number;
  readonly keys: number;
}

/** Arguments with which an order was sorted, as far as they say which numbers it holds. */
interface Sorting {
  readonly chunks: Storage;
  readonly runs: Storage;
  readonly sizes: readonly number[];
  /** How many calls had overwritten integers by then. */
  readonly writes: number;
}

export class CheckedBackend implements Backend {
  readonly name: BackendName;
  readonly description: string;
  readonly numThreads: number;
  readonly #inner: UncheckedBackend;
  /** Calls so far that overwrote integers. */
  #integerWrites = 0;
  readonly #sorted = new WeakMap<Storage, Sorting>();

  constructor(inner: UncheckedBackend) {
    this.#inner = inner;
    this.name = inner.name;
    this.description = inner.description;
    this.numThreads = inner.numThreads;
  }

  /** The backend behind the door of `backend`: for the bench alone, which measures what the door costs. */
  static behind(backend: Backend): UncheckedBackend {
    if (backend instanceof CheckedBackend) return backend.#inner;
    throw new LifetimeError('This backend has no door: create one with createBackend().');
  }

  get bytesAllocated(): number {
    return this.#inner.bytesAllocated;
  }

  // — memory —

  allocate(length: number, type: DataType = 'float32'): Storage {
    choice('allocate', 'type', type, TYPES);
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new ShapeError(`allocate: length is ${describe(length)}; give a whole number of at least 0.`);
    }
    return this.#inner.allocate(length, type);
  }

  upload(data: NumberArray, type?: 'float32' | 'int32'): Storage {
    if (type !== undefined) choice('upload', 'type', type, ['float32', 'int32']);
    return this.#inner.upload(numbersFor('upload', data, type ?? typeOfNumbers('upload', data)));
  }

  write(storage: Storage, data: NumberArray, offset = 0): void {
    this.#any('write', 'storage', storage);
    const numbers = numbersFor('write', data, storage.type);
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + numbers.length > storage.length) {
      throw new ShapeError(
        `write: ${numbers.length} numbers at ${describe(offset)} do not fit a storage of ${storage.length}.`,
      );
    }
    if (storage.type === 'int32') this.#integerWrites++;
    this.#inner.write(storage, numbers, offset);
  }

  async read(storage: Storage): Promise<FloatArray> {
    this.#any('read', 'storage', storage);
    return this.#inner.read(storage);
  }

  slice(storage: Storage, offset: number, length: number): Storage {
    this.#any('slice', 'storage', storage);
    const isInside =
      Number.isSafeInteger(offset) &&
      Number.isSafeInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= storage.length;
    if (!isInside) {
      throw new ShapeError(
        `slice: ${describe(length)} elements from ${describe(offset)} on are not in a storage of ${storage.length}.`,
      );
    }
    return this.#inner.slice(storage, offset, length);
  }

  release(storage: Storage): void {
    this.#storage('release', 'storage', storage);
    this.#inner.release(storage);
  }

  trim(): void {
    this.#inner.trim();
  }

  close(): void {
    this.#inner.close();
  }

  copy(source: Storage, target: Storage): void {
    this.#any('copy', 'source', source);
    this.#any('copy', 'target', target);
    if (source.type !== target.type || source.length > target.length) {
      throw new ShapeError(
        `copy: ${source.length} elements of ${source.type} do not fit ${target.length} of ${target.type}.`,
      );
    }
    if (target.type === 'int32') this.#integerWrites++;
    this.#inner.copy(source, target);
  }

  #storage(where: string, name: string, storage: unknown): asserts storage is Storage {
    const isStorage = typeof storage === 'object' && storage !== null && 'type' in storage && 'length' in storage;
    if (isStorage && !ArrayBuffer.isView(storage)) return;
    throw new DataError(
      `${where}: ${name} is ${describe(storage)}; give a storage of this backend, such as upload() makes.`,
    );
  }

  #any(where: string, name: string, storage: Storage): void {
    this.#storage(where, name, storage);
    this.#inner.own(storage);
  }

  #typed(where: string, name: string, storage: Storage, type: DataType, count: number): void {
    this.#any(where, name, storage);
    if (storage.type === type && storage.length >= count) return;
    throw new ShapeError(
      `${where}: ${name} has ${storage.length} elements of ${storage.type} where ${count} of ${type} are needed.`,
    );
  }

  #floats(where: string, name: string, storage: Storage, count: number): void {
    this.#typed(where, name, storage, 'float32', count);
  }

  #optional(where: string, name: string, storage: Storage | undefined, count: number): void {
    if (storage !== undefined) this.#floats(where, name, storage, count);
  }

  /** @throws naming the first of `count` indices that is not below `limit`, and where it stands. */
  #indices(where: string, what: string, storage: Storage, count: number, limit: number, options: IndexOptions): void {
    this.#typed(where, `${what}s`, storage, 'int32', count);
    const indices = this.#inner.peek(storage, count);
    const least = options.negativesPass ? Number.NEGATIVE_INFINITY : 0;
    for (let i = 0; i < count; i++) {
      const index = indices[i];
      if (index < limit && index >= least) continue;
      throw new DataError(
        `${where}: ${what} ${index} at position ${i} is not one of the ${limit} ${options.of}: ${options.advice(limit)}.`,
      );
    }
  }

  // — dense algebra —

  gemm(args: GemmArguments): void {
    const where = 'gemm';
    argumentsOf(where, args);
    const { m, n, k, transposeA = false, transposeB = false, batch = 1, alpha = 1, accumulate = false } = args;
    size(where, 'm', m);
    size(where, 'n', n);
    size(where, 'k', k);
    size(where, 'batch', batch);
    flag(where, 'transposeA', transposeA);
    flag(where, 'transposeB', transposeB);
    flag(where, 'accumulate', accumulate);
    number(where, 'alpha', alpha);
    const { lda = transposeA ? m : k, ldb = transposeB ? k : n, ldc = n } = args;
    const rowsA = transposeA ? k : m;
    const rowsB = transposeB ? n : k;
    size(where, 'lda', lda);
    size(where, 'ldb', ldb);
    size(where, 'ldc', ldc);
    const { strideA = rowsA * lda, strideB = rowsB * ldb, strideC = m * ldc } = args;
    size(where, 'strideA', strideA);
    size(where, 'strideB', strideB);
    size(where, 'strideC', strideC);
    this.#floats(where, 'a', args.a, extent(batch, rowsA, transposeA ? m : k, lda, strideA));
    this.#floats(where, 'b', args.b, extent(batch, rowsB, transposeB ? k : n, ldb, strideB));
    this.#floats(where, 'c', args.c, extent(batch, m, n, ldc, strideC));
    this.#optional(where, 'bias', args.bias, n);
    if (m === 0 || n === 0 || batch === 0) return;
    this.#inner.gemm(args);
  }

  // — elementwise and reductions —

  fill(x: Storage, value: number): void {
    this.#any('fill', 'x', x);
    number('fill', 'value', value);
    if (x.type === 'int32') {
      size('fill', 'value', value, -MAX_SIZE - 1);
      this.#integerWrites++;
    } else this.#floats('fill', 'x', x, 0);
    this.#inner.fill(x, value);
  }

  add(a: Storage, b: Storage, out: Storage): void {
    this.#floats('add', 'out', out, 0);
    this.#floats('add', 'a', a, out.length);
    this.#floats('add', 'b', b, out.length);
    this.#inner.add(a, b, out);
  }

  axpy(alpha: number, x: Storage, y: Storage): void {
    number('axpy', 'alpha', alpha);
    this.#floats('axpy', 'y', y, 0);
    this.#floats('axpy', 'x', x, y.length);
    this.#inner.axpy(alpha, x, y);
  }

  multiply(a: Storage, b: Storage, out: Storage): void {
    this.#floats('multiply', 'out', out, 0);
    this.#floats('multiply', 'a', a, out.length);
    this.#floats('multiply', 'b', b, out.length);
    this.#inner.multiply(a, b, out);
  }

  scaleRows(args: Parameters<Backend['scaleRows']>[0]): void {
    const where = 'scaleRows';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows);
    const width = size(where, 'width', args.width);
    this.#floats(where, 'x', args.x, rows * width);
    this.#floats(where, 'factors', args.factors, Math.min(1, rows));
    this.#floats(where, 'out', args.out, rows * width);
    if (rows * width > 0) this.#inner.scaleRows(args);
  }

  scale(x: Storage, out: Storage, alpha: number): void {
    number('scale', 'alpha', alpha);
    this.#floats('scale', 'out', out, 0);
    this.#floats('scale', 'x', x, out.length);
    this.#inner.scale(x, out, alpha);
  }

  activation(kind: ActivationKind, x: Storage, out: Storage): void {
    choice('activation', 'kind', kind, ACTIVATIONS);
    this.#floats('activation', 'out', out, 0);
    this.#floats('activation', 'x', x, out.length);
    this.#inner.activation(kind, x, out);
  }

  activationBackward(kind: ActivationKind, x: Storage, dOut: Storage, dX: Storage): void {
    choice('activationBackward', 'kind', kind, ACTIVATIONS);
    this.#floats('activationBackward', 'dX', dX, 0);
    this.#floats('activationBackward', 'x', x, dX.length);
    this.#floats('activationBackward', 'dOut', dOut, dX.length);
    this.#inner.activationBackward(kind, x, dOut, dX);
  }

  columnSum(args: Parameters<Backend['columnSum']>[0]): void {
    const where = 'columnSum';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows);
    const columns = size(where, 'columns', args.columns);
    flag(where, 'accumulate', args.accumulate);
    this.#floats(where, 'x', args.x, rows * columns);
    this.#floats(where, 'out', args.out, columns);
    if (columns > 0) this.#inner.columnSum(args);
  }

  async squaredNorm(x: Storage): Promise<number> {
    this.#floats('squaredNorm', 'x', x, 0);
    return this.#inner.squaredNorm(x);
  }

  // — layer norm —

  layerNorm(args: Parameters<Backend['layerNorm']>[0]): void {
    const where = 'layerNorm';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows);
    const width = size(where, 'width', args.width);
    number(where, 'epsilon', args.epsilon);
    this.#floats(where, 'x', args.x, rows * width);
    this.#floats(where, 'gamma', args.gamma, width);
    this.#floats(where, 'beta', args.beta, width);
    this.#floats(where, 'out', args.out, rows * width);
    this.#floats(where, 'mean', args.mean, rows);
    this.#floats(where, 'inverseDeviation', args.inverseDeviation, rows);
    if (rows * width > 0) this.#inner.layerNorm(args);
  }

  layerNormBackward(args: Parameters<Backend['layerNormBackward']>[0]): void {
    const where = 'layerNormBackward';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows);
    const width = size(where, 'width', args.width);
    this.#floats(where, 'x', args.x, rows * width);
    this.#floats(where, 'gamma', args.gamma, width);
    this.#floats(where, 'mean', args.mean, rows);
    this.#floats(where, 'inverseDeviation', args.inverseDeviation, rows);
    this.#floats(where, 'dOut', args.dOut, rows * width);
    this.#floats(where, 'dX', args.dX, rows * width);
    this.#floats(where, 'dGamma', args.dGamma, width);
    this.#floats(where, 'dBeta', args.dBeta, width);
    if (width > 0) this.#inner.layerNormBackward(args);
  }

  // — embedding, positions, dropout, loss, optimizer —

  embedding(args: Parameters<Backend['embedding']>[0]): void {
    const where = 'embedding';
    argumentsOf(where, args);
    const count = size(where, 'count', args.count);
    const width = size(where, 'width', args.width, 1);
    this.#floats(where, 'table', args.table, 0);
    this.#floats(where, 'out', args.out, count * width);
    this.#indices(where, 'id', args.ids, count, Math.floor(args.table.length / width), rowsOfTable);
    if (count > 0) this.#inner.embedding(args);
  }

  embeddingBackward(args: Parameters<Backend['embeddingBackward']>[0]): void {
    const where = 'embeddingBackward';
    argumentsOf(where, args);
    const count = size(where, 'count', args.count);
    const width = size(where, 'width', args.width, 1);
    this.#floats(where, 'dTable', args.dTable, 0);
    this.#floats(where, 'dOut', args.dOut, count * width);
    this.#indices(where, 'id', args.ids, count, Math.floor(args.dTable.length / width), rowsOfTable);
    if (count > 0) this.#inner.embeddingBackward(args);
  }

  rotary(args: Parameters<Backend['rotary']>[0]): void {
    const where = 'rotary';
    argumentsOf(where, args);
    const count = this.#headRows(where, args) * size(where, 'dHead', args.dHead, 1, MAX_WIDTH);
    size(where, 'offset', args.offset, -MAX_SIZE, MAX_SIZE - args.length);
    number(where, 'base', args.base);
    flag(where, 'inverse', args.inverse);
    this.#floats(where, 'x', args.x, count);
    this.#floats(where, 'out', args.out, count);
    if (count > 0) this.#inner.rotary(args);
  }

  dropout(args: Parameters<Backend['dropout']>[0]): void {
    const where = 'dropout';
    argumentsOf(where, args);
    if (!(typeof args.rate === 'number' && args.rate >= 0 && args.rate < 1)) {
      throw new ConfigurationError(`dropout: rate is ${describe(args.rate)}; give a number from 0 to below 1.`);
    }
    if (!Array.isArray(args.seed)) {
      throw new ConfigurationError(`dropout: seed is ${describe(args.seed)}; give two whole numbers of 32 bits.`);
    }
    for (const word of [args.seed[0], args.seed[1], args.stream]) {
      size(where, 'a word of the seed or stream', word, 0, 2 ** 32 - 1);
    }
    this.#floats(where, 'out', args.out, 0);
    this.#floats(where, 'x', args.x, args.out.length);
    this.#inner.dropout(args);
  }

  softmaxCrossEntropy(args: Parameters<Backend['softmaxCrossEntropy']>[0]): void {
    const where = 'softmaxCrossEntropy';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows);
    const vocabSize = size(where, 'vocabSize', args.vocabSize, 1);
    number(where, 'gradientScale', args.gradientScale);
    this.#floats(where, 'logits', args.logits, rows * vocabSize);
    this.#floats(where, 'loss', args.loss, rows);
    this.#optional(where, 'correct', args.correct, rows);
    this.#optional(where, 'dLogits', args.dLogits, rows * vocabSize);
    this.#indices(where, 'target', args.targets, rows, vocabSize, classes);
    if (rows > 0) this.#inner.softmaxCrossEntropy(args);
  }

  softmaxKlDivergence(args: Parameters<Backend['softmaxKlDivergence']>[0]): void {
    const where = 'softmaxKlDivergence';
    argumentsOf(where, args);
    const rows = size(where, 'rows', args.rows);
    const vocabSize = size(where, 'vocabSize', args.vocabSize, 1);
    number(where, 'inverseTemperature', args.inverseTemperature);
    number(where, 'gradientScale', args.gradientScale);
    this.#floats(where, 'logits', args.logits, rows * vocabSize);
    this.#floats(where, 'targets', args.targets, rows * vocabSize);
    this.#floats(where, 'loss', args.loss, rows);
    this.#optional(where, 'correct', args.correct, rows);
    this.#optional(where, 'dLogits', args.dLogits, rows * vocabSize);
    if (rows > 0) this.#inner.softmaxKlDivergence(args);
  }

  adamW(args: AdamWArguments): void {
    const where = 'adamW';
    argumentsOf(where, args);
    for (const name of ADAMW_NUMBERS) number(where, name, args[name]);
    this.#floats(where, 'parameter', args.parameter, 0);
    const count = args.parameter.length;
    this.#floats(where, 'gradient', args.gradient, count);
    this.#floats(where, 'firstMoment', args.firstMoment, count);
    this.#floats(where, 'secondMoment', args.secondMoment, count);
    this.#inner.adamW(args);
  }

  // — attention —

  /** Checks the sizes of an array of heads and gives its number of rows. */
  #headRows(where: string, args: { batch: number; heads: number; length: number; layout: string }): number {
    choice(where, 'layout', args.layout, LAYOUTS);
    return size(where, 'batch', args.batch) * size(where, 'heads', args.heads) * size(where, 'length', args.length);
  }

  /** Checks sizes, runs and arrays of an attention, and gives the batch rows that its runs reach. */
  #attention(where: string, args: AttentionArrays): Reach {
    argumentsOf(where, args);
    const heads = size(where, 'heads', args.heads, 1);
    const lengthQ = size(where, 'lengthQ', args.lengthQ);
    const lengthK = size(where, 'lengthK', args.lengthK);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_WIDTH);
    const numRuns = size(where, 'numRuns', args.numRuns);
    choice(where, 'layout', args.layout, LAYOUTS);
    this.#typed(where, 'runs', args.runs, 'int32', numRuns * RUN_COLUMNS);
    const runs = this.#inner.peek(args.runs, numRuns * RUN_COLUMNS);
    let queries = 0;
    let keys = 0;
    for (let at = 0; at < numRuns * RUN_COLUMNS; at += RUN_COLUMNS) {
      const isInside =
        runs[at] >= 0 && isPiece(runs[at + 1], runs[at + 2], lengthQ) && isPiece(runs[at + 3], runs[at + 4], lengthK);
      if (!isInside) throw badRun(where, runs, at, lengthQ, lengthK);
      if (runs[at + 2] > 0) queries = Math.max(queries, runs[at] + 1);
      if (runs[at + 4] > 0) keys = Math.max(keys, runs[at] + 1);
    }
    this.#floats(where, 'q', args.q, queries * heads * lengthQ * dHead);
    this.#floats(where, 'k', args.k, keys * heads * lengthK * dHead);
    this.#floats(where, 'v', args.v, keys * heads * lengthK * dValue);
    this.#optional(where, 'keyMask', args.keyMask, keys * lengthK);
    return { queries, keys };
  }

  /** An array with `width` numbers for every query of every head. */
  #perQuery(where: string, name: string, storage: Storage, args: AttentionArrays, reach: Reach, width: number): void {
    this.#floats(where, name, storage, reach.queries * args.heads * args.lengthQ * width);
  }

  #gradients(where: string, args: AttentionArrays & AttentionGradients, reach: Reach): void {
    const { heads, lengthK, dHead, dValue } = args;
    this.#perQuery(where, 'out', args.out, args, reach, dValue);
    this.#perQuery(where, 'dOut', args.dOut, args, reach, dValue);
    this.#perQuery(where, 'dQ', args.dQ, args, reach, dHead);
    this.#floats(where, 'dK', args.dK, reach.keys * heads * lengthK * dHead);
    this.#floats(where, 'dV', args.dV, reach.keys * heads * lengthK * dValue);
  }

  #softmax(where: string, args: SoftmaxOptions): void {
    flag(where, 'causal', args.causal);
    flag(where, 'normalise', args.normalise);
    number(where, 'scale', args.scale);
  }

  softmaxAttention(args: Parameters<Backend['softmaxAttention']>[0]): void {
    const where = 'softmaxAttention';
    const reach = this.#attention(where, args);
    this.#softmax(where, args);
    this.#perQuery(where, 'out', args.out, args, reach, args.dValue);
    this.#perQuery(where, 'logSumExp', args.logSumExp, args, reach, 1);
    if (args.numRuns > 0) this.#inner.softmaxAttention(args);
  }

  softmaxAttentionBackward(args: Parameters<Backend['softmaxAttentionBackward']>[0]): void {
    const where = 'softmaxAttentionBackward';
    const reach = this.#attention(where, args);
    this.#softmax(where, args);
    this.#gradients(where, args, reach);
    this.#perQuery(where, 'logSumExp', args.logSumExp, args, reach, 1);
    if (args.numRuns > 0) this.#inner.softmaxAttentionBackward(args);
  }

  /** Checks what the three kernels of LSH attention share. */
  #lsh(where: string, args: Omit<LshArrays, 'v' | 'dValue'>): number {
    argumentsOf(where, args);
    const rows = this.#headRows(where, args);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_WIDTH);
    const numHashes = size(where, 'numHashes', args.numHashes, 1);
    const numRuns = size(where, 'numRuns', args.numRuns);
    size(where, 'chunkLength', args.chunkLength, 1);
    flag(where, 'causal', args.causal);
    this.#floats(where, 'q', args.q, rows * dHead);
    this.#optional(where, 'keyMask', args.keyMask, args.batch * args.length);
    this.#typed(where, 'order', args.order, 'int32', numHashes * rows);
    this.#typed(where, 'chunks', args.chunks, 'int32', numHashes * rows);
    this.#typed(where, 'runs', args.runs, 'int32', numRuns * RUN_COLUMNS);
    const runs = this.#inner.peek(args.runs, numRuns * RUN_COLUMNS);
    for (let at = 0; at < numRuns * RUN_COLUMNS; at += RUN_COLUMNS) {
      const isInside = runs[at] >= 0 && runs[at] < args.batch && isPiece(runs[at + 1], runs[at + 2], args.length);
      if (!isInside) throw badRun(where, runs, at, args.length, args.length);
    }
    return rows;
  }

  lshSort(args: Parameters<Backend['lshSort']>[0]): void {
    const where = 'lshSort';
    const rows = this.#lsh(where, args);
    const numRotations = size(where, 'numRotations', args.numRotations, 1);
    const numBuckets = size(where, 'numBuckets', args.numBuckets, 2, 2 * numRotations);
    if (numBuckets % 2 !== 0) throw new ShapeError(`lshSort: numBuckets is ${numBuckets}; give an even number.`);
    this.#floats(where, 'rotations', args.rotations, args.numHashes * numRotations * args.dHead);
    this.#integerWrites++;
    if (rows === 0 || args.numRuns === 0) return;
    this.#inner.lshSort(withinLength(args));
    const { order, chunks, runs } = args;
    this.#sorted.set(order, { chunks, runs, sizes: lshSizes(args), writes: this.#integerWrites });
  }

  lshAttention(args: Parameters<Backend['lshAttention']>[0]): void {
    const where = 'lshAttention';
    const rows = this.#lsh(where, args);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_WIDTH);
    number(where, 'scale', args.scale);
    this.#floats(where, 'v', args.v, rows * dValue);
    this.#floats(where, 'out', args.out, rows * dValue);
    this.#floats(where, 'references', args.references, rows);
    this.#floats(where, 'sums', args.sums, rows);
    this.#order(where, args);
    if (rows > 0 && args.numRuns > 0) this.#inner.lshAttention(withinLength(args));
  }

  lshAttentionBackward(args: Parameters<Backend['lshAttentionBackward']>[0]): void {
    const where = 'lshAttentionBackward';
    const rows = this.#lsh(where, args);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_WIDTH);
    number(where, 'scale', args.scale);
    for (const name of ['v', 'out', 'dOut', 'dV'] as const) this.#floats(where, name, args[name], rows * dValue);
    for (const name of ['references', 'sums'] as const) this.#floats(where, name, args[name], rows);
    this.#floats(where, 'dQ', args.dQ, rows * args.dHead);
    this.#order(where, args);
    if (rows > 0 && args.numRuns > 0) this.#inner.lshAttentionBackward(withinLength(args));
  }

  /** @throws unless `order` and `chunks` are what lshSort gives for these runs: known, or else read. */
  #order(where: string, args: LshArrays): void {
    const { order, chunks, runs, numRuns, batch, heads, length, chunkLength, numHashes } = args;
    const known = this.#sorted.get(order);
    const sizes = lshSizes(args);
    const isKnown = known?.writes === this.#integerWrites && known.chunks === chunks && known.runs === runs;
    if (isKnown && known.sizes.every((value, i) => value === sizes[i])) return;
    const count = numHashes * batch * heads * length;
    const orders = this.#inner.peek(order, count);
    const ids = this.#inner.peek(chunks, count);
    const table = this.#inner.peek(runs, numRuns * RUN_COLUMNS);
    for (let unit = 0; unit < numRuns * heads * numHashes; unit++) {
      const run = Math.floor(unit / (heads * numHashes)) * RUN_COLUMNS;
      const head = unit % heads;
      const hash = Math.floor(unit / heads) % numHashes;
      const start = ((hash * batch + table[run]) * heads + head) * length + table[run + 1];
      const [own, chunk] = [orders, ids].map((array) => array.subarray(start, start + table[run + 2]));
      if (!isSorted(own, chunk, chunkLength)) {
        throw new DataError(`${where}: order and chunks are not those of lshSort for these runs: sort first.`);
      }
    }
  }

  // — FAVOR+ —

  #estimator(where: string, args: FavorFeatures, dHead: number): void {
    const numFeatures = size(where, 'numFeatures', args.numFeatures, 1);
    choice(where, 'form', args.form, projectionForms);
    choice(where, 'map', args.map, featureMapKinds);
    const factors = size(where, 'factors', args.factors);
    const directions = size(where, 'directions', args.directions, 1, numFeatures);
    number(where, 'epsilon', args.epsilon);
    this.#floats(where, 'projection', args.projection, projectionLength(args, dHead));
    this.#optional(where, 'bias', args.bias, numFeatures);
    if (args.form !== 'givens' || factors === 0) return;
    const numRotations = Math.ceil(directions / blockSize(args.form, dHead)) * factors;
    const rotations = this.#inner.peek(args.projection, 4 * numRotations);
    for (let at = 0; at < 4 * numRotations; at += 4) {
      const [i, j] = [rotations[at], rotations[at + 1]];
      const areRows = Number.isInteger(i) && Number.isInteger(j) && i >= 0 && j >= 0 && i < dHead && j < dHead;
      if (areRows) continue;
      throw new DataError(
        `${where}: rotation ${at / 4} of the projection turns rows ${i} and ${j}, which are not both of the ${dHead} of a head.`,
      );
    }
  }

  #result(where: string, { weight, stabiliser }: FavorResult): void {
    number(where, 'weight', weight);
    number(where, 'stabiliser', stabiliser);
  }

  #state(where: string, state: FavorStateArrays, numStates: number, numFeatures: number, dValue: number): void {
    argumentsOf(`${where}: state`, state);
    const count = numStates * numFeatures;
    this.#floats(where, 'sums', state.sums, count * (dValue + 1));
    this.#floats(where, 'compensation', state.compensation, count * (dValue + 1));
    this.#floats(where, 'scales', state.scales, count);
  }

  favorFeatures(args: Parameters<Backend['favorFeatures']>[0]): void {
    const where = 'favorFeatures';
    argumentsOf(where, args);
    const rows = this.#headRows(where, args);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_WIDTH);
    this.#estimator(where, args, dHead);
    this.#floats(where, 'x', args.x, rows * dHead);
    this.#floats(where, 'out', args.out, rows * args.numFeatures);
    if (rows > 0) this.#inner.favorFeatures(args);
  }

  favor(args: Parameters<Backend['favor']>[0]): void {
    const where = 'favor';
    const reach = this.#attention(where, args);
    this.#estimator(where, args, args.dHead);
    this.#result(where, args);
    this.#state(where, args, args.numRuns * args.heads, args.numFeatures, args.dValue);
    this.#perQuery(where, 'out', args.out, args, reach, args.dValue);
    this.#perQuery(where, 'denominator', args.denominator, args, reach, 1);
    if (args.numRuns > 0) this.#inner.favor(args);
  }

  favorBackward(args: Parameters<Backend['favorBackward']>[0]): void {
    const where = 'favorBackward';
    const reach = this.#attention(where, args);
    this.#estimator(where, args, args.dHead);
    number(where, 'weight', args.weight);
    this.#state(where, args, args.numRuns * args.heads, args.numFeatures, args.dValue);
    this.#gradients(where, args, reach);
    this.#perQuery(where, 'denominator', args.denominator, args, reach, 1);
    if (args.numRuns > 0) this.#inner.favorBackward(args);
  }

  favorCausal(args: Parameters<Backend['favorCausal']>[0]): void {
    const where = 'favorCausal';
    const reach = this.#attention(where, args);
    this.#estimator(where, args, args.dHead);
    this.#result(where, args);
    flag(where, 'updateState', args.updateState);
    if (args.state !== undefined) {
      this.#state(where, args.state, args.numRuns * args.heads, args.numFeatures, args.dValue);
    }
    this.#optional(where, 'snapshots', args.snapshots, snapshotsLength(args, args.numFeatures));
    this.#perQuery(where, 'out', args.out, args, reach, args.dValue);
    this.#perQuery(where, 'denominator', args.denominator, args, reach, 1);
    if (args.numRuns > 0) this.#inner.favorCausal(args);
  }

  favorCausalBackward(args: Parameters<Backend['favorCausalBackward']>[0]): void {
    const where = 'favorCausalBackward';
    const reach = this.#attention(where, args);
    this.#estimator(where, args, args.dHead);
    number(where, 'weight', args.weight);
    this.#gradients(where, args, reach);
    this.#floats(where, 'snapshots', args.snapshots, snapshotsLength(args, args.numFeatures));
    this.#perQuery(where, 'denominator', args.denominator, args, reach, 1);
    if (args.numRuns > 0) this.#inner.favorCausalBackward(args);
  }

  favorStep(args: Parameters<Backend['favorStep']>[0]): void {
    const where = 'favorStep';
    argumentsOf(where, args);
    const rows = size(where, 'batch', args.batch) * size(where, 'heads', args.heads);
    const dHead = size(where, 'dHead', args.dHead, 1, MAX_WIDTH);
    const dValue = size(where, 'dValue', args.dValue, 1, MAX_WIDTH);
    this.#estimator(where, args, dHead);
    this.#result(where, args);
    this.#floats(where, 'q', args.q, rows * dHead);
    this.#floats(where, 'k', args.k, rows * dHead);
    this.#floats(where, 'v', args.v, rows * dValue);
    this.#state(where, args, rows, args.numFeatures, dValue);
    this.#floats(where, 'out', args.out, rows * dValue);
    if (rows > 0) this.#inner.favorStep(args);
  }

  peak(args: Parameters<Backend['peak']>[0]): void {
    argumentsOf('peak', args);
    size('peak', 'iterations', args.iterations, 0, MAX_ITERATIONS);
    this.#floats('peak', 'out', args.out, 0);
    this.#inner.peak(args);
  }
}

const LAYOUTS = ['bhld', 'blhd'] as const;

const ADAMW_NUMBERS = [
  'learningRate',
  'beta1',
  'beta2',
  'epsilon',
  'weightDecay',
  'step',
  'gradientScale',
] as const satisfies readonly (keyof AdamWArguments)[];

/** How messages name what indices count. */
interface IndexOptions {
  readonly of: string;
  readonly negativesPass: boolean;
  advice(limit: number): string;
}

const rowsOfTable: IndexOptions = {
  of: 'rows of the table',
  negativesPass: false,
  advice: (limit) => `ids are whole numbers from 0 to ${limit - 1}`,
};

const classes: IndexOptions = {
  of: 'classes',
  negativesPass: true,
  advice: (limit) => `targets are whole numbers below ${limit}, and negative where none counts`,
};

/** Elements that a strided stack of matrices spans. */
function extent(batch: number, rows: number, columns: number, ld: number, stride: number): number {
  return batch === 0 || rows === 0 || columns === 0 ? 0 : (batch - 1) * stride + (rows - 1) * ld + columns;
}

function isPiece(start: number, count: number, length: number): boolean {
  return start >= 0 && count >= 0 && start + count <= length;
}

function badRun(where: string, runs: Int32Array | FloatArray, at: number, lengthQ: number, lengthK: number): DataError {
  const [run, numbers] = [at / RUN_COLUMNS, runs.subarray(at, at + RUN_COLUMNS).join(', ')];
  return new DataError(
    `${where}: run ${run} is [${numbers}], which does not lie within ${lengthQ} queries and ${lengthK} keys.`,
  );
}

function lshSizes(args: Omit<LshArrays, 'v' | 'dValue'>): number[] {
  return [args.numRuns, args.batch, args.heads, args.length, args.chunkLength, args.numHashes];
}

/** Chunks as long as the sequence mean the same as longer ones, and need less scratch space. */
function withinLength<T extends { readonly chunkLength: number; readonly length: number }>(args: T): T {
  return args.chunkLength <= args.length ? args : { ...args, chunkLength: args.length };
}

/** Whether `order` is a permutation in which every chunk is one stretch of at most `chunkLength` positions. */
function isSorted(order: Int32Array | FloatArray, chunks: Int32Array | FloatArray, chunkLength: number): boolean {
  const seen = new Set<number>();
  const closed = new Set<number>();
  let stretch = 0;
  for (let slot = 0; slot < order.length; slot++) {
    const position = order[slot];
    if (!(position >= 0 && position < order.length) || seen.has(position)) return false;
    seen.add(position);
    const chunk = chunks[position];
    const previous = slot === 0 ? undefined : chunks[order[slot - 1]];
    stretch = chunk === previous ? stretch + 1 : 1;
    if (chunk !== previous && previous !== undefined) closed.add(previous);
    if (stretch > chunkLength || closed.has(chunk) || chunk < 0 || chunk > MAX_CHUNK) return false;
  }
  return true;
}
