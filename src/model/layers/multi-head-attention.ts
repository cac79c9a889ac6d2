import { rememberSource, type SourceMemory } from '../../attention/decoding/source-memory.ts';
import type { AttendOptions, Attention, DecodingState, KeyMask } from '../../attention/types.ts';
import type { Backend } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { reshape } from '../../tensor/ops/layout.ts';
import { type RotaryOptions, rotary } from '../../tensor/ops/rotary.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { gather, type Layer } from './layer.ts';
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

/** Projects to heads, attends, and projects back. Any {@link Attention} does the attending. */
export class MultiHeadAttention implements Layer {
  readonly #query: Linear;
  /** None where the attention takes the queries for keys. */
  readonly #key: Linear | undefined;
  readonly #value: Linear;
  readonly #output: Linear;

  constructor(
    backend: Backend,
    readonly sizes: { dModel: number; numHeads: number; rotary: boolean },
    public attention: Attention,
    deviations: { inner: number; residual: number },
    random: Random | undefined,
  ) {
    const { dModel } = sizes;
    const project = (deviation: number) => new Linear(backend, dModel, dModel, deviation, random);
    this.#query = project(deviations.inner);
    this.#key = attention.sharesKeys ? undefined : project(deviations.inner);
    this.#value = project(deviations.inner);
    this.#output = project(deviations.residual);
  }

  /**
   * `[batch, length, dModel]` → the same
   *
   * @param observe is shown what the attention is given and gives
   */
  forward(x: Tensor, options: AttendOptions, observe?: AttentionObserver): Tensor {
    const heads = this.#heads(x, { stretches: this.sizes.rotary ? positionStretches(options) : undefined });
    const { queries, keys, values } = heads;
    const outputs = this.attention.attend(queries, keys, values, { ...options, layout: 'blhd' });
    observe?.({ ...heads, outputs });
    return this.#merge(outputs);
  }

  /** Causal continuation of `state`: `[batch, length, dModel]` → the same. */
  extend(x: Tensor, state: DecodingState): Tensor {
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
    const [keys, values] = this.#sourceHeads(source);
    return this.#merge(
      this.attention.attend(this.#split(this.#query, x), keys, values, { ...options, layout: 'blhd' }),
    );
  }

  /** The keys and values of a source `[batch, lengthK, dModel]`, for {@link recall}. The caller disposes them. */
  remember(source: Tensor, keyMask?: KeyMask): SourceMemory {
    return rememberSource(this.attention, ...this.#sourceHeads(source), keyMask);
  }

  /** As {@link attendTo}, of a source that was taken in before. Not differentiable. */
  recall(x: Tensor, memory: SourceMemory): Tensor {
    return this.#merge(memory.attend(this.#split(this.#query, x)));
  }

  #heads(x: Tensor, places: RotaryOptions): AttentionHeads {
    const turn = (heads: Tensor) => (this.sizes.rotary ? rotary(heads, places) : heads);
    const queries = turn(this.#split(this.#query, x));
    const keys = this.#key ? turn(this.#split(this.#key, x)) : queries;
    return { queries, keys, values: this.#split(this.#value, x) };
  }

  #sourceHeads(source: Tensor): [keys: Tensor, values: Tensor] {
    if (!this.#key)
      throw new ConfigurationError('An attention that shares queries and keys cannot attend to another sequence.');
    return [this.#split(this.#key, source), this.#split(this.#value, source)];
  }

  /** `[batch, length, dModel]` → `[batch, length, heads, dHead]` */
  #split(layer: Linear, x: Tensor): Tensor {
    const [batch, length, dModel] = x.shape;
    const { numHeads } = this.sizes;
    return reshape(layer.forward(x), [batch, length, numHeads, dModel / numHeads]);
  }

  #merge(heads: Tensor): Tensor {
    const [batch, length] = heads.shape;
    return this.#output.forward(reshape(heads, [batch, length, this.sizes.dModel]));
  }

  parameters(): Map<string, Tensor> {
    const { attention } = this;
    const layers: Record<string, Layer> = { query: this.#query };
    if (this.#key) layers.key = this.#key;
    const own = gather({ ...layers, value: this.#value, output: this.#output });
    return new Map([...own, ...(attention.parameters?.() ?? [])]);
  }
}
