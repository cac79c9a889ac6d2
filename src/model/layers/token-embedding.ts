import { checkKeyMask } from '../../attention/packing.ts';
import type { KeyMask, Segments } from '../../attention/types.ts';
import type { Backend } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { add, scaleRows } from '../../tensor/ops/elementwise.ts';
import { embedding } from '../../tensor/ops/embedding.ts';
import { checkPositions } from '../../tensor/ops/rotary.ts';
import { Tensor, tensor } from '../../tensor/tensor.ts';
import { type Layer, normalParameter } from './layer.ts';
import { positionStretches, segmentPositions, sinusoidalPositions, stretches, stretchPositions } from './positions.ts';

/** One number for each token of each batch row. */
type Rows = readonly ArrayLike<number>[];

/** What an embedding may need to know besides its input. */
export interface EmbeddingOptions {
  /** Position of the first token. Default 0. */
  readonly offset?: number | undefined;
  /** Packed sequences, each numbered from 0. */
  readonly segments?: Segments | undefined;
  /** The type of each token, such as which of two sentences it belongs to. Default: all 0. */
  readonly tokenTypes?: Rows | undefined;
  /** 1 where the mask token stands, else 0: a model with token dropout needs it. */
  readonly maskedTokens?: Rows | undefined;
  /** 1 = valid token, 0 = padding. */
  readonly keyMask?: KeyMask | undefined;
}

/** Makes the vectors that the first block takes. */
export interface InputEmbedding extends Layer {
  /** Whether a vector depends on its position in the sequence. */
  readonly isPositional: boolean;
  /** → `[batch, length, dModel]` */
  forward(input: Tensor, options?: EmbeddingOptions): Tensor;
}

type PositionKind = 'learned' | 'sinusoidal' | 'rotary' | 'none';

/** ESM-2's treatment of mask tokens: their vectors are zero, and the others are scaled up for what is missing. */
interface TokenDropout {
  /** Id of the mask token. */
  readonly maskToken: number;
  /** Share of mask tokens in training: a row is scaled by (1 − ratio)/(1 − its own share). */
  readonly ratio: number;
}

interface TokenEmbeddingSizes {
  readonly vocabSize: number;
  readonly dModel: number;
  /** Longest sequence that learned positions allow. */
  readonly maxLength: number;
  readonly positions: PositionKind;
  /** Number of token types; 0 = none. Default 0. */
  readonly tokenTypes?: number;
  readonly tokenDropout?: TokenDropout | undefined;
}

/**
 * Token vectors, plus those of token types and absolute positions where the model has such: rotary positions belong to
 * the attention.
 */
export class TokenEmbedding implements InputEmbedding {
  /** `[vocabSize, dModel]` */
  readonly tokens: Tensor;
  readonly #positions: Tensor | undefined;
  readonly #tokenTypes: Tensor | undefined;

  constructor(
    readonly backend: Backend,
    readonly sizes: TokenEmbeddingSizes,
    deviation: number,
    random: Random | undefined,
  ) {
    const { vocabSize, dModel, maxLength, positions, tokenTypes = 0 } = sizes;
    this.tokens = normalParameter(backend, [vocabSize, dModel], deviation, random);
    if (positions === 'learned') this.#positions = normalParameter(backend, [maxLength, dModel], deviation, random);
    if (tokenTypes > 0) this.#tokenTypes = normalParameter(backend, [tokenTypes, dModel], deviation, random);
  }

  get isPositional(): boolean {
    return this.sizes.positions === 'learned' || this.sizes.positions === 'sinusoidal';
  }

  /**
   * @param ids int32 `[batch, length]`, each below vocabSize
   * @returns `[batch, length, dModel]`: zeros at padding
   * @throws when learned positions end before the last, or a token type does not exist
   * @throws when a model with token dropout is not told where mask tokens are
   */
  forward(ids: Tensor, options: EmbeddingOptions = {}): Tensor {
    const tokens = this.#dropTokens(embedding(this.tokens, ids), options);
    return leaveOut(this.#addPositions(this.#addTypes(tokens, options), options), options);
  }

  #dropTokens(vectors: Tensor, { maskedTokens, keyMask, segments }: EmbeddingOptions): Tensor {
    const { tokenDropout } = this.sizes;
    if (!tokenDropout) return vectors;
    if (!maskedTokens || keyMask instanceof Tensor) {
      throw new ConfigurationError(
        'This model drops mask tokens: give maskedTokens, and the keyMask, as arrays of ones and zeros, one per batch row.',
      );
    }
    const [batch, length] = vectors.shape;
    const scales = tokenScales(tokenDropout.ratio, [batch, length], maskedTokens, keyMask, segments);
    return scaleRows(vectors, tensor(this.backend, scales, [batch, length]));
  }

  #addTypes(vectors: Tensor, { tokenTypes }: EmbeddingOptions): Tensor {
    const numTypes = this.sizes.tokenTypes ?? 0;
    if (!this.#tokenTypes) {
      if (tokenTypes) throw new ConfigurationError('This model has no token types: leave tokenTypes out.');
      return vectors;
    }
    const [batch, length] = vectors.shape;
    const types = Int32Array.from({ length: batch * length }, (_, i) =>
      tokenTypes ? tokenTypes[Math.floor(i / length)][i % length] : 0,
    );
    const unknown = types.find((type) => !(type >= 0 && type < numTypes));
    if (unknown !== undefined) {
      throw new ConfigurationError(`Token type ${unknown} does not exist: this model has types 0 to ${numTypes - 1}.`);
    }
    return add(vectors, embedding(this.#tokenTypes, tensor(this.backend, types, [batch, length])));
  }

  #addPositions(vectors: Tensor, { offset = 0, segments, keyMask }: EmbeddingOptions): Tensor {
    if (!this.isPositional) return vectors;
    const [batch, length] = vectors.shape;
    checkPositions(offset, length);
    const { maxLength, dModel } = this.sizes;
    const counted = segments ? undefined : positionStretches({ keyMask });
    const rows = counted ?? Array.from({ length: batch }, (_, row) => ({ row, start: 0, length }));
    const positions = segments ? segmentPositions(segments) : stretchPositions(rows, batch, length, offset);
    const end = positions.reduce((most, position) => Math.max(most, position + 1), 0);
    if (this.#positions) {
      if (end > maxLength) {
        throw new ConfigurationError(
          `The sequence reaches ${end} tokens but this model's learned positions end at ${maxLength}; ` +
            'shorten it, or train with "positions": "rotary".',
        );
      }
      return add(vectors, embedding(this.#positions, tensor(this.backend, positions, [batch, length])));
    }
    const first = segments ? 0 : offset;
    const vectorsOf = sinusoidalPositions(first, end - first, dModel);
    const table = new Float32Array(batch * length * dModel);
    positions.forEach((position, i) => {
      table.set(vectorsOf.subarray((position - first) * dModel, (position - first + 1) * dModel), i * dModel);
    });
    return add(vectors, tensor(this.backend, table, [batch, length, dModel]));
  }

  parameters(): Map<string, Tensor> {
    const all = new Map([['tokens.weight', this.tokens]]);
    if (this.#positions) all.set('positions.weight', this.#positions);
    if (this.#tokenTypes) all.set('tokenTypes.weight', this.#tokenTypes);
    return all;
  }
}

/**
 * Zeros at padding, selected and not multiplied. A NaN or an infinity of a row that padding alone looks up would otherwise
 * reach the gradients of weights, as 0·NaN.
 *
 * @param vectors `[batch, length, width]`
 */
export function leaveOut(
  vectors: Tensor,
  { keyMask, segments }: Pick<EmbeddingOptions, 'keyMask' | 'segments'>,
): Tensor {
  const [batch, length] = vectors.shape;
  const masked = keyMask instanceof Tensor ? scaleRows(vectors, keyMask) : vectors;
  const rows = keyMask instanceof Tensor ? undefined : keyMask;
  if (rows) checkKeyMask(rows, batch, length);
  const valid = Float32Array.from({ length: batch * length }, (_, at) => {
    const [row, i] = [Math.floor(at / length), at % length];
    return (segments?.[row]?.[i] ?? 0) < 0 || rows?.[row][i] === 0 ? 0 : 1;
  });
  return valid.includes(0) ? scaleRows(masked, tensor(vectors.backend, valid, [batch, length])) : masked;
}

/** What each token's vector is multiplied by: 0 at mask tokens, and one number for the others of its sequence. */
function tokenScales(
  ratio: number,
  [batch, length]: readonly [batch: number, length: number],
  masked: Rows,
  keyMask: Rows | undefined,
  segments: Segments | undefined,
): Float32Array {
  const scales = new Float32Array(batch * length);
  const sequences = segments
    ? stretches(segments)
    : Array.from({ length: batch }, (_, row) => ({ row, start: 0, length }));
  for (const { row, start, length: size } of sequences) {
    const positions = Array.from({ length: size }, (_, i) => start + i);
    const numTokens = positions.filter((i) => (keyMask?.[row][i] ?? 1) !== 0).length;
    const numMasked = positions.filter((i) => masked[row][i] !== 0).length;
    const scale = numMasked < numTokens ? (1 - ratio) / (1 - numMasked / numTokens) : 0;
    for (const i of positions) scales[row * length + i] = masked[row][i] !== 0 ? 0 : scale;
  }
  return scales;
}
