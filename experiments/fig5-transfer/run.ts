import { fromTexts } from '../../src/entries/data.ts';
import type { FeatureOptions, Transformer } from '../../src/entries/performers.ts';
import { conversionReport, createPretrained, type MeasuredBatch } from '../../src/entries/pretrained.ts';
import { type Agreement, compareEmbeddings } from '../embeddings.ts';
import type { ExperimentContext } from '../experiment.ts';
import { climb, estimatorFeatures, type LadderEstimator, type LadderLine } from '../ladder.ts';
import { mean } from '../results/statistics.ts';
import { sentences } from '../sources/sentence-books.ts';
import { balancedEncoder } from './balance.ts';
import type { Fig5TransferConfiguration } from './configuration.ts';
import { type Finetuned, finetune } from './finetune.ts';
import { type LongTexts, measureLong } from './long.ts';
import {
  cut,
  embedSentences,
  type Golden,
  modelFolder,
  openEncoder,
  padded,
  readGolden,
  type SentenceEncoder,
} from './minilm.ts';
import { trainingSentences } from './text.ts';

/** Relative errors of what each layer's attention gives, the layers before it being exact. */
export interface LayerErrors {
  readonly estimator: LadderEstimator;
  readonly numFeatures: number;
  /** By layer. */
  readonly errors: readonly number[];
}

/** A model as it was converted, before any finetuning. */
export interface Converted {
  /** With exact attention, against the original library. */
  readonly original: Agreement;
  /** Mean of ‖x + y‖²/dHead over scaled queries and keys, which FAVOR++ takes. */
  readonly p: number;
  readonly ladder: readonly LadderLine[];
  readonly layers: readonly LayerErrors[];
  /** Relative error of the embeddings where only one layer has the paper's attention, by layer. */
  readonly alone: readonly number[];
}

export interface Fig5TransferNumbers {
  readonly numSentences: number;
  readonly meanTokens: number;
  readonly converted: Converted;
  /** The same with balanced queries and keys, from which finetuning starts. */
  readonly balanced: Converted;
  readonly trainingSentences: number;
  readonly trainingTokens: number;
  readonly finetuned: Finetuned;
  readonly long: LongTexts;
}

/** Figure 5, left: a pretrained softmax Transformer's weights moved to a Performer, and finetuned. */
export async function run(
  configuration: Fig5TransferConfiguration,
  context: ExperimentContext,
): Promise<Fig5TransferNumbers> {
  const part = (start: number, share: number): ExperimentContext => ({
    ...context,
    progress: (done, what) => context.progress(start + done * share, what),
  });
  const folder = modelFolder(configuration.model);
  const golden = await readGolden(configuration.golden);
  context.progress(0, 'reading the model and the novels');
  const encoder = await openEncoder(folder);
  const texts = await trainingSentences(configuration.data);
  const { vocabSize } = encoder.pretrained.configuration;
  const encode = (sentence: string) => cut(encoder.encode(sentence), configuration.training.length);
  const { train: text } = await fromTexts(texts, { vocabSize, encode }, { by: 'none' });
  const ids = sentences.map(encoder.encode);
  const converted = await convert(encoder, ids, golden, configuration, part(0, 0.12));
  const { balancedOn, batchSize } = configuration;
  const better = await balancedEncoder(context.backend, encoder, texts, balancedOn, batchSize);
  const balanced = await convert(better, ids, golden, configuration, part(0.12, 0.12));
  const data = { encoder: better, text, sentences: ids, exact: converted.exact };
  const finetuned = await finetune(data, configuration, part(0.24, 0.66));
  return {
    numSentences: ids.length,
    meanTokens: mean(ids.map(({ length }) => length)),
    converted: converted.numbers,
    balanced: balanced.numbers,
    trainingSentences: texts.length,
    trainingTokens: text.length,
    finetuned,
    long: await measureLong(folder, texts, configuration, part(0.9, 0.1)),
  };
}

/** What the model gives with its own attention, and with FAVOR+ before any finetuning. */
async function convert(
  encoder: SentenceEncoder,
  ids: readonly Int32Array[],
  golden: Golden,
  { ladder, batchSize, inspected }: Fig5TransferConfiguration,
  context: ExperimentContext,
): Promise<{ exact: readonly Float64Array[]; numbers: Converted }> {
  const model = createPretrained(context.backend, encoder.pretrained);
  try {
    const exact = await embedSentences(model, ids, batchSize);
    const { meanCosine, worstCosine } = compareEmbeddings(exact, golden.embeddings);
    const report = await inspect(model, ids.slice(0, inspected), ladder.estimators, ladder.numFeatures, ladder.seed);
    const embed = async (estimator: LadderEstimator, numFeatures: number, seed: number) => {
      const features: FeatureOptions = { ...estimatorFeatures(estimator, report.p), numFeatures };
      model.replaceAttention({ attention: { type: 'favor', ...features } }, seed);
      return embedSentences(model, ids, batchSize);
    };
    const numbers = {
      original: {
        sameTokens: countSame(ids, golden.ids),
        meanDistance: 1 - meanCosine,
        worstDistance: 1 - worstCosine,
      },
      ...report,
      ladder: await climb(ladder, exact, embed, context),
    };
    return { exact, numbers };
  } finally {
    model.dispose();
  }
}

async function inspect(
  model: Transformer,
  ids: readonly Int32Array[],
  estimators: readonly LadderEstimator[],
  numFeatures: readonly number[],
  seed: number,
) {
  const batch: MeasuredBatch = padded(ids);
  const { p, ladder, alone } = await conversionReport(model, [batch], { estimators, numFeatures, seed });
  return {
    p,
    layers: ladder.map(
      ({ estimator, numFeatures, layers }): LayerErrors => ({
        estimator: estimators.find((each) => each === estimator) as LadderEstimator,
        numFeatures,
        errors: layers.map(({ outputError }) => outputError),
      }),
    ),
    alone: alone.map(({ model }) => model.embeddingError),
  };
}

/** Sentences with the same ids, of which the second are one after the other, each from its first to its last special token. */
function countSame(ids: readonly Int32Array[], all: Int32Array): number {
  let start = 0;
  let same = 0;
  for (const row of ids) {
    if (row.every((id, i) => all[start + i] === id)) same++;
    const next = all.indexOf(row[0], start + 1);
    start = next < 0 ? all.length : next;
  }
  return same;
}
