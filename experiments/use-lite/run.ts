import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { approximationReport } from '../../src/entries/inspect.ts';
import { parseConfiguration, parseJson } from '../../src/entries/internal.ts';
import {
  drawFeatures,
  exactAttention,
  type FeatureOptions,
  favorAttention,
  keep,
  ops,
  type Tensor,
} from '../../src/entries/performers.ts';
import { type Agreement, compareEmbeddings } from '../embeddings.ts';
import type { ExperimentContext } from '../experiment.ts';
import { climb, estimatorFeatures, type LadderEstimator, type LadderLine } from '../ladder.ts';
import { mean } from '../results/statistics.ts';
import { sentences } from '../sources/sentence-books.ts';
import type { UseLiteConfiguration } from './configuration.ts';
import { type LayerAttention, type LayerHeads, UseLite } from './model.ts';
import { type OwnRuntime, openOwnRuntime, useLiteFolder } from './package.ts';
import { UseLiteTokenizer, vocabularyFile } from './tokenizer.ts';
import { readTensorFlowWeights } from './weights.ts';

/** What a layer's queries and keys are like, and what positive features make of them. */
export interface InspectedLayer {
  /** Mean of ‖x + y‖²/dHead over scaled queries and keys, which FAVOR++ takes. */
  readonly p: number;
  readonly dHead: number;
  /** How far exact attention is from plain averaging, 0 to 1. */
  readonly contrast: number;
  /** Relative error of the attention's output by number of features. */
  readonly outputErrors: readonly { readonly numFeatures: number; readonly error: number; readonly contrast: number }[];
}

export interface UseLiteNumbers {
  readonly numSentences: number;
  readonly meanTokens: number;
  readonly longestTokens: number;
  /** Against the package's own runtime. */
  readonly own: Agreement & { readonly largestDifference: number };
  readonly layers: readonly InspectedLayer[];
  readonly ladder: readonly LadderLine[];
}

/** USE-lite by this library: the same as by its own runtime, then with FAVOR+ in place of exact attention. */
export async function run(configuration: UseLiteConfiguration, context: ExperimentContext): Promise<UseLiteNumbers> {
  const folder = useLiteFolder();
  const runtime = await openOwnRuntime();
  const vocabularyPath = join(folder, 'vocab.json');
  const vocabulary: unknown = parseJson(await readFile(vocabularyPath, 'utf8'), vocabularyPath);
  const tokenizer = new UseLiteTokenizer(parseConfiguration(vocabularyFile, vocabulary, vocabularyPath));
  const model = new UseLite(context.backend, await readTensorFlowWeights(folder));
  try {
    return await measure(model, tokenizer, runtime, configuration, context);
  } finally {
    model.dispose();
  }
}

async function measure(
  model: UseLite,
  tokenizer: UseLiteTokenizer,
  runtime: OwnRuntime,
  { ladder, batchSize, inspected }: UseLiteConfiguration,
  context: ExperimentContext,
): Promise<UseLiteNumbers> {
  const ids = sentences.map((sentence) => tokenizer.encode(sentence));
  const embed = async (attend: LayerAttention): Promise<Float64Array[]> => {
    const vectors: Float64Array[] = [];
    for (let i = 0; i < ids.length; i += batchSize) {
      vectors.push(...(await model.embed(ids.slice(i, i + batchSize), attend)));
    }
    return vectors;
  };
  context.progress(0, 'its own runtime');
  const own = await runtime.embed(sentences);
  context.progress(0.1, 'exact attention');
  const exact = await embed(exactly);
  const { meanCosine, worstCosine } = compareEmbeddings(exact, own);
  const layers = await inspect(model, ids.slice(0, inspected), ladder.numFeatures, ladder.seed);
  const part = { ...context, progress: (done: number, what: string) => context.progress(0.2 + 0.8 * done, what) };
  return {
    numSentences: ids.length,
    meanTokens: mean(ids.map(({ length }) => length)),
    longestTokens: Math.max(...ids.map(({ length }) => length)),
    own: {
      sameTokens: sentences.filter((sentence, i) => runtime.encode(sentence).join() === ids[i].join()).length,
      meanDistance: 1 - meanCosine,
      worstDistance: 1 - worstCosine,
      largestDifference: exact
        .flatMap((vector, i) => Array.from(vector, (x, j) => Math.abs(x - own[i][j])))
        .reduce(larger),
    },
    layers,
    ladder: await climb(
      ladder,
      exact,
      (estimator, numFeatures, seed) => withFeatures(model, layers, { estimator, numFeatures, seed }, embed),
      part,
    ),
  };
}

const larger = (a: number, b: number) => Math.max(a, b);

const exactly: LayerAttention = ({ queries, keys, values, segments }) =>
  exactAttention(queries, keys, values, { segments, layout: 'blhd' });

/** Runs `embed` with FAVOR+ in both layers. */
export async function withFeatures(
  { backend }: UseLite,
  layers: readonly Pick<InspectedLayer, 'dHead' | 'p'>[],
  { estimator, numFeatures, seed }: { estimator: LadderEstimator; numFeatures: number; seed: number },
  embed: (attend: LayerAttention) => Promise<Float64Array[]>,
): Promise<Float64Array[]> {
  const drawn = layers.map(({ dHead, p }, layer) => {
    // The layers' directions are independent of each other.
    const options: FeatureOptions = { ...estimatorFeatures(estimator, p), numFeatures, seed: 1000 * layer + seed };
    return drawFeatures(backend, dHead, options);
  });
  try {
    return await embed(({ layer, queries, keys, values, segments }) =>
      favorAttention(queries, keys, values, { segments, layout: 'blhd', features: drawn[layer] }),
    );
  } finally {
    for (const { projection, bias } of drawn) for (const buffer of [projection, bias]) buffer?.dispose();
  }
}

/** What exact attention is given in each layer, and what positive orthogonal features get wrong there. */
export async function inspect(
  model: UseLite,
  ids: readonly ArrayLike<number>[],
  numFeatures: readonly number[],
  seed: number,
): Promise<InspectedLayer[]> {
  const inputs: LayerHeads[] = [];
  await model.embed(ids, (heads) => {
    const copy = (x: Tensor) => keep(ops.reshape(x, x.shape));
    inputs.push({ ...heads, queries: copy(heads.queries), keys: copy(heads.keys), values: copy(heads.values) });
    return exactly(heads);
  });
  try {
    const layers: InspectedLayer[] = [];
    for (const { queries, keys, values, segments } of inputs) {
      const reports = [];
      for (const m of numFeatures) {
        const features = { numFeatures: m, seed };
        reports.push(await approximationReport(queries, keys, values, { segments, layout: 'blhd', features }));
      }
      layers.push({
        p: reports[0].p,
        dHead: queries.shape[3],
        contrast: reports[0].contrast.exact,
        outputErrors: reports.map(({ outputError, contrast }, i) => ({
          numFeatures: numFeatures[i],
          error: outputError,
          contrast: contrast.estimated,
        })),
      });
    }
    return layers;
  } finally {
    for (const { queries, keys, values } of inputs) for (const part of [queries, keys, values]) part.dispose();
  }
}
