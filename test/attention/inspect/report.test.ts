import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { drawFeatures, favorAttention } from '../../../src/attention/favor.ts';
import type { ApproximationError, ApproximationReport } from '../../../src/attention/inspect/report.ts';
import { approximationReport, formatReport } from '../../../src/attention/inspect/report.ts';
import type { AttendOptions } from '../../../src/attention/types.ts';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import { Random, streams } from '../../../src/base/random.ts';
import { featureSchema } from '../../../src/features/configuration.ts';
import * as features from '../../../src/features/draw-features.ts';
import { tensor } from '../../../src/tensor/tensor.ts';
import {
  featureKernel,
  type Inputs,
  type Kernel,
  nearAndFar,
  nearByMassOfFar,
  quadraticForm,
  randomInputs,
  type Sizes,
  sees,
  softmaxKernel,
  uploadInputs,
} from '../quadratic-form.ts';

const backend = createReferenceBackend();
afterAll(() => backend.close());

const sizes = { batch: 2, heads: 3, lengthQ: 11, lengthK: 13, dHead: 5, dValue: 7 };
const inputs = randomInputs(sizes, 31);
const numFeatures = 38;

type Options = Parameters<typeof approximationReport>[3];

async function report(given: Inputs, options: Options, layout?: 'blhd'): Promise<ApproximationReport> {
  const { queries, keys, values } = uploadInputs(backend, given, layout);
  const before = backend.bytesAllocated;
  const found = await approximationReport(queries, keys, values, { ...options, ...(layout && { layout }) });
  expect(backend.bytesAllocated).toBe(before);
  expect(JSON.parse(JSON.stringify(found))).toEqual(found);
  for (const input of [queries, keys, values]) input.dispose();
  return found;
}

/** Rows of one attention matrix, by `[batch][head][query]`. */
function matrix(kernel: Kernel, given: Inputs, options: AttendOptions): number[][][][] {
  const { lengthK } = given.sizes;
  const identity = Array.from({ length: lengthK }, (_, j) => Array.from({ length: lengthK }, (_, c) => +(c === j)));
  const v = given.q.map((heads) => heads.map(() => identity));
  const form = quadraticForm(kernel, { ...given, sizes: { ...given.sizes, dValue: lengthK }, v }, options);
  return form.map((heads) => heads.map((rows) => rows.map((row) => row.map(({ value }) => value))));
}

const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;
const variation = (a: readonly number[], b: readonly number[]) =>
  mean(a.map((x, j) => Math.abs(x - b[j]))) * a.length * 0.5;

/** A report by its definitions, for the heads and queries given. */
function expectedError(
  estimate: number[][][][],
  exact: number[][][][],
  { v, q, k, sizes: of }: Inputs,
  options: AttendOptions,
  units: readonly (readonly [batch: number, head: number])[],
  rows: readonly number[],
): Omit<ApproximationError, 'effectiveFeatures' | 'negativeDenominators'> {
  let [error, size] = [0, 0];
  const variations: number[] = [];
  const contrasts: [number, number][] = [];
  const ps: number[] = [];
  for (const [b, h] of units) {
    for (const i of rows) {
      const [estimated, true_] = [estimate[b][h][i], exact[b][h][i]];
      for (let c = 0; c < of.dValue; c++) {
        const out = (row: readonly number[]) => mean(row.map((x, j) => x * v[b][h][j][c])) * row.length;
        error += (out(estimated) - out(true_)) ** 2;
        size += out(true_) ** 2;
      }
      const seen = k[b][h].map((_, j) => sees(of, options, b, i, j));
      const n = seen.filter(Boolean).length;
      if (n === 0) continue;
      const uniform = seen.map((isSeen) => (isSeen ? 1 / n : 0));
      variations.push(variation(estimated, true_));
      contrasts.push([variation(estimated, uniform), variation(true_, uniform)]);
    }
    const mask = options.keyMask as readonly ArrayLike<number>[] | undefined;
    const valid = k[b][h].filter((_, j) => !mask || mask[b][j] === 1);
    const pairs = q[b][h].flatMap((x) => valid.map((y) => mean(x.map((value, c) => (value + y[c]) ** 2))));
    ps.push(mean(pairs) / Math.sqrt(of.dHead));
  }
  const sorted = variations.sort((x, y) => x - y);
  const half = sorted.length / 2;
  return {
    outputError: Math.sqrt(error / size),
    totalVariation: {
      mean: mean(sorted),
      median: (sorted[Math.floor(half - 0.5)] + sorted[Math.floor(half)]) / 2,
      worst: sorted[sorted.length - 1],
    },
    contrast: { estimated: mean(contrasts.map(([x]) => x)), exact: mean(contrasts.map(([, x]) => x)) },
    p: mean(ps),
  };
}

function expectClose(actual: unknown, expected: unknown): void {
  for (const [key, value] of Object.entries(expected as Record<string, unknown>)) {
    const found = (actual as Record<string, unknown>)[key];
    if (typeof value === 'number') expect(Math.abs((found as number) - value), key).toBeLessThan(1e-10 * (1 + value));
    else expectClose(found, value);
  }
}

const keyMask = [
  Array.from({ length: 13 }, (_, j) => +(j % 4 !== 1)),
  Array.from({ length: 13 }, (_, j) => +(j !== 12)),
];
const everyHead = [0, 1].flatMap((b) => [0, 1, 2].map((h) => [b, h] as const));
const everyRow = Array.from({ length: 11 }, (_, i) => i);

function kernelOf(options: Parameters<typeof drawFeatures>[2], dHead = 5, seed = 0): Kernel {
  const drawn = features.drawFeatures(featureSchema.parse(options), dHead, new Random(seed, streams.projections));
  return featureKernel(drawn, dHead);
}

describe('approximationReport', () => {
  it.each([
    ['positive', { keyMask }, undefined],
    ['hyperbolic', { causal: true, offset: -2, keyMask }, 'blhd'],
    ['trigonometric', { causal: true }, undefined],
    [
      'relu',
      {
        segments: [[...everyRow.map((i) => +(i > 4))], everyRow.map(() => 7)],
        keySegments: [
          Array.from({ length: 13 }, (_, j) => +(j > 6)),
          Array.from({ length: 13 }, (_, j) => (j < 9 ? 7 : -1)),
        ],
      },
      undefined,
    ],
  ] as const)(
    '%s, %o: is what its definitions say, for every head and over all',
    async (featureMap, options, layout) => {
      const drawn = { numFeatures, featureMap, projection: 'orthogonal' as const };
      const found = await report(inputs, { ...options, features: drawn }, layout);
      const [estimate, exact] = [kernelOf(drawn), softmaxKernel].map((kernel) => matrix(kernel, inputs, options));
      expectClose(found, expectedError(estimate, exact, inputs, options, everyHead, everyRow));
      expect(found.heads.map(({ batch, head }) => [batch, head])).toEqual(everyHead);
      found.heads.forEach((head, unit) => {
        expectClose(head, expectedError(estimate, exact, inputs, options, [everyHead[unit]], everyRow));
      });
      expect(found.numFeatures).toBe(numFeatures);
      expect(found.rows).toEqual(everyRow);
      expect(found.estimatesSoftmax).toBe(featureMap !== 'relu');
    },
  );

  it.each([
    [{ causal: true, keyMask }, 'kernel', undefined],
    [{ keyMask: keyMask.map((row) => row.slice(0, 11)) }, 'features', 'blhd'],
    [{ causal: true, offset: 2 }, 'features', undefined],
  ] as const)('%o, mass %s: tells the errors of near and far keys apart', async (options, mass, layout) => {
    // Without a causal order, queries and keys are at the same positions.
    const given = 'causal' in options ? inputs : randomInputs({ ...sizes, lengthK: sizes.lengthQ }, 32);
    const drawn = { numFeatures, featureMap: 'smreg' } as const;
    const [nearField, gains] = [{ block: 2, sinks: 1 }, [0.4, -0.7, 0.1]];
    const gain = mass === 'kernel' ? tensor(backend, gains, [3]) : undefined;
    const found = await report(given, { ...options, features: drawn, nearField: { ...nearField, mass, gain } }, layout);
    gain?.dispose();
    const estimated = kernelOf(drawn);
    const far: Kernel = (query, key, place) => {
      const { value, size } = estimated(query, key, place);
      const factor = mass === 'kernel' ? Math.exp(gains[place.head]) : 1;
      return { value: factor * value, size: factor * size };
    };
    const kernel =
      mass === 'kernel'
        ? nearAndFar(softmaxKernel, far, nearField)
        : nearByMassOfFar(softmaxKernel, far, nearField, given, options);
    const [estimate, exact] = [kernel, softmaxKernel].map((each) => matrix(each, given, options));
    const offset = 'offset' in options ? options.offset : given.sizes.lengthK - sizes.lengthQ;
    const isNear = (i: number, j: number) => j < 1 || Math.abs(Math.floor((i + offset) / 2) - Math.floor(j / 2)) <= 1;
    for (const [unit, head] of [undefined, ...everyHead].entries()) {
      const units = head ? [head] : everyHead;
      const rows = units.flatMap(([b, h]) =>
        everyRow
          .filter((i) => estimate[b][h][i].some((weight) => weight !== 0))
          .map((i) => {
            const only = (row: readonly number[], near: boolean) => row.map((x, j) => (isNear(i, j) === near ? x : 0));
            const [a, e] = [estimate[b][h][i], exact[b][h][i]];
            const total = (row: readonly number[]) => row.reduce((sum, x) => sum + x, 0);
            return {
              near: variation(only(a, true), only(e, true)),
              far: variation(only(a, false), only(e, false)),
              farMass: { estimated: total(only(a, false)), exact: total(only(e, false)) },
            };
          }),
      );
      const own = head ? found.heads[unit - 1] : found;
      expectClose(own, expectedError(estimate, exact, given, options, units, everyRow));
      expectClose(own.nearField, {
        near: mean(rows.map(({ near }) => near)),
        far: mean(rows.map((row) => row.far)),
        farMass: {
          estimated: mean(rows.map(({ farMass }) => farMass.estimated)),
          exact: mean(rows.map(({ farMass }) => farMass.exact)),
        },
      });
    }
    expect(found.nearField!.near + found.nearField!.far).toBeCloseTo(found.totalVariation.mean, 12);
    expect(formatReport(found).split('\n')[1]).toMatch(/near +far +far mass$/);
  });

  it('refuses a near field of features that do not estimate softmax, and beside a search', async () => {
    const nearField = { block: 2 };
    await expect(report(inputs, { causal: true, features: { featureMap: 'relu' }, nearField })).rejects.toThrow(
      /softmax/,
    );
    const search = { causal: true, nearField, smallestNumFeatures: { error: 0.1 } };
    await expect(report(inputs, search)).rejects.toThrow(/without a near field/);
  });

  it('measures a sample of the queries, with all keys', async () => {
    const drawn = { numFeatures, seed: 2 };
    const options = { causal: true };
    const [estimate, exact] = [kernelOf({ numFeatures }, 5, 2), softmaxKernel].map((kernel) =>
      matrix(kernel, inputs, options),
    );
    const samples = new Set<string>();
    for (const seed of [0, 1, 2, 3]) {
      const found = await report(inputs, { ...options, features: drawn, maxRows: 4, seed });
      expect(found.rows).toHaveLength(4);
      expect(found.rows).toEqual([...new Set(found.rows)].sort((a, b) => a - b));
      expectClose(found, expectedError(estimate, exact, inputs, options, everyHead, found.rows));
      samples.add(found.rows.join());
    }
    expect(samples.size).toBeGreaterThan(1);
  });

  it('counts the features that decide a row: one of one, and by their shares', async () => {
    const one = await report(inputs, { features: { numFeatures: 1 } });
    expect(one.effectiveFeatures).toBe(1);
    // Trigonometric features, whose shares have both signs.
    for (const featureMap of ['positive', 'trigonometric'] as const) {
      const drawn = { numFeatures: 6, featureMap };
      const { effectiveFeatures, negativeDenominators } = await report(inputs, { features: drawn, causal: true });
      const each = features.drawFeatures(featureSchema.parse(drawn), 5, new Random(0, streams.projections));
      const ratios: number[] = [];
      const negatives: number[] = [];
      for (const [b, h] of everyHead) {
        for (const i of everyRow) {
          // One feature at a time: the dense projection cut down to its row r.
          const shares = Array.from({ length: 6 }, (_, r) => {
            const [projection, bias] = [each.projection.subarray(r * 5, (r + 1) * 5), each.bias?.subarray(r, r + 1)];
            const single = { ...each, numFeatures: 1, directions: 1, projection, bias };
            const kernel = featureKernel(single, 5);
            const place = { query: i, key: 0, head: h };
            return inputs.k[b][h].reduce(
              (sum, key, j) =>
                sum + (sees(sizes, { causal: true }, b, i, j) ? kernel(inputs.q[b][h][i], key, place).value : 0),
              0,
            );
          });
          const total = shares.reduce((a, x) => a + Math.abs(x), 0);
          ratios.push(total ** 2 / shares.reduce((a, x) => a + x * x, 0));
          negatives.push(+(shares.reduce((a, x) => a + x, 0) < 0));
        }
      }
      expect(effectiveFeatures).toBeCloseTo(mean(ratios), 10);
      expect(negativeDenominators).toBeCloseTo(mean(negatives), 12);
    }
  });

  it('counts features alike in whichever order the keys come, over several blocks of them', async () => {
    const long = randomInputs({ batch: 1, heads: 1, lengthQ: 7, lengthK: 530, dHead: 3, dValue: 1 }, 5, 2);
    const longest = (a: number[], b: number[]) => Math.hypot(...a) - Math.hypot(...b);
    const options = { features: { numFeatures: 12 } };
    const rising = await report({ ...long, k: [[[...long.k[0][0]].sort(longest)]] }, options);
    const falling = await report({ ...long, k: [[[...long.k[0][0]].sort((a, b) => longest(b, a))]] }, options);
    expect(rising.effectiveFeatures).toBeGreaterThan(1.01);
    expect(rising.effectiveFeatures).toBeCloseTo(falling.effectiveFeatures, 10);
    expect(rising.totalVariation.mean).toBeCloseTo(falling.totalVariation.mean, 10);
  });

  it('finds nothing wrong where all keys are equal', async () => {
    const k = inputs.k.map((heads) => heads.map((rows) => rows.map(() => rows[0])));
    const found = await report({ ...inputs, k }, { features: { numFeatures }, keyMask });
    for (const figure of [
      found.outputError,
      found.totalVariation.worst,
      found.contrast.estimated,
      found.contrast.exact,
    ]) {
      expect(Math.abs(figure)).toBeLessThan(1e-12);
    }
    expect(found.warnings).toEqual([]);
  });

  it('leaves out queries that see no valid key', async () => {
    const options = { causal: true, offset: -3, keyMask: [new Array(13).fill(0), keyMask[1]] };
    const drawn = { numFeatures };
    const found = await report(inputs, { ...options, features: drawn });
    const [estimate, exact] = [kernelOf(drawn), softmaxKernel].map((kernel) => matrix(kernel, inputs, options));
    const { p: _, ...expected } = expectedError(estimate, exact, inputs, options, everyHead.slice(3), everyRow);
    expectClose(found, expected);
    expect(found.heads[0]).toMatchObject({ outputError: 0, totalVariation: { mean: 0 }, effectiveFeatures: 0, p: 0 });
  });

  it('is near exact attention with many features, and within its bounds with few', async () => {
    const small = { batch: 1, heads: 1, lengthQ: 5, lengthK: 7, dHead: 3, dValue: 2 };
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1000 }),
        fc.constantFrom(0.3, 1, 10),
        fc.integer({ min: 1, max: 9 }),
        async (seed, deviation, few) => {
          const given = randomInputs(small, seed, deviation);
          const found = await report(given, { features: { numFeatures: few, seed }, causal: true });
          for (const x of [...Object.values(found.totalVariation), ...Object.values(found.contrast)]) {
            expect(x).toBeGreaterThanOrEqual(-1e-12);
            expect(x).toBeLessThanOrEqual(1 + 1e-12);
          }
          expect(found.effectiveFeatures).toBeGreaterThanOrEqual(1 - 1e-12);
          expect(found.effectiveFeatures).toBeLessThanOrEqual(few + 1e-12);
          const many = await report(given, { features: { numFeatures: 3000, seed }, causal: true });
          if (deviation === 0.3) expect(many.outputError).toBeLessThan(0.02);
        },
      ),
      { numRuns: 10, seed: 3 },
    );
  });
});

describe('warnings', () => {
  const wide: Sizes = { batch: 1, heads: 2, lengthQ: 40, lengthK: 40, dHead: 64, dValue: 5 };
  const collapsed = /collapsed towards the mean of the values/;
  const decided = /features decide a row/;

  it('tells an estimate that an epsilon has flattened from one that it has not', async () => {
    // exp(Wx̂ − D − max) + ε with D outside the maximum, as in published code: D is about 18 here, the maximum 15.
    const given = randomInputs(wide, 3, 1.5);
    const { queries, keys, values } = uploadInputs(backend, given);
    const positive = drawFeatures(backend, 64);
    const bias = tensor(backend, new Float64Array(256).fill(-33), [256]);
    const reports = await Promise.all(
      [1e-4, 0].map((epsilon) =>
        approximationReport(queries, keys, values, { features: { ...positive, map: 'exp', epsilon, bias } }),
      ),
    );
    const [floored, whole] = reports;
    expect(floored.contrast.exact).toBeGreaterThan(0.5);
    expect(floored.contrast.estimated).toBeLessThan(0.05);
    expect(floored.warnings.join()).toMatch(collapsed);
    expect(floored.warnings.join()).toContain('All 2 heads');
    expect(whole.warnings.join()).not.toMatch(collapsed);
    const healthy = await approximationReport(queries, keys, values, { features: positive });
    expect(healthy.warnings.join()).not.toMatch(collapsed);
    // Its output is the mean of the values.
    const out = await favorAttention(queries, keys, values, {
      features: { ...positive, map: 'exp', epsilon: 1e-4, bias },
    }).data();
    const average = given.v[0][1].reduce((sum, row) => sum + row[2] / 40, 0);
    expect(Math.abs(out[(40 + 17) * 5 + 2] - average)).toBeLessThan(0.02);
  });

  it('is silent about averaging where the exact rows average too', async () => {
    const found = await report(randomInputs(wide, 3, 0.1), {
      features: { numFeatures: 64, featureMap: { type: 'generalised', activation: 'sigmoid', epsilon: 100 } },
    });
    expect(found.contrast.estimated).toBeLessThan(0.25 * found.contrast.exact);
    expect(found.warnings.join()).not.toMatch(collapsed);
  });

  it('says that features are too few for long queries and keys, and no more where they are enough', async () => {
    const found = await report(randomInputs(wide, 3, 2), { features: { numFeatures: 256 } });
    expect(found.outputError).toBeGreaterThan(0.5);
    expect(found.warnings.join()).toMatch(decided);
    expect(found.warnings.join()).toContain(
      `${Math.min(...found.heads.map((h) => h.effectiveFeatures)).toFixed(1)} of 256`,
    );
    expect((await report(randomInputs(wide, 3, 0.5), { features: { numFeatures: 256 } })).warnings).toEqual([]);
  });

  it('names the heads concerned', async () => {
    const [long, short] = [2, 0.5].map((deviation) => randomInputs(wide, 3, deviation));
    const mixed = { ...short, q: [[short.q[0][0], long.q[0][1]]], k: [[short.k[0][0], long.k[0][1]]] };
    const { warnings } = await report(mixed, { features: { numFeatures: 256 } });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^Head 1 of batch row 0: /);
  });

  it('counts negative sums of trigonometric features, and positive features have none', async () => {
    const given = randomInputs(wide, 3, 1.5);
    const found = await report(given, { features: { numFeatures: 32, featureMap: 'trigonometric' } });
    expect(found.negativeDenominators).toBeGreaterThan(0.1);
    expect(found.warnings.join()).toMatch(/sum of a row is negative for up to \d+ %/);
    expect((await report(given, { features: { numFeatures: 32 } })).negativeDenominators).toBe(0);
  });

  it('says that a generalised map estimates another kernel', async () => {
    const found = await report(randomInputs(wide, 3, 0.5), { features: { numFeatures: 64, featureMap: 'relu' } });
    expect(found.estimatesSoftmax).toBe(false);
    expect(found.warnings[0]).toMatch(/^These features define a kernel of their own/);
  });
});

describe('formatReport', () => {
  it('has a line for each head, one over all, and the warnings', async () => {
    const found = await report(inputs, { features: { numFeatures: 2 }, smallestNumFeatures: { error: 0.5 } });
    const lines = formatReport(found).split('\n');
    expect(lines).toHaveLength(1 + 1 + 6 + 1 + 1 + found.warnings.length);
    expect(lines[2]).toContain(found.heads[0].outputError.toPrecision(3));
    expect(lines[8]).toMatch(/^all /);
    expect(lines[8]).toContain(found.totalVariation.worst.toPrecision(3));
    expect(lines[9]).toBe(`features for an output error of 0.5: ${found.smallestNumFeatures?.numFeatures}`);
  });
});
