/** Exported graphs in onnxruntime-node beside the models that they came from. */
import type * as Onnx from 'onnxruntime-node';
import { exportOnnx } from '../../src/entries/onnx.ts';
import {
  type Backend,
  Decoder,
  scope,
  Transformer,
  type TransformerOptions,
  tensor,
  transformerPresets,
} from '../../src/entries/performers.ts';
import { type BenchmarkCase, compare, releaseAll, type Subjects } from '../case.ts';
import type { Subject } from '../measure.ts';

const lengths = [512, 1024, 2048, 4096, 8192];
const NUM_LAYERS = 2;
const NUM_FEATURES = 256;

/** By name, so that the bundle leaves it where it is. */
const load = (name: string): Promise<typeof Onnx> => import(name);

function create(backend: Backend, options: Partial<TransformerOptions>): Transformer {
  const { regular } = transformerPresets;
  const attention = { type: 'favor', numFeatures: NUM_FEATURES } as const;
  return new Transformer(backend, { ...regular, numLayers: NUM_LAYERS, maxLength: 8192, attention, ...options });
}

const tokens = (length: number, vocabSize: number) => Int32Array.from({ length }, (_, i) => (i * 7919) % vocabSize);

async function hiddenStates(model: Transformer, ids: Int32Array): Promise<ArrayLike<number>> {
  const hidden = scope(() => model.forward(tensor(model.backend, ids, [1, ids.length])));
  const values = await hidden.data();
  hidden.dispose();
  return values;
}

interface Graph {
  run(ids: Int32Array): Promise<Float32Array>;
  release(): void;
}

async function openGraph({ InferenceSession, Tensor }: typeof Onnx, model: Transformer): Promise<Graph> {
  const { files } = await exportOnnx(model, { graphs: ['sequence'], outputs: ['last_hidden_state'] });
  const [bytes] = files.values();
  const session = await InferenceSession.create(bytes!, {
    intraOpNumThreads: model.backend.numThreads,
    logSeverityLevel: 3,
  });
  return {
    async run(ids) {
      const dims = [1, ids.length];
      const { last_hidden_state } = await session.run({
        input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), dims),
        attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), dims),
      });
      return last_hidden_state!.data as Float32Array;
    },
    release: () => void session.release(),
  };
}

/** The graph of steps, fed one token after another. */
async function openSteps({ InferenceSession, Tensor }: typeof Onnx, model: Transformer) {
  const { files, states } = await exportOnnx(model, { graphs: ['step'] });
  const session = await InferenceSession.create(files.get('model.onnx')!, {
    intraOpNumThreads: model.backend.numThreads,
    logSeverityLevel: 3,
  });
  const integer = (value: number, dims: number[]) => new Tensor('int64', BigInt64Array.of(BigInt(value)), dims);
  let position = 0;
  let past: Record<string, Onnx.Tensor> = Object.fromEntries(
    states.map(({ input, shape }) => {
      const dims = shape.map((dim) => (typeof dim === 'number' ? dim : 1));
      return [input, new Tensor('float32', new Float32Array(dims.reduce((size, dim) => size * dim, 1)), dims)];
    }),
  );
  return {
    async run(token: number) {
      const made = await session.run({
        input_ids: integer(token, [1, 1]),
        attention_mask: integer(1, [1, 1]),
        position_ids: integer(position++, [1, 1]),
        num_logits_to_keep: integer(1, []),
        ...past,
      });
      past = Object.fromEntries(states.map(({ input, output }) => [input, made[output] as Onnx.Tensor]));
    },
    release: () => void session.release(),
  };
}

/** Products with weights 2 flops each; attention as in its own benchmark. */
function flopsOf(length: number): number {
  const { dModel, dFeedForward } = transformerPresets.regular;
  const weights = NUM_LAYERS * (4 * dModel ** 2 + 2 * dModel * dFeedForward);
  return 2 * weights * length + NUM_LAYERS * 8 * length * NUM_FEATURES * dModel;
}

export const onnxExport: BenchmarkCase = {
  name: 'onnx-export',
  description:
    `hidden states of ${NUM_LAYERS} layers, d = 512, d_ff = 2048, m = ${NUM_FEATURES}: ` +
    'the model, and its exported graph in onnxruntime-node',

  async check(backend) {
    const onnx = await load('onnxruntime-node');
    const checks = [];
    for (const causal of [false, true]) {
      const model = create(backend, { causal, dModel: 44, numHeads: 2, dFeedForward: 53 });
      const graph = await openGraph(onnx, model);
      const ids = tokens(149, 256);
      const what = `${causal ? 'causal' : 'bidirectional'}, hidden states of the graph`;
      checks.push(compare(what, await graph.run(ids), await hiddenStates(model, ids), 1e-5));
      graph.release();
      model.dispose();
    }
    return checks;
  },

  async prepare(backend): Promise<Subjects> {
    const onnx = await load('onnxruntime-node');
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    const comparisons: [string, string][] = [];
    for (const causal of [false, true]) {
      const model = create(backend, { causal });
      const graph = await openGraph(onnx, model);
      releases.push(graph.release, () => model.dispose());
      for (const length of lengths) {
        const ids = tokens(length, transformerPresets.regular.vocabSize);
        const label = `${causal ? 'causal' : 'bidirectional'}, L=${length}`;
        const shared = { flops: flopsOf(length), tokens: length };
        subjects.push({ ...shared, label: `${label}, model`, run: async () => void (await hiddenStates(model, ids)) });
        subjects.push({
          ...shared,
          label: `${label}, onnxruntime-node`,
          mayFail: true,
          rest: 50,
          run: async () => void (await graph.run(ids)),
        });
        comparisons.push([`${label}, onnxruntime-node`, `${label}, model`]);
      }
    }
    const model = create(backend, { positions: 'rotary' });
    const decoder = new Decoder(model);
    const steps = await openSteps(onnx, model);
    subjects.push(
      { label: 'one token, model', flops: 0, tokens: 1, run: async () => void (await decoder.feed([7])) },
      { label: 'one token, onnxruntime-node', flops: 0, tokens: 1, mayFail: true, rest: 50, run: () => steps.run(7) },
    );
    comparisons.push(['one token, onnxruntime-node', 'one token, model']);
    releases.push(
      steps.release,
      () => decoder.dispose(),
      () => model.dispose(),
    );
    return { subjects, comparisons, release: () => releaseAll(releases) };
  },
};
