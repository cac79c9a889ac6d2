import { type Backend, type Tensor, tensor } from '../../src/entries/performers.ts';
import type { NamedWeight } from './weights.ts';

/** A linear layer's matrix `[dOut, dIn]` and bias, or a norm's gain and bias. */
export interface Affine {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

export interface LayerParameters {
  readonly norm: Affine;
  readonly query: Affine;
  readonly key: Affine;
  readonly value: Affine;
  readonly output: Affine;
  /** Brings the stream to the layer's width, where that is another. */
  readonly residual: Affine | undefined;
  readonly feedForwardNorm: Affine;
  readonly expand: Affine;
  readonly contract: Affine;
}

export interface UseLiteParameters {
  /** `[ids, width]` */
  readonly tokens: Tensor;
  /** Of the positions' sines. */
  readonly inverseTimescales: Float32Array;
  readonly layers: readonly LayerParameters[];
  readonly head: Affine;
}

/**
 * The parameters of USE-lite from the names in its graph. TensorFlow's matrices are `[dIn, dOut]`, here transposed.
 *
 * @param made is filled with the tensors, for the caller to dispose, even when this throws
 * @throws one sentence when a weight is missing or does not fit
 */
export function useLiteParameters(
  backend: Backend,
  weights: ReadonlyMap<string, NamedWeight>,
  made: Tensor[],
): UseLiteParameters {
  const upload = (data: ArrayLike<number>, shape: readonly number[]): Tensor => {
    const uploaded = tensor(backend, Float32Array.from(data), shape);
    made.push(uploaded);
    return uploaded;
  };
  const vector = (end: string, width: number): ArrayLike<number> => {
    const { data } = find(weights, end);
    if (data.length === width) return data;
    throw new Error(`The weight ${end} has ${data.length} numbers, not ${width}: install USE-lite again.`);
  };
  /** Of the columns `from … to − 1` of a matrix. */
  const affine = (matrix: string, bias: string, from = 0, to?: number): Affine => {
    const { data, dIn, dOut } = matrixOf(weights, matrix);
    const end = to ?? dOut;
    const transposed = new Float32Array((end - from) * dIn);
    for (let i = 0; i < dIn; i++) {
      for (let o = from; o < end; o++) transposed[(o - from) * dIn + i] = data[i * dOut + o];
    }
    const biases = Array.from(vector(bias, dOut)).slice(from, end);
    return { weight: upload(transposed, [end - from, dIn]), bias: upload(biases, [end - from]) };
  };
  const norm = (end: string, width: number): Affine => ({
    weight: upload(vector(`${end}/layer_norm/layer_norm_scale/${joined}`, width), [width]),
    bias: upload(vector(`${end}/layer_norm/layer_norm_bias/${joined}`, width), [width]),
  });
  const layer = (number: number): LayerParameters => {
    const prefix = `/Layer_${number}/TransformerLayer`;
    const attention = `${prefix}/MultiheadAttention`;
    const qkv = [`${attention}/qkv_transform_single/kernel/part_0`, `${attention}/qkv_transform_single/bias/${joined}`];
    const { dIn, dOut } = matrixOf(weights, qkv[0]);
    const third = (part: number) => affine(qkv[0], qkv[1], (part * dOut) / 3, ((part + 1) * dOut) / 3);
    const output = affine(
      `${attention}/output_transform_single/kernel/part_0`,
      `${attention}/output_transform_single/bias/${joined}`,
    );
    const width = output.bias.size;
    return {
      norm: norm(`${prefix}/layer_prepostprocess`, dIn),
      query: third(0),
      key: third(1),
      value: third(2),
      output,
      residual:
        dIn === width ? undefined : affine(`${prefix}/dense/kernel/${joined}`, `${prefix}/dense/bias/${joined}`),
      feedForwardNorm: norm(`${prefix}/FFN/layer_prepostprocess`, width),
      expand: affine(`${prefix}/FFN/conv1/Tensordot/Reshape_1`, `${prefix}/FFN/conv1/bias/${joined}`),
      contract: affine(`${prefix}/FFN/conv2/Tensordot/Reshape_1`, `${prefix}/FFN/conv2/bias/${joined}`),
    };
  };
  const table = matrixOf(weights, '/Embeddings_en');
  return {
    tokens: upload(table.data, [table.dIn, table.dOut]),
    inverseTimescales: Float32Array.from(vector('/TimingSignal/ExpandDims_1', table.dOut / 2)),
    layers: [layer(0), layer(1)],
    head: affine('/tanh_layer_0/weights', '/tanh_layer_0/bias'),
  };
}

/** How TensorFlow names what was a variable in pieces. */
const joined = 'ConcatPartitions/concat';

/** The one weight whose name ends so. */
function find(weights: ReadonlyMap<string, NamedWeight>, end: string): NamedWeight {
  const found = [...weights].filter(([name]) => name.endsWith(end));
  if (found.length !== 1) {
    throw new Error(`There are ${found.length} weights ${end}, not one: give the folder of USE-lite.`);
  }
  return found[0][1];
}

/** A matrix, or the kernel `[1, 1, dIn, dOut]` of a convolution of one place. */
function matrixOf(weights: ReadonlyMap<string, NamedWeight>, end: string) {
  const { data, shape } = find(weights, end);
  const [dIn, dOut] = shape.slice(-2);
  if (shape.length >= 2 && data.length === dIn * dOut) return { data, dIn, dOut };
  throw new Error(`The weight ${end} has shape [${shape.join(', ')}], no matrix: give the folder of USE-lite.`);
}
