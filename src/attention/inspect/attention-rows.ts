import { type FloatArray, SEQUENCE_COLUMNS } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { Pauses } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { type FeatureTensors, featureStorages } from '../../tensor/ops/attention/favor.ts';
import { checkSoftmaxMap } from '../../tensor/ops/attention/near-field.ts';
import { attentionSizes } from '../../tensor/ops/attention/shapes.ts';
import { keep, scope } from '../../tensor/scope.ts';
import { checkTensors, type Tensor, tensorKind } from '../../tensor/tensor.ts';
import { checkNearFieldChoice, drawFeaturesInSteps, type FeatureOptions, type NearFieldChoice } from '../favor.ts';
import { attendOptions } from '../options.ts';
import { attentionInputs } from '../packing.ts';
import type { AttendOptions } from '../types.ts';
import { ExactWeights, FeatureWeights, type RowWeights } from './attention-weights.ts';

/** Which attention to look into. */
export interface InspectOptions extends AttendOptions {
  /** Tensors from `drawFeatures`, or what to draw them from, as for `favorAttention`. */
  readonly features?: FeatureTensors | FeatureOptions | undefined;
  /** Look into exact attention instead of the estimate from features. Default false. */
  readonly exact?: boolean | undefined;
  /** Near keys exactly and features for the rest, as `favorAttention` takes it. Default: an estimate of all keys. */
  readonly nearField?: NearFieldChoice | undefined;
  /** Stops the work: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Rows of an attention matrix. */
export interface AttentionRows {
  readonly shape: readonly [batch: number, heads: number, rows: number, lengthK: number];
  /** Row-major; zero for keys that the query does not see. */
  readonly data: Float64Array;
}

/**
 * Rows of the attention matrix, as estimated from features or exact, without the other rows. A row times the values is
 * the attention's output. Normalised rows sum to 1; from features that may be negative, entries may be negative too.
 * Works in float64 outside the kernels, for looking rather than for speed: O(batch·heads·rows·lengthK·numFeatures), or
 * dHead in place of numFeatures if exact.
 *
 * @param queries `[batch, heads, lengthQ, dHead]`
 * @param keys `[batch, heads, lengthK, dHead]`
 * @param rows positions of queries, the same for every batch row and head
 * @throws {RangeError} when a row is not the position of a query; else as the attention itself does.
 */
export async function attentionRows(
  queries: Tensor,
  keys: Tensor,
  rows: readonly number[],
  options: InspectOptions = {},
): Promise<AttentionRows> {
  checkArguments(
    'attentionRows',
    { queries, keys, rows },
    { queries: tensorKind, keys: tensorKind, rows: option.numbers },
  );
  checkTensors('attentionRows', { queries, keys });
  checkOptions<InspectOptions>('attentionRows', options, {
    ...attendOptions,
    features: option.object,
    exact: option.boolean,
    nearField: option.plain,
    signal: option.signal,
  });
  const { signal, nearField, ...attend } = options;
  if (nearField && options.exact) {
    throw new ConfigurationError('attentionRows: with exact: true all keys are exact; leave nearField out.');
  }
  if (nearField) checkNearFieldChoice('attentionRows', nearField, queries, keys, options);
  const gains = nearField?.gain && (await nearField.gain.data());
  const pauses = new Pauses(signal);
  return withFeatures(queries, options.features, pauses, async (features) => {
    await pauses.next();
    const reader = await RowReader.open(queries, keys, attend, pauses);
    const { batch, heads, lengthQ, lengthK, dHead } = reader.sizes;
    checkRows('attentionRows', rows, lengthQ);
    const data = new Float64Array(batch * heads * rows.length * lengthK);
    const weights = options.exact ? new ExactWeights(dHead) : featureWeights(queries, features, dHead);
    for (let b = 0; b < batch; b++) {
      for (let head = 0; head < heads; head++) {
        const found = await reader.headRows(b, head, rows, weights, pauses);
        if (nearField) {
          checkSoftmaxMap(features);
          const exact = await reader.headRows(b, head, rows, new ExactWeights(dHead), pauses);
          const far = Math.log(features.weight) + (gains?.[head] ?? 0);
          await joinRows(found, exact, far, nearField, reader.nearKeys(b, rows, nearField), pauses);
        } else {
          await finishRows(found, options.exact ? undefined : features, pauses, options.normalised);
        }
        data.set(found.weights, (b * heads + head) * rows.length * lengthK);
      }
    }
    return { shape: [batch, heads, rows.length, lengthK], data };
  });
}

/** A key and its weight in a row of attention. */
export interface WeightedKey {
  readonly key: number;
  readonly weight: number;
}

/**
 * The keys that one query attends to most, as estimated from features or exact. Costs as one row of {@link attentionRows}.
 *
 * @param query position of the query, the same for every batch row and head
 * @param n how many keys; fewer are found where fewer have a weight other than 0
 * @returns for every `[batch][head]` keys by falling weight, equal ones by rising position
 * @throws as {@link attentionRows}.
 */
export async function topKeys(
  queries: Tensor,
  keys: Tensor,
  query: number,
  n: number,
  options: InspectOptions = {},
): Promise<WeightedKey[][][]> {
  checkArguments(
    'topKeys',
    { queries, keys, query, n },
    { queries: tensorKind, keys: tensorKind, query: option.natural, n: option.count },
  );
  if (!Number.isInteger(n) || n < 0) throw new ConfigurationError(`topKeys: n is ${n}; give a whole number of keys.`);
  const { shape, data } = await attentionRows(queries, keys, [query], options);
  const [batch, heads, , lengthK] = shape;
  return Array.from({ length: batch }, (_, b) =>
    Array.from({ length: heads }, (_, head) => {
      const row = data.subarray((b * heads + head) * lengthK, (b * heads + head + 1) * lengthK);
      const found = Array.from(row, (weight, key): WeightedKey => ({ key, weight })).filter(
        ({ weight }) => weight !== 0,
      );
      return found.sort((a, b) => b.weight - a.weight || a.key - b.key).slice(0, n);
    }),
  );
}

/** The weights that features estimate. @throws ShapeError when the features do not fit dHead. */
export function featureWeights(queries: Tensor, features: FeatureTensors, dHead: number): FeatureWeights {
  return new FeatureWeights(queries.backend, featureStorages(features, dHead), dHead);
}

/** Runs `fn` on the features given, or on drawn ones that are disposed afterwards. */
export async function withFeatures<T>(
  queries: Tensor,
  given: FeatureTensors | FeatureOptions | undefined,
  pauses: Pauses,
  fn: (features: FeatureTensors) => Promise<T>,
): Promise<T> {
  if (given && 'dHead' in given) return fn(given);
  const features = await drawFeaturesInSteps(queries.backend, queries.shape[3], given ?? {}, pauses);
  const drawn = [features.projection, ...(features.bias ? [features.bias] : [])].map((buffer) => keep(buffer));
  try {
    return await fn(features);
  } finally {
    for (const buffer of drawn) buffer.dispose();
  }
}

/** Turns weights into rows of attention in place, as the kernels do. @param features undefined if they are exact */
export async function finishRows(
  { weights, scales, denominators }: HeadRows,
  features: FeatureTensors | undefined,
  pauses: Pauses,
  normalised = true,
): Promise<void> {
  const { weight: factor, stabiliser } = features ?? { weight: 1, stabiliser: 0 };
  const lengthK = weights.length / Math.max(scales.length, 1);
  for (const [row, scale] of scales.entries()) {
    if (pauses.isDue) await pauses.next();
    const isTiny = Math.abs(denominators[row]) <= stabiliser;
    const divisor = denominators[row] + (isTiny ? 2 * stabiliser : 0);
    const share = normalised ? (divisor === 0 ? 0 : 1 / divisor) : factor * Math.exp(scale);
    for (let j = row * lengthK; j < (row + 1) * lengthK; j++) weights[j] *= share;
  }
}

/**
 * Turns rows of far weights in place into those of a near field.
 *
 * @param far the logarithm of what estimates are multiplied by
 * @param isNear for each row and key
 */
export async function joinRows(
  estimated: HeadRows,
  exact: HeadRows,
  far: number,
  { mass = 'kernel' }: NearFieldChoice,
  isNear: readonly boolean[],
  pauses: Pauses,
): Promise<void> {
  const { weights, scales } = estimated;
  const lengthK = weights.length / Math.max(scales.length, 1);
  for (const [row, scale] of scales.entries()) {
    if (pauses.isDue) await pauses.next();
    const keys = Array.from({ length: lengthK }, (_, j) => row * lengthK + j);
    const sum = (from: Float64Array, wanted: boolean) =>
      keys.reduce((total, at) => total + (isNear[at] === wanted ? from[at] : 0), 0);
    const [nearExact, nearEstimated] = [sum(exact.weights, true), sum(weights, true)];
    // Logarithms of what a near weight and a far weight are multiplied by.
    const ofFar = scale + far;
    const ofNear = mass === 'kernel' ? exact.scales[row] : ofFar + Math.log(nearEstimated / nearExact);
    const unit = Math.max(nearExact > 0 ? ofNear : Number.NEGATIVE_INFINITY, ofFar);
    if (unit === Number.NEGATIVE_INFINITY) continue; // no key: zeros
    const near = nearExact > 0 ? Math.exp(ofNear - unit) : 0;
    const total = near * nearExact + Math.exp(ofFar - unit) * sum(weights, false);
    for (const at of keys) {
      const weight = isNear[at] ? near * exact.weights[at] : Math.exp(ofFar - unit) * weights[at];
      weights[at] = weight === 0 ? 0 : weight / total;
    }
  }
}

/** Keys whose features are held at a time. */
const blockLength = 256;

/** Some rows of the attention matrix of one head, before division by their sums. */
export interface HeadRows {
  /** `[rows, lengthK]`, row i relative to exp(scales[i]); zero for keys that the query does not see. */
  readonly weights: Float64Array;
  /** `[rows]`, nats; −∞ for a query that sees no valid key. */
  readonly scales: Float64Array;
  /** `[rows]`: sums of the weights. */
  readonly denominators: Float64Array;
  /** `[rows, numFeatures]`: what each feature adds to the denominator. */
  readonly shares: Float64Array;
  /** `[rows]`: number of valid keys that the query sees. */
  readonly seenKeys: Int32Array;
}

interface Sequence {
  readonly batch: number;
  readonly queryStart: number;
  readonly queryLength: number;
  readonly keyStart: number;
  readonly keyLength: number;
  readonly offset: number;
}

/** Numbers of an attention's queries and keys, and who sees whom. */
export class RowReader {
  private constructor(
    readonly sizes: ReturnType<typeof attentionSizes>,
    readonly causal: boolean,
    private readonly sequences: readonly Sequence[],
    private readonly queries: FloatArray,
    private readonly keys: FloatArray,
    private readonly keyMask: FloatArray | undefined,
  ) {}

  /** Copies queries and keys out. @throws as the attention itself does. */
  static async open(queries: Tensor, keys: Tensor, options: AttendOptions, pauses: Pauses): Promise<RowReader> {
    const { sizes, table, mask } = scope(() => {
      const inputs = attentionInputs(queries, keys, keys, options);
      return { sizes: attentionSizes(inputs), table: inputs.sequences.table.data(), mask: inputs.keyMask?.data() };
    });
    const [sequences, keyMask] = await Promise.all([table, mask]);
    const q = await queries.data();
    await pauses.next();
    const k = await keys.data();
    await pauses.next();
    const found = Array.from({ length: sizes.numSequences }, (_, sequence): Sequence => {
      const [batch, queryStart, queryLength, keyStart, keyLength, offset] = sequences.subarray(
        sequence * SEQUENCE_COLUMNS,
      );
      return { batch, queryStart, queryLength, keyStart, keyLength, offset };
    });
    return new RowReader(sizes, options.causal ?? false, found, q, k, keyMask);
  }

  /**
   * The given rows of one head's attention matrix. O(rows·lengthK·numFeatures) time, or dHead in place of numFeatures if
   * exact; extra memory of the result and one block of features.
   */
  async headRows(
    batch: number,
    head: number,
    rows: readonly number[],
    source: RowWeights,
    pauses: Pauses,
  ): Promise<HeadRows> {
    const { lengthK } = this.sizes;
    const { numFeatures } = source;
    const result: HeadRows = {
      weights: new Float64Array(rows.length * lengthK),
      scales: new Float64Array(rows.length).fill(Number.NEGATIVE_INFINITY),
      denominators: new Float64Array(rows.length),
      shares: new Float64Array(rows.length * numFeatures),
      seenKeys: new Int32Array(rows.length),
    };
    await source.setQueries(this.queryRows(batch, head, rows));
    const block = new Float64Array(blockLength);
    const shares = new Float64Array(numFeatures);
    for (const sequence of this.sequences) {
      const inSequence = sequence.batch === batch ? rows.map((row) => row - sequence.queryStart) : [];
      const seen = inSequence.map((i) => (i < 0 || i >= sequence.queryLength ? 0 : this.#seenLength(sequence, i)));
      const end = seen.reduce((a, b) => Math.max(a, b), 0);
      for (let start = 0; start < end; start += blockLength) {
        const count = Math.min(blockLength, end - start);
        const positions = Array.from({ length: count }, (_, j) => sequence.keyStart + start + j);
        const isValid = positions.map((j) => this.isValidKey(batch, j));
        const validBefore = prefixCounts(isValid);
        await source.setKeys(this.keyRows(batch, head, positions), isValid);
        for (let row = 0; row < rows.length; row++) {
          const seenHere = Math.min(seen[row] - start, count);
          if (seenHere <= 0) continue;
          if (pauses.isDue) await pauses.next();
          const scale = source.weigh(row, seenHere, block, shares);
          result.seenKeys[row] += validBefore[seenHere];
          const at = row * lengthK + sequence.keyStart;
          const before = result.weights.subarray(at, at + start);
          const totals = result.shares.subarray(row * numFeatures, (row + 1) * numFeatures);
          const factor = rescale(result.scales, row, scale, before, totals);
          for (let j = 0; j < seenHere; j++) result.weights[at + start + j] = block[j] * factor;
          for (let r = 0; r < numFeatures; r++) totals[r] += shares[r] * factor;
        }
      }
    }
    for (let row = 0; row < rows.length; row++) {
      if (pauses.isDue) await pauses.next();
      for (let j = 0; j < lengthK; j++) result.denominators[row] += result.weights[row * lengthK + j];
    }
    return result;
  }

  /** Number of the sequence's keys that its query i may see. */
  #seenLength({ keyLength, offset }: Sequence, i: number): number {
    return this.causal ? Math.max(0, Math.min(keyLength, i + offset + 1)) : keyLength;
  }

  /** For each of the rows and each key of a batch row, `[rows, lengthK]`: whether the key is near. */
  nearKeys(batch: number, rows: readonly number[], { block, sinks = 0 }: NearFieldChoice): boolean[] {
    const { lengthK } = this.sizes;
    const isNear: boolean[] = new Array(rows.length * lengthK).fill(false);
    const blockOf = (position: number) => Math.floor(position / block);
    for (const { batch: own, queryStart, queryLength, keyStart, keyLength, offset } of this.sequences) {
      for (const [i, row] of rows.entries()) {
        const query = row - queryStart;
        if (own !== batch || query < 0 || query >= queryLength) continue;
        for (let key = 0; key < keyLength; key++) {
          const distance = Math.abs(blockOf(query + offset) - blockOf(key));
          isNear[i * lengthK + keyStart + key] = key < sinks || distance <= 1;
        }
      }
    }
    return isNear;
  }

  isValidKey(batch: number, key: number): boolean {
    return this.keyMask?.[batch * this.sizes.lengthK + key] !== 0;
  }

  /** The key mask of a batch row: 1 = valid, 0 = masked; undefined without a mask. */
  maskOf(batch: number): FloatArray | undefined {
    const { lengthK } = this.sizes;
    return this.keyMask?.slice(batch * lengthK, (batch + 1) * lengthK);
  }

  /** `[rows, dHead]` */
  queryRows(batch: number, head: number, rows: readonly number[]): Float64Array {
    return this.gather(this.queries, this.sizes.lengthQ, this.sizes.dHead, batch, head, rows);
  }

  /** `[positions, dHead]` */
  keyRows(batch: number, head: number, positions: readonly number[]): Float64Array {
    return this.gather(this.keys, this.sizes.lengthK, this.sizes.dHead, batch, head, positions);
  }

  /** Rows of one head of an array in the attention's layout whose rows have `width` numbers. */
  gather(
    array: FloatArray,
    length: number,
    width: number,
    batch: number,
    head: number,
    positions: readonly number[],
  ): Float64Array {
    const { layout, heads } = this.sizes;
    const out = new Float64Array(positions.length * width);
    positions.forEach((position, i) => {
      const row =
        layout === 'bhld' ? (batch * heads + head) * length + position : (batch * length + position) * heads + head;
      out.set(array.subarray(row * width, (row + 1) * width), i * width);
    });
    return out;
  }
}

/**
 * Makes room for numbers relative to exp(scale) beside those of the row so far. The numbers with the smaller scale
 * shrink.
 *
 * @returns what to multiply the new numbers by
 */
function rescale(scales: Float64Array, row: number, scale: number, ...before: Float64Array[]): number {
  const old = scales[row];
  if (scale === Number.NEGATIVE_INFINITY) return 0;
  if (scale <= old) return Math.exp(scale - old);
  scales[row] = scale;
  if (old > Number.NEGATIVE_INFINITY) {
    const factor = Math.exp(old - scale);
    for (const numbers of before) for (let i = 0; i < numbers.length; i++) numbers[i] *= factor;
  }
  return 1;
}

/** @throws ConfigurationError unless every row is the position of a query. */
function checkRows(name: string, rows: readonly number[], lengthQ: number): void {
  for (const row of rows) {
    if (!Number.isInteger(row) || row < 0 || row >= lengthQ) {
      throw new ConfigurationError(`${name}: there is no query ${row}; give an integer from 0 to below ${lengthQ}.`);
    }
  }
}

/** How many of the first i flags are set, for i from 0 to their number. */
function prefixCounts(flags: readonly boolean[]): Int32Array {
  const counts = new Int32Array(flags.length + 1);
  flags.forEach((flag, i) => {
    counts[i + 1] = counts[i] + (flag ? 1 : 0);
  });
  return counts;
}
