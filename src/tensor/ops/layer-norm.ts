import { checkShape } from '../shape.ts';
import { record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';

/**
 * `gamma ∘ (x − mean)/√(variance + epsilon) + beta` over the last axis.
 *
 * @param x `[…, width]`
 * @param gamma `[width]`
 * @param beta `[width]`
 */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon = 1e-5): Tensor {
  checkTensors('layerNorm', { x, gamma, beta });
  const { backend } = x;
  const width = x.shape.at(-1) ?? 0;
  checkShape('layerNorm: gamma', gamma.shape, [width]);
  checkShape('layerNorm: beta', beta.shape, [width]);
  const rows = x.size / Math.max(width, 1);
  const out = Tensor.empty(backend, x.shape);
  const mean = Tensor.empty(backend, [rows]);
  const inverseDeviation = Tensor.empty(backend, [rows]);
  backend.layerNorm({
    x: x.storage,
    gamma: gamma.storage,
    beta: beta.storage,
    out: out.storage,
    mean: mean.storage,
    inverseDeviation: inverseDeviation.storage,
    rows,
    width,
    epsilon,
  });
  return record(
    [x, gamma, beta],
    out,
    (gradient) => {
      const [dX, dGamma, dBeta] = [x, gamma, beta].map((input) => Tensor.empty(backend, input.shape));
      backend.layerNormBackward({
        x: x.storage,
        gamma: gamma.storage,
        mean: mean.storage,
        inverseDeviation: inverseDeviation.storage,
        dOut: gradient.storage,
        dX: dX.storage,
        dGamma: dGamma.storage,
        dBeta: dBeta.storage,
        rows,
        width,
      });
      return [dX, dGamma, dBeta];
    },
    [mean, inverseDeviation],
  );
}
