import { checkArguments, type OptionKind, option } from '../../base/options.ts';
import { dropout } from '../../tensor/ops/dropout.ts';
import { type Tensor, tensorKind } from '../../tensor/tensor.ts';

/** The dropout of one forward pass: each use takes the next stream of the pass's own seed. */
export class Dropout {
  #stream = 0;

  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is Dropout {
    return typeof value === 'object' && value !== null && #stream in value;
  }

  /**
   * @throws ConfigurationError, DataError for arguments of another kind
   *
   * @param rate probability of dropping an element; 0 = leave everything
   * @param seed names the pass, such as (training seed, step)
   */
  constructor(
    readonly rate: number,
    readonly seed: readonly [low: number, high: number],
  ) {
    checkArguments('Dropout', { rate, seed }, { rate: option.number, seed: option.numbers });
  }

  /** For evaluation and generation. */
  static readonly off = new Dropout(0, [0, 0]);

  forward(x: Tensor): Tensor {
    checkArguments('Dropout.forward', { x }, { x: tensorKind });
    return this.next()(x);
  }

  /** Takes the next stream: what is returned drops the same elements as often as it is called. */
  next(): (x: Tensor) => Tensor {
    const { rate, seed } = this;
    if (rate === 0) return (x) => x;
    const stream = this.#stream++;
    return (x) => dropout(x, { rate, seed, stream });
  }
}

export const dropoutKind: OptionKind = option.made('a Dropout', Dropout.is);
