import { createAttention } from '../attention/attention.ts';
import { sourceMemoryKind } from '../attention/decoding/source-memory.ts';
import { keyMaskKind } from '../attention/options.ts';
import type { Attention, KeyMask } from '../attention/types.ts';
import { decodingStateKind } from '../attention/types.ts';
import type { Backend } from '../backend/types.ts';
import { DataError } from '../base/errors.ts';
import { type Pauses, pausesKind } from '../base/event-loop.ts';
import { withLabel } from '../base/labels.ts';
import { checkArguments, checkOptions, type OptionKind, option } from '../base/options.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import { Random, streams } from '../base/random.ts';
import { reshape } from '../tensor/ops/layout.ts';
import { linear } from '../tensor/ops/linear.ts';
import { type CrossEntropy, softmaxCrossEntropy } from '../tensor/ops/losses.ts';
import { scope } from '../tensor/scope.ts';
import { backendKind, type Tensor, tensorKind } from '../tensor/tensor.ts';
import {
  type EncoderDecoderConfiguration,
  type EncoderDecoderOptions,
  encoderDecoderSchema,
} from './encoder-decoder-configuration.ts';
import { Block } from './layers/block.ts';
import { DecoderBlock, type DecoderBlockState } from './layers/decoder-block.ts';
import { Dropout, dropoutKind } from './layers/dropout.ts';
import { FeedForward, feedForwardSizes } from './layers/feed-forward.ts';
import { gather, type Layer } from './layers/layer.ts';
import { LayerNorm } from './layers/layer-norm.ts';
import { MultiHeadAttention } from './layers/multi-head-attention.ts';
import { TokenEmbedding } from './layers/token-embedding.ts';
import { checkPairBuildable } from './size.ts';

/** Options of one forward pass. */
export interface EncoderDecoderPass {
  /** Default: none. */
  readonly dropout?: Dropout;
  /** 1 = valid position of the source, 0 = padding. */
  readonly sourceMask?: KeyMask | undefined;
  /** 1 = valid position of the target, 0 = padding, whose targets must be negative. */
  readonly targetMask?: KeyMask | undefined;
}

/** GPT-2's initial deviation; residual outputs are scaled down by the number of residual additions. */
const initialDeviation = 0.02;

/**
 * A pre-norm Transformer from one sequence to another (Vaswani et al. 2017): a bidirectional encoder of the source and
 * a causal decoder of the target. The decoder attends to what the encoder made. All three attentions may be FAVOR+, so
 * that time is linear in both lengths. The output layer is the transposed embedding of target tokens.
 *
 * @throws ConfigurationError when the configuration is not valid.
 */
export class EncoderDecoder implements Layer {
  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is EncoderDecoder {
    return typeof value === 'object' && value !== null && #decoder in value;
  }
  readonly configuration: EncoderDecoderConfiguration;
  readonly #source: TokenEmbedding;
  readonly #target: TokenEmbedding;
  readonly #encoder: Block[];
  readonly #encoderNorm: LayerNorm;
  readonly #decoder: DecoderBlock[];
  readonly #decoderNorm: LayerNorm;

  /** @param seed determines the initial parameters and projections */
  constructor(
    readonly backend: Backend,
    options: EncoderDecoderOptions,
    seed = 0,
  ) {
    checkArguments('EncoderDecoder', { backend }, { backend: backendKind });
    const configuration = parseConfiguration(encoderDecoderSchema, options, 'the model configuration');
    checkPairBuildable(configuration);
    this.configuration = configuration;
    const { dModel, numHeads, maxLength, positions, layerNormEpsilon } = configuration;
    const { numEncoderLayers, numDecoderLayers } = configuration;
    const random = new Random(seed, streams.initialisation);
    const projections = new Random(seed, streams.projections);
    const initial = (residuals: number) => {
      return { random, deviation: initialDeviation, outputDeviation: initialDeviation / Math.sqrt(residuals) };
    };
    const embedding = (vocabSize: number) =>
      new TokenEmbedding(backend, { vocabSize, dModel, maxLength, positions }, initialDeviation, random);
    const norm = () => new LayerNorm(backend, dModel, { epsilon: layerNormEpsilon });
    let numAttentions = 0;
    const attention = (kind: 'attention' | 'crossAttention', residuals: number) => {
      const sizes = { numHeads, dHead: dModel / numHeads, maxLength };
      const drawn = createAttention(backend, configuration[kind], sizes, projections.fork(numAttentions++).fork(0));
      const heads = { dModel, numHeads, rotary: kind === 'attention' && positions === 'rotary' };
      return new MultiHeadAttention(backend, heads, drawn, initial(residuals));
    };
    this.#source = embedding(configuration.sourceVocabSize);
    this.#target = embedding(configuration.targetVocabSize);
    this.#encoder = Array.from({ length: numEncoderLayers }, () => {
      const residuals = 2 * numEncoderLayers;
      return new Block({
        attentionNorm: norm(),
        attention: attention('attention', residuals),
        feedForwardNorm: norm(),
        feedForward: new FeedForward(backend, feedForwardSizes(configuration), initial(residuals)),
      });
    });
    this.#encoderNorm = norm();
    this.#decoder = Array.from({ length: numDecoderLayers }, () => {
      const residuals = 3 * numDecoderLayers;
      return new DecoderBlock({
        attentionNorm: norm(),
        attention: attention('attention', residuals),
        crossNorm: norm(),
        crossAttention: attention('crossAttention', residuals),
        feedForwardNorm: norm(),
        feedForward: new FeedForward(backend, feedForwardSizes(configuration), initial(residuals)),
      });
    });
    this.#decoderNorm = norm();
  }

  /**
   * @param ids int32 `[batch, lengthK]`, each below sourceVocabSize
   * @returns `[batch, lengthK, dModel]`
   * @throws when learned positions end before `lengthK`, or a sourceMask with padding in front is a tensor
   */
  encode(ids: Tensor, options: EncoderDecoderPass = {}): Tensor {
    checkPass('encode', options);
    const { dropout = Dropout.off, sourceMask } = options;
    const embedded = withLabel('source', () => dropout.forward(this.#source.forward(ids, { keyMask: sourceMask })));
    const x = this.#encoder.reduce(
      (given, block, layer) =>
        withLabel(`encoder.${layer}`, () => block.forward(given, { keyMask: sourceMask }, dropout)),
      embedded,
    );
    return withLabel('encoderNorm', () => this.#encoderNorm.forward(x));
  }

  /** As {@link encode}, but the event loop may turn between layers. Not differentiable. The caller disposes the result. */
  async encodeInSteps(ids: Tensor, pauses: Pauses): Promise<Tensor> {
    checkArguments('EncoderDecoder.encodeInSteps', { ids, pauses }, { ids: tensorKind, pauses: pausesKind });
    let x = scope(() => withLabel('source', () => this.#source.forward(ids)));
    try {
      for (const [layer, block] of this.#encoder.entries()) {
        await pauses.next();
        const given = x;
        x = scope(() => withLabel(`encoder.${layer}`, () => block.forward(given, {}, Dropout.off)));
        given.dispose();
      }
      return scope(() => withLabel('encoderNorm', () => this.#encoderNorm.forward(x)));
    } finally {
      x.dispose();
    }
  }

  /**
   * @param ids int32 `[batch, lengthQ]`, each below targetVocabSize
   * @param encoded `[batch, lengthK, dModel]` from {@link encode}
   * @returns `[batch, lengthQ, dModel]`; position i depends on target tokens up to i alone
   * @throws when learned positions end before `lengthQ`, or a targetMask with padding in front is a tensor
   */
  decode(ids: Tensor, encoded: Tensor, options: EncoderDecoderPass = {}): Tensor {
    checkArguments('EncoderDecoder.decode', { ids, encoded }, { ids: tensorKind, encoded: tensorKind });
    checkPass('decode', options);
    const { dropout = Dropout.off, sourceMask, targetMask } = options;
    const keyMask = targetMask;
    const embedded = withLabel('target', () => dropout.forward(this.#target.forward(ids, { keyMask })));
    const x = this.#decoder.reduce(
      (given, block, layer) =>
        withLabel(`decoder.${layer}`, () => block.forward(given, encoded, { keyMask }, sourceMask, dropout)),
      embedded,
    );
    return withLabel('decoderNorm', () => this.#decoderNorm.forward(x));
  }

  /** `[…, dModel]` → logits `[rows, targetVocabSize]`, rows being the product of the leading axes. */
  logits(hidden: Tensor): Tensor {
    checkArguments('EncoderDecoder.logits', { hidden }, { hidden: tensorKind });
    const { dModel } = this.configuration;
    const rows = reshape(hidden, [hidden.size / dModel, dModel]);
    return withLabel('target', () => linear(rows, this.#target.tokens));
  }

  /** One state per decoder layer, for {@link extend}: an empty past, and the source. The caller disposes them. */
  createStates(encoded: Tensor, sourceMask?: KeyMask): DecoderBlockState[] {
    checkArguments(
      'EncoderDecoder.createStates',
      { encoded, sourceMask },
      { encoded: tensorKind, sourceMask: option.optional(keyMaskKind) },
    );
    const { dModel, numHeads } = this.configuration;
    const sizes = { batch: encoded.shape[0], heads: numHeads, dHead: dModel / numHeads, dValue: dModel / numHeads };
    return this.#decoder.map(({ layers }) => ({
      past: layers.attention.attention.createState(sizes),
      source: scope(() => layers.crossAttention.remember(encoded, sourceMask)),
    }));
  }

  /**
   * Continues decoding by `ids` `[batch, length]`. With FAVOR+ the time depends on neither the past nor the source.
   *
   * @returns logits `[batch·length, targetVocabSize]`
   */
  extend(ids: Tensor, states: readonly DecoderBlockState[]): Tensor {
    checkArguments(
      'EncoderDecoder.extend',
      { ids, states },
      { ids: tensorKind, states: option.listOf(blockStateKind) },
    );
    if (states.length !== this.#decoder.length) {
      throw new DataError(
        `EncoderDecoder.extend: there are ${states.length} states for ${this.#decoder.length} layers; give those of createStates().`,
      );
    }
    return scope(() => {
      const offset = this.#target.isPositional ? states[0].past.position : 0;
      let x = withLabel('target', () => this.#target.forward(ids, { offset }));
      this.#decoder.forEach((block, layer) => {
        x = withLabel(`decoder.${layer}`, () => block.extend(x, states[layer], Dropout.off));
      });
      return this.logits(withLabel('decoderNorm', () => this.#decoderNorm.forward(x)));
    });
  }

  /** Every attention: the encoder's, then of each decoder layer its own and that to the source. */
  get attentions(): Attention[] {
    return [
      ...this.#encoder.map(({ layers }) => layers.attention.attention),
      ...this.#decoder.flatMap(({ layers }) => [layers.attention.attention, layers.crossAttention.attention]),
    ];
  }

  /** Trained parameters by name. */
  parameters(): Map<string, Tensor> {
    const numbered = (prefix: string, blocks: readonly Layer[]) =>
      blocks.map((block, i): [string, Layer] => [`${prefix}.${i}`, block]);
    return gather({
      source: this.#source,
      target: this.#target,
      ...Object.fromEntries([...numbered('encoder', this.#encoder), ...numbered('decoder', this.#decoder)]),
      encoderNorm: this.#encoderNorm,
      decoderNorm: this.#decoderNorm,
    });
  }

  /** Untrained tensors that a checkpoint must hold: the projections. */
  buffers(): Map<string, Tensor> {
    return new Map(
      this.attentions.flatMap((attention, i) =>
        [...attention.buffers()].map(([name, buffer]): [string, Tensor] => [`attentions.${i}.${name}`, buffer]),
      ),
    );
  }

  /** Draws all random features anew: a function of (seed, redraw) alone, redraw 0 being the initial ones. */
  redraw(seed: number, redraw: number): void {
    checkArguments('EncoderDecoder.redraw', { seed, redraw }, { seed: option.number, redraw: option.number });
    const projections = new Random(seed, streams.projections);
    for (const [i, attention] of this.attentions.entries()) attention.redraw(projections.fork(i).fork(redraw));
  }

  dispose(): void {
    for (const parameter of this.parameters().values()) parameter.dispose();
    for (const attention of this.attentions) attention.dispose();
  }
}

function checkPass(where: string, options: EncoderDecoderPass): void {
  checkOptions<EncoderDecoderPass & { weight?: number }>(where, options, {
    dropout: dropoutKind,
    sourceMask: keyMaskKind,
    targetMask: keyMaskKind,
    weight: option.number,
  });
}

/**
 * Loss of every target token, given the source and the target tokens before it.
 *
 * @param source int32 `[batch, lengthK]`
 * @param inputs int32 `[batch, lengthQ]`: a start token, then the target without its last token
 * @param targets int32 `[batch, lengthQ]`; negative = not counted
 * @param weight multiplies each token's loss, such as 1/(number of counted tokens). Default 1.
 * @returns per-token loss (nats) and correctness, `[batch·lengthQ]`
 */
export function translationLoss(
  model: EncoderDecoder,
  source: Tensor,
  inputs: Tensor,
  targets: Tensor,
  options: EncoderDecoderPass & { weight?: number } = {},
): CrossEntropy {
  checkArguments(
    'translationLoss',
    { model, source, inputs, targets },
    {
      model: encoderDecoderKind,
      source: tensorKind,
      inputs: tensorKind,
      targets: tensorKind,
    },
  );
  const logits = model.logits(model.decode(inputs, model.encode(source, options), options));
  return softmaxCrossEntropy(logits, reshape(targets, [targets.size]), options.weight);
}

export const encoderDecoderKind: OptionKind = option.made('an EncoderDecoder', EncoderDecoder.is);

const blockStateKind = option.having('what createStates() gives', {
  past: decodingStateKind,
  source: sourceMemoryKind,
});
