/** Features and states shared by the FAVOR+ cases. */
import { dividedRows, exponentialEstimator } from '../../src/backend/estimator.ts';
import type { FavorFeatures, FavorResult, FavorStateArrays, Storage } from '../../src/backend/types.ts';
import type { Random } from '../../src/tensor/random.ts';
import { type AttentionSetup, crossSetups, squareSetups } from './attention.ts';
import { type Data, normals } from './case.ts';

export interface FavorSetup extends AttentionSetup {
  readonly numFeatures: number;
  readonly hasBias: boolean;
}

function withFeatures(setup: AttentionSetup, i: number): FavorSetup {
  // fewer features than dHead, a prime number of them, and round ones
  const numFeatures = setup.name.startsWith('round') ? 96 : [3, 37, 67][i % 3];
  return { ...setup, name: `${setup.name}, m=${numFeatures}`, numFeatures, hasBias: i % 2 === 1 };
}

export const squareFavorSetups: FavorSetup[] = squareSetups.map(withFeatures);
export const favorSetups: FavorSetup[] = [...squareFavorSetups, ...crossSetups.map(withFeatures)];

export function nameOf(setup: FavorSetup, prefix = ''): string {
  return `${prefix}${setup.name} ${setup.layout}${setup.hasBias ? ' bias' : ''}`;
}

export function featureInputs(setup: FavorSetup, random: Random): Record<string, Data> {
  const { numFeatures, dHead, hasBias } = setup;
  return {
    projection: normals(random, numFeatures * dHead),
    ...(hasBias ? { bias: normals(random, numFeatures) } : {}),
  };
}

export function featureArrays(
  setup: FavorSetup,
  arrays: Readonly<Record<string, Storage>>,
): FavorFeatures & FavorResult {
  return {
    ...exponentialEstimator(setup.numFeatures),
    ...dividedRows,
    projection: arrays.projection,
    bias: arrays.bias,
  };
}

export function stateLengths(numStates: number, numFeatures: number, dValue: number) {
  const size = numStates * numFeatures * (dValue + 1);
  return { sums: size, compensation: size, scales: numStates * numFeatures };
}

/** States as earlier keys could have left them: normalisers above 1, integer scales; every third one empty. */
export function randomStates(random: Random, numStates: number, numFeatures: number, dValue: number) {
  const width = dValue + 1;
  const lengths = stateLengths(numStates, numFeatures, dValue);
  const isEmpty = (at: number, size: number) => Math.floor(at / (numFeatures * size)) % 3 === 1;
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
      const drawn = random.integer(31) - 25;
      return isEmpty(at, 1) ? Number.NEGATIVE_INFINITY : drawn;
    }),
  };
}

export function stateArrays(arrays: Readonly<Record<string, Storage>>): FavorStateArrays {
  return { sums: arrays.sums, compensation: arrays.compensation, scales: arrays.scales };
}

/**
 * What a state means, whatever scales it is kept in: for every feature the log2 of its normaliser, and its other sums
 * divided by the normaliser. Empty features give -Infinity and zeros.
 */
export function meaningOf(
  outputs: Readonly<Record<string, Float64Array>>,
  dValue: number,
): Record<string, Float64Array> {
  const { sums, compensation, scales, ...others } = outputs;
  const width = dValue + 1;
  const total = (at: number) => sums[at] + compensation[at];
  return {
    ...others,
    logNormalisers: scales.map((scale, r) => Math.log2(total(r * width + dValue)) + scale),
    means: Float64Array.from({ length: scales.length * dValue }, (_, at) => {
      const [r, column] = [Math.floor(at / dValue), at % dValue];
      return scales[r] === Number.NEGATIVE_INFINITY ? 0 : total(r * width + column) / total(r * width + dValue);
    }),
    scalesAreIntegers: scales.map((scale) => (Number.isInteger(scale) || scale === Number.NEGATIVE_INFINITY ? 1 : 0)),
  };
}

export const stateBounds = { logNormalisers: 1e-6, means: 1e-5, scalesAreIntegers: 0 };

/** ‖out − expected‖ / ‖expected‖, whatever the size of the inputs. */
export const NORM_BOUND = 5e-6;

/**
 * The largest single error of out relative to max |out|: 1e-5, and 3e-5 for queries and keys × 30, whose log-features reach
 * 4·30·dHead^(1/4), 340 for heads of 64: one unit in the last place of that is already 3e-5 of the feature.
 */
export function outBound(inputScale = 1): number {
  return inputScale <= 10 ? 1e-5 : 3e-5;
}

export const outBecause = 'float32 log-features: 1e-5, or one unit in the last place of the largest';
