/**
 * USE-lite, Google's Universal Sentence Encoder in its small Transformer form (Cer et al. 2018), as its graph has it:
 *
 *     x = embedding(ids) + (embedding(ids) + [sin(p·s), cos(p·s)])    p the position, s the inverse timescales
 *     y = dense(x) + attention(norm(x))                               layer 0 goes from width 256 to 512, heads of 64
 *     y = y + contract(relu(expand(norm(y))))
 *     z = y + attention(norm(y))                                      layer 1, heads of 128
 *     z = z + contract(relu(expand(norm(z))))
 *     tanh(linear(mean of z over the tokens)), scaled to length 1
 *
 * The embedding is there twice, once with positions and once without: so it was trained. The paper divides the sum over
 * the tokens by the root of their number, this graph by their number. As layer 0 widens the stream, this is no
 * `Transformer` of the library; it is made of the library's operations.
 */
import { paddedSegments } from '../../src/entries/data.ts';
import { type Backend, ops, type Segments, scope, type Tensor, tensor } from '../../src/entries/performers.ts';
import { rowsOf } from '../embeddings.ts';
import { type Affine, type LayerParameters, type UseLiteParameters, useLiteParameters } from './parameters.ts';
import type { NamedWeight } from './weights.ts';

/** Tokens of a text beyond these are left out, as in the graph. */
export const MAX_TOKENS = 128;
export const NUM_HEADS = 4;
const EPSILON = 1e-6;

/** What one layer's attention is given, `[batch, length, heads, dHead]`. */
export interface LayerHeads {
  readonly layer: number;
  readonly queries: Tensor;
  readonly keys: Tensor;
  readonly values: Tensor;
  /** 0 for tokens, −1 for padding. */
  readonly segments: Segments;
}

/** @returns `[batch, length, heads, dHead]` */
export type LayerAttention = (heads: LayerHeads) => Tensor;

/** The sentence encoder, with any attention. The caller disposes it. */
export class UseLite {
  readonly #made: Tensor[] = [];
  readonly #parameters: UseLiteParameters;

  /** @throws one sentence when a weight is missing or does not fit */
  constructor(
    readonly backend: Backend,
    weights: ReadonlyMap<string, NamedWeight>,
  ) {
    try {
      this.#parameters = useLiteParameters(backend, weights, this.#made);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /**
   * Embeddings of sentences, of length 1. O(length) or O(length²) as the attention.
   *
   * @param sentences ids of each, of which the first {@link MAX_TOKENS} count
   * @throws when a sentence is empty
   */
  async embed(sentences: readonly ArrayLike<number>[], attend: LayerAttention): Promise<Float64Array[]> {
    const rows = sentences.map((ids) => Array.from(ids).slice(0, MAX_TOKENS));
    if (rows.some(({ length }) => length === 0)) throw new Error('A sentence has no tokens: leave empty ones out.');
    const vectors = scope(() => this.#forward(rows, attend));
    try {
      return rowsOf(await vectors.data(), vectors.shape[1]).map((vector) => {
        const length = Math.hypot(...vector);
        return vector.map((value) => value / length);
      });
    } finally {
      vectors.dispose();
    }
  }

  /** @returns `[batch, width]` before they are scaled */
  #forward(rows: readonly (readonly number[])[], attend: LayerAttention): Tensor {
    const length = Math.max(...rows.map((row) => row.length));
    const segments = paddedSegments(
      rows.map((row) => row.length),
      length,
    );
    const { layers, head } = this.#parameters;
    let x = this.#embed(rows, length);
    for (const [number, layer] of layers.entries()) {
      x = this.#layer(x, layer, (heads) => attend({ layer: number, segments, ...heads }));
    }
    const shares = rows.flatMap((row) => Array.from({ length }, (_, i) => (i < row.length ? 1 / row.length : 0)));
    const mean = ops.weightedSum(x, tensor(this.backend, Float32Array.from(shares), [rows.length, length]));
    return ops.activation(apply(mean, head), 'tanh');
  }

  #embed(rows: readonly (readonly number[])[], length: number): Tensor {
    const { tokens, inverseTimescales } = this.#parameters;
    const shape = [rows.length, length, tokens.shape[1]];
    const ids = Int32Array.from(rows.flatMap((row) => Array.from({ length }, (_, i) => row[i] ?? 0)));
    const turns = Array.from({ length }, (_, p) => Array.from(inverseTimescales, (s) => p * s));
    const positions = turns.flatMap((angles) => [...angles.map(Math.sin), ...angles.map(Math.cos)]);
    const x = ops.embedding(tokens, tensor(this.backend, ids, shape.slice(0, 2)));
    return ops.add(x, ops.add(x, tensor(this.backend, Float32Array.from(positions), shape.slice(1))));
  }

  #layer(x: Tensor, layer: LayerParameters, attend: (heads: Omit<LayerHeads, 'layer' | 'segments'>) => Tensor): Tensor {
    const [batch, length] = x.shape;
    const normed = norm(x, layer.norm);
    const split = (part: Affine) =>
      ops.reshape(apply(normed, part), [batch, length, NUM_HEADS, part.bias.size / NUM_HEADS]);
    const heads = attend({ queries: split(layer.query), keys: split(layer.key), values: split(layer.value) });
    const attended = apply(ops.reshape(heads, [batch, length, layer.value.bias.size]), layer.output);
    const y = ops.add(attended, layer.residual ? apply(x, layer.residual) : x);
    const inner = ops.activation(apply(norm(y, layer.feedForwardNorm), layer.expand), 'relu');
    return ops.add(y, apply(inner, layer.contract));
  }

  dispose(): void {
    for (const parameter of this.#made.splice(0)) parameter.dispose();
  }
}

const apply = (x: Tensor, { weight, bias }: Affine) => ops.linear(x, weight, bias);
const norm = (x: Tensor, { weight, bias }: Affine) => ops.layerNorm(x, weight, bias, EPSILON);
