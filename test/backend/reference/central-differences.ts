/** Checks of gradients on the reference backend. */
import { expect } from 'vitest';
import type { Backend, Storage } from '../../../src/backend/types.ts';

/** max |actual − expected| / max |expected| is below `bound`. */
export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, bound: number): void {
  expect(actual.length).toBe(expected.length);
  const size = Math.max(...Array.from(expected, Math.abs), Number.MIN_VALUE);
  const errors = Array.from(expected, (value, i) => Math.abs(value - actual[i]) / size);
  expect(Math.max(0, ...errors)).toBeLessThan(bound);
  expect(errors.some(Number.isNaN)).toBe(false);
}

/** Central differences of `loss` with respect to every element of `x`, h = 1e-5. */
export async function centralDifferences(
  backend: Backend,
  x: Storage,
  loss: () => Promise<number>,
): Promise<Float64Array> {
  const h = 1e-5;
  const at = Float64Array.from(await backend.read(x));
  const gradient = new Float64Array(at.length);
  for (let i = 0; i < at.length; i++) {
    const shifted = async (step: number) => {
      backend.write(x, Float64Array.of(at[i] + step), i);
      return loss();
    };
    gradient[i] = ((await shifted(h)) - (await shifted(-h))) / (2 * h);
    backend.write(x, Float64Array.of(at[i]), i);
  }
  return gradient;
}

/** Σ weights ∘ out after `forward`: a loss whose gradient with respect to out is `weights`. */
export function weightedLoss(
  backend: Backend,
  forward: () => void,
  out: Storage,
  weights: Float64Array,
): () => Promise<number> {
  return async () => {
    forward();
    const values = await backend.read(out);
    return weights.reduce((sum, weight, i) => sum + weight * values[i], 0);
  };
}
