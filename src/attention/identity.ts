import type { Backend } from '../backend/types.ts';
import { ConfigurationError, ShapeError } from '../base/errors.ts';
import { reshape } from '../tensor/ops/layout.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Attention } from './types.ts';

/**
 * The bar "X" of the paper's Figure 3: returns the values, in no time and without memory. Attending to nothing, this is
 * a bound on the speed of any attention, not a model. Masks and causality change nothing, and queries and keys get no
 * gradient.
 */
export class IdentityAttention implements Attention<never> {
  constructor(readonly backend: Backend) {}

  /** @throws ShapeError unless there are as many queries as values. */
  attend(queries: Tensor, _keys: Tensor, values: Tensor): Tensor {
    const [q, v] = [queries, values].map(({ shape }) => shape.slice(0, 3).join(' × '));
    if (q !== v) {
      throw new ShapeError(
        `Identity attention returns the values, so the queries' first three axes (${q}) must be theirs (${v}).`,
      );
    }
    return reshape(values, values.shape);
  }

  createState = refuse;
  restoreState = refuse;
  stackStates = refuse;
  extend = refuse;

  buffers(): Map<string, Tensor> {
    return new Map();
  }

  redraw(): void {}

  dispose(): void {}
}

function refuse(): never {
  throw new ConfigurationError(
    'Identity attention only bounds speed and cannot decode: use type favor, exact or auto.',
  );
}
