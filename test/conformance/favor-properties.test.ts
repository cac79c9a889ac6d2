/** What FAVOR+ promises beyond single calls: streaming, no future leak, packing, long sequences. */
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { dividedRows } from '../../src/backend/projection-sizes.ts';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import type { Backend, BackendName } from '../../src/backend/types.ts';
import { Random } from '../../src/base/random.ts';
import { differingOutputs, normals, relativeError, relativeNormError } from './case.ts';
import { openPair } from './conformance.ts';
import { estimatorOf, type FavorOptions, featureInputs, NORM_BOUND, outBound } from './favor.ts';
import { emptyStates, FavorRunner, type Inputs, rowsOf, runningFavor } from './favor-runner.ts';

interface Sizes {
  readonly heads: number;
  readonly length: number;
  readonly dHead: number;
  readonly dValue: number;
  readonly numFeatures: number;
}

type Features = Omit<FavorOptions, 'numFeatures' | 'hasBias'>;

function randomInputs(random: Random, sizes: Sizes, scale = 1, features: Features = {}): Inputs {
  const { heads, length, dHead, dValue, numFeatures } = sizes;
  const options = { ...features, numFeatures, hasBias: false };
  const q = normals(random, heads * length * dHead, scale);
  const k = normals(random, heads * length * dHead, scale);
  const v = normals(random, heads * length * dValue);
  const { projection, bias } = featureInputs({ ...options, dHead }, random);
  if (!(projection instanceof Float32Array) || bias instanceof Int32Array) throw new Error('features are floats');
  const result = { ...dividedRows, weight: features.weight ?? 0 };
  return { ...sizes, estimator: estimatorOf(options, dHead), result, q, k, v, projection, bias };
}

/** One estimator for every kind of scale and form. Sums of sines may vanish, so their rows are not divided. */
const estimators: [name: string, features: Features][] = [
  ['relu', { map: 'relu' }],
  ['sine', { map: 'sine', weight: 0.1 }],
  ['hadamard', { form: 'hadamard' }],
  ['relu givens', { map: 'relu', form: 'givens' }],
];

/** Inputs and float64 outputs, computed once for all backends. */
function memoize<Key, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const known = new Map<Key, Value>();
  return (key) => {
    if (!known.has(key)) known.set(key, compute(key));
    return known.get(key) as Value;
  };
}

const longSequence = memoize((scale: number) => {
  const sizes = { heads: 1, length: 4096, dHead: 64, dValue: 64, numFeatures: 256 };
  const inputs = randomInputs(new Random(scale), sizes, scale);
  return { inputs, ...runningFavor(inputs) };
});

const streamedSequence = memoize((length: number) => {
  const drawn = randomInputs(new Random(3), { heads: 1, length, dHead: 8, dValue: 4, numFeatures: 16 });
  // a mean away from 0, so that the sums grow with the length and their rounding would show
  const inputs = { ...drawn, v: drawn.v.map((value) => value + 3) };
  return { inputs, causal: runningFavor(inputs).causal };
});

const arbitrarySizes = fc.record({
  heads: fc.integer({ min: 1, max: 3 }),
  length: fc.integer({ min: 1, max: 150 }),
  dHead: fc.integer({ min: 1, max: 19 }),
  dValue: fc.integer({ min: 1, max: 19 }),
  numFeatures: fc.integer({ min: 1, max: 37 }),
});
const arbitraryScale = fc.constantFrom(1, 10, 30);
const seeds = fc.integer({ min: 0, max: 2 ** 30 });

async function testProperties(name: BackendName): Promise<void> {
  const pair: [Backend, Backend] | string =
    name === 'reference' ? [createReferenceBackend(), createReferenceBackend()] : await openPair(name);
  if (typeof pair === 'string') {
    test.skip(`FAVOR+ on ${name}: ${pair}`);
    return;
  }
  const [one, two] = pair;
  afterAll(() => {
    one.close();
    two.close();
  });
  const runner = new FavorRunner(one);
  const threaded = new FavorRunner(two);
  const oracle = new FavorRunner(createReferenceBackend());
  // the quadratic oracle on itself would take minutes at the longer lengths
  const isCompiled = name !== 'reference';

  describe(`FAVOR+ on ${name}`, () => {
    test('the causal quadratic form = chunked = step by step', async () => {
      await fc.assert(
        fc.asyncProperty(arbitrarySizes, arbitraryScale, seeds, async (sizes, scale, seed) => {
          const inputs = randomInputs(new Random(seed), sizes, scale);
          const expected = await oracle.causal(inputs);
          const bound = outBound(scale);
          expect(relativeError(await runner.causal(inputs), expected)).toBeLessThan(bound);
          expect(relativeError(await runner.steps(inputs, emptyStates(inputs)), expected)).toBeLessThan(bound);
        }),
        { numRuns: isCompiled ? 40 : 10 },
      );
    });

    test.each([['positive', {}] as [string, Features], ...estimators])(
      '%s: prefill, then steps = one pass',
      async (_, features) => {
        await fc.assert(
          fc.asyncProperty(
            arbitrarySizes,
            seeds,
            fc.double({ min: 0, max: 1, noNaN: true }),
            async (sizes, seed, cut) => {
              const inputs = randomInputs(new Random(seed), sizes, features.map === 'sine' ? 1 : 3, features);
              const split = Math.floor(cut * sizes.length);
              const whole = await runner.causal(inputs);
              const state = emptyStates(inputs);
              const first = await runner.causal(rowsOf(inputs, 0, split), state);
              const rest = rowsOf(inputs, split, sizes.length);
              const stepped = await runner.steps(rest, state);
              const expected = (from: number, to: number) => rowsOf({ ...inputs, v: whole }, from, to).v;
              expect(relativeError(first, expected(0, split), 0.01)).toBeLessThan(1e-5);
              expect(relativeError(stepped, expected(split, sizes.length), 0.01)).toBeLessThan(1e-5);
            },
          ),
          { numRuns: isCompiled ? 30 : 4 },
        );
      },
    );

    test.each([['positive', {}] as [string, Features], ...estimators])(
      '%s: later tokens change nothing earlier, to the last bit',
      async (_, features) => {
        const lengths = arbitrarySizes.chain((sizes) =>
          fc.record({ sizes: fc.constant(sizes), from: fc.nat(sizes.length - 1) }),
        );
        await fc.assert(
          fc.asyncProperty(lengths, arbitraryScale, seeds, async ({ sizes, from }, scale, seed) => {
            const inputs = randomInputs(new Random(seed), sizes, features.map === 'sine' ? 1 : scale, features);
            const later = (data: Float32Array, width: number, change: (value: number) => number) =>
              data.map((value, at) => (Math.floor(at / width) % sizes.length >= from ? change(value) : value));
            const changed = {
              ...inputs,
              q: later(inputs.q, sizes.dHead, (value) => -value),
              // a sine's exp(D) must stay finite
              k: later(inputs.k, sizes.dHead, (value) => (features.map === 'sine' ? 3 : 50) * value),
              v: later(inputs.v, sizes.dValue, (value) => 1e6 * value),
            };
            const prefix = async (all: Inputs) => ({ out: rowsOf({ ...all, v: await runner.causal(all) }, 0, from).v });
            expect(differingOutputs(await prefix(changed), await prefix(inputs))).toEqual([]);
            // and nothing of what follows need exist
            const alone = { out: await runner.causal(rowsOf(inputs, 0, from)) };
            expect(differingOutputs(alone, await prefix(inputs))).toEqual([]);
          }),
          { numRuns: isCompiled ? 40 : 4 },
        );
      },
    );

    test.each(['causal', 'bidirectional'] as const)(
      '%s: packed segments equal each sequence alone, to the last bit',
      async (form) => {
        await fc.assert(
          fc.asyncProperty(
            arbitrarySizes,
            seeds,
            fc.array(fc.record({ gap: fc.nat(5), length: fc.nat(70) }), { minLength: 1, maxLength: 4 }),
            async (sizes, seed, segments) => {
              const sequences: [start: number, length: number][] = [];
              let end = 0;
              for (const { gap, length } of segments) {
                sequences.push([end + gap, length]);
                end += gap + length;
              }
              const inputs = randomInputs(new Random(seed), { ...sizes, length: end + 2 }, 2);
              const packed = await runner[form](inputs, undefined, sequences);
              for (const [start, length] of sequences) {
                const alone = await runner[form](rowsOf(inputs, start, start + length));
                const segment = rowsOf({ ...inputs, v: packed }, start, start + length).v;
                expect(differingOutputs({ out: segment }, { out: alone })).toEqual([]);
              }
            },
          ),
          { numRuns: isCompiled ? 30 : 5 },
        );
      },
    );

    test('masked padding equals the sequence without it', async () => {
      await fc.assert(
        fc.asyncProperty(arbitrarySizes, seeds, fc.nat(40), async (sizes, seed, padding) => {
          const inputs = randomInputs(new Random(seed), { ...sizes, length: sizes.length + padding }, 2);
          const mask = Float32Array.from({ length: inputs.length }, (_, j) => (j < sizes.length ? 1 : 0));
          const padded = await runner.bidirectional(inputs, mask);
          const alone = await runner.bidirectional(rowsOf(inputs, 0, sizes.length));
          const valid = rowsOf({ ...inputs, v: padded }, 0, sizes.length).v;
          expect(relativeError(valid, alone)).toBeLessThan(1e-6);
        }),
        { numRuns: isCompiled ? 30 : 5 },
      );
    });

    test.each([1, 10, 30, 1e4, 1e6, 1e18])('equal keys × %d give the mean of the values', async (scale) => {
      const inputs = randomInputs(
        new Random(7),
        { heads: 2, length: 131, dHead: 13, dValue: 5, numFeatures: 17 },
        scale,
      );
      const { heads, length, dHead, dValue } = inputs;
      const k = inputs.k.map((_, at) => inputs.k[at % dHead]);
      const mean = (head: number, count: number, column: number) => {
        let sum = 0;
        for (let j = 0; j < count; j++) sum += inputs.v[(head * length + j) * dValue + column];
        return sum / count;
      };
      const expected = (countOf: (i: number) => number) =>
        Float64Array.from({ length: heads * length * dValue }, (_, at) => {
          const row = Math.floor(at / dValue);
          return mean(Math.floor(row / length), countOf(row % length), at % dValue);
        });
      expect(
        relativeError(
          await runner.causal({ ...inputs, k }),
          expected((i) => i + 1),
        ),
      ).toBeLessThan(2e-6);
      expect(
        relativeError(
          await runner.bidirectional({ ...inputs, k }),
          expected(() => length),
        ),
      ).toBeLessThan(2e-6);
    });

    test.each([1e19, 3e37, 3.3e38])('keys of entries %d, whose ‖x̂‖² leaves float32, count as masked', async (size) => {
      const sizes = { heads: 2, length: 71, dHead: 13, dValue: 5, numFeatures: 17 };
      const inputs = randomInputs(new Random(11), sizes, 2);
      const isLarge = (j: number) => j % 5 === 2;
      const k = inputs.k.map((value, at) => (isLarge(Math.floor(at / 13) % 71) ? Math.sign(value) * size : value));
      const mask = Float32Array.from({ length: 71 }, (_, j) => (isLarge(j) ? 0 : 1));
      const expected = await runner.bidirectional(inputs, mask);
      expect(relativeError(await runner.bidirectional({ ...inputs, k }), expected)).toBeLessThan(1e-6);
      const causal = await runner.causal({ ...inputs, k });
      expect(causal.every(Number.isFinite)).toBe(true);
      expect(relativeError(await runner.steps({ ...inputs, k }, emptyStates(inputs)), causal)).toBeLessThan(1e-5);
    });

    // One component of the keys, which no direction sees, makes D large; the others tell keys apart by D's fraction alone.
    test.each([2 ** 23, 2 ** 25, 2 ** 28, 2 ** 29 - 1e6])('keys with D = %d are told apart exactly', async (norm) => {
      const sizes = { heads: 2, length: 71, dHead: 16, dValue: 5, numFeatures: 17 };
      const drawn = randomInputs(new Random(13), sizes);
      const large = Math.sqrt(2 * norm * Math.LN2 * 16 ** 0.5);
      const inputs = {
        ...drawn,
        k: drawn.k.map((value, at) => (at % 16 === 0 ? large : value)),
        projection: drawn.projection.map((value, at) => (at % 16 === 0 ? 0 : value)),
      };
      const expected = { causal: await oracle.causal(inputs), bidirectional: await oracle.bidirectional(inputs) };
      expect(relativeError(await runner.causal(inputs), expected.causal)).toBeLessThan(1e-5);
      expect(relativeError(await runner.bidirectional(inputs), expected.bidirectional)).toBeLessThan(1e-5);
      expect(relativeError(await runner.steps(inputs, emptyStates(inputs)), expected.causal)).toBeLessThan(1e-5);
    });

    // Keys of equal norm: which feature counts is left to scales that are far where no query is.
    test.each([3e4])('keys of entries ±%d: the largest feature decides', async (size) => {
      const sizes = { heads: 2, length: 31, dHead: 16, dValue: 5, numFeatures: 17 };
      const drawn = randomInputs(new Random(19), sizes);
      const inputs = { ...drawn, k: drawn.k.map((value) => Math.sign(value) * size) };
      const expected = { causal: await oracle.causal(inputs), bidirectional: await oracle.bidirectional(inputs) };
      expect(relativeError(await runner.causal(inputs), expected.causal)).toBeLessThan(1e-5);
      expect(relativeError(await runner.bidirectional(inputs), expected.bidirectional)).toBeLessThan(1e-5);
      expect(relativeError(await runner.steps(inputs, emptyStates(inputs)), expected.causal)).toBeLessThan(1e-5);
    });

    test.each([1e6, 1e18, 1e30, 1e36])('queries × %d give finite rows, those of float64', async (scale) => {
      const sizes = { heads: 2, length: 71, dHead: 64, dValue: 5, numFeatures: 17 };
      const inputs = randomInputs(new Random(17), sizes);
      const queries = { ...inputs, q: inputs.q.map((value) => Math.max(-1, Math.min(1, value)) * scale) };
      const expected = { causal: await oracle.causal(queries), bidirectional: await oracle.bidirectional(queries) };
      for (const [out, wanted] of [
        [await runner.causal(queries), expected.causal],
        [await runner.bidirectional(queries), expected.bidirectional],
        [await runner.steps(queries, emptyStates(queries)), expected.causal],
      ]) {
        expect(out.every(Number.isFinite)).toBe(true);
        expect(relativeError(out, wanted)).toBeLessThan(1e-5);
      }
    });

    test.runIf(isCompiled).each([1, 10, 30])(
      '4096 tokens, d=64, m=256, q and k × %d, against a running float64 sum',
      async (scale) => {
        const { inputs, causal, bidirectional } = longSequence(scale);
        const outputs: [Float32Array, Float64Array][] = [
          [await runner.causal(inputs), causal],
          [await runner.bidirectional(inputs), bidirectional],
        ];
        for (const [out, expected] of outputs) {
          expect(relativeNormError(out, expected)).toBeLessThan(NORM_BOUND);
          expect(relativeError(out, expected)).toBeLessThan(outBound(scale));
        }
      },
    );

    test.runIf(isCompiled)(
      '200,000 tokens streamed, by steps and in pieces, against a running float64 sum',
      async () => {
        const { inputs, causal } = streamedSequence(200_000);
        expect(relativeError(await runner.steps(inputs, emptyStates(inputs)), causal)).toBeLessThan(1e-5);
        const state = emptyStates(inputs);
        const pieces = new Float32Array(causal.length);
        for (let start = 0; start < inputs.length; start += 46_099) {
          const end = Math.min(start + 46_099, inputs.length);
          pieces.set(await runner.causal(rowsOf(inputs, start, end), state), start * inputs.dValue);
        }
        expect(relativeError(pieces, causal)).toBeLessThan(1e-5);
      },
    );

    // While the large value is there, plain float32 sums lose each addition: the mean of the others would be 0.
    test.runIf(isCompiled)(
      'a large value that comes and goes leaves the mean of the others, by steps, in pieces and in both directions',
      async () => {
        const values = [1, -0.5, 3];
        /** Equal keys: the value of the first is large, and that of the last takes it away. */
        const passing = (length: number, large: number) => {
          const drawn = randomInputs(new Random(11), { heads: 1, length, dHead: 2, dValue: 3, numFeatures: 3 });
          const signs = new Map([
            [0, 1],
            [length - 1, -1],
          ]);
          return {
            ...drawn,
            q: drawn.q.map((_, at) => drawn.q[at % 2]),
            k: drawn.k.map((_, at) => drawn.k[at % 2]),
            v: drawn.v.map((_, at) => values[at % 3] * (1 + large * (signs.get(Math.floor(at / 3)) ?? 0))),
          };
        };
        // What is added at a time, one key, 32 or 512, is below half of the large value's last digit; 5 % may get lost.
        const check = (out: Float32Array) => expect(relativeError(out.subarray(-3), values)).toBeLessThan(0.06);
        const stepped = passing(4096, 2 ** 27);
        check(await runner.steps(stepped, emptyStates(stepped)));
        const causal = passing(10_240, 2 ** 31);
        check(await runner.causal(causal));
        const state = emptyStates(causal);
        let piece: Float32Array = new Float32Array();
        for (let start = 0; start < causal.length; start += 1009) {
          piece = await runner.causal(rowsOf(causal, start, Math.min(start + 1009, causal.length)), state);
        }
        check(piece);
        check(await runner.bidirectional(passing(40_960, 2 ** 34)));
      },
    );

    test.runIf(isCompiled)('one and two threads agree to the last bit', async () => {
      const inputs = randomInputs(new Random(5), { heads: 3, length: 1013, dHead: 17, dValue: 13, numFeatures: 41 }, 4);
      const outputs = async (on: FavorRunner) => ({
        causal: await on.causal(inputs),
        bidirectional: await on.bidirectional(inputs),
        steps: await on.steps(rowsOf(inputs, 0, 50), emptyStates(inputs)),
      });
      expect(differingOutputs(await outputs(one === two ? runner : threaded), await outputs(runner))).toEqual([]);
    });
  });
}

await testProperties('reference');
await testProperties('native');
await testProperties('wasm');
