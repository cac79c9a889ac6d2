import type { Backend, FavorFeatures, FeatureMapKind, FloatArray } from '../backend/types.ts';

/**
 * Weighs keys against single queries, one block of keys at a time, in float64: what rows of attention are made of.
 * Weights of a block come relative to exp(a scale in nats) that suits the query and the block, so nothing overflows.
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
      let score = 0;
      for (let c = 0; c < dHead; c++) score += this.#queries[query * dHead + c] * this.#keys[j * dHead + c];
      weights[j] = this.#isValid[j] ? score / Math.sqrt(dHead) : Number.NEGATIVE_INFINITY;
      scale = Math.max(scale, weights[j]);
    }
    for (let j = 0; j < seen; j++) weights[j] = this.#isValid[j] ? Math.exp(weights[j] - scale) : 0;
    return scale;
  }
}

/** Features `[count, numFeatures]` as mantissa·exp(log): apart, so that a common scale can be taken out of them. */
interface SplitFeatures {
  readonly mantissas: Float64Array;
  readonly logs: Float64Array;
}

/** Features of keys, every one relative to its own scale: mantissa·exp(log − scale of the feature). */
interface ScaledKeys {
  readonly count: number;
  /**
   * `[numFeatures]`: the largest log of the valid keys, rounded to a power of two, which is the kernels' unit and so that
   * of a stabiliser; −∞ if there are none.
   */
  readonly scales: Float64Array;
  /** `[count, numFeatures]` */
  readonly features: Float64Array;
  /** `[numFeatures]`: sums over the keys. */
  readonly sums: Float64Array;
}

/** Σ_r φ_r(q) φ_r(k), from the backend's features. */
export class FeatureWeights implements RowWeights {
  readonly numFeatures: number;
  #queries: SplitFeatures = { mantissas: new Float64Array(), logs: new Float64Array() };
  #keys: SplitFeatures = this.#queries;
  #isValid: readonly boolean[] = [];
  #scaled: ScaledKeys | undefined;

  constructor(
    readonly backend: Backend,
    readonly features: FavorFeatures,
    readonly dHead: number,
  ) {
    this.numFeatures = features.numFeatures;
  }

  async setQueries(queries: Float64Array): Promise<void> {
    this.#queries = await this.#split(queries);
  }

  async setKeys(keys: Float64Array, isValid: readonly boolean[]): Promise<void> {
    this.#keys = await this.#split(keys);
    this.#isValid = isValid;
    this.#scaled = undefined;
  }

  weigh(query: number, seen: number, weights: Float64Array, shares: Float64Array): number {
    const { numFeatures } = this;
    const keys = this.#scaledKeys(seen);
    const first = query * numFeatures;
    let scale = Number.NEGATIVE_INFINITY;
    for (let r = 0; r < numFeatures; r++) scale = Math.max(scale, this.#queries.logs[first + r] + keys.scales[r]);
    weights.fill(0, 0, seen);
    shares.fill(0);
    if (scale === Number.NEGATIVE_INFINITY) return scale;
    const mine = shares; // first the query's features, then the shares
    for (let r = 0; r < numFeatures; r++) {
      mine[r] = this.#queries.mantissas[first + r] * Math.exp(this.#queries.logs[first + r] + keys.scales[r] - scale);
    }
    for (let j = 0; j < seen; j++) {
      let sum = 0;
      for (let r = 0; r < numFeatures; r++) sum += mine[r] * keys.features[j * numFeatures + r];
      weights[j] = sum;
    }
    for (let r = 0; r < numFeatures; r++) shares[r] = mine[r] * keys.sums[r];
    return scale;
  }

  /**
   * The first `count` keys in scales of their own: an unseen later key must not make the seen ones vanish. Kept for the
   * next query, which mostly sees as many.
   */
  #scaledKeys(count: number): ScaledKeys {
    if (this.#scaled?.count === count) return this.#scaled;
    const { numFeatures } = this;
    const { mantissas, logs } = this.#keys;
    const scales = new Float64Array(numFeatures).fill(Number.NEGATIVE_INFINITY);
    const features = new Float64Array(count * numFeatures);
    const sums = new Float64Array(numFeatures);
    for (let j = 0; j < count; j++) {
      if (!this.#isValid[j]) continue;
      for (let r = 0; r < numFeatures; r++) scales[r] = Math.max(scales[r], logs[j * numFeatures + r]);
    }
    for (let r = 0; r < numFeatures; r++) scales[r] = Math.round(scales[r] * Math.LOG2E) * Math.LN2;
    for (let j = 0; j < count; j++) {
      if (!this.#isValid[j]) continue;
      for (let r = 0; r < numFeatures; r++) {
        const at = j * numFeatures + r;
        features[at] = mantissas[at] * Math.exp(logs[at] - scales[r]);
        sums[r] += features[at];
      }
    }
    this.#scaled = { count, scales, features, sums };
    return this.#scaled;
  }

  async #split(rows: Float64Array): Promise<SplitFeatures> {
    const { numFeatures, dHead } = this;
    const length = rows.length / dHead;
    const values = await this.#featuresOf(rows, length);
    const logs = new Float64Array(values.length);
    if (isLogarithmic(this.features.map)) return { mantissas: logs.fill(1), logs: Float64Array.from(values) };
    if (this.features.map === 'sine') {
      for (let i = 0; i < length; i++) {
        const row = rows.subarray(i * dHead, (i + 1) * dHead);
        const square = row.reduce((sum, x) => sum + x * x, 0);
        logs.fill(square / (2 * Math.sqrt(dHead)), i * numFeatures, (i + 1) * numFeatures);
      }
    }
    return { mantissas: Float64Array.from(values), logs };
  }

  async #featuresOf(rows: Float64Array, length: number): Promise<FloatArray> {
    const { backend, dHead, numFeatures } = this;
    if (length === 0) return new Float64Array();
    const x = backend.upload(rows);
    const out = backend.allocate(length * numFeatures);
    try {
      backend.favorFeatures({ ...this.features, x, out, batch: 1, heads: 1, length, dHead, layout: 'bhld' });
      return await backend.read(out);
    } finally {
      backend.release(x);
      backend.release(out);
    }
  }
}

/** Maps whose features the backend gives as logarithms. */
function isLogarithmic(map: FeatureMapKind): boolean {
  return map === 'exponential';
}
