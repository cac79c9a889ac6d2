/** The tables of FAVOR+ cases: dense exponential features at every size, every other estimator at a few. */
import type { FeatureMapKind } from '../../src/backend/types.ts';
import { type AttentionSetup, crossSetups, offsetSetups, squareSetups } from './attention.ts';
import type { FavorOptions, FavorSetup } from './favor.ts';

function withFeatures(setup: AttentionSetup, i: number): FavorSetup {
  // fewer features than dHead, a prime number of them, and round ones
  const numFeatures = setup.name.startsWith('round') ? 96 : [3, 37, 67][i % 3];
  return { ...setup, name: `${setup.name}, m=${numFeatures}`, numFeatures, hasBias: i % 2 === 1 };
}

/**
 * Entries up to the bound that docs/favor.md states. D up to 2^29 is told apart exactly, beyond as float32 can; from
 * 2^24 on its whole part is rounded. One key takes all of a row, so outputs stay as near as ever.
 */
export const boundFavorSetups: FavorSetup[] = [1e2, 1e3, 1e4, 2e4, 1e6, 1e12, 1e18].flatMap((inputScale) => {
  const shape = {
    name: `entries of ${inputScale}`,
    batch: 1,
    heads: 2,
    lengthQ: 71,
    lengthK: 71,
    dHead: 64,
    dValue: 16,
  };
  return [
    { ...shape, layout: 'bhld', inputScale, numFeatures: 96, hasBias: false },
    { ...shape, layout: 'blhd', inputScale, numFeatures: 70, hasBias: true, form: 'hadamard', stacked: true },
  ] as const;
});

/** As many queries as keys. */
export const squareFavorSetups: FavorSetup[] = squareSetups.map(withFeatures);

/** Queries and keys of different lengths. */
export const crossFavorSetups: FavorSetup[] = crossSetups.map(withFeatures);

/** Sequences with offsets of their own, for causal attention. */
export const offsetFavorSetups: FavorSetup[] = offsetSetups.map(withFeatures);

interface EstimatorCase extends Omit<FavorOptions, 'hasBias'> {
  readonly inputScale?: number;
}

/** Unnormalised rows, for maps whose sums over the keys may vanish. */
const signed = { weight: 0.03 };
/** sin and cos of inputs so near each other that their sums are positive. */
const trigonometric = { map: 'sine', stacked: true, inputScale: 0.3 } as const;

const positiveMaps: FeatureMapKind[] = ['relu', 'exp', 'sigmoid', 'abs', 'eluPlusOne', 'square'];
const signedMaps: FeatureMapKind[] = ['sine', 'gelu', 'cos', 'tanh', 'identity'];

/** Feature counts that neither a block of directions nor a vector divides; stacked: twice an odd number. */
export const estimatorCases: EstimatorCase[] = [
  ...positiveMaps.map((map) => ({ map, numFeatures: 37 })),
  ...signedMaps.map((map) => ({ map, numFeatures: 37, ...signed })),
  { ...trigonometric, numFeatures: 38 },
  ...(['hadamard', 'givens'] as const).flatMap((form): EstimatorCase[] => [
    { map: 'exponential', form, numFeatures: 41 },
    { map: 'exponential', form, numFeatures: 74, stacked: true },
    { map: 'exponential', form, numFeatures: 41, inputScale: 10 },
    { map: 'relu', form, numFeatures: 43 },
    { map: 'relu', form, numFeatures: 3 },
    { map: 'tanh', form, numFeatures: 26, stacked: true, ...signed },
    { map: 'sine', form, numFeatures: 41, ...signed },
    { ...trigonometric, form, numFeatures: 74 },
  ]),
  { map: 'exponential', numFeatures: 37, weight: 0.03 },
  { map: 'exponential', form: 'hadamard', numFeatures: 41, weight: 0.03 },
  { map: 'square', form: 'givens', numFeatures: 41, weight: 0.03 },
  // stabilisers: larger than every sum, and between the sums of large and small queries
  { map: 'identity', numFeatures: 37, stabiliser: 1e5 },
  { map: 'sine', numFeatures: 37, stabiliser: 1e4, inputScale: 10 },
  { map: 'sine', form: 'hadamard', numFeatures: 41, stabiliser: 1e4, inputScale: 10 },
];

const sizes = (batch: number, heads: number, lengthQ: number, lengthK: number, dHead: number, dValue: number) => {
  return { batch, heads, lengthQ, lengthK, dHead, dValue };
};

/** One of these for every estimator, in turn. */
const shapes: Omit<AttentionSetup, 'layout'>[] = [
  { name: 'square', ...sizes(1, 2, 71, 71, 7, 11) },
  // all of batch row 1 is masked
  { name: 'masked', ...sizes(2, 2, 37, 37, 11, 5), isValidKey: (batch, key) => batch !== 1 && key % 3 !== 0 },
  {
    ...{ name: 'packed', ...sizes(1, 3, 83, 83, 5, 7) },
    sequences: [
      [0, 1, 5, 1, 5],
      [0, 6, 1, 6, 1],
      [0, 9, 70, 9, 70],
    ],
  },
  { name: 'few queries', ...sizes(1, 2, 5, 79, 13, 3) },
  { name: 'few keys', ...sizes(2, 1, 73, 11, 3, 17) },
];

function estimatorSetup(shape: Omit<AttentionSetup, 'layout'>, item: EstimatorCase, i: number): FavorSetup {
  const { map, form, numFeatures, stacked, weight, stabiliser, inputScale } = item;
  const notes = [
    ...[map, form, stacked && 'stacked', weight && `weight ${weight}`, stabiliser && `stabiliser ${stabiliser}`],
    ...[inputScale && `× ${inputScale}`, `m=${numFeatures}`],
  ];
  const name = `${shape.name}, ${notes.filter(Boolean).join(' ')}`;
  return { ...shape, ...item, name, layout: i % 2 === 0 ? 'bhld' : 'blhd', hasBias: i % 3 === 0 };
}

/** Without a projection: as many features as dHead. */
const withoutProjection: EstimatorCase[] = [
  { map: 'relu', form: 'none', numFeatures: 7 },
  { map: 'eluPlusOne', form: 'none', numFeatures: 7, weight: 0.03 },
  { map: 'exponential', form: 'none', numFeatures: 7 },
];

export const estimatorSetups: FavorSetup[] = [
  ...estimatorCases.map((item, i) => estimatorSetup(shapes[i % shapes.length], item, i)),
  ...withoutProjection.map((item, i) => estimatorSetup(shapes[0], item, i)),
  ...[0, 1].map((i) => ({
    ...estimatorSetup(shapes[0], { map: 'relu', form: 'none', numFeatures: 7, stabiliser: 20 }, i),
    queryScale: (query: number) => (query % 2 === 0 ? 1 : 1e-4),
    hasBias: false,
  })),
  // blocks of one and of two rows; no rotation exists in one dimension
  ...(['hadamard', 'givens'] as const).flatMap((form, i) => [
    estimatorSetup(
      { name: 'one dimension', ...sizes(1, 1, 5, 5, 1, 1) },
      { map: 'exponential', form, numFeatures: 3 },
      i,
    ),
    estimatorSetup(
      { name: 'two dimensions', ...sizes(1, 2, 5, 5, 2, 3) },
      { map: 'relu', form, numFeatures: 5 },
      i + 1,
    ),
  ]),
  // several blocks of features, which stacked directions cross
  ...([{ map: 'relu' }, { map: 'exponential' }, { ...trigonometric, form: 'hadamard' }] as const).map((item, i) => {
    const shape = { name: 'many features', ...sizes(1, 1, 71, 71, 5, 3) };
    return estimatorSetup(shape, { ...item, numFeatures: i === 2 ? 266 : 139 }, i);
  }),
  // every number of butterfly stages, and rotations of many rows
  ...[19, 64, 67, 131].map((dHead, i) => {
    const map = i % 2 === 0 ? 'exponential' : 'relu';
    const shape = { name: `wide ${dHead}`, ...sizes(1, 2, 13, 13, dHead, 5) };
    return estimatorSetup(shape, { map, form: 'hadamard', numFeatures: 138, stacked: i > 1 }, i);
  }),
  estimatorSetup({ name: 'wide', ...sizes(1, 2, 13, 13, 67, 5) }, { map: 'relu', form: 'givens', numFeatures: 139 }, 0),
];

/** Every kind of offset for one estimator of each kind of scale. */
export const estimatorOffsetSetups: FavorSetup[] = offsetSetups
  .filter(({ layout }) => layout === 'bhld')
  .flatMap((shape, i) => [
    estimatorSetup(shape, { map: 'relu', form: 'givens', numFeatures: 23 }, i),
    estimatorSetup(shape, { ...trigonometric, form: 'hadamard', numFeatures: 22 }, i + 1),
    estimatorSetup(shape, { map: 'exponential', form: 'hadamard', numFeatures: 23 }, i),
  ]);

/** Longer than several segments (256 positions) of the causal gradients; few keys are valid, which keeps the quadratic form quick. */
export const longFavorSetups: FavorSetup[] = [
  // the last keys of every eighth segment raise the scales within their chunk: short ones for exp(u − D), long ones for exp(D)
  { estimator: { map: 'exponential', numFeatures: 3 } as const, lengths: [4, 2, 1, 1] },
  { estimator: { ...trigonometric, form: 'givens', numFeatures: 6 } as const, lengths: [0.3, 2, 4, 4] },
].map(({ estimator, lengths }, i) => {
  const sequences = [[0, 2, 691, 1, 4300, 3511]];
  const shape = { name: 'three segments', ...sizes(1, 1, 695, 4303, 3, 2), sequences };
  const keyScale = (key: number) => lengths[key % 2048 < 1985 ? 0 : Math.ceil(key / 2048)];
  return estimatorSetup({ ...shape, isValidKey: (_, key) => key % 101 === 5, keyScale }, estimator, i);
});

/** Just past one segment (256 positions) of the causal gradients: what follows starts from the snapshot at its end. */
export const pastSegmentSetups: FavorSetup[] = [257, 300, 320].map((length, i) => {
  const shape = { name: `length ${length}`, ...sizes(1, 2, length, length, 3, 2) };
  return estimatorSetup(shape, { map: 'exponential', numFeatures: 5 }, i);
});
