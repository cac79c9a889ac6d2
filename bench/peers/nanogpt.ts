/**
 * `@genai-fi/nanogpt` trains small GPTs on the TensorFlow.js that it bundles: exact attention, tied embeddings, RMS
 * norms. The package is made for WebGL, WebGPU and tfjs's plain JavaScript, ten times slower than WebAssembly; so the
 * bench helps it onto WebAssembly. Its layers call kernels of their own, registered for the plain backend but written
 * in tfjs operations: they run on WebAssembly unchanged. The gradient of the embedding needs one more kernel that tfjs
 * lacks there. With the same weights both backends give the same losses. Clipping needs WebGPU and is left out; Node
 * has one thread for tfjs's WebAssembly.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { benchFolder, loadPeer } from './install.ts';
import type { Peer, PeerRun, TrainingProblem } from './peer.ts';
import { loadTensorFlow } from './tfjs.ts';

interface Tensor {
  readonly shape: readonly number[];
  data(): Promise<ArrayLike<number>>;
  dispose(): void;
}
interface Kernel {
  readonly kernelName: string;
  readonly backendName: string;
  readonly kernelFunc: unknown;
}
/** What is used of `@tensorflow/tfjs-core`; the copy in the package keeps its engine and kernels in the same place. */
interface TensorFlow {
  env(): { set(flag: string, value: boolean): void };
  enableProdMode(): void;
  getKernel(kernelName: string, backendName: string): Kernel | undefined;
  registerKernel(kernel: Kernel): void;
  tensor2d(values: Int32Array, shape: readonly number[], type: 'int32'): Tensor;
  expandDims(x: Tensor, axis: number): Tensor;
  scatterND(indices: Tensor, updates: Tensor, shape: readonly number[]): Tensor;
}
interface Model {
  dispose(): void;
}
interface NanoGpt {
  readonly models: { readonly NanoGPTV1: new (configuration: Readonly<Record<string, unknown>>) => Model };
}
interface TrainerModule {
  readonly default: new (
    model: Model,
    tokenizer: unknown,
    optimizer: Readonly<Record<string, number>>,
  ) => {
    trainStep(state: object, batch: { readonly xs: Tensor; readonly ys: Tensor }): Tensor;
    dispose(): void;
  };
}

interface Loaded {
  readonly tf: TensorFlow;
  readonly nanogpt: NanoGpt;
  readonly Trainer: TrainerModule['default'];
}

const PACKAGE = '@genai-fi/nanogpt';
/** Kernels of the package that are written in terms of tfjs operations. */
const COMPOSED_KERNELS = [
  ...['Gelu', 'GeluGrad', 'MatMul16', 'MatMulMul', 'MatMulGelu', 'MatMulGeluGrad', 'Reshape16', 'Transpose16'],
  ...['AttentionMask', 'Rope', 'QKV', 'RMSNorm', 'RMSNormGrad'],
  ...['EfficientGatherSub', 'EfficientScatterSub', 'AdamAdjust', 'AdamMoments'],
];

async function load(): Promise<Loaded> {
  await loadTensorFlow();
  const tf = await loadPeer<TensorFlow>('@tensorflow/tfjs-core');
  // Without it tfjs warns of each kernel that the package registers again.
  tf.enableProdMode();
  // The bundle holds an empty stand-in for Node's `util` and does not load where it takes itself to be in Node.
  tf.env().set('IS_NODE', false);
  let nanogpt: NanoGpt;
  try {
    nanogpt = await loadPeer<NanoGpt>(PACKAGE);
  } finally {
    tf.env().set('IS_NODE', true);
  }
  const trainer = join(benchFolder, 'node_modules', PACKAGE, 'dist/training/BasicTrainer.js');
  const { default: Trainer } = (await import(pathToFileURL(trainer).href)) as TrainerModule;
  for (const name of COMPOSED_KERNELS) {
    const kernel = tf.getKernel(name, 'cpu');
    if (!kernel) throw new Error(`it has no kernel ${name}: another version than the bench knows`);
    tf.registerKernel({ ...kernel, backendName: 'wasm' });
  }
  tf.registerKernel({
    kernelName: 'UnsortedSegmentSum',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }: { inputs: { x: Tensor; segmentIds: Tensor }; attrs: { numSegments: number } }) => {
      const { x, segmentIds } = inputs;
      const shape = [attrs.numSegments, ...x.shape.slice(segmentIds.shape.length)];
      return tf.scatterND(tf.expandDims(segmentIds, -1), x, shape);
    },
  });
  return { tf, nanogpt, Trainer };
}

let loading: Promise<Loaded> | undefined;

async function trainingStep(problem: TrainingProblem): Promise<PeerRun[]> {
  loading ??= load();
  const { tf, nanogpt, Trainer } = await loading;
  const { batchSize, length, dModel, dFeedForward, learningRate } = problem;
  const model = new nanogpt.models.NanoGPTV1({
    modelType: 'GenAI_NanoGPT_v1',
    vocabSize: problem.vocabSize,
    blockSize: length,
    nLayer: problem.numLayers,
    nHead: problem.numHeads,
    nEmbed: dModel,
    mlpFactor: dFeedForward / dModel,
    useRope: true,
  });
  const trainer = new Trainer(model, {}, { learningRate, warmupSteps: 1 });
  const batch = {
    xs: tf.tensor2d(problem.inputs, [batchSize, length], 'int32'),
    ys: tf.tensor2d(problem.targets, [batchSize, length], 'int32'),
  };
  const losses: number[] = [];
  return [
    {
      form: '',
      async run() {
        const loss = trainer.trainStep({}, batch);
        losses.push((await loss.data())[0]);
        loss.dispose();
      },
      read: async () => losses,
      release() {
        trainer.dispose();
        model.dispose();
        for (const tensor of Object.values(batch)) tensor.dispose();
      },
    },
  ];
}

export const nanogpt: Peer = { name: PACKAGE, runsOn: 'wasm', threads: () => 1, trainingStep };
/** The same beside native kernels: what Node's users have it for. */
export const nanogptInNode: Peer = { ...nanogpt, name: `${PACKAGE} (WebAssembly, 1 thread)`, runsOn: 'native' };
