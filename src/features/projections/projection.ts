import type { ProjectionForm } from '../../backend/types.ts';

/** Rows of W `[directions, dHead]`, as a matrix or as factors to be applied in turn (`kernels/description.mjs`, ProjectionForm). */
export interface Projection {
  readonly form: ProjectionForm;
  readonly dHead: number;
  /** Number of rows. */
  readonly directions: number;
  /** Diagonals or rotations of each block; 0 if dense. */
  readonly factors: number;
  /** Dense: W. Otherwise the diagonals or rotations of all blocks. */
  readonly values: Float64Array;
  /** `[directions]`: what each row of the factors' product is multiplied by. Empty if dense. */
  readonly lengths: Float64Array;
}

/** Lengths of the rows: as a Gaussian vector's, or all √d. */
export const normKinds = ['gaussian', 'regularised'] as const;
export type NormKind = (typeof normKinds)[number];

/** What a projection is drawn for. */
export interface ProjectionSizes {
  /** Rows to draw. */
  readonly directions: number;
  readonly dHead: number;
  readonly norms: NormKind;
}

/** W as a matrix. */
export function denseProjection(values: Float64Array, dHead: number): Projection {
  const directions = values.length / dHead;
  return { form: 'dense', dHead, directions, factors: 0, values, lengths: new Float64Array(0) };
}

/** What the kernels take: every row of W once for each of `multiples`, multiplied by it; blocks of rows in their order. */
export function stackRows(projection: Projection, multiples: readonly number[]) {
  const { form, factors, directions, values, lengths } = projection;
  const numFeatures = directions * multiples.length;
  const [once, rows] = form === 'dense' ? [0, values] : [values.length, lengths];
  const stacked = new Float64Array(once + rows.length * multiples.length);
  stacked.set(values.subarray(0, once));
  multiples.forEach((multiple, copy) => {
    const start = once + copy * rows.length;
    for (let i = 0; i < rows.length; i++) stacked[start + i] = multiple * rows[i];
  });
  return { numFeatures, form, factors, directions: form === 'dense' ? numFeatures : directions, projection: stacked };
}
