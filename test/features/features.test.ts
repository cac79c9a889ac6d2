/** How maps turn projections into features, and the configuration that names them. */
import { describe, expect, test } from 'vitest';
import { projectionLength } from '../../src/backend/projection-sizes.ts';
import { Random } from '../../src/base/random.ts';
import { activations, type FeatureMapOptions, featureSchema } from '../../src/features/configuration.ts';
import { drawFeatures } from '../../src/features/draw-features.ts';
import { measureP, optimalA } from '../../src/features/maps/favor-plus-plus.ts';
import { projectionKinds } from '../../src/features/projection.ts';
import { expectMean } from './statistics.ts';
import { activationFunctions, estimate, rowsOf, sampleEstimates } from './support.ts';

const draw = (options: FeatureMapOptions, dHead: number, seed = 1) =>
  drawFeatures(featureSchema.parse(options), dHead, new Random(seed));

const negated = (rows: readonly number[][]) => rows.map((row) => row.map((value) => -value));
const scaled = (rows: readonly number[][], by: number) => rows.map((row) => row.map((value) => by * value));

function expectRows(rows: readonly number[][], expected: readonly number[][]): void {
  expect(rows.length).toBe(expected.length);
  rows.forEach((row, r) => {
    row.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[r][i], 12);
    });
  });
}

const random = projectionKinds.filter((kind) => kind !== 'none');

describe.each(random)('%s', (projection) => {
  const dHead = 5;
  const numFeatures = 14;

  test('every map over the same directions', () => {
    const positive = draw({ projection, numFeatures: 7 }, dHead);
    const w = rowsOf(positive, dHead);
    expect(positive).toMatchObject({ map: 'exponential', weight: 1 / 7, stabiliser: 0, numFeatures: 7 });

    const hyperbolic = draw({ projection, numFeatures, featureMap: 'hyperbolic' }, dHead);
    expectRows(rowsOf(hyperbolic, dHead), [...w, ...negated(w)]);
    expect(hyperbolic).toMatchObject({ map: 'exponential', weight: 1 / 14 });

    const trigonometric = draw({ projection, numFeatures, featureMap: 'trigonometric' }, dHead);
    expectRows(rowsOf(trigonometric, dHead), [...w, ...w]);
    expect([...trigonometric.bias!]).toEqual([...new Array(7).fill(0), ...new Array(7).fill(Math.PI / 2)]);
    expect(trigonometric).toMatchObject({ map: 'sine', weight: 1 / 7, stabiliser: 1e-6 });

    const optimal = draw({ projection, numFeatures: 7, featureMap: { type: 'favor++', p: 0.3 } }, dHead);
    const a = optimalA(0.3);
    expectRows(rowsOf(optimal, dHead), scaled(w, Math.sqrt(1 - 4 * a)));
    w.forEach((row, r) => {
      expect(optimal.bias![r]).toBeCloseTo(a * row.reduce((sum, value) => sum + value ** 2, 0), 12);
    });
    expect(optimal.weight).toBeCloseTo((1 - 4 * a) ** (dHead / 2) / 7, 14);

    const generalised = draw({ projection, numFeatures: 7, featureMap: 'gelu' }, dHead);
    expectRows(rowsOf(generalised, dHead), w);
    expect(generalised).toMatchObject({ map: 'gelu', epsilon: 1e-3, weight: 1 / 7, stabiliser: 1e-6 });
  });

  test('smreg rows are of one length', () => {
    const smreg = draw({ projection, numFeatures, featureMap: 'smreg' }, 4);
    for (const row of rowsOf(smreg, 4)) expect(Math.hypot(...row)).toBeCloseTo(2, 12);
    expect(draw({ projection, numFeatures, norms: 'regularised' }, 4)).toEqual(smreg);
  });

  test('what is drawn fits what the kernels take, and depends on the seed alone', () => {
    for (const featureMap of ['positive', 'hyperbolic', 'trigonometric', 'relu'] as const) {
      for (const width of [1, 2, 7, 8]) {
        const options = { projection, featureMap, numFeatures: 22 };
        const features = draw(options, width);
        expect(features.projection.length).toBe(projectionLength(features, width));
        expect(features.numFeatures).toBe(22);
        expect(draw(options, width)).toEqual(features);
        expect(draw(options, width, 2).projection).not.toEqual(features.projection);
      }
    }
  });
});

describe('generalised kernels', () => {
  const x = [0.7, -0.4, 0.2];
  const y = [0.1, 0.5, 0.6];

  // 4,000 draws of 24 features against E f(a)f(b) over the Gaussian (a, b) = (ωᵀx, ωᵀy).
  test.each(activations)('%s: the mean over orthogonal directions', (activation) => {
    const options = {
      featureMap: { type: 'generalised', activation, epsilon: 0.01 },
      projection: 'orthogonal',
    } as const;
    const [estimates] = sampleEstimates({ ...options, numFeatures: 24 }, [[x, y]], 4000);
    const f = (u: number) => activationFunctions[activation](u) + 0.01;
    expectMean(estimates, gaussianMean(x, y, f), 1e-5);
  });

  test.each(random)('relu over %s directions', (projection) => {
    const options = { featureMap: 'relu', projection, numFeatures: 24 } as const;
    const [estimates] = sampleEstimates(options, [[x, y]], 4000);
    // Three coordinates are few for Givens rotations, four for Hadamard ones; see their bias there.
    const tolerance = { givens: 0.002, hadamard: 0.004 }[projection as string] ?? 1e-5;
    expectMean(
      estimates,
      gaussianMean(x, y, (u) => Math.max(0, u) + 1e-3),
      tolerance,
    );
  });

  test('without a projection: functions of the coordinates, dHead features', () => {
    const features = draw({ featureMap: 'square' }, 3);
    const expected = x.reduce((sum, value, i) => sum + (value ** 2 + 1e-3) * (y[i] ** 2 + 1e-3), 0) / 3;
    expect(features).toMatchObject({ numFeatures: 3, form: 'givens', factors: 0, directions: 3, weight: 1 / 3 });
    expect(estimate(features, x, y)).toBeCloseTo(expected, 14);
  });
});

/** E f(a) f(b) for standard normal ω, a = ωᵀx, b = ωᵀy, by the trapezoidal rule. */
function gaussianMean(x: number[], y: number[], f: (u: number) => number): number {
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const xLength = Math.sqrt(dot(x, x));
  const along = dot(x, y) / xLength;
  const across = Math.sqrt(dot(y, y) - along ** 2);
  const step = 0.04;
  const nodes = Array.from({ length: 401 }, (_, i) => (i - 200) * step);
  const density = nodes.map((t) => (step * Math.exp((-t * t) / 2)) / Math.sqrt(2 * Math.PI));
  // f of a fine grid, read off linearly: some f are slow.
  const table = Array.from({ length: 4001 }, (_, i) => f((i - 2000) / 150));
  const read = (u: number) => {
    const at = u * 150 + 2000;
    const below = Math.floor(at);
    return table[below] + (at - below) * (table[below + 1] - table[below]);
  };
  let sum = 0;
  nodes.forEach((s, i) => {
    const fx = read(s * xLength) * density[i];
    nodes.forEach((t, j) => {
      sum += fx * density[j] * read(s * along + t * across);
    });
  });
  return sum;
}

describe('FAVOR++', () => {
  test('A is the minimum of the variance', () => {
    const d = 6;
    for (const p of [0, 0.05, 0.3, 1, 4]) {
      const logSecondMoment = (a: number) =>
        d * Math.log(1 - 4 * a) - (d / 2) * Math.log(1 - 8 * a) + (2 * p * d * (1 - 4 * a)) / (1 - 8 * a);
      const best = optimalA(p);
      expect(best).toBeLessThanOrEqual(0);
      for (const step of [-1e-3, 1e-3]) {
        expect(logSecondMoment(best + step)).toBeGreaterThan(logSecondMoment(best));
      }
    }
    expect(optimalA(0)).toBe(0);
    expect(optimalA(0.5)).toBeCloseTo(-Math.sqrt(8) / 16, 14);
  });

  test('measureP is the mean over all pairs', () => {
    const normal = new Random(4);
    const dHead = 3;
    const queries = Float64Array.from({ length: 5 * dHead }, () => normal.normal() + 0.3);
    const keys = Float32Array.from({ length: 7 * dHead }, () => normal.normal() - 0.8);
    let sum = 0;
    for (let q = 0; q < 5; q++) {
      for (let k = 0; k < 7; k++) {
        for (let i = 0; i < dHead; i++) sum += ((queries[q * dHead + i] + keys[k * dHead + i]) / dHead ** 0.25) ** 2;
      }
    }
    expect(measureP(queries, keys, dHead)).toBeCloseTo(sum / 35 / dHead, 12);
    expect(() => measureP(queries, keys.subarray(1), dHead)).toThrow(
      'measureP: keys has 20 numbers; give at least one row of 3.',
    );
  });
});

describe('configuration', () => {
  test('defaults and names', () => {
    expect(featureSchema.parse({})).toEqual({ numFeatures: 256, featureMap: { type: 'positive' } });
    expect(featureSchema.parse({ featureMap: 'relu' }).featureMap).toEqual({
      type: 'generalised',
      activation: 'relu',
      epsilon: 1e-3,
      stabiliser: 1e-6,
      scaleInputs: true,
    });
    expect(featureSchema.safeParse({ featureMap: 'cubic' }).success).toBe(false);
    expect(featureSchema.safeParse({ featureMap: 'favor++' }).success).toBe(false);
  });

  test('what a checkpoint saves is read back as it was', () => {
    for (const featureMap of ['smreg', 'trigonometric', 'exp', { type: 'favor++', p: 0.4 }] as const) {
      const parsed = featureSchema.parse({ featureMap, projection: 'simplex', norms: 'gaussian' });
      expect(featureSchema.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
    }
  });

  test.each<[FeatureMapOptions, string]>([
    [{ featureMap: 'hyperbolic', numFeatures: 7 }, 'hyperbolic features come in pairs; give an even numFeatures'],
    [{ featureMap: 'trigonometric', numFeatures: 1 }, 'trigonometric features come in pairs'],
    [{ projection: 'none' }, 'positive features need random directions; give a projection other than none.'],
    [{ featureMap: { type: 'favor++', p: 1 }, projection: 'none' }, 'favor++ features need random directions'],
    [{ featureMap: 'relu', norms: 'gaussian' }, 'norms gaussian needs random directions; leave norms out'],
    [{ featureMap: 'smreg', norms: 'gaussian' }, 'smreg features are defined by regularised norms'],
    [{ featureMap: { type: 'favor++', p: 1 }, norms: 'regularised' }, 'favor++ features are defined by gaussian norms'],
  ])('%j is refused', (options, message) => {
    expect(() => draw(options, 4)).toThrow(message);
  });
});
