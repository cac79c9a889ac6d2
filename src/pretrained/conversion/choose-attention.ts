import type { AttentionConfiguration, AttentionOptions } from '../../attention/configuration.ts';
import { attentionSchema } from '../../attention/configuration.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { parseConfiguration } from '../../base/parse-configuration.ts';
import type { FeatureMapOptions } from '../../features/configuration.ts';
import type { Comparison } from './comparison.ts';
import type { LayerAlone } from './types.ts';

type NearFieldOptions = NonNullable<Extract<AttentionOptions, { type: 'favor' }>['nearField']>;

export interface ChosenAttention {
  readonly attention: AttentionConfiguration;
  readonly exactLayers: readonly number[];
}

interface ChoiceOptions {
  /** What features are drawn from, besides their number. */
  readonly base: FeatureMapOptions;
  readonly alone: readonly LayerAlone[];
  /** Numbers of features to try. */
  readonly numFeatures: readonly number[];
  /** Near fields to try; null: none. */
  readonly nearFields: readonly (NearFieldOptions | null)[];
  /** Whether keys are near on one side only. */
  readonly causal: boolean;
  /** Wanted relative error of the embeddings. */
  readonly error: number;
  readonly seed: number;
}

/**
 * The cheapest attention that meets a wanted error of the embeddings, as measured. Exact layers come first, as few as
 * can be, for they alone are quadratic in the length. Then come the features and the near field that cost least. Layers
 * become exact in the order of what they do alone. Where nothing meets the error, all layers stay exact.
 *
 * @throws RangeError for a wanted error that is not positive
 */
export async function chooseAttention(
  comparison: Comparison,
  { base, alone, numFeatures, nearFields, causal, error, seed }: ChoiceOptions,
): Promise<ChosenAttention> {
  if (!(error > 0)) throw new ConfigurationError(`The wanted error is ${error}; give a number above 0, such as 0.1.`);
  const order = [...alone].sort((a, b) => b.model.embeddingError - a.model.embeddingError).map(({ layer }) => layer);
  const rising = nearFields
    .flatMap((nearField) => numFeatures.map((m) => ({ numFeatures: m, nearField })))
    .sort((a, b) => costOf(a, causal) - costOf(b, causal));
  const choice = (numExact: number, candidate: Candidate): ChosenAttention => ({
    attention: parseConfiguration(attentionSchema, { ...base, type: 'favor', ...candidate }, 'the attention'),
    exactLayers: order.slice(0, numExact).sort((a, b) => a - b),
  });
  const meets = async (chosen: ChosenAttention) => (await comparison.compare(chosen, seed)).embeddingError <= error;
  const mostFeatures = Math.max(...numFeatures);
  const isMost = (candidate: Candidate) => candidate.numFeatures === mostFeatures;
  for (let numExact = 0; numExact < order.length; numExact++) {
    // Most features err least, whichever the near field: where they do not do, fewer need no try.
    const dearest = await firstOf(rising.filter(isMost), (each) => meets(choice(numExact, each)));
    if (!dearest) continue;
    const cheaper = rising.slice(0, rising.indexOf(dearest)).filter((each) => !isMost(each));
    return choice(numExact, (await firstOf(cheaper, (each) => meets(choice(numExact, each)))) ?? dearest);
  }
  return { attention: { type: 'exact' }, exactLayers: [] };
}

/** The first item of which `holds` is true. */
async function firstOf<T>(items: readonly T[], holds: (item: T) => Promise<boolean>): Promise<T | undefined> {
  for (const item of items) if (await holds(item)) return item;
  return undefined;
}

interface Candidate {
  readonly numFeatures: number;
  readonly nearField: NearFieldOptions | null;
}

/** Multiply-adds of a query and head in units of 2·dHead: a feature takes two, a near key one. */
function costOf({ numFeatures, nearField }: Candidate, causal: boolean): number {
  const { block = 0, sinks = 0 } = nearField ?? {};
  // On average, half of the own block is before the query.
  return 2 * numFeatures + (causal ? 1.5 : 3) * block + sinks;
}

/** Blocks that are tried; a block must leave most of a sequence far, or the measured error would not hold for longer ones. */
const blocks = [16, 32, 64, 128];

/** First keys that are tried as sinks of a causal model: pretrained decoders attend to these from everywhere. */
const causalSinks = [0, 4];

/** The near fields worth a try on sequences of this length, and no near field. */
export function nearFieldsToTry(length: number, causal: boolean): (NearFieldOptions | null)[] {
  const fitting = blocks.filter((block) => (causal ? 4 : 6) * block <= length);
  return [null, ...fitting.flatMap((block) => (causal ? causalSinks : [0]).map((sinks) => ({ block, sinks })))];
}
