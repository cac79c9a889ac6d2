import type { AttendOptions, Attention, DecodingState } from '../attention/types.ts';
import type { Backend } from '../backend/types.ts';
import { reshape } from '../tensor/ops/reshape.ts';
import { rotary } from '../tensor/ops/rotary.ts';
import type { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { gather, type Layer } from './layer.ts';
import { Linear } from './linear.ts';

/** Projects to heads, attends, and projects back. Any {@link Attention} does the attending. */
export class MultiHeadAttention implements Layer {
  readonly #query: Linear;
  readonly #key: Linear;
  readonly #value: Linear;
  readonly #output: Linear;

  constructor(
    backend: Backend,
    readonly sizes: { dModel: number; numHeads: number; rotary: boolean },
    readonly attention: Attention,
    deviations: { inner: number; residual: number },
    random: Random,
  ) {
    const { dModel } = sizes;
    const project = (deviation: number) => new Linear(backend, dModel, dModel, deviation, random);
    this.#query = project(deviations.inner);
    this.#key = project(deviations.inner);
    this.#value = project(deviations.inner);
    this.#output = project(deviations.residual);
  }

  /** `[batch, length, dModel]` → the same */
  forward(x: Tensor, options: AttendOptions): Tensor {
    const [queries, keys, values] = this.#heads(x, 0);
    return this.#merge(this.attention.attend(queries, keys, values, { ...options, layout: 'blhd' }));
  }

  /** Causal continuation of `state`: `[batch, length, dModel]` → the same. */
  extend(x: Tensor, state: DecodingState): Tensor {
    const [queries, keys, values] = this.#heads(x, state.position);
    return this.#merge(this.attention.extend(queries, keys, values, state));
  }

  #heads(x: Tensor, offset: number): [Tensor, Tensor, Tensor] {
    const [batch, length, dModel] = x.shape;
    const { numHeads } = this.sizes;
    const split = (layer: Linear) => reshape(layer.forward(x), [batch, length, numHeads, dModel / numHeads]);
    const [queries, keys, values] = [split(this.#query), split(this.#key), split(this.#value)];
    return this.sizes.rotary ? [rotary(queries, offset), rotary(keys, offset), values] : [queries, keys, values];
  }

  #merge(heads: Tensor): Tensor {
    const [batch, length] = heads.shape;
    return this.#output.forward(reshape(heads, [batch, length, this.sizes.dModel]));
  }

  parameters(): Map<string, Tensor> {
    return gather({ query: this.#query, key: this.#key, value: this.#value, output: this.#output });
  }
}
