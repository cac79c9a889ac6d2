import { mean, spearman } from './results/statistics.ts';

/** Vectors of some sentences against the right ones. */
export interface EmbeddingAgreement {
  /** Cosine of a sentence's two vectors. */
  readonly meanCosine: number;
  readonly worstCosine: number;
  /** Spearman correlation of the similarities of all pairs of sentences: whether search finds the same. */
  readonly spearman: number;
}

/** @param found, wanted a vector for each sentence, of any length */
export function compareEmbeddings(
  found: readonly ArrayLike<number>[],
  wanted: readonly ArrayLike<number>[],
): EmbeddingAgreement {
  const cosines = found.map((vector, i) => cosine(vector, wanted[i]));
  return {
    meanCosine: mean(cosines),
    worstCosine: cosines.reduce((worst, value) => Math.min(worst, value), 1),
    spearman: spearman(pairSimilarities(found), pairSimilarities(wanted)),
  };
}

/** Cosines of all pairs, each pair once. */
export function pairSimilarities(vectors: readonly ArrayLike<number>[]): Float64Array {
  const count = vectors.length;
  const found = new Float64Array((count * (count - 1)) / 2);
  let next = 0;
  for (let i = 0; i < count; i++) for (let j = 0; j < i; j++) found[next++] = cosine(vectors[i], vectors[j]);
  return found;
}

/** 0 where one of the two is zero. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [both, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    both += a[i] * b[i];
    ofA += a[i] ** 2;
    ofB += b[i] ** 2;
  }
  return both === 0 ? 0 : both / Math.sqrt(ofA * ofB);
}

/** Rows of a `[rows, width]` array. */
export function rowsOf(data: ArrayLike<number>, width: number): Float64Array[] {
  const all = Float64Array.from(data);
  return Array.from({ length: all.length / width }, (_, row) => all.subarray(row * width, (row + 1) * width));
}

/** How far embeddings agree with those of the model's own library. */
export interface Agreement {
  /** Sentences with the same tokens. */
  readonly sameTokens: number;
  /** 1 − cosine. */
  readonly meanDistance: number;
  readonly worstDistance: number;
}
