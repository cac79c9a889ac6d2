import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BenchmarkCase, relativeError } from '../../bench/case.ts';
import type { AttentionProblem, Peer, PeerRun, PeerTask } from '../../bench/peers/peer.ts';
import { exactTask, favorTask, productTask } from '../../bench/peers/tasks.ts';
import { formatCase, resultOf } from '../../bench/report.ts';
import { runCase } from '../../bench/run.ts';
import { type Backend, createBackend } from '../../src/entries/performers.ts';

let reference: Backend;
let backend: Backend;
beforeAll(async () => {
  reference = await createBackend({ backend: 'reference' });
  backend = await createBackend({ backend: 'wasm', numThreads: 1 });
});
afterAll(() => {
  reference.close();
  backend.close();
});

const task: PeerTask = {
  label: 'sum',
  flops: 10,
  against: 'own sum',
  bound: 1e-4,
  start: (peer, size) =>
    peer.gemm?.({ m: size === 'small' ? 1 : 2, n: 1, k: 1, a: new Float32Array(1), b: new Float32Array(1) }, 1),
  expected: async () => [1, 2],
};

const benchmark: BenchmarkCase = {
  name: 'sums',
  description: 'adds',
  check: async () => [],
  prepare: async () => ({
    subjects: [{ label: 'own sum', flops: 10, exponentials: 1, run: () => {} }],
    summarise: (timings) => [{ label: 'subjects', value: timings.length, unit: 'of one' }],
    release: () => {},
  }),
  peerTasks: () => [task],
};

const released: string[] = [];
const runOf = (form: string, values: number[], run: PeerRun['run'] = () => {}): PeerRun => ({
  form,
  run,
  read: async () => values,
  release: () => void released.push(form),
});

const peer = (name: string, gemm: Peer['gemm'], runsOn: Peer['runsOn'] = 'wasm'): Peer => ({
  name,
  runsOn,
  threads: () => 1,
  gemm,
});

const timedWith = (peers: Peer[]) =>
  runCase(benchmark, {
    kind: 'wasm',
    backends: [backend],
    reference,
    peers,
    rounds: 2,
    peakOf: () => ({ label: 'some peak', flops: 10, run: () => {} }),
  });

test('peers that throw, are wrong or fail at work are reported, and the others are timed', async () => {
  released.length = 0;
  let calls = 0;
  const report = await timedWith([
    peer('absent', async () => {
      throw new Error('it is not installed');
    }),
    peer('wrong', async () => [
      runOf('off by half', [1, 1]),
      runOf('not a number', [1, Number.NaN]),
      runOf('right', [1, 2]),
    ]),
    peer('failing', async () => [
      runOf('', [1, 2], () => {
        if (++calls > 2) throw new Error('lost its device');
      }),
    ]),
    peer('good', async () => [runOf('', [1.00001, 2])]),
    peer('elsewhere', async () => [runOf('', [1, 2])], 'native'),
    { name: 'unable', runsOn: 'wasm', threads: () => 1 },
  ]);
  expect(report.results.map(({ label }) => label)).toEqual([
    'own sum',
    'wrong right, sum, 1 thread',
    'good, sum, 1 thread',
  ]);
  expect(report.comparisons.map(({ slow, fast, peer: isPeer }) => [slow, fast, isPeer])).toEqual([
    ['wrong right, sum, 1 thread', 'own sum', true],
    ['good, sum, 1 thread', 'own sum', true],
  ]);
  expect(report.unavailable).toEqual([
    { name: 'absent (sum)', reason: 'it is not installed' },
    {
      name: 'wrong off by half (sum)',
      reason: 'its values differ from float64 by 5.0e-1 of the largest: more than 0.0001',
    },
    {
      name: 'wrong not a number (sum)',
      reason: 'its values differ from float64 by NaN of the largest: more than 0.0001',
    },
    { name: 'failing, sum, 1 thread', reason: 'lost its device' },
  ]);
  const text = stripVTControlCharacters(formatCase(report, 2));
  expect(text).toContain('absent (sum): not measured: it is not installed');
  expect(text).toContain('own sum: ');
  expect(text).toContain('subjects: 1 of one');
  expect(text).toContain('some peak');
  // every run of the small and of the timed problem
  expect(released.sort()).toEqual(
    [
      ...Array(2).fill('off by half'),
      ...Array(2).fill('not a number'),
      ...Array(2).fill('right'),
      ...Array(4).fill(''),
    ].sort(),
  );
});

test('one line for a peer that fails at several tasks for one reason', async () => {
  const absent = peer('absent', async () => {
    throw new Error('it is not installed');
  });
  const twice: BenchmarkCase = { ...benchmark, peerTasks: () => [task, { ...task, label: 'other sum' }] };
  const report = await runCase(twice, { kind: 'wasm', backends: [backend], reference, peers: [absent], rounds: 1 });
  expect(report.unavailable).toEqual([{ name: 'absent (sum; other sum)', reason: 'it is not installed' }]);
});

test('shares: of the peak of the same round, and with twelve flops for every exponential', () => {
  const result = resultOf('case', {
    subject: { label: 'a', flops: 2e9, exponentials: 1e8, tokens: 500, run: () => {} },
    rounds: [0, 1, 2],
    milliseconds: [10, 20, 40],
    peaks: [400, 200, 200],
    peakLabel: 'avx2, 3 threads',
  });
  expect(result).toMatchObject({
    milliseconds: 20,
    gigaflopsPerSecond: 100,
    peak: 200,
    peakOf: 'avx2, 3 threads',
    tokensPerSecond: 25000,
  });
  expect(result.shareOfPeak).toBeCloseTo(0.5, 12);
  expect(result.shareWithExponentials).toBeCloseTo(0.5 * 1.6, 12);
});

/** Attention by its definition: every weight is a function of two mapped rows. */
function attention(
  { heads, length, dHead, q, k, v, causal }: AttentionProblem,
  map: (row: Float32Array) => ArrayLike<number>,
  weightOf: (product: number) => number,
): number[] {
  const rows = (x: Float32Array, h: number) =>
    Array.from({ length }, (_, i) => x.subarray((h * length + i) * dHead, (h * length + i + 1) * dHead));
  return Array.from({ length: heads }, (_, h) => {
    const [queries, keys, values] = [rows(q, h).map(map), rows(k, h).map(map), rows(v, h)];
    return queries.map((query, i) => {
      const weights = keys.map((key, j) => (causal && j > i ? 0 : weightOf(dot(query, key))));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return Array.from(
        { length: dHead },
        (_, c) =>
          dot(
            weights,
            values.map((value) => value[c]),
          ) / total,
      );
    });
  }).flat(2);
}

function dot(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i] * y[i];
  return total;
}

function positiveFeatures({ dHead, numFeatures, projection }: AttentionProblem) {
  return (x: Float32Array) =>
    Array.from({ length: numFeatures }, (_, r) => {
      const direction = projection.subarray(r * dHead, (r + 1) * dHead);
      return Math.exp(dot(direction, x) * dHead ** -0.25 - dot(x, x) / 2 / Math.sqrt(dHead));
    });
}

const definition: Peer = {
  name: 'definition',
  runsOn: 'wasm',
  threads: () => 1,
  gemm: async ({ m, n, k, a, b }) => [
    runOf(
      '',
      Array.from({ length: m * n }, (_, i) =>
        dot(
          a.subarray(Math.floor(i / n) * k, (Math.floor(i / n) + 1) * k),
          Array.from({ length: k }, (_, t) => b[t * n + (i % n)]),
        ),
      ),
    ),
  ],
  exact: async (problem) => [
    runOf(
      '',
      attention(
        problem,
        (x) => x,
        (product) => Math.exp(product / Math.sqrt(problem.dHead)),
      ),
    ),
  ],
  favor: async (problem) => [
    runOf(
      '',
      attention(problem, positiveFeatures(problem), (product) => product),
    ),
  ],
};

const agreement: readonly { readonly what: string; readonly small: PeerTask }[] = [
  { what: 'product', small: productTask('', '', [1, 1, 1]) },
  ...[false, true].flatMap((causal) => [
    { what: `exact, causal ${causal}`, small: exactTask({ label: '', against: '', length: 2, causal }) },
    { what: `FAVOR+, causal ${causal}`, small: favorTask({ label: '', against: '', length: 2, causal }) },
  ]),
];

test.each(agreement)('what peers are given and what their values are compared with agree: $what', async ({ small }) => {
  const [its] = (await small.start(definition, 'small', 1)) ?? [];
  const [values, expected] = [await its.read(), await small.expected(reference)];
  expect(relativeError('', values, expected)).toBeLessThan(1e-6);
});
