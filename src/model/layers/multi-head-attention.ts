import { createAttention } from '../../attention/attention.ts';
import { type AttentionOptions, attentionSchema } from '../../attention/configuration.ts';
import { rememberSource, type SourceMemory, sourceMemoryKind } from '../../attention/decoding/source-memory.ts';
import { attendOptions, keyMaskKind, rowsOfIds } from '../../attention/options.ts';
import {
  type AttendOptions,
  type Attention,
  type DecodingState,
  decodingStateKind,
  type KeyMask,
} from '../../attention/types.ts';
import type { Backend } from '../../backend/types.ts';
import { ConfigurationError, ShapeError } from '../../base/errors.ts';
import { withLabel } from '../../base/labels.ts';
import { checkArguments, checkOptions, type OptionKinds, option } from '../../base/options.ts';
import { parseConfiguration } from '../../base/parse-configuration.ts';
import { Random } from '../../base/random.ts';
import { reshape } from '../../tensor/ops/layout.ts';
import { type RotaryOptions, rotary } from '../../tensor/ops/rotary.ts';
import { formatShape } from '../../tensor/shape.ts';
import { checkTensors, type Tensor } from '../../tensor/tensor.ts';
import { checkInitial, checkSizes, Module, type ResidualWeights } from './layer.ts';
import { Linear } from './linear.ts';
import { positionStretches } from './positions.ts';

/** What an attention is given, after rotary positions. */
export interface AttentionHeads {
  readonly queries: Tensor;
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** What an attention is given and what it gives, `[batch, length, heads, dHead]` each. */
export interface AttentionPass extends AttentionHeads {
  /** The heads before the output projection; zeros at padding that `segments` mark. */
  readonly outputs: Tensor;
}

/** Is shown the pass of every layer, in order. On a tape the tensors live until its end; else a block frees them, unless kept. */
export type AttentionObserver = (pass: AttentionPass) => void;

/** Sizes of a {@link MultiHeadAttention}. */
export interface MultiHeadAttentionSizes {
  readonly dModel: number;
  /** Divides dModel; a head has width dModel/numHeads. */
  readonly numHeads: number;
  /** Queries and keys are rotated by their positions (Su et al. 2021). Default false: the layer does not see order. */
  readonly rotary?: boolean | undefined;
  /** Longest sequence, which only a Linformer needs to know. Default 512. */
  readonly maxLength?: number | undefined;
}

/** Options of attention within one sequence. */
export type SelfAttendOptions = Omit<AttendOptions, 'layout' | 'keySegments'>;

const selfAttendKinds: OptionKinds<SelfAttendOptions> = {
  causal: option.boolean,
  offset: option.integer,
  normalised: option.boolean,
  keyMask: keyMaskKind,
  segments: rowsOfIds,
};

/** Projects to heads, attends, and projects back. Any attention does the attending. */
export class MultiHeadAttention extends Module {
  readonly query: Linear;
  /** Undefined where the attention takes the queries for keys. */
  readonly key: Linear | undefined;
  readonly value: Linear;
  readonly output: Linear;
  #attention: Attention;

  /**
   * @param attention options such as `{ type: 'favor', numFeatures: 256 }` or `{ type: 'exact' }`, or an attention, which the
   *   layer then owns
   * @param initial also determines the random features
   */
  constructor(
    backend: Backend,
    readonly sizes: MultiHeadAttentionSizes,
    attention: Attention | AttentionOptions,
    initial: ResidualWeights,
  ) {
    super();
    checkInitial('MultiHeadAttention', backend, initial);
    checkOptions<MultiHeadAttentionSizes>('MultiHeadAttention', sizes ?? null, {
      dModel: option.count,
      numHeads: option.count,
      rotary: option.boolean,
      maxLength: option.count,
    });
    const { dModel, numHeads } = sizes;
    checkSizes('MultiHeadAttention', { dModel, numHeads });
    if (dModel % numHeads !== 0) {
      throw new ConfigurationError(
        `MultiHeadAttention: ${numHeads} heads do not divide dModel ${dModel}; choose, say, dModel 64 with 4 heads.`,
      );
    }
    const { random, deviation, outputDeviation = deviation } = initial;
    this.#attention = isAttention(attention) ? attention : attentionOf(backend, sizes, attention, random);
    const project = (own: number | undefined) => new Linear(backend, dModel, dModel, { random, deviation: own });
    this.query = project(deviation);
    this.key = this.#attention.sharesKeys ? undefined : project(deviation);
    this.value = project(deviation);
    this.output = project(outputDeviation);
  }

  /** What attends. Another attention takes its place without the weights of this one being freed. */
  get attention(): Attention {
    return this.#attention;
  }
  set attention(attention: Attention) {
    this.#attention = attention;
  }

  /**
   * `[batch, length, dModel]` → the same
   *
   * @param options causal, keyMask, segments. Default: every position sees all
   * @param observe is shown what the attention is given and gives
   */
  forward(x: Tensor, options: SelfAttendOptions = {}, observe?: AttentionObserver): Tensor {
    const where = 'MultiHeadAttention.forward';
    this.#check(where, { x });
    checkOptions<SelfAttendOptions>(where, options, selfAttendKinds);
    const heads = this.#heads(x, { stretches: this.sizes.rotary ? positionStretches(options) : undefined });
    const { queries, keys, values } = heads;
    const outputs = this.attention.attend(queries, keys, values, { ...options, layout: 'blhd' });
    observe?.({ ...heads, outputs });
    return this.#merge(outputs);
  }

  /** Causal continuation of `state`: `[batch, length, dModel]` → the same. */
  extend(x: Tensor, state: DecodingState): Tensor {
    const where = 'MultiHeadAttention.extend';
    this.#check(where, { x });
    checkArguments(where, { state }, { state: decodingStateKind });
    const { queries, keys, values } = this.#heads(x, { offset: this.sizes.rotary ? state.position : 0 });
    return this.#merge(this.attention.extend(queries, keys, values, state));
  }

  /**
   * Cross-attention: the queries are made of `x`, keys and values of `source`, which has positions of its own.
   *
   * @param x `[batch, lengthQ, dModel]`
   * @param source `[batch, lengthK, dModel]`
   * @returns `[batch, lengthQ, dModel]`
   */
  attendTo(x: Tensor, source: Tensor, options: AttendOptions): Tensor {
    const where = 'MultiHeadAttention.attendTo';
    this.#check(where, { x, source });
    checkOptions<AttendOptions>(where, options, attendOptions);
    const [keys, values] = this.#sourceHeads(source);
    return this.#merge(
      this.attention.attend(this.#split('query', this.query, x), keys, values, { ...options, layout: 'blhd' }),
    );
  }

  /** The keys and values of a source `[batch, lengthK, dModel]`, for {@link recall}. The caller disposes them. */
  remember(source: Tensor, keyMask?: KeyMask): SourceMemory {
    const where = 'MultiHeadAttention.remember';
    this.#check(where, { source });
    checkArguments(where, { keyMask }, { keyMask: option.optional(keyMaskKind) });
    return rememberSource(this.attention, ...this.#sourceHeads(source), keyMask);
  }

  /** As {@link attendTo}, of a source that was taken in before. Not differentiable. */
  recall(x: Tensor, memory: SourceMemory): Tensor {
    const where = 'MultiHeadAttention.recall';
    this.#check(where, { x });
    checkArguments(where, { memory }, { memory: sourceMemoryKind });
    return this.#merge(memory.attend(this.#split('query', this.query, x)));
  }

  #check(where: string, inputs: Readonly<Record<string, Tensor>>): void {
    checkTensors(where, inputs);
    const { dModel } = this.sizes;
    for (const name in inputs) {
      const { shape } = inputs[name];
      if (shape.length === 3 && shape[2] === dModel) continue;
      throw new ShapeError(
        `${where}: ${name} has shape ${formatShape(shape)} where [batch, length, ${dModel}] is needed.`,
      );
    }
  }

  #heads(x: Tensor, options: RotaryOptions): AttentionHeads {
    const turn = (heads: Tensor) => (this.sizes.rotary ? rotary(heads, options) : heads);
    const queries = turn(this.#split('query', this.query, x));
    const keys = this.key ? turn(this.#split('key', this.key, x)) : queries;
    return { queries, keys, values: this.#split('value', this.value, x) };
  }

  #sourceHeads(source: Tensor): [keys: Tensor, values: Tensor] {
    if (!this.key)
      throw new ConfigurationError('An attention that shares queries and keys cannot attend to another sequence.');
    return [this.#split('key', this.key, source), this.#split('value', this.value, source)];
  }

  /** `[batch, length, dModel]` → `[batch, length, heads, dHead]` */
  #split(name: string, layer: Linear, x: Tensor): Tensor {
    const [batch, length, dModel] = x.shape;
    const { numHeads } = this.sizes;
    const heads = withLabel(name, () => layer.forward(x));
    return reshape(heads, [batch, length, numHeads, dModel / numHeads]);
  }

  #merge(heads: Tensor): Tensor {
    const [batch, length] = heads.shape;
    return withLabel('output', () => this.output.forward(reshape(heads, [batch, length, this.sizes.dModel])));
  }

  override parameters(): Map<string, Tensor> {
    return new Map([...super.parameters(), ...(this.attention.parameters?.() ?? [])]);
  }

  override buffers(): Map<string, Tensor> {
    return this.attention.buffers();
  }

  override dispose(): void {
    super.dispose();
    this.attention.dispose();
  }
}

function isAttention(given: Attention | AttentionOptions): given is Attention {
  return typeof given === 'object' && given !== null && 'attend' in given;
}

function attentionOf(
  backend: Backend,
  { dModel, numHeads, maxLength = 512 }: MultiHeadAttentionSizes,
  options: AttentionOptions,
  random = new Random(0),
): Attention {
  const configuration = parseConfiguration(attentionSchema, options, 'the attention');
  return createAttention(backend, configuration, { numHeads, dHead: dModel / numHeads, maxLength }, random);
}
