import { checkKeyMask } from '../../attention/packing.ts';
import type { KeyMask, Segments } from '../../attention/types.ts';
import type { Backend } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { activation } from '../../tensor/ops/elementwise.ts';
import { weightedSum } from '../../tensor/ops/reduce.ts';
import { Tensor, tensor } from '../../tensor/tensor.ts';
import type { Layer } from './layer.ts';
import { Linear } from './linear.ts';

/** One vector for a sequence: the mean over its positions, or its first or last position. */
export type Pooling = 'mean' | 'first' | 'last';

/** What tells the valid positions of a batch from padding. */
interface Validity {
  readonly segments?: Segments | undefined;
  readonly keyMask?: KeyMask | undefined;
}

/**
 * The positions of each batch row that are neither padding (a negative segment) nor masked.
 *
 * @throws ConfigurationError when the mask is a tensor, whose numbers cannot be read here
 */
export function validPositions({ segments, keyMask }: Validity, batch: number, length: number): number[][] {
  if (keyMask instanceof Tensor) {
    throw new ConfigurationError(
      'Pooling needs to read the keyMask: give it as arrays, one per batch row, not as a tensor.',
    );
  }
  if (keyMask) checkKeyMask(keyMask, batch, length);
  return Array.from({ length: batch }, (_, b) =>
    Array.from({ length }, (_, i) => i).filter((i) => (segments?.[b][i] ?? 0) >= 0 && (keyMask?.[b][i] ?? 1) !== 0),
  );
}

/**
 * `[batch, length, width]` → `[batch, width]`, of the positions that are neither padding (a negative segment) nor masked;
 * zeros for a row without any.
 *
 * @throws ConfigurationError when the mask is a tensor, whose numbers cannot be read here
 */
export function pool(x: Tensor, pooling: Pooling, options: Validity = {}): Tensor {
  const [batch, length] = x.shape;
  const weights = new Float32Array(batch * length);
  for (const [b, positions] of validPositions(options, batch, length).entries()) {
    const taken = pooling === 'mean' ? positions : pooling === 'first' ? positions.slice(0, 1) : positions.slice(-1);
    for (const i of taken) weights[b * length + i] = 1 / taken.length;
  }
  return weightedSum(x, tensor(x.backend, weights, [batch, length]));
}

/** BERT's pooler: tanh of a linear layer over one vector of a sequence. */
export class Pooler implements Layer {
  readonly #linear: Linear;

  constructor(backend: Backend, dModel: number, deviation: number, random: Random | undefined) {
    this.#linear = new Linear(backend, dModel, dModel, { random, deviation });
  }

  /** `[batch, dModel]` → the same */
  forward(x: Tensor): Tensor {
    return activation(this.#linear.forward(x), 'tanh');
  }

  parameters(): Map<string, Tensor> {
    return this.#linear.parameters();
  }
}
