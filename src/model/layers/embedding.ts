import type { KeyMask, Segments } from '../../attention/types.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Layer } from './layer.ts';

/** One number for each place of each batch row. */
export type Rows = readonly ArrayLike<number>[];

/** What an embedding may need to know besides its input. */
export interface EmbeddingOptions {
  /** Position of the first place. Default 0. */
  readonly offset?: number | undefined;
  /** Packed sequences, each numbered from 0. */
  readonly segments?: Segments | undefined;
  /** The type of each token, such as which of two sentences it belongs to. Default: all 0. */
  readonly tokenTypes?: Rows | undefined;
  /** 1 where the mask token stands, else 0: a model with token dropout needs it. */
  readonly maskedTokens?: Rows | undefined;
  /** 1 = valid place, 0 = padding. */
  readonly keyMask?: KeyMask | undefined;
}

/** Makes the vectors that the first block takes. */
export interface Embedding extends Layer {
  /** Whether a vector depends on its place in the sequence. */
  readonly isPositional: boolean;
  /** → `[batch, length, dModel]` */
  forward(input: Tensor, options?: EmbeddingOptions): Tensor;
}
