import { createAttention } from '../attention/attention.ts';
import type { AttendOptions, Attention, DecodingState } from '../attention/types.ts';
import type { Backend } from '../backend/types.ts';
import { Block } from '../nn/block.ts';
import { Dropout } from '../nn/dropout.ts';
import { FeedForward } from '../nn/feed-forward.ts';
import { gather, type Layer, normalParameter } from '../nn/layer.ts';
import { LayerNorm } from '../nn/layer-norm.ts';
import { Linear } from '../nn/linear.ts';
import { type AttentionHeads, headsFirst, MultiHeadAttention } from '../nn/multi-head-attention.ts';
import { pool } from '../nn/pooling.ts';
import { ReversibleStack } from '../nn/reversible-stack.ts';
import { ResidualStack, type Stack } from '../nn/stack.ts';
import { TokenEmbedding } from '../nn/token-embedding.ts';
import { linear } from '../tensor/ops/linear.ts';
import { reshape } from '../tensor/ops/reshape.ts';
import { Random, streams } from '../tensor/random.ts';
import { adopt, keep, scope } from '../tensor/scope.ts';
import { Tensor } from '../tensor/tensor.ts';
import { type TransformerConfiguration, type TransformerOptions, transformerConfiguration } from './configuration.ts';

/** Options of one forward pass. */
export interface ForwardOptions extends Pick<AttendOptions, 'keyMask' | 'segments'> {
  /** Default: none. */
  readonly dropout?: Dropout;
}

/** GPT-2's initial deviation; residual outputs are scaled down by the number of residual additions. */
const initialDeviation = 0.02;

/**
 * A pre-norm Transformer over token ids, causal or bidirectional, with any attention.
 *
 * @throws a ZodError when the configuration is not valid.
 */
export class Transformer implements Layer {
  readonly configuration: TransformerConfiguration;
  readonly #embedding: TokenEmbedding;
  readonly #output: Tensor | undefined;
  readonly #blocks: Block[];
  readonly #stack: Stack;
  readonly #norm: LayerNorm;
  readonly #classifier: Linear | undefined;

  /** @param seed determines the initial parameters and projections */
  constructor(
    readonly backend: Backend,
    options: TransformerOptions,
    seed = 0,
  ) {
    const configuration = transformerConfiguration.parse(options);
    this.configuration = configuration;
    const { dModel, numHeads, numLayers, vocabSize, positions, maxLength, layerNormEpsilon } = configuration;
    const random = new Random(seed, streams.initialisation);
    const deviations = { inner: initialDeviation, residual: initialDeviation / Math.sqrt(2 * numLayers) };
    this.#embedding = new TokenEmbedding(backend, configuration, initialDeviation, random);
    this.#output = configuration.tiedEmbeddings
      ? undefined
      : normalParameter(backend, [vocabSize, dModel], initialDeviation, random);
    this.#blocks = Array.from({ length: numLayers }, (_, layer) => {
      const sizes = { numHeads, dHead: dModel / numHeads, maxLength };
      const attention = createAttention(backend, configuration.attention, sizes, projectionRandom(seed, layer, 0));
      const heads = { dModel, numHeads, rotary: positions === 'rotary' };
      return new Block({
        attentionNorm: new LayerNorm(backend, dModel, layerNormEpsilon),
        attention: new MultiHeadAttention(backend, heads, attention, deviations, random),
        feedForwardNorm: new LayerNorm(backend, dModel, layerNormEpsilon),
        feedForward: new FeedForward(backend, configuration, deviations, random),
      });
    });
    this.#stack = configuration.reversible ? new ReversibleStack(this.#blocks) : new ResidualStack(this.#blocks);
    this.#norm = new LayerNorm(backend, dModel, layerNormEpsilon);
    const { numClasses } = configuration;
    if (numClasses !== undefined) {
      this.#classifier = new Linear(backend, dModel, numClasses, initialDeviation, random);
    }
  }

  /**
   * @param ids int32 `[batch, length]`, each below vocabSize
   * @returns `[batch, length, dModel]` after the final norm
   * @throws when learned positions end before `length`
   */
  forward(ids: Tensor, { dropout = Dropout.off, keyMask, segments }: ForwardOptions = {}): Tensor {
    const attend: AttendOptions = { causal: this.configuration.causal, keyMask, segments };
    const x = dropout.forward(this.#embedding.forward(ids, { segments }));
    return this.#norm.forward(this.#stack.forward(x, attend, dropout));
  }

  /**
   * What the attention of every layer is given in one forward pass, after rotary positions: queries, keys and values
   * `[batch, heads, length, dModel/heads]`, for reports on a trained model. The caller (or its scope) disposes them.
   *
   * @param ids int32 `[batch, length]`, each below vocabSize
   * @throws when learned positions end before `length`
   */
  attentionInputs(ids: Tensor, { keyMask, segments }: Omit<ForwardOptions, 'dropout'> = {}): AttentionHeads[] {
    const attend: AttendOptions = { causal: this.configuration.causal, keyMask, segments };
    const found: Tensor[] = [];
    try {
      scope(() => {
        const x = this.#embedding.forward(ids, { segments });
        this.#stack.forward(x, attend, Dropout.off, ({ queries, keys, values }) => {
          for (const heads of [queries, keys, values]) found.push(keep(headsFirst(heads)));
        });
      });
    } catch (error) {
      for (const tensor of found) tensor.dispose();
      throw error;
    }
    for (const tensor of found) adopt(tensor);
    return this.#blocks.map((_, layer) => {
      const [queries, keys, values] = found.slice(3 * layer);
      return { queries, keys, values };
    });
  }

  /** `[…, dModel]` → logits `[rows, vocabSize]`, rows being the product of the leading axes. */
  logits(hidden: Tensor): Tensor {
    const { dModel } = this.configuration;
    return linear(reshape(hidden, [hidden.size / dModel, dModel]), this.#output ?? this.#embedding.tokens);
  }

  /**
   * Class logits of one sequence per row, which the configuration's `pooling` makes one vector of.
   *
   * @param hidden `[batch, length, dModel]` from {@link forward}
   * @param options those of `forward`: padding and masked places do not count
   * @returns `[batch, numClasses]`
   * @throws when the configuration has no numClasses
   */
  classify(hidden: Tensor, options: Pick<ForwardOptions, 'keyMask' | 'segments'> = {}): Tensor {
    if (!this.#classifier) {
      throw new Error('This model has no classification head; set "numClasses" in the model configuration.');
    }
    return this.#classifier.forward(pool(hidden, this.configuration.pooling ?? 'mean', options));
  }

  /** One empty decoding state per layer. @throws for a bidirectional model. */
  createStates(batch = 1): DecodingState[] {
    if (!this.configuration.causal)
      throw new Error('This model is bidirectional and cannot decode; train one with causal: true.');
    const { dModel, numHeads } = this.configuration;
    const sizes = { batch, heads: numHeads, dHead: dModel / numHeads, dValue: dModel / numHeads };
    return this.#blocks.map(({ layers }) => layers.attention.attention.createState(sizes));
  }

  /**
   * Joins sequences that then decode together: `states[i]` are the layers' states of batch rows that follow those of
   * `states[i − 1]`. The given states stay as they are; a layer's `slice` takes rows out again.
   *
   * @throws one sentence when the states do not fit: exact ones, and those of models with positions, must have seen
   *   equally many tokens.
   */
  stackStates(states: readonly (readonly DecodingState[])[]): DecodingState[] {
    return this.attentions.map((attention, layer) => attention.stackStates(states.map((layers) => layers[layer])));
  }

  /** The attention of each layer, to restore its saved decoding state or to look inside. */
  get attentions(): Attention[] {
    return this.#blocks.map(({ layers }) => layers.attention.attention);
  }

  /**
   * Continues decoding: feeds `ids` `[batch, length]` after what `states` have seen and advances them.
   * O(length) time for FAVOR+, independent of the past.
   *
   * @returns logits of the last position, `[batch, vocabSize]`
   */
  extend(ids: Tensor, states: readonly DecodingState[]): Tensor {
    return scope(() => {
      const x = this.#embedding.forward(ids, { offset: this.#embedding.isPositional ? states[0].position : 0 });
      return this.#lastLogits(this.#norm.forward(this.#stack.extend(x, states)));
    });
  }

  /** Trained parameters by name. */
  parameters(): Map<string, Tensor> {
    const blocks = gather(Object.fromEntries(this.#blocks.map((block, layer) => [`blocks.${layer}`, block])));
    const norm = gather({ norm: this.#norm });
    const output = new Map<string, Tensor>(this.#output ? [['output.weight', this.#output]] : []);
    const classifier = this.#classifier ? gather({ classifier: this.#classifier }) : [];
    return new Map([...this.#embedding.parameters(), ...blocks, ...norm, ...output, ...classifier]);
  }

  /** Untrained tensors that a checkpoint must hold: the projections. */
  buffers(): Map<string, Tensor> {
    return new Map(
      this.attentions.flatMap((attention, layer) =>
        [...attention.buffers()].map(([name, buffer]): [string, Tensor] => [
          `blocks.${layer}.attention.${name}`,
          buffer,
        ]),
      ),
    );
  }

  /** Number of trained numbers. */
  get numParameters(): number {
    return [...this.parameters().values()].reduce((total, parameter) => total + parameter.size, 0);
  }

  /** Draws every layer's random features anew: a function of (seed, redraw) alone, redraw 0 being the initial ones. */
  redraw(seed: number, redraw: number): void {
    this.attentions.forEach((attention, layer) => {
      attention.redraw(projectionRandom(seed, layer, redraw));
    });
  }

  dispose(): void {
    for (const parameter of this.parameters().values()) parameter.dispose();
    for (const attention of this.attentions) attention.dispose();
  }

  #lastLogits(hidden: Tensor): Tensor {
    const [batch, length, dModel] = hidden.shape;
    const { vocabSize } = this.configuration;
    const logits = Tensor.empty(this.backend, [batch, vocabSize]);
    const weight = this.#output ?? this.#embedding.tokens;
    this.backend.gemm({
      a: this.backend.slice(hidden.storage, (length - 1) * dModel, hidden.size - (length - 1) * dModel),
      b: weight.storage,
      c: logits.storage,
      m: batch,
      n: vocabSize,
      k: dModel,
      lda: length * dModel,
      transposeB: true,
    });
    return logits;
  }
}

function projectionRandom(seed: number, layer: number, redraw: number): Random {
  return new Random(seed, streams.projections).fork(layer).fork(redraw);
}

/** Throws unless every id is in `[0, vocabSize)`. */
export function checkIds(ids: ArrayLike<number>, vocabSize: number): void {
  for (let i = 0; i < ids.length; i++) {
    if (!(ids[i] >= 0 && ids[i] < vocabSize)) {
      throw new Error(
        `Token ${ids[i]} at position ${i} is outside the vocabulary of ${vocabSize}; use the model's own tokenizer.`,
      );
    }
  }
}
