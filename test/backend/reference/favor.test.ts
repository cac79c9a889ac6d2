/** Reference FAVOR+ beyond the positive map: closed forms, and central differences of every map, form and result. */
import { describe, expect, test } from 'vitest';
import { projectionLength } from '../../../src/backend/projection-sizes.ts';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import type { Estimator, FavorResult, FeatureMapKind, ProjectionForm, Storage } from '../../../src/backend/types.ts';
import { Random } from '../../../src/base/random.ts';
import { centralDifferences, expectClose, weightedLoss } from './central-differences.ts';

const backend = createReferenceBackend();
const random = new Random(20210304);
const normals = (count: number, scale = 1) => Float64Array.from({ length: count }, () => scale * random.normal());
const zeros = (count: number) => backend.upload(new Float64Array(count));

function states(count: number, numFeatures: number, dValue: number) {
  return {
    sums: zeros(count * numFeatures * (dValue + 1)),
    compensation: zeros(count * numFeatures * (dValue + 1)),
    scales: backend.upload(new Float64Array(count * numFeatures).fill(Number.NEGATIVE_INFINITY)),
  };
}

/** The inputs of one head, no projection: u = x̂. */
function withoutProjection(map: FeatureMapKind, dHead: number, epsilon = 0): Estimator & { projection: Storage } {
  const projection = backend.upload(new Float64Array(dHead).fill(1));
  return { map, epsilon, form: 'givens', factors: 0, directions: dHead, numFeatures: dHead, projection };
}

interface Head {
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
}

/** Bidirectional FAVOR+ of one head; the values have two columns. */
async function favorOf(
  features: Estimator & { projection: Storage; bias?: Storage },
  result: FavorResult,
  dHead: number,
  { q, k, v }: Head,
) {
  const [lengthQ, lengthK, dValue] = [q.length / dHead, k.length / dHead, v.length / (k.length / dHead)];
  const state = states(1, features.numFeatures, dValue);
  const [out, denominator] = [zeros(lengthQ * dValue), zeros(lengthQ)];
  backend.favor({
    ...{ numSequences: 1, heads: 1, lengthQ, lengthK, dHead, dValue, layout: 'bhld' },
    ...{ q: backend.upload(q), k: backend.upload(k), v: backend.upload(v), out, denominator, ...state },
    ...{ ...features, ...result, sequences: backend.upload(Int32Array.of(0, 0, lengthQ, 0, lengthK, 0)) },
  });
  return { out: await backend.read(out), denominator: await backend.read(denominator), state };
}

describe('reference FAVOR+ in closed form', () => {
  test('sine over [W; W] with bias [0; π/2] gives K(x, x) = exp(‖x̂‖²) exactly, whatever W', async () => {
    const [dHead, half] = [3, 5];
    const w = normals(half * dHead);
    const x = normals(dHead, 2);
    const v = normals(2);
    const features = {
      ...({ map: 'sine', epsilon: 0, form: 'dense', factors: 0, directions: 2 * half, numFeatures: 2 * half } as const),
      projection: backend.upload(Float64Array.from([...w, ...w])),
      bias: backend.upload(Float64Array.from({ length: 2 * half }, (_, r) => (r < half ? 0 : Math.PI / 2))),
    };
    const { out } = await favorOf(features, { weight: 1 / half, stabiliser: 0 }, dHead, { q: x, k: x, v });
    const kernel = Math.exp(x.reduce((sum, value) => sum + value * value, 0) / Math.sqrt(dHead));
    expectClose(
      out,
      v.map((value) => kernel * value),
      1e-13,
    );
  });

  const plainMaps: [FeatureMapKind, (u: number) => number][] = [
    ['relu', (u) => (u + Math.abs(u)) / 2],
    ['exp', (u) => Math.E ** u],
    ['sigmoid', (u) => (1 + Math.tanh(u / 2)) / 2],
    ['abs', (u) => Math.sqrt(u * u)],
    ['cos', (u) => 1 - 2 * Math.sin(u / 2) ** 2],
    ['tanh', (u) => 1 - 2 / (Math.exp(2 * u) + 1)],
    ['identity', (u) => u],
    ['eluPlusOne', (u) => (u > 0 ? u : Math.expm1(u)) + 1],
    ['square', (u) => u ** 2],
  ];
  test.each(plainMaps)('%s + epsilon without a projection: weight·Σ_j (f(q̂)·f(k̂_j)) v_j, scales 0', async (map, f) => {
    const [dHead, epsilon, weight] = [3, 0.125, 0.3];
    const head = { q: normals(2 * dHead), k: normals(4 * dHead), v: normals(4 * 2) };
    const { out, state } = await favorOf(
      withoutProjection(map, dHead, epsilon),
      { weight, stabiliser: 0 },
      dHead,
      head,
    );
    const featuresOf = (data: Float64Array, row: number) =>
      Array.from(data.subarray(row * dHead, (row + 1) * dHead), (value) => f(value / dHead ** 0.25) + epsilon);
    const expected = Float64Array.from({ length: 4 }, (_, at) => {
      const query = featuresOf(head.q, Math.floor(at / 2));
      let sum = 0;
      for (let j = 0; j < 4; j++) {
        const key = featuresOf(head.k, j);
        sum += weight * query.reduce((total, value, r) => total + value * key[r], 0) * head.v[j * 2 + (at % 2)];
      }
      return sum;
    });
    expectClose(out, expected, 1e-13);
    expect(await backend.read(state.scales)).toEqual(new Float64Array(dHead));
  });

  test('gelu is u·Φ(u): tabulated values', async () => {
    const x = backend.upload(Float64Array.of(0.5, -1, 2));
    const out = zeros(3);
    const sizes = { batch: 1, heads: 1, length: 3, dHead: 1, layout: 'bhld' as const };
    backend.favorFeatures({ ...withoutProjection('gelu', 1), x, out, ...sizes });
    expectClose(await backend.read(out), [0.34573123063700656, -0.15865525393145707, 1.9544997361036416], 1e-14);
  });

  test('sine keeps one scale for all features: the largest D of a valid key in bits', async () => {
    const dHead = 2;
    const head = { q: normals(2), k: Float64Array.of(3, 1, -5, 4, 0, 2), v: normals(3 * 2) };
    const { state } = await favorOf(withoutProjection('sine', dHead), { weight: 0, stabiliser: 0 }, dHead, head);
    const bits = Math.round((41 / Math.sqrt(2) / 2) * Math.LOG2E);
    expect(await backend.read(state.scales)).toEqual(Float64Array.of(bits, bits));
  });

  test('the stabiliser is added twice to a sum no larger than itself, and to no other', async () => {
    const dHead = 1;
    // one key of 1, so the sums are the queries
    const head = { q: Float64Array.of(0.5, -0.5, 0.51, -0.51, 0), k: Float64Array.of(1), v: Float64Array.of(3, 7) };
    const result = { weight: 0, stabiliser: 0.5 };
    const { out, denominator } = await favorOf(withoutProjection('identity', dHead), result, dHead, head);
    expectClose(denominator, [1.5, 0.5, 0.51, -0.51, 1], 1e-15);
    expectClose(out, [1, 7 / 3, -3, -7, 3, 7, 3, 7, 0, 0], 1e-15);
  });

  test('a sum of exactly zero without a stabiliser gives zeros, not NaN', async () => {
    const head = { q: Float64Array.of(-1, 2), k: Float64Array.of(1), v: Float64Array.of(3, 7) };
    const { out } = await favorOf(withoutProjection('relu', 1), { weight: 0, stabiliser: 0 }, 1, head);
    expect(out).toEqual(Float64Array.of(0, 0, 3, 7));
  });
});

interface GradientCase {
  readonly map: FeatureMapKind;
  readonly form: ProjectionForm;
  readonly causal: boolean;
  readonly weight: number;
  readonly stabiliser: number;
  readonly offset: number;
}

const gradientCase = (
  map: FeatureMapKind,
  form: ProjectionForm,
  causal: boolean,
  weight = 0,
  stabiliser = 0,
  offset = 2,
): GradientCase => ({ map, form, causal, weight, stabiliser, offset });

const gradientCases: GradientCase[] = [
  gradientCase('exponential', 'hadamard', false),
  gradientCase('exponential', 'givens', true, 0.3, 0, -1),
  gradientCase('sine', 'dense', false, 0.3),
  gradientCase('sine', 'givens', true, 0.3),
  // large enough for every sum
  gradientCase('sine', 'hadamard', true, 0, 50),
  gradientCase('exponential', 'dense', false, 0, 100),
  gradientCase('relu', 'hadamard', true, 0, 0, 9),
  gradientCase('relu', 'givens', false, 0.3),
  gradientCase('exp', 'dense', true),
  gradientCase('sigmoid', 'hadamard', false),
  gradientCase('abs', 'givens', true, 0, 0, -2),
  gradientCase('gelu', 'hadamard', true, 0.3),
  gradientCase('cos', 'dense', false, 0.3),
  gradientCase('tanh', 'givens', true, 0.3),
  gradientCase('tanh', 'dense', false, 0, 50),
  gradientCase('identity', 'dense', true, 0.3),
  gradientCase('eluPlusOne', 'hadamard', true),
  gradientCase('square', 'givens', false),
];

describe('reference FAVOR+ backward against central differences', () => {
  test.each(gradientCases)('$map $form, causal $causal, weight $weight, stabiliser $stabiliser', async (item) => {
    const { map, form, causal, weight, stabiliser, offset } = item;
    const [heads, lengthQ, lengthK, dHead, dValue, directions] = [2, 5, 7, 3, 2, 5];
    const numFeatures = form === 'dense' ? directions : 2 * directions;
    const features = {
      ...{ map, form, numFeatures, epsilon: 0.1, factors: form === 'dense' ? 0 : 3 },
      directions: form === 'dense' ? numFeatures : directions,
    };
    const projection = normals(projectionLength(features, dHead), form === 'hadamard' ? 0.7 : 1);
    for (let rotation = 0; form === 'givens' && rotation < 6; rotation++) {
      const angle = random.normal();
      projection.set([rotation % 3, (rotation + 1) % 3, Math.cos(angle), Math.sin(angle)], rotation * 4);
    }
    const inputs = {
      q: backend.upload(normals(heads * lengthQ * dHead)),
      k: backend.upload(normals(heads * lengthK * dHead)),
      v: backend.upload(normals(heads * lengthK * dValue)),
    };
    const mask = new Float64Array(lengthK).fill(1);
    mask[1] = 0;
    const call = {
      ...{ ...inputs, ...features, weight, stabiliser },
      ...{ numSequences: 2, heads, lengthQ, lengthK, dHead, dValue, layout: 'blhd' as const },
      sequences: backend.upload(Int32Array.of(0, 0, 4, 0, 5, offset, 0, 4, 1, 5, 2, 0)),
      keyMask: backend.upload(mask),
      projection: backend.upload(projection),
      bias: backend.upload(normals(numFeatures)),
      out: zeros(heads * lengthQ * dValue),
      denominator: zeros(heads * lengthQ),
    };
    const state = states(2 * heads, numFeatures, dValue);
    const weights = normals(heads * lengthQ * dValue);
    const forward = () => (causal ? backend.favorCausal(call) : backend.favor({ ...call, ...state }));
    const loss = weightedLoss(backend, forward, call.out, weights);
    forward();
    const gradients = {
      dQ: zeros(heads * lengthQ * dHead),
      dK: zeros(heads * lengthK * dHead),
      dV: zeros(heads * lengthK * dValue),
    };
    const backwardCall = { ...call, ...gradients, dOut: backend.upload(weights) };
    if (causal) backend.favorCausalBackward({ ...backwardCall, snapshots: zeros(0) });
    else backend.favorBackward({ ...backwardCall, ...state });
    if (stabiliser > 0) {
      const stabilised = (await backend.read(call.denominator)).filter((value) => value !== 0);
      expect(Math.min(...stabilised), 'every sum is stabilised').toBeGreaterThan(stabiliser);
      expect(Math.max(...stabilised), 'every sum is stabilised').toBeLessThan(3 * stabiliser);
    }
    expectClose(await backend.read(gradients.dQ), await centralDifferences(backend, inputs.q, loss), 1e-6);
    expectClose(await backend.read(gradients.dK), await centralDifferences(backend, inputs.k, loss), 1e-6);
    expectClose(await backend.read(gradients.dV), await centralDifferences(backend, inputs.v, loss), 1e-6);
  });
});
