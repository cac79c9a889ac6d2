import { ConfigurationError } from '../../base/errors.ts';
import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';

/** Names one draw of dropout: the same seed and stream drop the same elements on every backend. */
interface DropoutDraw {
  readonly rate: number;
  readonly seed: readonly [low: number, high: number];
  readonly stream: number;
}

/** Zeroes each element with probability `rate` and scales the others by 1/(1 − rate). */
export function dropout(x: Tensor, { rate, seed, stream }: DropoutDraw): Tensor {
  if (!(rate >= 0 && rate < 1)) throw new ConfigurationError(`dropout: rate must be in [0, 1); got ${rate}.`);
  const drop = (from: Tensor) => {
    const out = Tensor.empty(from.backend, from.shape);
    from.backend.dropout({ x: from.storage, out: out.storage, rate, seedLow: seed[0], seedHigh: seed[1], stream });
    return out;
  };
  return record([x], drop(x), (gradient) => [drop(gradient)]);
}
