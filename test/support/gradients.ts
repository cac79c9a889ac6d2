import { expect } from 'vitest';
import type { Backend } from '../../src/backend/types.ts';
import { Random } from '../../src/base/random.ts';
import { scope } from '../../src/tensor/scope.ts';
import { type Shape, sizeOf } from '../../src/tensor/shape.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';

/** A tensor of standard normal numbers times `deviation`. */
export function randomTensor(backend: Backend, shape: Shape, seed: number, deviation = 1): Tensor {
  const random = new Random(seed);
  return tensor(
    backend,
    Float64Array.from({ length: sizeOf(shape) }, () => deviation * random.normal()),
    shape,
  );
}

async function total(loss: () => Tensor): Promise<number> {
  const value = scope(loss);
  const sum = Array.from(await value.data()).reduce((a, b) => a + b, 0);
  value.dispose();
  return sum;
}

/**
 * Compares the tape's gradients of Σ loss with central differences, for every element of every parameter (or `samples`
 * of them). The differences are `(8f(x + h) − 8f(x − h) − f(x + 2h) + f(x − 2h))/12h` on the float64 reference,
 * truncation O(h⁴).
 *
 * @param bound on |difference| relative to the largest gradient of that parameter
 */
export async function expectGradients(
  loss: () => Tensor,
  parameters: Record<string, Tensor>,
  { bound = 1e-6, step = 1e-3, samples = Number.POSITIVE_INFINITY } = {},
): Promise<void> {
  const tensors = Object.values(parameters);
  const { value, gradients } = valueAndGradients(loss, tensors);
  value.dispose();
  for (const [p, [name, parameter]] of Object.entries(parameters).entries()) {
    const { backend, storage, size } = parameter;
    const [analytic, original] = await Promise.all([gradients[p].data(), parameter.data()]);
    const scale = Array.from(analytic).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(scale, `${name} has a gradient`).toBeGreaterThan(0);
    const stride = Math.max(1, Math.floor(size / samples));
    for (let i = 0; i < size; i += stride) {
      const at = async (x: number) => {
        backend.write(storage, Float64Array.of(x), i);
        return total(loss);
      };
      const near = (await at(original[i] + step)) - (await at(original[i] - step));
      const far = (await at(original[i] + 2 * step)) - (await at(original[i] - 2 * step));
      const numeric = (8 * near - far) / (12 * step);
      backend.write(storage, Float64Array.of(original[i]), i);
      expect(Math.abs(numeric - analytic[i]) / scale, `${name}[${i}]: ${numeric} against ${analytic[i]}`).toBeLessThan(
        bound,
      );
    }
    gradients[p].dispose();
  }
}
