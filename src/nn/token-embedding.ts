import type { Segments } from '../attention/runs.ts';
import type { Backend } from '../backend/types.ts';
import { add } from '../tensor/ops/add.ts';
import { embedding } from '../tensor/ops/embedding.ts';
import type { Random } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { type Layer, normalParameter } from './layer.ts';
import { segmentPositions, sinusoidalPositions } from './positions.ts';

export type PositionKind = 'learned' | 'sinusoidal' | 'rotary' | 'none';

interface TokenEmbeddingSizes {
  readonly vocabSize: number;
  readonly dModel: number;
  /** Longest sequence that learned positions allow. */
  readonly maxLength: number;
  readonly positions: PositionKind;
}

/** Token vectors plus absolute positions, where the kind has such: rotary positions belong to the attention. */
export class TokenEmbedding implements Layer {
  /** `[vocabSize, dModel]` */
  readonly tokens: Tensor;
  readonly #positions: Tensor | undefined;

  constructor(
    readonly backend: Backend,
    readonly sizes: TokenEmbeddingSizes,
    deviation: number,
    random: Random,
  ) {
    const { vocabSize, dModel, maxLength, positions } = sizes;
    this.tokens = normalParameter(backend, [vocabSize, dModel], deviation, random);
    if (positions === 'learned') this.#positions = normalParameter(backend, [maxLength, dModel], deviation, random);
  }

  /** Whether a token's vector depends on its place. */
  get isPositional(): boolean {
    return this.sizes.positions === 'learned' || this.sizes.positions === 'sinusoidal';
  }

  /**
   * @param ids int32 `[batch, length]`, each below vocabSize
   * @param options.offset position of the first place. Default 0.
   * @param options.segments packed sequences, each numbered from 0
   * @returns `[batch, length, dModel]`
   * @throws when learned positions end before the last
   */
  forward(ids: Tensor, { offset = 0, segments }: { offset?: number; segments?: Segments | undefined } = {}): Tensor {
    const [batch, length] = ids.shape;
    const { maxLength, dModel } = this.sizes;
    const vectors = embedding(this.tokens, ids);
    if (!this.isPositional) return vectors;
    const positions = segments
      ? segmentPositions(segments)
      : Int32Array.from({ length: batch * length }, (_, i) => offset + (i % length));
    const end = positions.reduce((most, position) => Math.max(most, position + 1), 0);
    if (this.#positions) {
      if (end > maxLength) {
        throw new Error(
          `The sequence reaches ${end} tokens but this model's learned positions end at ${maxLength}; ` +
            'shorten it, or train with "positions": "rotary".',
        );
      }
      return add(vectors, embedding(this.#positions, tensor(this.backend, positions, [batch, length])));
    }
    const first = segments ? 0 : offset;
    const rows = sinusoidalPositions(first, end - first, dModel);
    const table = new Float32Array(batch * length * dModel);
    positions.forEach((position, i) => {
      table.set(rows.subarray((position - first) * dModel, (position - first + 1) * dModel), i * dModel);
    });
    return add(vectors, tensor(this.backend, table, [batch, length, dModel]));
  }

  parameters(): Map<string, Tensor> {
    const all = new Map([['tokens.weight', this.tokens]]);
    if (this.#positions) all.set('positions.weight', this.#positions);
    return all;
  }
}
