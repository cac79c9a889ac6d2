import type { DecodingState } from '../../attention/types.ts';
import { atOnce, type Pieces } from '../../base/event-loop.ts';
import { piecesWithLabel, withLabel } from '../../base/labels.ts';
import { checkArguments, option } from '../../base/options.ts';
import { add } from '../../tensor/ops/elementwise.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { Dropout, dropoutKind } from './dropout.ts';
import type { FeedForward } from './feed-forward.ts';
import { gather, Module } from './layer.ts';
import type { LayerNorm } from './layer-norm.ts';
import type { AttentionObserver, MultiHeadAttention, SelfAttendOptions } from './multi-head-attention.ts';

/** Where a block normalises: what its two parts read, or the sums that they are added to. */
export type NormPlace = 'pre' | 'post';

/** The parts of a {@link Block}, all of one width. */
export interface BlockLayers {
  readonly attentionNorm: LayerNorm;
  readonly attention: MultiHeadAttention;
  readonly feedForwardNorm: LayerNorm;
  readonly feedForward: FeedForward;
}

/**
 * A Transformer block. Pre-norm: `x + attention(norm(x))`, then `x + feedForward(norm(x))`. Post-norm, as in the first
 * Transformer and BERT: `norm(x + attention(x))`, then `norm(x + feedForward(x))`.
 */
export class Block extends Module {
  constructor(
    readonly layers: BlockLayers,
    readonly norm: NormPlace = 'pre',
  ) {
    super();
    checkArguments(
      'Block',
      { layers, norm },
      {
        layers: layersKind,
        norm: option.oneOf('pre', 'post'),
      },
    );
  }

  /**
   * `[batch, length, dModel]` → the same
   *
   * @param options what the attention is told: causal, keyMask, segments. Default: none
   * @param dropout of this pass. Default: none
   * @param observe is shown what the attention is given and gives
   */
  forward(x: Tensor, options: SelfAttendOptions = {}, dropout = Dropout.off, observe?: AttentionObserver): Tensor {
    return atOnce(this.forwardInPieces(x, options, dropout, observe));
  }

  /** As {@link forward}, in pieces of a layer. */
  *forwardInPieces(
    x: Tensor,
    options: SelfAttendOptions = {},
    dropout = Dropout.off,
    observe?: AttentionObserver,
  ): Pieces<Tensor> {
    checkArguments('Block.forward', { dropout }, { dropout: dropoutKind });
    const attend = (given: Tensor) => inOnePiece(() => this.layers.attention.forward(given, options, observe));
    const attended = yield* this.#join('attention', x, dropout, attend);
    yield;
    return yield* this.#feed(attended, dropout);
  }

  /** Causal continuation of `state`. */
  extend(x: Tensor, state: DecodingState, dropout = Dropout.off): Tensor {
    checkArguments('Block.extend', { dropout }, { dropout: dropoutKind });
    const attend = (given: Tensor) => inOnePiece(() => this.layers.attention.extend(given, state));
    return atOnce(this.#feed(atOnce(this.#join('attention', x, dropout, attend)), dropout));
  }

  #feed(x: Tensor, dropout: Dropout): Pieces<Tensor> {
    // A layer of the caller's own may have no pieces.
    const layer: Pick<FeedForward, 'forward'> & Partial<FeedForward> = this.layers.feedForward;
    return this.#join(
      'feedForward',
      x,
      dropout,
      (given) => layer.forwardInPieces?.(given) ?? inOnePiece(() => layer.forward(given)),
    );
  }

  *#join(
    part: 'attention' | 'feedForward',
    x: Tensor,
    dropout: Dropout,
    residual: (given: Tensor) => Pieces<Tensor>,
  ): Pieces<Tensor> {
    const norm = (given: Tensor) => withLabel(`${part}Norm`, () => this.layers[`${part}Norm`].forward(given));
    const changed = yield* piecesWithLabel(part, residual(this.norm === 'post' ? x : norm(x)));
    const sum = add(
      x,
      withLabel(part, () => dropout.forward(changed)),
    );
    return this.norm === 'post' ? norm(sum) : sum;
  }

  override parameters(): Map<string, Tensor> {
    return gather({ ...this.layers });
  }

  override buffers(): Map<string, Tensor> {
    const { attention } = this.layers;
    return new Map([...attention.buffers()].map(([name, buffer]) => [`attention.${name}`, buffer]));
  }

  override dispose(): void {
    for (const layer of Object.values(this.layers)) layer.dispose();
  }
}

function* inOnePiece<T>(work: () => T): Pieces<T> {
  yield;
  return work();
}

const layersKind = option.having(
  'an object of layers',
  Object.fromEntries(
    ['attentionNorm', 'attention', 'feedForwardNorm', 'feedForward'].map((name) => [
      name,
      option.having('a layer', { forward: option.function }),
    ]),
  ),
);
