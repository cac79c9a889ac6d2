import type { AttentionConfiguration, NearFieldConfiguration } from '../../attention/configuration.ts';
import { attentionSchema } from '../../attention/configuration.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { parseConfiguration } from '../../base/parse-configuration.ts';
import type { FeatureMapOptions } from '../../features/configuration.ts';
import type { Comparison } from './comparison.ts';
import type { LayerAlone } from './types.ts';

export interface ChosenAttention {
  readonly attention: AttentionConfiguration;
  readonly exactLayers: readonly number[];
}

interface ChoiceOptions {
  /** What features are drawn from, besides their number. */
  readonly base: FeatureMapOptions & { readonly nearField?: NearFieldConfiguration | null };
  readonly alone: readonly LayerAlone[];
  /** Numbers of features to try. */
  readonly numFeatures: readonly number[];
  /** Wanted relative error of the embeddings. */
  readonly error: number;
  readonly seed: number;
}

/**
 * The cheapest attention that meets a wanted error of the embeddings, as measured. Exact layers come first, as few as
 * can be, for they alone are quadratic in the length; then as few features. Layers become exact in the order of what
 * they do alone. Where nothing meets the error, all layers stay exact.
 *
 * @throws RangeError for a wanted error that is not positive
 */
export async function chooseAttention(
  comparison: Comparison,
  { base, alone, numFeatures, error, seed }: ChoiceOptions,
): Promise<ChosenAttention> {
  if (!(error > 0)) throw new ConfigurationError(`The wanted error is ${error}; give a number above 0, such as 0.1.`);
  const order = [...alone].sort((a, b) => b.model.embeddingError - a.model.embeddingError).map(({ layer }) => layer);
  const rising = [...numFeatures].sort((a, b) => a - b);
  const choice = (numExact: number, m: number): ChosenAttention => ({
    attention: parseConfiguration(attentionSchema, { ...base, type: 'favor', numFeatures: m }, 'the attention'),
    exactLayers: order.slice(0, numExact).sort((a, b) => a - b),
  });
  const meets = async (chosen: ChosenAttention) => (await comparison.compare(chosen, seed)).embeddingError <= error;
  for (let numExact = 0; numExact < order.length; numExact++) {
    const most = choice(numExact, rising[rising.length - 1]);
    if (!(await meets(most))) continue;
    for (const m of rising.slice(0, -1)) {
      const fewer = choice(numExact, m);
      if (await meets(fewer)) return fewer;
    }
    return most;
  }
  return { attention: { type: 'exact' }, exactLayers: [] };
}
