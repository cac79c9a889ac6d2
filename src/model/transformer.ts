import { createAttention } from '../attention/attention.ts';
import { keyMaskKind, rowsOfIds, rowsOfNumbers } from '../attention/options.ts';
import { type AttendOptions, type Attention, type DecodingState, decodingStateKind } from '../attention/types.ts';
import type { Backend } from '../backend/types.ts';
import { ConfigurationError, DataError } from '../base/errors.ts';
import { atOnce, type Pauses, type Pieces, pausesKind } from '../base/event-loop.ts';
import { withLabel } from '../base/labels.ts';
import { checkArguments, checkOptions, type OptionKind, type OptionKinds, option } from '../base/options.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import { Random, streams } from '../base/random.ts';
import { permute, reshape, slice } from '../tensor/ops/layout.ts';
import { adopt, keep, scope, scopeInSteps } from '../tensor/scope.ts';
import { checkBackend, checkTensors, type Tensor } from '../tensor/tensor.ts';
import { type TransformerConfiguration, type TransformerOptions, transformerSchema } from './configuration.ts';
import { Block } from './layers/block.ts';
import { ResidualStack, ReversibleStack, type Stack } from './layers/block-stack.ts';
import { Dropout, dropoutKind } from './layers/dropout.ts';
import { FeedForward, feedForwardSizes } from './layers/feed-forward.ts';
import { LanguageHead } from './layers/language-head.ts';
import { gather, type Layer } from './layers/layer.ts';
import { LayerNorm } from './layers/layer-norm.ts';
import { Linear } from './layers/linear.ts';
import { type AttentionHeads, type AttentionObserver, MultiHeadAttention } from './layers/multi-head-attention.ts';
import { PatchEmbedding } from './layers/patch-embedding.ts';
import { Pooler, pool } from './layers/pooling.ts';
import { type EmbeddingOptions, type InputEmbedding, TokenEmbedding } from './layers/token-embedding.ts';
import { checkBuildable } from './size.ts';

/** Options of one forward pass. */
export interface ForwardOptions
  extends Pick<AttendOptions, 'keyMask' | 'segments'>,
    Pick<EmbeddingOptions, 'tokenTypes' | 'maskedTokens'> {
  /** Default: none. */
  readonly dropout?: Dropout;
  /** Is shown what the attention of every layer is given and gives, in order. */
  readonly observe?: AttentionObserver | undefined;
}

type AttentionInputsOptions = Omit<ForwardOptions, 'dropout' | 'observe'>;

/** GPT-2's initial deviation; residual outputs are scaled down by the number of residual additions. */
const initialDeviation = 0.02;

/** The attention of a whole model. */
export type AttentionChoice = Pick<TransformerOptions, 'attention' | 'exactLayers'>;

/**
 * A Transformer over token ids or image patches, causal or bidirectional, with any attention.
 *
 * @throws ConfigurationError when the configuration is not valid.
 */
export class Transformer implements Layer {
  #configuration: TransformerConfiguration;
  readonly #embedding: InputEmbedding;
  readonly #embeddingNorm: LayerNorm | undefined;
  readonly #languageHead: LanguageHead | undefined;
  readonly #blocks: Block[];
  readonly #stack: Stack;

  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is Transformer {
    return typeof value === 'object' && value !== null && #stack in value;
  }
  /** Undefined in post-norm models, whose last block ends with a norm. */
  readonly #norm: LayerNorm | undefined;
  readonly #pooler: Pooler | undefined;
  readonly #classifier: Linear | undefined;

  /**
   * @param seed determines the initial parameters and projections
   * @param options.initialise false = parameters are zeros, for weights that are loaded next. Default true.
   */
  constructor(
    readonly backend: Backend,
    options: TransformerOptions,
    seed = 0,
    settings: { readonly initialise?: boolean } = {},
  ) {
    checkBackend('Transformer', backend);
    checkOptions<{ initialise?: boolean }>('Transformer', settings, { initialise: option.boolean });
    const { initialise = true } = settings;
    const configuration = parseConfiguration(transformerSchema, options, 'the model configuration');
    checkBuildable(configuration);
    this.#configuration = configuration;
    const { dModel, numHeads, numLayers, positions, layerNormEpsilon, numClasses } = configuration;
    const random = initialise ? new Random(seed, streams.initialisation) : undefined;
    const initial = {
      ...{ random, deviation: initialDeviation },
      outputDeviation: initialDeviation / Math.sqrt(2 * numLayers),
    };
    const norm = () => new LayerNorm(backend, dModel, { epsilon: layerNormEpsilon });
    if (configuration.patches) {
      this.#embedding = new PatchEmbedding(backend, configuration.patches, dModel, initialDeviation, random);
    } else {
      const embedding = new TokenEmbedding(backend, configuration, initialDeviation, random);
      this.#embedding = embedding;
      if (configuration.languageHead) {
        this.#languageHead = new LanguageHead(backend, configuration, embedding.tokens, initialDeviation, random);
      }
    }
    if (configuration.embeddingNorm) this.#embeddingNorm = norm();
    this.#blocks = [...createAttentions(backend, configuration, seed)].map((attention) => {
      const heads = { dModel, numHeads, rotary: positions === 'rotary' };
      const layers = {
        attentionNorm: norm(),
        attention: new MultiHeadAttention(backend, heads, attention, initial),
        feedForwardNorm: norm(),
        feedForward: new FeedForward(backend, feedForwardSizes(configuration), initial),
      };
      return new Block(layers, configuration.norm);
    });
    this.#stack = configuration.reversible ? new ReversibleStack(this.#blocks) : new ResidualStack(this.#blocks);
    if (configuration.norm === 'pre') this.#norm = norm();
    if (configuration.pooler) this.#pooler = new Pooler(backend, dModel, initialDeviation, random);
    if (numClasses !== undefined) {
      this.#classifier = new Linear(backend, dModel, numClasses, { random, deviation: initialDeviation });
    }
  }

  get configuration(): TransformerConfiguration {
    return this.#configuration;
  }

  /**
   * @param input token ids, int32 `[batch, length]`, each below vocabSize. Or image patches,
   *   `[batch, numPatches, channels·patchSize²]`; the model adds a class token in front.
   * @returns `[batch, length, dModel]` after the final norm
   * @throws ConfigurationError when learned positions end before `length`, or a keyMask with padding in front is a tensor
   */
  forward(input: Tensor, given: ForwardOptions = {}): Tensor {
    return atOnce(this.forwardInPieces(input, given));
  }

  /** As {@link forward}, in pieces of a layer, for a loss in pieces. */
  *forwardInPieces(input: Tensor, given: ForwardOptions = {}): Pieces<Tensor> {
    checkForward('forward', input, given);
    const { dropout = Dropout.off, observe, ...options } = given;
    const { keyMask, segments } = options;
    const attend: AttendOptions = { causal: this.configuration.causal, keyMask, segments };
    const x = dropout.forward(this.#embed(input, options));
    const out = yield* this.#stack.forward(x, attend, dropout, observe);
    yield;
    return this.#normalise(out);
  }

  /**
   * As {@link forward} without dropout, but the event loop may turn between layers. Not differentiable. The caller disposes
   * the result.
   *
   * @throws the reason of the pauses' signal, if it has aborted
   */
  async forwardInSteps(input: Tensor, given: Omit<ForwardOptions, 'dropout'>, pauses: Pauses): Promise<Tensor> {
    checkArguments('forwardInSteps', { pauses }, { pauses: pausesKind });
    return scopeInSteps(this.forwardInPieces(input, given), pauses);
  }

  /**
   * What the attention of every layer is given in one forward pass, after rotary positions. Queries, keys and values
   * are `[batch, heads, length, dModel/heads]`, for reports on a trained model. The caller (or its scope) disposes
   * them.
   *
   * @param input as for {@link forward}
   * @throws ConfigurationError when learned positions end before `length`, or a keyMask with padding in front is a tensor
   */
  attentionInputs(input: Tensor, options: AttentionInputsOptions = {}): AttentionHeads[] {
    checkForward('attentionInputs', input, options);
    const { keyMask, segments } = options;
    const attend: AttendOptions = { causal: this.configuration.causal, keyMask, segments };
    const found: Tensor[] = [];
    try {
      scope(() => {
        const observe: AttentionObserver = ({ queries, keys, values }) => {
          for (const heads of [queries, keys, values]) found.push(keep(permute(heads, [0, 2, 1, 3])));
        };
        atOnce(this.#stack.forward(this.#embed(input, options), attend, Dropout.off, observe));
      });
    } catch (error) {
      for (const tensor of found) tensor.dispose();
      throw error;
    }
    for (const tensor of found) adopt(tensor);
    return headsOfLayers(found);
  }

  /** As {@link attentionInputs}, but the event loop may turn between layers. The caller disposes the tensors. */
  async attentionInputsInSteps(
    input: Tensor,
    options: AttentionInputsOptions,
    pauses: Pauses,
  ): Promise<AttentionHeads[]> {
    const found: Tensor[] = [];
    try {
      const observe: AttentionObserver = ({ queries, keys, values }) => {
        for (const heads of [queries, keys, values]) found.push(keep(permute(heads, [0, 2, 1, 3])));
      };
      (await this.forwardInSteps(input, { ...options, observe }, pauses)).dispose();
    } catch (error) {
      for (const tensor of found) tensor.dispose();
      throw error;
    }
    return headsOfLayers(found);
  }

  /**
   * `[…, dModel]` → logits `[rows, vocabSize]`, rows being the product of the leading axes.
   *
   * @throws ConfigurationError when the configuration has no languageHead
   */
  logits(hidden: Tensor): Tensor {
    checkTensors('logits', { hidden });
    if (!this.#languageHead) {
      throw new ConfigurationError(
        'This model has no language head, so no logits: read its hidden states, or pool them.',
      );
    }
    const { dModel } = this.configuration;
    const head = this.#languageHead;
    return withLabel('languageHead', () => head.forward(reshape(hidden, [hidden.size / dModel, dModel])));
  }

  /**
   * One vector for a sequence, which the configuration's `pooling` makes, such as an embedding of text. Of any length, not scaled to 1.
   *
   * @param hidden `[batch, length, dModel]` from {@link forward}
   * @param options those of `forward`: padding and masked positions do not count
   * @returns `[batch, dModel]`
   */
  pool(hidden: Tensor, options: Pick<ForwardOptions, 'keyMask' | 'segments'> = {}): Tensor {
    checkForward('pool', hidden, options);
    return pool(hidden, this.configuration.pooling ?? 'mean', options);
  }

  /**
   * Class logits of one sequence per row. The pooler makes one vector of the sequence or, in a model without a pooler,
   * the configuration's `pooling` does.
   *
   * @param hidden `[batch, length, dModel]` from {@link forward}
   * @param options those of `forward`: padding and masked positions do not count
   * @returns `[batch, numClasses]`
   * @throws ConfigurationError when the configuration has no numClasses
   */
  classify(hidden: Tensor, options: Pick<ForwardOptions, 'keyMask' | 'segments'> = {}): Tensor {
    checkForward('classify', hidden, options);
    if (!this.#classifier) {
      throw new ConfigurationError(
        'This model has no classification head; set "numClasses" in the model configuration.',
      );
    }
    const [pooler, classifier] = [this.#pooler, this.#classifier];
    const read = pooler
      ? withLabel('pooler', () => pooler.forward(pool(hidden, 'first', options)))
      : this.pool(hidden, options);
    return withLabel('classifier', () => classifier.forward(read));
  }

  /** One empty decoding state per layer. @throws ConfigurationError for a bidirectional model. */
  createStates(batch = 1): DecodingState[] {
    checkArguments('Transformer.createStates', { batch }, { batch: option.upTo(2 ** 24) });
    if (!this.configuration.causal)
      throw new ConfigurationError('This model is bidirectional and cannot decode; train one with causal: true.');
    const { dModel, numHeads } = this.configuration;
    const sizes = { batch, heads: numHeads, dHead: dModel / numHeads, dValue: dModel / numHeads };
    return this.#blocks.map(({ layers }) => layers.attention.attention.createState(sizes));
  }

  /**
   * Joins sequences that then decode together: `states[i]` are the layers' states of batch rows that follow those of
   * `states[i − 1]`. The given states stay as they are; a layer's `slice` takes rows out again.
   *
   * @throws ConfigurationError when the states do not fit: exact ones, and those of models with positions, must have seen
   *   equally many tokens.
   */
  stackStates(states: readonly (readonly DecodingState[])[]): DecodingState[] {
    checkArguments('Transformer.stackStates', { states }, { states: option.listOf(statesKind) });
    for (const layers of states) this.#checkLayers('stackStates', layers);
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
    return scope(() => atOnce(this.extendInPieces(ids, states)));
  }

  /** As {@link extend}, in pieces of a layer. */
  *extendInPieces(ids: Tensor, states: readonly DecodingState[]): Pieces<Tensor> {
    const out = yield* this.#continue(ids, states);
    yield;
    return this.logits(slice(this.#normalise(out), 1, -1));
  }

  /** As {@link extend}, for a part of a prompt whose logits are not wanted. */
  advance(ids: Tensor, states: readonly DecodingState[]): void {
    scope(() => atOnce(this.advanceInPieces(ids, states)));
  }

  /** As {@link advance}, in pieces of a layer. */
  *advanceInPieces(ids: Tensor, states: readonly DecodingState[]): Pieces<void> {
    yield* this.#continue(ids, states);
  }

  /** Trained parameters by name. */
  parameters(): Map<string, Tensor> {
    const blocks = gather(Object.fromEntries(this.#blocks.map((block, layer) => [`blocks.${layer}`, block])));
    const optional = (name: string, layer: Layer | undefined) => (layer ? gather({ [name]: layer }) : []);
    return new Map([
      ...this.#embedding.parameters(),
      ...optional('embeddingNorm', this.#embeddingNorm),
      ...blocks,
      ...optional('norm', this.#norm),
      ...(this.#languageHead?.parameters() ?? []),
      ...optional('pooler', this.#pooler),
      ...optional('classifier', this.#classifier),
    ]);
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

  /**
   * The same weights under another attention, such as exact softmax for FAVOR+; what was drawn for the old one is freed.
   *
   * @param seed determines the projections
   * @throws ConfigurationError when the configuration is not valid, or the old or the new attention has weights of its
   *   own. The model is then unchanged.
   */
  replaceAttention(choice: AttentionChoice, seed = 0): void {
    atOnce(this.replaceAttentionInPieces(choice, seed));
  }

  /** As {@link replaceAttention}, in pieces of a layer; the model is unchanged until the last. */
  *replaceAttentionInPieces(choice: AttentionChoice, seed = 0): Pieces<void> {
    checkArguments('Transformer.replaceAttention', { choice }, { choice: option.object });
    const configuration = parseConfiguration(
      transformerSchema,
      { ...this.configuration, ...choice },
      'the model configuration',
    );
    const old = this.attentions;
    const attentions: Attention[] = [];
    let isWhole = false;
    try {
      for (const attention of createAttentions(this.backend, configuration, seed)) {
        checkReplaceable(old[attentions.push(attention) - 1], attention);
        yield;
      }
      isWhole = true;
    } finally {
      if (!isWhole) for (const attention of attentions) attention.dispose();
    }
    this.#blocks.forEach(({ layers }, layer) => {
      layers.attention.attention = attentions[layer];
      old[layer].dispose();
    });
    this.#configuration = configuration;
  }

  /** Draws every layer's random features anew: a function of (seed, redraw) alone, redraw 0 being the initial ones. */
  redraw(seed: number, redraw: number): void {
    checkArguments('Transformer.redraw', { seed, redraw }, { seed: option.number, redraw: option.number });
    atOnce(this.redrawInPieces(seed, redraw));
  }

  /** As {@link redraw}, in pieces of a layer. */
  *redrawInPieces(seed: number, redraw: number): Pieces<void> {
    for (const [layer, attention] of this.attentions.entries()) {
      attention.redraw(projectionRandom(seed, layer, redraw));
      yield;
    }
  }

  dispose(): void {
    for (const parameter of this.parameters().values()) parameter.dispose();
    for (const attention of this.attentions) attention.dispose();
  }

  *#continue(ids: Tensor, states: readonly DecodingState[]): Pieces<Tensor> {
    checkTensors('extend', { ids });
    checkArguments('extend', { states }, { states: statesKind });
    this.#checkLayers('extend', states);
    const x = this.#embed(ids, { offset: this.#embedding.isPositional ? states[0].position : 0 });
    return yield* this.#stack.extend(x, states);
  }

  #checkLayers(where: string, states: readonly DecodingState[]): void {
    const numLayers = this.#blocks.length;
    if (states.length === numLayers) return;
    throw new DataError(
      `${where}: there are ${states.length} states for ${numLayers} layers; give those of createStates().`,
    );
  }

  #embed(input: Tensor, options: EmbeddingOptions): Tensor {
    const x = withLabel('embedding', () => this.#embedding.forward(input, options));
    const norm = this.#embeddingNorm;
    return norm ? withLabel('embeddingNorm', () => norm.forward(x)) : x;
  }

  #normalise(x: Tensor): Tensor {
    const norm = this.#norm;
    return norm ? withLabel('norm', () => norm.forward(x)) : x;
  }
}

const statesKind = option.listOf(decodingStateKind);

/** Options of a forward pass, and what losses add: every method of a pass takes them all. */
const forwardOptions: OptionKinds<ForwardOptions & { weight?: number }> = {
  keyMask: keyMaskKind,
  segments: rowsOfIds,
  tokenTypes: rowsOfIds,
  maskedTokens: rowsOfNumbers,
  dropout: dropoutKind,
  observe: option.function,
  weight: option.number,
};

/** Queries, keys and values of the layers, one after another. */
function headsOfLayers(found: readonly Tensor[]): AttentionHeads[] {
  return Array.from({ length: found.length / 3 }, (_, layer) => {
    const [queries, keys, values] = found.slice(3 * layer);
    return { queries, keys, values };
  });
}

function checkForward(where: string, input: Tensor, options: ForwardOptions): void {
  checkTensors(where, { input });
  checkOptions<ForwardOptions & { weight?: number }>(where, options, forwardOptions);
}

/** The attention of every layer, drawn when it is asked for. */
function* createAttentions(
  backend: Backend,
  configuration: TransformerConfiguration,
  seed: number,
): Generator<Attention> {
  const { dModel, numHeads, numLayers, maxLength, attention, exactLayers } = configuration;
  const sizes = { numHeads, dHead: dModel / numHeads, maxLength };
  for (let layer = 0; layer < numLayers; layer++) {
    const chosen = exactLayers.includes(layer) ? { type: 'exact' as const } : attention;
    yield createAttention(backend, chosen, sizes, projectionRandom(seed, layer, 0));
  }
}

/** @throws ConfigurationError when an attention brings weights, or shares some, so that another cannot take its place */
function checkReplaceable(...attentions: readonly Attention[]): void {
  if (attentions.some(({ isReplaceable = true }) => !isReplaceable)) {
    throw new ConfigurationError(
      'LSH attention and learned Linformer projections cannot replace, or be replaced: train a new model with them.',
    );
  }
}

function projectionRandom(seed: number, layer: number, redraw: number): Random {
  return new Random(seed, streams.projections).fork(layer).fork(redraw);
}

/** Throws unless every id is a whole number, or a bigint, in `[0, vocabSize)`. */
export function checkIds(ids: ArrayLike<number | bigint>, vocabSize: number): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    if (!Number.isInteger(id) && typeof id !== 'bigint') {
      throw new DataError(`Token ${String(id)} at position ${i} is no whole number; give the ids of a tokenizer.`);
    }
    if (!(id >= 0 && id < vocabSize)) {
      throw new DataError(
        `Token ${id} at position ${i} is outside the vocabulary of ${vocabSize}; use the model's own tokenizer.`,
      );
    }
  }
}

export const transformerKind: OptionKind = option.made('a Transformer', Transformer.is);
