import { type BinaryKind, binaryKinds } from '../../../../src/backend/types.ts';
import { type Case, normals } from '../../case.ts';

type Axis = readonly [length: number, ...strides: number[]];

const exact = { bound: 0, because: 'numbers are moved, not computed with' };
const count = (axes: readonly Axis[]) => axes.reduce((product, [length]) => product * length, 1);
const extent = (axes: readonly Axis[], array: number) =>
  count(axes) === 0 ? 0 : 1 + axes.reduce((last, [length, ...strides]) => last + (length - 1) * strides[array], 0);
/** The table of lengths and strides that kernels take. */
const tableOf = (axes: readonly Axis[]) => Int32Array.from(axes.flat());
const nameOf = (axes: readonly Axis[]) => axes.map((axis) => axis.join('/')).join(' ');

/** Axes by length, stride of x and stride of out; elements of out between them are left alone. */
const copies: readonly (readonly Axis[])[] = [
  [[1, 0, 0]],
  [[7, 1, 1]],
  [[70_001, 1, 1]],
  [[5, 0, 1]],
  [[5, 3, 2]],
  [[0, 1, 1]],
  [
    [3, 1, 5],
    [5, 3, 1],
  ],
  [
    [131, 1, 137],
    [137, 131, 1],
  ],
  [
    [11, 0, 41],
    [37, 1, 1],
  ],
  // x [5, 67, 41] → [41, 5, 67], dense and with gaps.
  [
    [41, 1, 335],
    [5, 2747, 67],
    [67, 41, 1],
  ],
  [
    [41, 1, 351],
    [5, 2747, 70],
    [67, 41, 1],
  ],
  [
    [7, 341, 23],
    [23, 3, 1],
  ],
  [
    [5, 2310, 2310],
    [7, 22, 330],
    [3, 110, 110],
    [5, 22, 22],
    [11, 1, 2],
  ],
  [
    [2, 64, 1],
    [2, 32, 2],
    [2, 16, 4],
    [2, 8, 8],
    [2, 4, 16],
    [2, 2, 32],
    [3, 1, 64],
    [1, 9, 9],
  ],
];

const copyCases = copies.map(
  (axes): Case => ({
    ...{ name: `strided copy ${nameOf(axes)}`, ...exact },
    inputs: (random) => ({ x: normals(random, extent(axes, 0)), layout: tableOf(axes) }),
    outputs: () => ({ out: extent(axes, 1) }),
    call: (backend, { x, layout, out }) => {
      backend.stridedCopy({ x, out, layout, numAxes: axes.length, count: count(axes) });
    },
  }),
);

/** Integers whose bits are those of a signalling NaN, an infinity and others stay as they are. */
const integerCase: Case = {
  ...{ name: 'strided copy of integers', ...exact },
  inputs: () => ({
    x: Int32Array.of(0x7f800001, -1, 0x7f800000, 1, -2147483648, 0x7fbfffff),
    layout: Int32Array.of(3, 0, 6, 2, 1, 3, 3, 2, 1),
  }),
  outputs: () => ({ out: new Int32Array(18) }),
  call: (backend, { x, layout, out }) => backend.stridedCopy({ x, out, layout, numAxes: 3, count: 18 }),
};

/** Axes by length and strides of condition, a and b. */
const broadcasts: readonly (readonly Axis[])[] = [
  [[1, 0, 0, 0]],
  [[17, 1, 1, 1]],
  [[40_009, 1, 1, 1]],
  [[13, 0, 1, 0]],
  [[13, 1, 0, 1]],
  [[0, 1, 1, 1]],
  [
    [67, 0, 131, 0],
    [131, 1, 1, 1],
  ],
  [
    [67, 1, 131, 1],
    [131, 0, 1, 0],
  ],
  [
    [7, 0, 0, 19],
    [5, 1, 37, 0],
    [37, 0, 1, 2],
  ],
  [
    [3, 35, 1, 0],
    [5, 7, 3, 7],
    [7, 1, 15, 1],
    [2, 0, 105, 7],
  ],
];

function binaryCase(kind: BinaryKind, axes: readonly Axis[]): Case {
  return {
    ...{ name: `${kind} ${nameOf(axes)}`, bound: 2 ** -23, because: 'one float32 rounding' },
    // Divisors away from 0.
    inputs: (random) => ({
      a: normals(random, extent(axes, 1)),
      b: normals(random, extent(axes, 2)).map((value) => value + Math.sign(value)),
      layout: tableOf(axes.map(([length, , a, b]) => [length, a, b])),
    }),
    outputs: () => ({ out: count(axes) }),
    call: (backend, { a, b, layout, out }) => {
      backend.binary({ kind, a, b, out, layout, numAxes: axes.length, count: count(axes) });
    },
  };
}

/** What IEEE 754 gives for infinities, NaN and zeros. */
const ends = [0, -0, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
const endCases = binaryKinds.map(
  (kind): Case => ({
    ...{ name: `${kind} of zeros, infinities and NaN`, bound: 0, because: 'exact, or not finite' },
    inputs: () => ({ a: Float32Array.from(ends), b: Float32Array.from(ends), layout: Int32Array.of(6, 1, 0, 6, 0, 1) }),
    outputs: () => ({ out: 36 }),
    call: (backend, { a, b, layout, out }) => {
      backend.binary({ kind, a, b, out, layout, numAxes: 2, count: 36 });
    },
  }),
);

const selectCases = broadcasts.map(
  (axes): Case => ({
    ...{ name: `select ${nameOf(axes)}`, ...exact },
    inputs: (random) => ({
      condition: normals(random, extent(axes, 0)).map((value, i) => [value, 0, -0, Number.NaN][i % 4]),
      a: normals(random, extent(axes, 1)),
      b: normals(random, extent(axes, 2)),
      layout: tableOf(axes),
    }),
    outputs: () => ({ out: count(axes) }),
    call: (backend, { condition, a, b, layout, out }) => {
      backend.select({ condition, a, b, out, layout, numAxes: axes.length, count: count(axes) });
    },
  }),
);

export const stridedCases: Case[] = [
  ...copyCases,
  integerCase,
  ...binaryKinds.flatMap((kind) => broadcasts.map((axes) => binaryCase(kind, axes))),
  ...endCases,
  ...selectCases,
];
