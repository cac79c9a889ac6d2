/** Every array of every call: with as many numbers as the call needs it is taken, with one fewer refused by name. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exponentialEstimator, snapshotsLength } from '../../src/backend/projection-sizes.ts';
import type { Backend, Storage } from '../../src/backend/types.ts';
import { ShapeError } from '../../src/base/errors.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { compiledBackends } from './available.ts';

type CallName = {
  [Name in keyof Backend]: Backend[Name] extends (args: never) => void ? Name : never;
}[keyof Backend];

interface Call {
  readonly name: CallName;
  readonly sizes: Readonly<Record<string, unknown>>;
  /** Lengths of arrays of zeros. */
  readonly floats: Readonly<Record<string, number>>;
  readonly integers?: Readonly<Record<string, readonly number[]>>;
}

// Both batch rows have a sequence, and all sizes differ.
const heads = 2;
const queries = { batch: 2, length: 3 };
const keys = { batch: 2, length: 5 };
const widths = { dHead: 7, dValue: 4 };
const perQuery = queries.batch * heads * queries.length;
const perKey = keys.batch * heads * keys.length;
const inputs = { q: perQuery * 7, k: perKey * 7, v: perKey * 4, keyMask: keys.batch * keys.length };
const gradients = { out: perQuery * 4, dOut: perQuery * 4, dQ: perQuery * 7, dK: perKey * 7, dV: perKey * 4 };
const attention = { heads, lengthQ: 3, lengthK: 5, ...widths, numSequences: 2, layout: 'bhld' };
const sequences = [0, 0, 3, 0, 5, 0, 1, 0, 3, 0, 5, 0];
const softmax = { causal: false, normalise: true, scale: 1 };

const numFeatures = 6;
const estimator = { ...exponentialEstimator(numFeatures), weight: 0, stabiliser: 0 };
const features = { projection: numFeatures * 7, bias: numFeatures };
const states = (count: number) => ({
  sums: count * numFeatures * 5,
  compensation: count * numFeatures * 5,
  scales: count * numFeatures,
});
// Causal gradients keep a state after each 256 positions.
const long = { ...attention, lengthQ: 200, lengthK: 330 };
const longSequences = [0, 0, 200, 0, 330, 130, 1, 0, 200, 0, 330, 130];
const longInputs = { q: 800 * 7, k: 1320 * 7, v: 1320 * 4, keyMask: 660, denominator: 800, out: 800 * 4 };
const snapshots = snapshotsLength(
  { numSequences: 2, heads, lengthQ: 200, lengthK: 330, dHead: 7, dValue: 4 } as never,
  6,
);

const rows = { batch: 2, heads, length: 5, layout: 'bhld' };
const sorted = { ...rows, dHead: 7, numSequences: 2, chunkLength: 2, numHashes: 1, causal: false };
const order = Array.from({ length: 4 }, () => [0, 1, 2, 3, 4]).flat();
const chunks = Array.from({ length: 4 }, () => [0, 0, 2, 2, 4]).flat();
const positions = [0, 0, 5, 0, 5, 0, 1, 0, 5, 0, 5, 0];
const lsh = { q: 20 * 7, keyMask: 10, v: 20 * 4, out: 20 * 4, references: 20, sums: 20 };

const adamW = {
  ...{ learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8 },
  ...{ weightDecay: 0, step: 1, gradientScale: 1 },
};

const calls: Call[] = [
  { name: 'gemm', sizes: { m: 2, n: 3, k: 4 }, floats: { a: 8, b: 12, c: 6, bias: 3 } },
  {
    name: 'gemm',
    sizes: {
      m: 2,
      n: 3,
      k: 4,
      batch: 2,
      transposeA: true,
      lda: 5,
      ldb: 6,
      ldc: 7,
      strideA: 31,
      strideB: 41,
      strideC: 51,
    },
    floats: { a: 31 + 3 * 5 + 2, b: 41 + 3 * 6 + 3, c: 51 + 7 + 3 },
  },
  { name: 'sumAxis', sizes: { outer: 2, length: 3, inner: 4 }, floats: { x: 24, out: 8 } },
  {
    name: 'stridedCopy',
    sizes: { numAxes: 2, count: 6 },
    floats: { x: 16, out: 8 },
    integers: { layout: [2, 1, 5, 3, 7, 1] },
  },
  {
    name: 'binary',
    sizes: { kind: 'divide', numAxes: 2, count: 6 },
    floats: { a: 11, b: 9, out: 6 },
    integers: { layout: [2, 0, 4, 3, 5, 2] },
  },
  {
    name: 'select',
    sizes: { numAxes: 2, count: 6 },
    floats: { condition: 5, a: 11, b: 9, out: 6 },
    integers: { layout: [2, 0, 0, 4, 3, 2, 5, 2] },
  },
  { name: 'softmax', sizes: { rows: 2, width: 3 }, floats: { x: 6, out: 6 } },
  { name: 'softmaxBackward', sizes: { rows: 2, width: 3, isLog: true }, floats: { out: 6, dOut: 6, dX: 6 } },
  {
    name: 'layerNorm',
    sizes: { rows: 3, width: 4, epsilon: 1e-5 },
    floats: { x: 12, gamma: 4, beta: 4, out: 12, mean: 3, inverseDeviation: 3 },
  },
  {
    name: 'layerNormBackward',
    sizes: { rows: 3, width: 4 },
    floats: { x: 12, gamma: 4, mean: 3, inverseDeviation: 3, dOut: 12, dX: 12, dGamma: 4, dBeta: 4 },
  },
  { name: 'embedding', sizes: { count: 3, width: 4 }, floats: { out: 12 }, integers: { ids: [0, 1, 1] } },
  { name: 'embeddingBackward', sizes: { count: 3, width: 4 }, floats: { dOut: 12 }, integers: { ids: [0, 1, 1] } },
  {
    name: 'rotary',
    sizes: { ...rows, dHead: 6, offset: 0, base: 10_000, inverse: false },
    floats: { x: 120, out: 120 },
  },
  {
    name: 'softmaxCrossEntropy',
    sizes: { rows: 3, vocabSize: 4, gradientScale: 1 },
    floats: { logits: 12, loss: 3, correct: 3, dLogits: 12 },
    integers: { targets: [3, 0, -1] },
  },
  {
    name: 'softmaxKlDivergence',
    sizes: { rows: 3, vocabSize: 4, gradientScale: 1, inverseTemperature: 1 },
    floats: { logits: 12, targets: 12, loss: 3, correct: 3, dLogits: 12 },
  },
  { name: 'adamW', sizes: adamW, floats: { gradient: 5, firstMoment: 5, secondMoment: 5 } },
  {
    name: 'softmaxAttention',
    sizes: { ...attention, ...softmax },
    floats: { ...inputs, out: perQuery * 4, logSumExp: perQuery },
    integers: { sequences },
  },
  {
    name: 'softmaxAttentionBackward',
    sizes: { ...attention, ...softmax },
    floats: { ...inputs, ...gradients, logSumExp: perQuery },
    integers: { sequences },
  },
  {
    name: 'lshSort',
    sizes: { ...sorted, numRotations: 3, numBuckets: 6 },
    floats: { q: 20 * 7, keyMask: 10, rotations: 21 },
    integers: { order, chunks, sequences: positions },
  },
  {
    name: 'lshAttention',
    sizes: { ...sorted, dValue: 4, scale: 1 },
    floats: lsh,
    integers: { order, chunks, sequences: positions },
  },
  {
    name: 'lshAttentionBackward',
    sizes: { ...sorted, dValue: 4, scale: 1 },
    floats: { ...lsh, dOut: 20 * 4, dQ: 20 * 7, dV: 20 * 4 },
    integers: { order, chunks, sequences: positions },
  },
  {
    name: 'favorFeatures',
    sizes: { ...rows, dHead: 7, ...estimator },
    floats: { ...features, x: 20 * 7, out: 20 * numFeatures },
  },
  {
    name: 'favor',
    sizes: { ...attention, ...estimator },
    floats: { ...inputs, ...features, ...states(4), out: perQuery * 4, denominator: perQuery },
    integers: { sequences },
  },
  {
    name: 'favorBackward',
    sizes: { ...attention, ...estimator },
    floats: { ...inputs, ...features, ...states(4), ...gradients, denominator: perQuery },
    integers: { sequences },
  },
  {
    name: 'favorCausal',
    sizes: { ...long, ...estimator },
    floats: { ...longInputs, ...features, snapshots },
    integers: { sequences: longSequences },
  },
  {
    name: 'favorCausalBackward',
    sizes: { ...long, ...estimator },
    floats: { ...longInputs, ...features, snapshots, dOut: 800 * 4, dQ: 800 * 7, dK: 1320 * 7, dV: 1320 * 4 },
    integers: { sequences: longSequences },
  },
  {
    name: 'favorStep',
    sizes: { batch: 2, heads, ...widths, ...estimator },
    floats: { ...features, ...states(4), q: 4 * 7, k: 4 * 7, v: 4 * 4, out: 4 * 4 },
  },
];

describe.each([...compiledBackends, 'reference'] as const)('%s', (backendName) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend({ backend: backendName, ...(backendName !== 'reference' && { numThreads: 1 }) });
  });
  afterAll(() => backend.close());

  /** Whole tables, of which a call takes as many rows as there are. */
  const whole: Partial<Record<CallName, Record<string, number>>> = {
    embedding: { table: 8 },
    embeddingBackward: { dTable: 8 },
    adamW: { parameter: 5 },
  };

  test.each(calls)('$name', async ({ name, sizes, floats, integers = {} }) => {
    const make = (short?: string) => {
      const arrays: Record<string, Storage> = {};
      for (const [key, length] of Object.entries({ ...floats, ...whole[name] })) {
        arrays[key] = backend.upload(new Float32Array(length - (key === short ? 1 : 0)));
      }
      for (const [key, values] of Object.entries(integers)) {
        arrays[key] = backend.upload(Int32Array.from(key === short ? values.slice(1) : values));
      }
      return { ...sizes, ...arrays };
    };
    const call = (args: object) => (backend[name] as (args: object) => void).call(backend, args);
    call(make());
    for (const [key, length] of Object.entries(floats)) {
      const tooFew = `${name}: ${key} has ${length - 1} elements of float32 where ${length} of float32 are needed.`;
      expect(() => call(make(key)), key).toThrow(new ShapeError(tooFew));
    }
    for (const [key, values] of Object.entries(integers)) {
      const tooFew = `${name}: ${key} has ${values.length - 1} elements of int32 where ${values.length} of int32 are needed.`;
      expect(() => call(make(key)), key).toThrow(new ShapeError(tooFew));
    }
  });
});
