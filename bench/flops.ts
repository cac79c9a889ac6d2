/**
 * How work is counted. Flops are those that any implementation must do; recomputing features or scores is not credited.
 * Exponentials are counted apart.
 */
import type { AttentionShape } from './attention/attention-inputs.ts';

export interface Work {
  readonly flops: number;
  readonly exponentials: number;
}

export type Pass = 'forward' | 'forward + backward';

/** An exponential counted in flops: the six multiply-adds of its degree-6 polynomial (`exp2Fraction` of kernels/simd.h). */
export const FLOPS_PER_EXPONENTIAL = 12;

export const productFlops = (m: number, n: number, k: number): number => 2 * m * n * k;

/** Projections of q and k, K′ᵀV and Q′S: 8·L·m·d·H; backward 12·L·m·d·H. Causal by the same count. One exponential per feature. */
export function favorFlops({ heads, length, dHead }: AttentionShape, numFeatures: number, pass: Pass): Work {
  const features = heads * length * numFeatures;
  const backward = pass === 'forward' ? 0 : 1;
  return { flops: (8 + 12 * backward) * features * dHead, exponentials: 2 * features * (1 + backward) };
}

/** Exact attention to 1.5·block keys a query and features for the rest, causal. */
export function nearFieldFlops(shape: AttentionShape, numFeatures: number, block: number, pass: Pass): Work {
  const near = exactFlops({ ...shape, lengthQ: Math.min(shape.length, 1.5 * block) }, false, pass);
  const far = favorFlops(shape, numFeatures, pass);
  return { flops: near.flops + far.flops, exponentials: near.exponentials + far.exponentials };
}

/** QKᵀ and AV: 4·L²·d·H; backward 10·L²·d·H; causal half of each. One exponential per pair, again in the backward pass. */
export function exactFlops(
  { heads, length, lengthQ = length, dHead }: AttentionShape,
  causal: boolean,
  pass: Pass,
): Work {
  const pairs = heads * length * lengthQ * (causal && lengthQ > 1 ? 0.5 : 1);
  const backward = pass === 'forward' ? 0 : 1;
  return { flops: (4 + 10 * backward) * pairs * dHead, exponentials: pairs * (1 + backward) };
}
