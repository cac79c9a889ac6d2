/** Features and states shared by the FAVOR+ cases. */
import type {
  Estimator,
  FavorFeatures,
  FavorResult,
  FavorStateArrays,
  FeatureMapKind,
  ProjectionForm,
  Storage,
} from '../../src/backend/types.ts';
import type { Random } from '../../src/base/random.ts';
import { type AttentionSetup, gradientTermSize } from './attention.ts';
import { type Case, type Data, normals } from './case.ts';
import { drawProjection } from './favor-projection.ts';

/** What a case of FAVOR+ estimates, and how it forms rows. Defaults: dense exponential features, divided rows. */
export interface FavorOptions {
  readonly numFeatures: number;
  readonly hasBias: boolean;
  readonly map?: FeatureMapKind;
  /** `none`: numFeatures = dHead and u = x̂. */
  readonly form?: ProjectionForm | 'none';
  /**
   * Half as many directions as features: the second half of the features has those of the first, of another length. For
   * the map `sine` the bias is then 0 and π/2 and lengths agree, so that K(x, y) is positive for inputs near each other.
   */
  readonly stacked?: boolean;
  readonly weight?: number;
  readonly stabiliser?: number;
}

export interface FavorSetup extends AttentionSetup, FavorOptions {}

export function nameOf(setup: FavorSetup, prefix = ''): string {
  return `${prefix}${setup.name} ${setup.layout}${setup.hasBias ? ' bias' : ''}`;
}

/** Positive where a map would otherwise vanish; distinct enough from 0 that leaving it out shows. */
const EPSILON = 0.0625;

export function estimatorOf(options: FavorOptions, dHead: number): Estimator {
  const { numFeatures, map = 'exponential', form = 'dense', stacked } = options;
  const factors = { dense: 0, hadamard: 3, givens: 2 * (dHead - 1), none: 0 };
  return {
    ...{ numFeatures, map, form: form === 'none' ? 'givens' : form, factors: factors[form] },
    epsilon: map === 'exponential' || map === 'sine' ? 0 : EPSILON,
    directions: stacked && form !== 'dense' ? numFeatures / 2 : numFeatures,
  };
}

export function featureInputs(options: FavorOptions & { dHead: number }, random: Random): Record<string, Data> {
  const { numFeatures, dHead, hasBias, map, stacked = false } = options;
  const estimator = estimatorOf(options, dHead);
  const isTrigonometric = map === 'sine' && stacked;
  const projection = drawProjection(estimator, dHead, random, isTrigonometric);
  const quarters = Float32Array.from({ length: numFeatures }, (_, r) => (r < numFeatures / 2 ? 0 : Math.PI / 2));
  if (isTrigonometric) return { projection, bias: quarters };
  return { projection, ...(hasBias ? { bias: normals(random, numFeatures) } : {}) };
}

export function featureArrays(
  options: FavorOptions & { dHead: number },
  { projection, bias }: Readonly<Record<string, Storage>>,
): FavorFeatures & FavorResult {
  const { weight = 0, stabiliser = 0, dHead } = options;
  return { ...estimatorOf(options, dHead), projection, bias, weight, stabiliser };
}

export function stateLengths(numStates: number, numFeatures: number, dValue: number) {
  const size = numStates * numFeatures * (dValue + 1);
  return { sums: size, compensation: size, scales: numStates * numFeatures };
}

/** Whether every feature of a state has its own scale, and normalisers are positive. */
export function isExponential({ map = 'exponential' }: FavorOptions): boolean {
  return map === 'exponential';
}

/**
 * States as earlier keys could have left them: normalisers above 1 and integer scales, 0 for the maps without norms.
 * Every third state's features are empty or, for maps with one scale, every third state.
 */
export function randomStates(random: Random, numStates: number, options: FavorOptions, dValue: number) {
  const { numFeatures, map } = options;
  const width = dValue + 1;
  const lengths = stateLengths(numStates, numFeatures, dValue);
  const group = isExponential(options) ? numFeatures : 1;
  const isEmpty = (at: number, size: number) => Math.floor(at / (numFeatures * size)) % 3 === 1;
  const scaleOf = () => (map === 'sine' ? random.integer(7) - 2 : 0);
  const shared = Array.from({ length: group === 1 ? numStates : 0 }, scaleOf);
  return {
    sums: Float32Array.from({ length: lengths.sums }, (_, at) => {
      const drawn = at % width === dValue ? 1 + 5 * random.uniform() : random.normal();
      return isEmpty(at, width) ? 0 : drawn;
    }),
    compensation: Float32Array.from({ length: lengths.sums }, (_, at) => {
      const drawn = 1e-7 * random.normal();
      return isEmpty(at, width) ? 0 : drawn;
    }),
    scales: Float32Array.from({ length: lengths.scales }, (_, at) => {
      const drawn = isExponential(options) ? random.integer(31) - 25 : shared[Math.floor(at / numFeatures)];
      return isEmpty(at, 1) ? Number.NEGATIVE_INFINITY : drawn;
    }),
  };
}

export function stateArrays(arrays: Readonly<Record<string, Storage>>): FavorStateArrays {
  return { sums: arrays.sums, compensation: arrays.compensation, scales: arrays.scales };
}

/** Whether denominators are in a unit that does not depend on how a scale was rounded. */
export function hasPlainDenominators({ map = 'exponential' }: FavorOptions): boolean {
  return map !== 'exponential' && map !== 'sine';
}

export type Outputs = Readonly<Record<string, Float64Array>>;

const isScale = (scale: number) => Number.isInteger(scale) || scale === Number.NEGATIVE_INFINITY;

/** What a call left, whatever scales it is kept in: denominators that can be compared, and the meaning of a state. */
export function meaningOf(
  { denominator, ...outputs }: Outputs,
  options: FavorOptions,
  dValue: number,
): Record<string, Float64Array> {
  const kept = denominator && hasPlainDenominators(options) ? { ...outputs, denominator } : outputs;
  if (!kept.sums) return kept;
  return isExponential(options) ? meaningByFeature(kept, dValue) : meaningByState(kept, options, dValue);
}

/**
 * For every feature the log2 of its normaliser, and its other sums divided by the normaliser. Empty features give
 * -Infinity and zeros.
 */
function meaningByFeature({ sums, compensation, scales, ...others }: Outputs, dValue: number) {
  const width = dValue + 1;
  const total = (at: number) => sums[at] + compensation[at];
  return {
    ...others,
    logNormalisers: scales.map((scale, r) => Math.log2(total(r * width + dValue)) + scale),
    means: Float64Array.from({ length: scales.length * dValue }, (_, at) => {
      const [r, column] = [Math.floor(at / dValue), at % dValue];
      return scales[r] === Number.NEGATIVE_INFINITY ? 0 : total(r * width + column) / total(r * width + dValue);
    }),
    scalesAreIntegers: scales.map((scale) => (isScale(scale) ? 1 : 0)),
  };
}

/**
 * For every state the log2 of its largest sum, and all sums divided by that: normalisers may vanish. Whether the scale is
 * one for all features, and 0 for the maps without norms.
 */
function meaningByState({ sums, compensation, scales, ...others }: Outputs, options: FavorOptions, dValue: number) {
  const { numFeatures, map } = options;
  const size = numFeatures * (dValue + 1);
  const states = Array.from({ length: scales.length / numFeatures }, (_, index) => {
    const sumsOf = sums.subarray(index * size, (index + 1) * size);
    const totals = sumsOf.map((sum, at) => sum + compensation[index * size + at]);
    return { totals, scale: scales[index * numFeatures], largest: Math.max(...totals.map(Math.abs)) };
  });
  return {
    ...others,
    logSizes: Float64Array.from(states, ({ scale, largest }) => Math.log2(largest) + scale),
    shares: Float64Array.from(states.flatMap(({ totals, largest }) => [...totals.map((sum) => sum / (largest || 1))])),
    scalesAreIntegers: scales.map((scale, at) => {
      const { scale: first } = states[Math.floor(at / numFeatures)];
      return isScale(scale) && scale === first && (map === 'sine' || scale === 0 || scale < 0) ? 1 : 0;
    }),
  };
}

export const stateBounds = {
  ...{ logNormalisers: 1e-6, means: 1e-5, logSizes: 1e-6, shares: 1e-5, scalesAreIntegers: 0 },
  denominator: 1e-5,
};

/** ‖out − expected‖ / ‖expected‖ of the exponential map, whatever the size of the inputs. */
export const NORM_BOUND = 5e-6;

/**
 * The largest single error of out relative to max |out|: 1e-5, and 3e-5 for queries and keys × 30. Their log-features
 * reach 4·30·dHead^(1/4), 340 for heads of 64: one unit in the last place of that is already 3e-5 of the feature.
 */
export function outBound(inputScale = 1): number {
  return inputScale <= 10 ? 1e-5 : 3e-5;
}

/** What an error of float32 in the exponents leaves of `out` and of a state. */
export function resultBounds({ map, inputScale = 1 }: FavorOptions & { inputScale?: number }) {
  if (map === 'sine' && inputScale > 1) {
    return {
      bound: { out: 1e-4, ...stateBounds, shares: 1e-4 },
      normBound: { out: 5e-5 },
      because: 'exp(D) and sin(u) of large inputs: D reaches 500, where one unit in the last place is 3e-5',
    };
  }
  return {
    bound: { out: outBound(inputScale), ...stateBounds },
    normBound: { out: NORM_BOUND },
    because: 'float32 log-features: 1e-5, or one unit in the last place of the largest',
  };
}

/** How near gradients must be: where one key takes all of a divided row of the exponential map, their terms cancel. */
export function gradientBounds(setup: FavorSetup): Pick<Case, 'bound' | 'termSize' | 'because'> {
  const isDivided = isExponential(setup) && !setup.weight && !setup.stabiliser;
  return {
    ...(isDivided ? { termSize: gradientTermSize(setup) } : {}),
    bound: 5e-5,
    because: 'gradients are differences of terms that each carry the features’ error',
  };
}
