import { ConfigurationError } from '../../base/errors.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import type { FeatureTensors } from '../../tensor/ops/attention/favor.ts';
import { checkTensors, type Tensor, tensorKind } from '../../tensor/tensor.ts';
import type { FeatureOptions } from '../favor.ts';
import { withFeatures } from './attention-rows.ts';
import { MeasuredOutputs, type MeasureOptions, measureOptions, median, relativeError } from './output-error.ts';

/** Numbers of features are tried in multiples of this: even, as paired maps need, and a vector of the kernels. */
const featureStep = 16;

export interface FeatureSearchOptions extends MeasureOptions {
  /** Wanted ‖out − exact‖/‖exact‖, over the measured queries of all batch rows and heads. */
  readonly error: number;
  /** What features are drawn from; its numFeatures is ignored, its seed is that of the first draw. */
  readonly features?: FeatureOptions | undefined;
  /** Largest number of features to try. Default 4096. */
  readonly maxNumFeatures?: number | undefined;
  /** Draws of each number of features; the median of their errors counts. Default 3. */
  readonly draws?: number | undefined;
}

/** What was measured for one number of features. */
export interface FeatureError {
  readonly numFeatures: number;
  /** Median over the draws of ‖out − exact‖/‖exact‖. */
  readonly error: number;
}

export interface FeatureSearch {
  /** The wanted error. */
  readonly error: number;
  /**
   * The least number of features found to meet the error, a multiple of 16. Left out if no number up to the limit does.
   */
  readonly numFeatures?: number;
  /** Everything tried, by rising number of features. */
  readonly curve: readonly FeatureError[];
}

/**
 * How many features these queries, keys and values need for a wanted error. Features are drawn anew, doubling their
 * number from 16 until the error is met, then by bisection in steps of 16. The error of a draw is random. The number
 * found is where the measured curve crosses the wanted error, within the noise of its medians. Costs one FAVOR+ forward
 * pass for each draw, and exact attention at the measured queries once.
 *
 * @throws ConfigurationError for a wanted error, limit or number of draws that is not positive
 * @throws ConfigurationError for features without a projection, whose number is fixed
 */
export async function smallestNumFeatures(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  options: FeatureSearchOptions,
): Promise<FeatureSearch> {
  checkArguments(
    'smallestNumFeatures',
    { queries, keys, values, options },
    {
      queries: tensorKind,
      keys: tensorKind,
      values: tensorKind,
      options: option.object,
    },
  );
  checkTensors('smallestNumFeatures', { queries, keys, values });
  checkOptions<FeatureSearchOptions>('smallestNumFeatures', options, {
    ...measureOptions,
    error: option.number,
    features: option.object,
    maxNumFeatures: option.number,
    draws: option.number,
  });
  const { error, features, maxNumFeatures, draws, ...measure } = options ?? {};
  const measured = await MeasuredOutputs.open(queries, keys, values, measure);
  return searchNumFeatures(measured, await measured.exactOutputs(), options);
}

/** The same, given exact outputs at the measured queries. */
export async function searchNumFeatures(
  measured: MeasuredOutputs,
  exact: readonly Float64Array[],
  options: Omit<FeatureSearchOptions, keyof MeasureOptions>,
): Promise<FeatureSearch> {
  const { error: wanted, features = {}, maxNumFeatures = 4096, draws = 3 } = options;
  if (!(wanted > 0))
    throw new ConfigurationError(`smallestNumFeatures: error is ${wanted}; give a positive relative error.`);
  if (!Number.isInteger(draws) || draws < 1) {
    throw new ConfigurationError(`smallestNumFeatures: draws is ${draws}; give an integer of at least 1.`);
  }
  const limit = Math.floor(maxNumFeatures / featureStep) * featureStep;
  if (!(limit >= featureStep)) {
    throw new ConfigurationError(
      `smallestNumFeatures: maxNumFeatures is ${maxNumFeatures}; give at least ${featureStep}.`,
    );
  }
  if ('dHead' in features) throw cannotRedraw('they are drawn already');
  const curve = new Map<number, number>();
  const meets = async (numFeatures: number) => {
    const errors: number[] = [];
    for (let draw = 0; draw < draws; draw++) {
      const drawn = { ...features, numFeatures, seed: (features.seed ?? 0) + draw };
      const estimates = await withFeatures(measured.queries, drawn, measured.pauses, (tensors: FeatureTensors) => {
        if (tensors.numFeatures !== numFeatures) throw cannotRedraw(`they are always ${tensors.numFeatures}`);
        return measured.estimates(tensors);
      });
      errors.push(relativeError(estimates, exact));
    }
    const error = median(errors);
    curve.set(numFeatures, error);
    return error <= wanted;
  };
  const numFeatures = await smallest(meets, limit);
  const tried = [...curve].sort(([a], [b]) => a - b).map(([m, error]) => ({ numFeatures: m, error }));
  return { error: wanted, ...(numFeatures === undefined ? {} : { numFeatures }), curve: tried };
}

/** Doubles until `meets`, then bisects: the least multiple of the step, if `meets` stays true once it is. */
async function smallest(meets: (numFeatures: number) => Promise<boolean>, limit: number): Promise<number | undefined> {
  let below = 0;
  let enough = featureStep;
  while (!(await meets(enough))) {
    if (enough === limit) return undefined;
    below = enough;
    enough = Math.min(2 * enough, limit);
  }
  while (enough - below > featureStep) {
    const middle = Math.floor((below + enough) / (2 * featureStep)) * featureStep;
    if (await meets(middle)) enough = middle;
    else below = middle;
  }
  return enough;
}

function cannotRedraw(why: string): Error {
  return new ConfigurationError(
    `smallestNumFeatures: the features cannot be drawn in other numbers, as ${why}; give options with a random projection.`,
  );
}
