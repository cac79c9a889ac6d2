import type { ActivationKind, Backend } from '../../backend/types.ts';
import type { Random } from '../../base/random.ts';
import { activation } from '../../tensor/ops/elementwise.ts';
import { linear } from '../../tensor/ops/linear.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { constantParameter, gather, type Layer, normalParameter } from './layer.ts';
import { LayerNorm } from './layer-norm.ts';
import { Linear } from './linear.ts';

interface LanguageHeadSizes {
  readonly vocabSize: number;
  readonly dModel: number;
  /** The output matrix is the embedding of tokens. */
  readonly tiedEmbeddings: boolean;
  /** Hidden states first pass a linear layer, the activation and a norm, as in BERT. */
  readonly outputTransform: boolean;
  readonly outputBias: boolean;
  readonly activation: ActivationKind;
  readonly layerNormEpsilon: number;
}

/** Reads hidden states as logits over tokens. */
export class LanguageHead implements Layer {
  readonly #transform: { readonly linear: Linear; readonly norm: LayerNorm } | undefined;
  readonly #own: Tensor | undefined;
  readonly #bias: Tensor | undefined;

  /** @param tokens `[vocabSize, dModel]`: the embedding of tokens, which stays its owner's */
  constructor(
    backend: Backend,
    readonly sizes: LanguageHeadSizes,
    readonly tokens: Tensor,
    deviation: number,
    random: Random | undefined,
  ) {
    const { vocabSize, dModel } = sizes;
    if (!sizes.tiedEmbeddings) this.#own = normalParameter(backend, [vocabSize, dModel], deviation, random);
    if (sizes.outputTransform) {
      this.#transform = {
        linear: new Linear(backend, dModel, dModel, { random, deviation }),
        norm: new LayerNorm(backend, dModel, { epsilon: sizes.layerNormEpsilon }),
      };
    }
    if (sizes.outputBias) this.#bias = constantParameter(backend, [vocabSize], 0);
  }

  /** `[rows, dModel]` → logits `[rows, vocabSize]` */
  forward(hidden: Tensor): Tensor {
    const given = this.#transform
      ? this.#transform.norm.forward(activation(this.#transform.linear.forward(hidden), this.sizes.activation))
      : hidden;
    return linear(given, this.#own ?? this.tokens, this.#bias);
  }

  parameters(): Map<string, Tensor> {
    const all = new Map<string, Tensor>();
    if (this.#own) all.set('output.weight', this.#own);
    if (this.#bias) all.set('output.bias', this.#bias);
    if (!this.#transform) return all;
    const { linear, norm } = this.#transform;
    return new Map([...all, ...gather({ 'outputTransform.linear': linear, 'outputTransform.norm': norm })]);
  }
}
