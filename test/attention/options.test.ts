import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactAttention } from '../../src/attention/exact.ts';
import { type FeatureOptions, favorAttention } from '../../src/attention/favor.ts';
import { paddedSegments } from '../../src/attention/packing.ts';
import type { AttendOptions } from '../../src/attention/types.ts';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { Random, streams } from '../../src/base/random.ts';
import { featureSchema } from '../../src/features/configuration.ts';
import { drawFeatures } from '../../src/features/draw-features.ts';
import { scope } from '../../src/tensor/scope.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { backends } from './backends.ts';
import {
  featureKernel,
  type Inputs,
  type Kernel,
  packed,
  quadraticForm,
  randomInputs,
  type Sizes,
  softmaxKernel,
  uploadInputs,
  worstError,
} from './quadratic-form.ts';

interface Subject {
  readonly name: string;
  kernel(dHead: number): Kernel;
  attend(queries: Tensor, keys: Tensor, values: Tensor, options: AttendOptions): Tensor;
}

function favorSubject(name: string, options: FeatureOptions): Subject {
  const drawn = (dHead: number) =>
    drawFeatures(featureSchema.parse(options), dHead, new Random(0, streams.projections));
  return {
    name: `favor, ${name}`,
    kernel: (dHead) => featureKernel(drawn(dHead), dHead),
    attend: (queries, keys, values, given) => favorAttention(queries, keys, values, { ...given, features: options }),
  };
}

// No stabiliser: the quadratic form has no such term.
const subjects: readonly Subject[] = [
  { name: 'exact', kernel: () => softmaxKernel, attend: exactAttention },
  favorSubject('positive', { numFeatures: 7 }),
  favorSubject('relu', {
    numFeatures: 7,
    featureMap: { type: 'generalised', stabiliser: 0 },
    projection: 'orthogonal',
  }),
  favorSubject('relu without a projection', { featureMap: { type: 'generalised', epsilon: 0.1, stabiliser: 0 } }),
  favorSubject('trigonometric', { numFeatures: 14, featureMap: { type: 'trigonometric', stabiliser: 0 } }),
];

/** Pieces of packed sequences: some without keys, some without queries, gaps between. */
const arbitraryPieces = fc.array(fc.record({ gap: fc.nat(2), queries: fc.nat(4), keys: fc.nat(4) }), {
  minLength: 1,
  maxLength: 3,
});
const lengthOf = (pieces: readonly { gap: number; length: number }[]) =>
  pieces.reduce((total, { gap, length }) => total + gap + length, 0);

const arbitraryCase = fc
  .record({
    batch: fc.integer({ min: 1, max: 2 }),
    heads: fc.integer({ min: 1, max: 3 }),
    lengthQ: fc.nat(9),
    lengthK: fc.nat(9),
    dHead: fc.constantFrom(1, 2, 5),
    dValue: fc.constantFrom(1, 3),
    layout: fc.constantFrom('bhld' as const, 'blhd' as const),
    pieces: fc.option(arbitraryPieces),
    causal: fc.boolean(),
    offset: fc.option(fc.integer({ min: -4, max: 11 })),
    masked: fc.option(fc.array(fc.boolean(), { minLength: 40, maxLength: 40 })),
    normalised: fc.boolean(),
    seed: fc.nat(2 ** 20),
  })
  .map(({ pieces, causal, offset, masked, normalised, layout, seed, ...given }) => {
    const queryPieces = pieces?.map(({ gap, queries }) => ({ gap, length: queries }));
    // Other gaps for the keys, so that sequences of queries and keys are apart.
    const keyPieces = pieces?.map(({ gap, keys }) => ({ gap: 2 - gap, length: keys }));
    const lengthQ = queryPieces ? lengthOf(queryPieces) + 1 : given.lengthQ;
    const lengthK = keyPieces ? lengthOf(keyPieces) : given.lengthK;
    const sizes: Sizes = { ...given, lengthQ, lengthK };
    const rows = Array.from({ length: sizes.batch }, (_, b) => b);
    const options: AttendOptions = {
      layout,
      causal,
      normalised,
      offset: causal ? (offset ?? undefined) : undefined,
      // The second batch row has the pieces in one sequence less.
      segments: queryPieces && rows.map((b) => packed(queryPieces.slice(b), lengthQ)),
      keySegments: keyPieces && rows.map((b) => packed(keyPieces.slice(b), lengthK)),
      keyMask: masked ? rows.map((b) => masked.slice(b, b + lengthK).map(Number)) : undefined,
    };
    return { sizes, options, seed };
  });

for (const { backend, rounding } of backends) {
  const errorOf = async (subject: Subject, inputs: Inputs, options: AttendOptions) => {
    const out = scope(() => {
      const { queries, keys, values } = uploadInputs(backend, inputs, options.layout);
      return subject.attend(queries, keys, values, options);
    });
    const data = await out.data();
    out.dispose();
    return worstError(data, quadraticForm(subject.kernel(inputs.sizes.dHead), inputs, options), options.layout);
  };

  describe(`attention options on ${backend.name}: the quadratic form with the mask written out`, () => {
    for (const subject of subjects) {
      it(`${subject.name}: any shapes, masks, segments and offsets`, async () => {
        await fc.assert(
          fc.asyncProperty(arbitraryCase, async ({ sizes, options, seed }) => {
            expect(await errorOf(subject, randomInputs(sizes, seed, 0.7), options)).toBeLessThan(rounding);
          }),
          { numRuns: 60, seed: 11 },
        );
      });

      // 71 queries over 139 keys: several tiles and chunks of the kernels; the reference has neither.
      if (backend.name === 'reference') continue;
      const sizes = { batch: 2, heads: 2, lengthQ: 71, lengthK: 139, dHead: 5, dValue: 7 };
      const mask = [0, 1].map((b) => Array.from({ length: 139 }, (_, j) => +((j * 7 + b) % 3 !== 0 && j > 20 * b)));
      const long: Record<string, AttendOptions> = {
        'cross-attention': {},
        'masked cross-attention, not normalised': { keyMask: mask, normalised: false },
        'causal, its last query aligned with its last key': { causal: true },
        'causal from the first key': { causal: true, offset: 0, keyMask: mask },
        'causal, the first queries before all keys': { causal: true, offset: -13, normalised: false },
        'causal, offset beyond the last key': { causal: true, offset: 200 },
        'packed, causal, with an offset': {
          causal: true,
          offset: 31,
          keyMask: mask,
          segments: [0, 1].map((b) =>
            packed(
              [
                { gap: b, length: 13 },
                { gap: 3, length: 50 },
              ],
              71,
            ),
          ),
          keySegments: [0, 1].map((b) =>
            packed(
              [
                { gap: 2, length: 11 },
                { gap: b, length: 117 },
              ],
              139,
            ),
          ),
        },
        'every key masked in one row': { keyMask: [mask[0], mask[0].map(() => 0)] },
      };
      it.each(Object.entries(long))(`${subject.name}: %s`, async (_, options) => {
        expect(await errorOf(subject, randomInputs(sizes, 3, 0.7), options)).toBeLessThan(rounding);
      });
    }

    it('a tensor and arrays mean the same mask, and padding by segments the same as by mask', async () => {
      const sizes = { batch: 2, heads: 2, lengthQ: 5, lengthK: 5, dHead: 3, dValue: 2 };
      const { queries, keys, values } = uploadInputs(backend, randomInputs(sizes, 5));
      const rows = [
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
      ];
      const masks: AttendOptions[] = [
        { keyMask: rows },
        { keyMask: tensor(backend, Float32Array.from(rows.flat()), [2, 5]) },
        { segments: paddedSegments([5, 5], 5), keySegments: paddedSegments([3, 4], 5) },
      ];
      const outputs = await Promise.all(
        masks.map(async (options) => Array.from(await exactAttention(queries, keys, values, options).data())),
      );
      expect(outputs[1]).toEqual(outputs[0]);
      outputs[2].forEach((value, i) => {
        expect(Math.abs(value - outputs[0][i])).toBeLessThan(1e-6);
      });
    });
  });
}

describe('attention options that do not fit', () => {
  const backend = createReferenceBackend();
  const sizes = { batch: 2, heads: 1, lengthQ: 3, lengthK: 4, dHead: 2, dValue: 2 };
  const { queries, keys, values } = uploadInputs(backend, randomInputs(sizes, 1));
  const cases: [AttendOptions, string][] = [
    [{ offset: 1 }, 'offset means nothing without causal; add causal: true'],
    [{ causal: true, offset: 0.5 }, 'offset is 0.5; give a whole number'],
    [{ causal: true, offset: 2 ** 31 }, 'give a whole number of at most 2^31'],
    [{ keyMask: [[1, 1, 1, 1]] }, 'keyMask needs 2 arrays of 4 numbers, one per batch row'],
    [{ keyMask: tensor(backend, Int32Array.of(1, 1, 1, 1, 1, 1, 1, 1), [2, 4]) }, 'keyMask holds int32; make it of a'],
    [{ keyMask: tensor(backend, Float32Array.of(1, 1, 1), [1, 3]) }, 'keyMask has shape [1, 3] where [2, 4]'],
    ...[-1e9, Number.NaN, 0.5, Number.NEGATIVE_INFINITY].flatMap((value): [AttendOptions, string][] => [
      [
        { keyMask: [[1, 1, 1, 1], Float32Array.of(1, 0, value, 1)] },
        'at position 2 of batch row 1; give 1 for a valid key',
      ],
      [{ keyMask: tensor(backend, Float32Array.of(1, 1, 0, 1, 1, 0, 1, value), [2, 4]) }, 'ones and zeros alone'],
    ]),
    [{ segments: [[0, 0, 0]] }, 'segments needs 2 arrays of 3 numbers'],
    [
      {
        segments: [
          [0, 0, 0],
          [0, 0, 0.5],
        ],
        keySegments: [
          [0, 0, 0, 0],
          [0, 0, 0, 0],
        ],
      },
      'is invalid: expected an array of whole numbers',
    ],
    [
      {
        segments: [
          [0, 0, 0],
          [0, 0, 0],
        ],
      },
      'keySegments needs 2 arrays of 4 numbers',
    ],
    [
      {
        keySegments: [
          [0, 0, 0, 0],
          [0, 0, 0, 0],
        ],
      },
      'keySegments without segments',
    ],
  ];
  it.each(cases)('%o', (options, message) => {
    for (const { attend } of subjects) expect(() => attend(queries, keys, values, options)).toThrow(message);
  });
});
