/** Products and attentions as ONNX graphs in the form that onnxruntime runs fastest, and a run of one on either of its builds. */
import { encodeOnnx, type OnnxNode, type OnnxTensor } from '../../src/entries/onnx.ts';
import type { AttentionProblem, Peer, PeerRun, ProductProblem } from './peer.ts';

/** A graph with its inputs; it has one output, `out`. */
export interface ProblemGraph {
  readonly form: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: Readonly<Record<string, OnnxInput>>;
  readonly constants?: Readonly<Record<string, OnnxTensor>>;
  /** Dimensions of `out`. */
  readonly output: readonly number[];
  /** Brings the values of `out` into the problem's layout. Default: they are in it. */
  readonly arrange?: (values: ArrayLike<number>) => ArrayLike<number>;
}

export interface OnnxInput {
  readonly dims: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

const node = (
  op: string,
  inputs: readonly string[],
  outputs: string | readonly string[],
  attributes?: OnnxNode['attributes'],
): OnnxNode => ({ op, inputs, outputs: typeof outputs === 'string' ? [outputs] : outputs, attributes });

const microsoft = (...args: Parameters<typeof node>): OnnxNode => ({ ...node(...args), domain: 'com.microsoft' });

const floats = (dims: readonly number[], data: Float32Array<ArrayBuffer>): OnnxTensor => ({ dims, data });
const scalar = (value: number): OnnxTensor => floats([], Float32Array.of(value));
const integers = (...values: readonly number[]): OnnxTensor => ({
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

function attentionInputs({ heads, length, dHead, q, k, v }: AttentionProblem) {
  const dims = [heads, length, dHead];
  return { inputs: { q: { dims, data: q }, k: { dims, data: k }, v: { dims, data: v } }, output: dims };
}

/** C = A B; B is an input as well, so that packing it is part of the work. */
export function productGraph({ m, n, k, a, b }: ProductProblem): ProblemGraph {
  return {
    form: '',
    nodes: [node('MatMul', ['a', 'b'], 'out')],
    inputs: { a: { dims: [m, k], data: a }, b: { dims: [k, n], data: b } },
    output: [m, n],
  };
}

/**
 * Bidirectional FAVOR+ with positive features. onnxruntime is fastest with its fused Softmax. That computes features up
 * to factors that the quotient loses: per row for queries, per head for keys. The -‖x̂‖²/2 of keys is one more column
 * of their product, and the normaliser is one more column of v. About 10 % less work than ReduceMax, Sub and Exp.
 */
export function favorGraph(problem: AttentionProblem): ProblemGraph {
  const { heads, length, dHead, numFeatures, projection } = problem;
  // Wᵀ d^(-1/4), and below it -1 for the column ‖x̂‖²/2 of the keys
  const directions = new Float32Array(dHead * numFeatures);
  for (let r = 0; r < numFeatures; r++) {
    for (let i = 0; i < dHead; i++) directions[i * numFeatures + r] = projection[r * dHead + i] * dHead ** -0.25;
  }
  const keyDirections = new Float32Array((dHead + 1) * numFeatures).fill(-1);
  keyDirections.set(directions);
  return {
    form: '',
    ...attentionInputs(problem),
    constants: {
      directions: floats([dHead, numFeatures], directions),
      keyDirections: floats([dHead + 1, numFeatures], keyDirections),
      halfScale: scalar(0.5 / Math.sqrt(dHead)),
      ones: floats([heads, length, 1], new Float32Array(heads * length).fill(1)),
      flat: integers(heads, length * numFeatures),
      rows: integers(heads, length, numFeatures),
      columns: integers(dHead, 1),
    },
    nodes: [
      node('MatMul', ['q', 'directions'], 'logQueries'),
      node('Softmax', ['logQueries'], 'queries', { axis: -1 }),
      node('ReduceSumSquare', ['k'], 'squares', { axes: [-1] }),
      node('Mul', ['squares', 'halfScale'], 'halfSquares'),
      node('Concat', ['k', 'halfSquares'], 'longKeys', { axis: -1 }),
      node('MatMul', ['longKeys', 'keyDirections'], 'logKeys'),
      node('Reshape', ['logKeys', 'flat'], 'flatLogKeys'),
      node('Softmax', ['flatLogKeys'], 'flatKeys', { axis: -1 }),
      node('Reshape', ['flatKeys', 'rows'], 'keys'),
      node('Concat', ['v', 'ones'], 'longValues', { axis: -1 }),
      microsoft('FusedMatMul', ['longValues', 'keys'], 'state', { transA: 1 }),
      microsoft('FusedMatMul', ['queries', 'state'], 'sums', { transB: 1 }),
      node('Split', ['sums', 'columns'], ['numerator', 'denominator'], { axis: -1 }),
      node('Div', ['numerator', 'denominator'], 'out'),
    ],
  };
}

/** Exact attention of standard operators: MatMul, Softmax, MatMul; the transpose of k and the scale fused into the first. */
export function exactGraph(problem: AttentionProblem): ProblemGraph {
  return {
    form: 'MatMul–Softmax–MatMul',
    ...attentionInputs(problem),
    nodes: [
      microsoft('FusedMatMul', ['q', 'k'], 'logits', { transB: 1, alpha: { float: 1 / Math.sqrt(problem.dHead) } }),
      node('Softmax', ['logits'], 'weights', { axis: -1 }),
      node('MatMul', ['weights', 'v'], 'out'),
    ],
  };
}

/**
 * Exact attention by onnxruntime's fused MultiHeadAttention on `[1, length, heads · dHead]`. Only with k and v in that layout as well
 * does the native build take its tiled path without an L×L array, a fifth faster.
 */
export function multiHeadAttentionGraph(problem: AttentionProblem): ProblemGraph {
  const { heads, length, dHead, q, k, v } = problem;
  const rows = [1, length, heads * dHead];
  const swapped = (values: ArrayLike<number>, [outer, inner]: readonly [number, number]) => {
    const result = new Float32Array(values.length);
    for (let i = 0; i < outer; i++) {
      for (let j = 0; j < inner; j++) {
        for (let c = 0; c < dHead; c++) result[(j * outer + i) * dHead + c] = values[(i * inner + j) * dHead + c];
      }
    }
    return result;
  };
  return {
    form: 'MultiHeadAttention',
    nodes: [
      microsoft('MultiHeadAttention', ['q', 'k', 'v'], 'out', {
        num_heads: heads,
        unidirectional: problem.causal ? 1 : 0,
      }),
    ],
    inputs: {
      q: { dims: rows, data: swapped(q, [heads, length]) },
      k: { dims: rows, data: swapped(k, [heads, length]) },
      v: { dims: rows, data: swapped(v, [heads, length]) },
    },
    output: rows,
    arrange: (values) => swapped(values, [length, heads]),
  };
}

interface Tensor {
  readonly data: ArrayLike<number>;
}
interface Session {
  run(feeds: Record<string, Tensor>, fetches?: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** What onnxruntime-node and onnxruntime-web have in common. */
export interface OnnxRuntime {
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
  readonly InferenceSession: { create(model: Uint8Array, options: Record<string, unknown>): Promise<Session> };
}

export interface SessionOptions {
  readonly [name: string]: unknown;
  readonly executionProviders: readonly ['cpu'] | readonly ['wasm'];
}

/** The graph on one of the builds, with its session options. */
export async function startGraph(
  { Tensor, InferenceSession }: OnnxRuntime,
  graph: ProblemGraph,
  options: SessionOptions,
): Promise<PeerRun> {
  const inputs = Object.entries(graph.inputs);
  const float32 = (name: string, shape: readonly number[]) => ({ name, type: 'float32', shape }) as const;
  const { model } = encodeOnnx(
    {
      name: 'graph',
      nodes: graph.nodes,
      initialisers: new Map(Object.entries(graph.constants ?? {})),
      inputs: inputs.map(([name, { dims }]) => float32(name, dims)),
      outputs: [float32('out', graph.output)],
    },
    'weights',
  );
  const session = await InferenceSession.create(model, { graphOptimizationLevel: 'all', ...options });
  const feeds = Object.fromEntries(inputs.map(([name, { dims, data }]) => [name, new Tensor('float32', data, dims)]));
  const size = graph.output.reduce((product, dim) => product * dim, 1);
  let out = new Tensor('float32', new Float32Array(size), graph.output);
  // onnxruntime-node saves an allocation by writing into it; onnxruntime-web would leave it empty
  const fetches = options.executionProviders[0] === 'cpu' ? { out } : undefined;
  return {
    form: graph.form,
    async run() {
      ({ out } = await session.run(feeds, fetches));
    },
    read: async () => graph.arrange?.(out.data) ?? out.data,
    release: () => session.release(),
  };
}

/** What both builds do; `session` gives the build's session options. FAVOR+ is bidirectional only: ONNX has no causal product. */
export function onnxOperations(
  load: (numThreads: number) => Promise<OnnxRuntime>,
  session: (numThreads: number) => SessionOptions,
): Required<Pick<Peer, 'gemm' | 'favor' | 'exact'>> {
  const start = async (graphs: readonly ProblemGraph[], numThreads: number): Promise<PeerRun[]> => {
    const runtime = await load(numThreads);
    return Promise.all(graphs.map((graph) => startGraph(runtime, graph, session(numThreads))));
  };
  return {
    gemm: (problem, numThreads) => start([productGraph(problem)], numThreads),
    favor: (problem, numThreads) => start(problem.causal ? [] : [favorGraph(problem)], numThreads),
    exact: (problem, numThreads) =>
      start([...(problem.causal ? [] : [exactGraph(problem)]), multiHeadAttentionGraph(problem)], numThreads),
  };
}
