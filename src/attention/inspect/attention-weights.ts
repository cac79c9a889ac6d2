import type { Backend, FavorFeatures, FloatArray } from '../../backend/types.ts';

/**
 * Weighs keys against single queries, one block of keys at a time, in float64: what rows of attention are made of.
 * Weights of a block are relative to exp(a scale in nats) that suits the query and the block, so nothing overflows.
 */
export interface RowWeights {
  /** Features that the weights come from; 0 if they are exact. */
  readonly numFeatures: number;
  /** @param queries rows of dHead numbers, weighed from here on */
  setQueries(queries: Float64Array): Promise<void>;
  /** @param keys rows of dHead numbers, weighed from here on, where `isValid` */
  setKeys(keys: Float64Array, isValid: readonly boolean[]): Promise<void>;
  /**
   * Weighs the first `seen` keys against one query.
   *
   * @param weights `[seen]`, overwritten: zero for keys that are not valid
   * @param shares `[numFeatures]`, overwritten: what each feature adds to the sum of the weights
   * @returns the scale: weights and shares are relative to its exponential; −∞ if no key is valid
   */
  weigh(query: number, seen: number, weights: Float64Array, shares: Float64Array): number;
}

/** exp(q·k/√dHead). */
export class ExactWeights implements RowWeights {
  readonly numFeatures = 0;
  readonly #dHead: number;
  #queries: Float64Array = new Float64Array();
  #keys: Float64Array = new Float64Array();
  #isValid: readonly boolean[] = [];

  constructor(dHead: number) {
    this.#dHead = dHead;
  }

  async setQueries(queries: Float64Array): Promise<void> {
    this.#queries = queries;
  }

  async setKeys(keys: Float64Array, isValid: readonly boolean[]): Promise<void> {
    this.#keys = keys;
    this.#isValid = isValid;
  }

  weigh(query: number, seen: number, weights: Float64Array): number {
    const dHead = this.#dHead;
    let scale = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < seen; j++) {
      const score = dot(this.#queries, query * dHead, this.#keys, j * dHead, dHead);
      weights[j] = this.#isValid[j] ? score / Math.sqrt(dHead) : Number.NEGATIVE_INFINITY;
      scale = Math.max(scale, weights[j]);
    }
    for (let j = 0; j < seen; j++) weights[j] = this.#isValid[j] ? Math.exp(weights[j] - scale) : 0;
    return scale;
  }
}

/** Features of keys, every one relative to its own scale: φ = feature·exp(scale). */
interface ScaledKeys {
  readonly count: number;
  /**
   * `[numFeatures]`: about the largest logarithm among the valid keys, rounded to a power of two. That is the kernels'
   * unit, and so the unit of a stabiliser. −∞ if no key is valid.
   */
  readonly scales: Float64Array;
  /** `[count, numFeatures]` */
  readonly features: Float64Array;
  /** `[numFeatures]`: sums over the keys. */
  readonly sums: Float64Array;
}

/** What the backend gives for some rows. */
interface RawFeatures {
  /** `[count, numFeatures]`: logarithms of features of the exponential map, else features without their norms. */
  readonly values: FloatArray;
  /** `[count]`: features are to be multiplied by the exponentials of these. */
  readonly norms: Float64Array;
}

const noFeatures: RawFeatures = { values: new Float64Array(), norms: new Float64Array() };

/** Σ_r φ_r(q) φ_r(k), from the backend's features. */
export class FeatureWeights implements RowWeights {
  readonly numFeatures: number;
  readonly #isLogarithmic: boolean;
  #queries = noFeatures;
  #keys = noFeatures;
  #isValid: readonly boolean[] = [];
  #scaled: ScaledKeys | undefined;

  constructor(
    readonly backend: Backend,
    readonly features: FavorFeatures,
    readonly dHead: number,
  ) {
    this.numFeatures = features.numFeatures;
    this.#isLogarithmic = features.map === 'exponential';
  }

  async setQueries(queries: Float64Array): Promise<void> {
    this.#queries = await this.#featuresOf(queries);
  }

  async setKeys(keys: Float64Array, isValid: readonly boolean[]): Promise<void> {
    this.#keys = await this.#featuresOf(keys);
    this.#isValid = isValid;
    this.#scaled = undefined;
  }

  weigh(query: number, seen: number, weights: Float64Array, shares: Float64Array): number {
    const { numFeatures } = this;
    const { values, norms } = this.#queries;
    const keys = this.#scaledKeys(seen);
    const own = values.subarray(query * numFeatures, (query + 1) * numFeatures);
    let scale = Number.NEGATIVE_INFINITY;
    for (let r = 0; r < numFeatures; r++) {
      scale = Math.max(scale, norms[query] + keys.scales[r] + (this.#isLogarithmic ? own[r] : 0));
    }
    weights.fill(0, 0, seen);
    shares.fill(0);
    if (scale === Number.NEGATIVE_INFINITY) return scale;
    const scaled = new Float64Array(own);
    if (this.#isLogarithmic) {
      for (let r = 0; r < numFeatures; r++) scaled[r] = Math.exp(own[r] + keys.scales[r] - scale);
    }
    for (let j = 0; j < seen; j++) weights[j] = dot(scaled, 0, keys.features, j * numFeatures, numFeatures);
    for (let r = 0; r < numFeatures; r++) shares[r] = scaled[r] * keys.sums[r];
    return scale;
  }

  /**
   * The first `count` keys in scales of their own: an unseen later key must not make the seen keys vanish. Kept for the
   * next query, which mostly sees as many.
   */
  #scaledKeys(count: number): ScaledKeys {
    if (this.#scaled?.count === count) return this.#scaled;
    const { numFeatures } = this;
    const { values, norms } = this.#keys;
    const logarithmic = this.#isLogarithmic;
    const scales = new Float64Array(numFeatures).fill(Number.NEGATIVE_INFINITY);
    const features = new Float64Array(count * numFeatures);
    const sums = new Float64Array(numFeatures);
    for (let j = 0; j < count; j++) {
      if (!this.#isValid[j]) continue;
      const row = j * numFeatures;
      for (let r = 0; r < numFeatures; r++) {
        const log = logarithmic ? values[row + r] : norms[j];
        if (log > scales[r]) scales[r] = log;
      }
    }
    for (let r = 0; r < numFeatures; r++) scales[r] = Math.round(scales[r] * Math.LOG2E) * Math.LN2;
    for (let j = 0; j < count; j++) {
      if (!this.#isValid[j]) continue;
      const row = j * numFeatures;
      const factor = logarithmic ? 1 : Math.exp(norms[j] - scales[0]);
      for (let r = 0; r < numFeatures; r++) {
        const value = values[row + r];
        features[row + r] = logarithmic ? Math.exp(value - scales[r]) : value * factor;
        sums[r] += features[row + r];
      }
    }
    this.#scaled = { count, scales, features, sums };
    return this.#scaled;
  }

  async #featuresOf(rows: Float64Array): Promise<RawFeatures> {
    const { backend, dHead, numFeatures } = this;
    const length = rows.length / dHead;
    if (length === 0) return noFeatures;
    const norms = new Float64Array(length);
    if (this.features.map === 'sine') {
      for (let i = 0; i < length; i++) norms[i] = dot(rows, i * dHead, rows, i * dHead, dHead) / (2 * Math.sqrt(dHead));
    }
    const x = backend.upload(rows);
    const out = backend.allocate(length * numFeatures);
    try {
      backend.favorFeatures({ ...this.features, x, out, batch: 1, heads: 1, length, dHead, layout: 'bhld' });
      return { values: await backend.read(out), norms };
    } finally {
      backend.release(x);
      backend.release(out);
    }
  }
}

/** Σ_i a[aStart + i] b[bStart + i], in four sums that do not wait for each other. */
function dot(a: Float64Array, aStart: number, b: Float64Array, bStart: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < length; i += 4) {
    s0 += a[aStart + i] * b[bStart + i];
    s1 += a[aStart + i + 1] * b[bStart + i + 1];
    s2 += a[aStart + i + 2] * b[bStart + i + 2];
    s3 += a[aStart + i + 3] * b[bStart + i + 3];
  }
  for (; i < length; i++) s0 += a[aStart + i] * b[bStart + i];
  return s0 + s1 + (s2 + s3);
}
