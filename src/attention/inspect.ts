import { ConfigurationError } from '../base/errors.ts';
import { Pauses } from '../base/event-loop.ts';
import { checkOptions, option } from '../base/options.ts';
import { type FeatureTensors, featureStorages } from '../tensor/ops/favor.ts';
import { keep } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { checkTensors } from '../tensor/tensor.ts';
import { drawFeatures, type FeatureOptions } from './favor.ts';
import { attendOptions } from './options.ts';
import { ExactWeights, FeatureWeights } from './row-weights.ts';
import { checkRows, type HeadRows, RowReader } from './rows.ts';
import type { AttendOptions } from './types.ts';

/** Which attention to look into. */
export interface InspectOptions extends AttendOptions {
  /** Tensors from `drawFeatures`, or what to draw them from, as for `favorAttention`. */
  readonly features?: FeatureTensors | FeatureOptions | undefined;
  /** Look into exact attention instead of the estimate from features. Default false. */
  readonly exact?: boolean | undefined;
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
 * Rows of the attention matrix, as estimated from features or exact, without the other rows: times the values they are
 * the attention's output. Normalised rows sum to 1; from features that may be negative, entries may be negative too.
 * Works in float64 outside the kernels, for looking rather than for speed: O(batch·heads·rows·lengthK·numFeatures), or dHead
 * in place of numFeatures if exact.
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
  checkTensors('attentionRows', { queries, keys });
  checkOptions<InspectOptions>('attentionRows', options, {
    ...attendOptions,
    features: option.object,
    exact: option.boolean,
    signal: option.signal,
  });
  const { signal, ...attend } = options;
  const pauses = new Pauses(signal);
  return withFeatures(queries, options.features, async (features) => {
    await pauses.next();
    const reader = await RowReader.open(queries, keys, attend, pauses);
    const { batch, heads, lengthQ, lengthK, dHead } = reader.sizes;
    checkRows('attentionRows', rows, lengthQ);
    const data = new Float64Array(batch * heads * rows.length * lengthK);
    const weights = options.exact ? new ExactWeights(dHead) : featureWeights(queries, features, dHead);
    for (let b = 0; b < batch; b++) {
      for (let head = 0; head < heads; head++) {
        const found = await reader.headRows(b, head, rows, weights, pauses);
        await finishRows(found, options.exact ? undefined : features, pauses, options.normalised);
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

/** The weights that features estimate. @throws when the features do not fit dHead. */
export function featureWeights(queries: Tensor, features: FeatureTensors, dHead: number): FeatureWeights {
  return new FeatureWeights(queries.backend, featureStorages(features, dHead), dHead);
}

/** Runs `fn` on the features given, or on drawn ones that are disposed afterwards. */
export async function withFeatures<T>(
  queries: Tensor,
  given: FeatureTensors | FeatureOptions = {},
  fn: (features: FeatureTensors) => Promise<T>,
): Promise<T> {
  if ('dHead' in given) return fn(given);
  const features = drawFeatures(queries.backend, queries.shape[3], given);
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
