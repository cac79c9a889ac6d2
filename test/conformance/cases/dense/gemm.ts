import { type Case, normals } from '../../case.ts';

interface Variant {
  readonly batch?: number;
  readonly alpha?: number;
  readonly accumulate?: boolean;
  readonly bias?: boolean;
  /** Elements between the end of a stored row and the next row, and between batch entries. */
  readonly gap?: number;
  readonly sharedB?: boolean;
  /** Leave the strides to their defaults: batch entries follow each other, rows keep their gap. */
  readonly defaultStrides?: boolean;
}

const because = 'float32 sums of k ≤ 257 products: √k roundings of 2^-24 typically, ten times that allowed';

function gemmCase(
  m: number,
  n: number,
  k: number,
  transposeA: boolean,
  transposeB: boolean,
  variant: Variant = {},
): Case {
  const {
    batch = 1,
    alpha = 1,
    accumulate = false,
    bias = false,
    gap = 0,
    sharedB = false,
    defaultStrides = false,
  } = variant;
  const [rowsA, columnsA] = transposeA ? [k, m] : [m, k];
  const [rowsB, columnsB] = transposeB ? [n, k] : [k, n];
  const [lda, ldb, ldc] = [columnsA + gap, columnsB + gap, n + gap];
  const between = defaultStrides ? 0 : gap;
  const [strideA, strideC] = [rowsA * lda + between, m * ldc + between];
  const strideB = sharedB ? 0 : rowsB * ldb + between;
  const options = Object.entries(variant).map(([key, value]) => ` ${key}=${value}`);
  return {
    name: `${m}×${n}×${k}${transposeA ? ' Aᵀ' : ''}${transposeB ? ' Bᵀ' : ''}${options.join('')}`,
    bound: 2e-6,
    because,
    inputs: (random) => ({
      a: normals(random, batch * strideA),
      b: normals(random, sharedB ? rowsB * ldb : batch * strideB),
      bias: normals(random, n),
    }),
    outputs: (random) => ({ c: accumulate ? normals(random, batch * strideC) : batch * strideC }),
    call: (backend, arrays) =>
      backend.gemm({
        ...{ a: arrays.a, b: arrays.b, c: arrays.c, bias: bias ? arrays.bias : undefined },
        ...{ m, n, k, transposeA, transposeB, alpha, accumulate },
        ...(batch > 1 ? { batch } : {}),
        ...(gap > 0 ? { lda, ldb, ldc } : {}),
        ...((gap > 0 && !defaultStrides) || sharedB ? { strideA, strideB, strideC } : {}),
      }),
  };
}

const transposes = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

const sizes = [
  [1, 1, 1],
  [1, 67, 257],
  [2, 3, 5],
  [2, 13, 131],
  [3, 37, 19],
  [4, 101, 257],
  [5, 7, 11],
  [13, 31, 29],
  [37, 101, 67],
  [131, 67, 257],
  [0, 3, 5],
  [3, 0, 5],
  [3, 5, 0],
  [7, 5, 0],
] as const;

const variants: Variant[] = [
  { bias: true },
  { alpha: -0.37 },
  { accumulate: true },
  { bias: true, alpha: 1.7, accumulate: true, gap: 3 },
  { batch: 3, bias: true },
  { batch: 3, gap: 5, accumulate: true },
  { batch: 3, gap: 5, defaultStrides: true },
  { batch: 3, sharedB: true },
];

export const gemmCases: Case[] = transposes.flatMap(([transposeA, transposeB]) => [
  ...sizes.map(([m, n, k]) => gemmCase(m, n, k, transposeA, transposeB)),
  ...variants.flatMap((variant) => [
    gemmCase(3, 17, 41, transposeA, transposeB, variant),
    gemmCase(23, 47, 19, transposeA, transposeB, variant),
    gemmCase(5, 3, 0, transposeA, transposeB, variant),
  ]),
]);
