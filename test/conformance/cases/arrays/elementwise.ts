import { type Case, normals } from '../../case.ts';

const counts = [0, 1, 3, 17, 1009, 70_001];
const rounding = 2 ** -23;
const oneRounding = 'one or two float32 roundings';

function addition(count: number): Case[] {
  const shared = { bound: rounding, because: oneRounding };
  return [
    {
      ...shared,
      name: `add ${count}`,
      inputs: (random) => ({ a: normals(random, count), b: normals(random, count) }),
      outputs: () => ({ out: count }),
      call: (backend, { a, b, out }) => backend.add(a, b, out),
    },
    {
      ...shared,
      name: `add ${count} in place`,
      inputs: (random) => ({ b: normals(random, count) }),
      outputs: (random) => ({ a: normals(random, count) }),
      call: (backend, { a, b }) => backend.add(a, b, a),
    },
  ];
}

function unary(count: number): Case[] {
  const shared = { bound: rounding, because: oneRounding };
  return [
    {
      name: `fill ${count}`,
      bound: 0,
      because: 'no arithmetic',
      inputs: () => ({}),
      outputs: () => ({ x: count }),
      call: (backend, { x }) => backend.fill(x, 0.625),
    },
    {
      ...shared,
      name: `axpy ${count}`,
      inputs: (random) => ({ x: normals(random, count) }),
      outputs: (random) => ({ y: normals(random, count) }),
      call: (backend, { x, y }) => backend.axpy(-0.37, x, y),
    },
    {
      ...shared,
      name: `scale ${count}`,
      inputs: (random) => ({ x: normals(random, count) }),
      outputs: () => ({ out: count }),
      call: (backend, { x, out }) => backend.scale(x, out, 1.7),
    },
    {
      ...shared,
      name: `scale ${count} in place`,
      inputs: () => ({}),
      outputs: (random) => ({ x: normals(random, count) }),
      call: (backend, { x }) => backend.scale(x, x, -0.3),
    },
    {
      name: `copy ${count}`,
      bound: 0,
      because: 'no arithmetic',
      inputs: (random) => ({ x: normals(random, count) }),
      outputs: () => ({ out: count }),
      call: (backend, { x, out }) => backend.copy(x, out),
    },
  ];
}

/** exp and log over the whole range of float32, its ends and what is beyond them. */
function logarithms(count: number): Case[] {
  const largest = Math.log(3.4028234e38);
  const ends = {
    exp: [0, -200, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN, -88.2, -103.9, 88.5],
    log: [1, 0, -1, Number.POSITIVE_INFINITY, Number.NaN, 1e-45, 1.17549435e-38, 3.4e38],
  };
  return (['exp', 'log'] as const).flatMap((kind) => {
    const bound = 1e-6;
    const because =
      'a float32 polynomial; numbers as far from each other as float32 holds are compared as their logarithms';
    const inputs = (random: Parameters<Case['inputs']>[0]) => {
      const exponents = Float32Array.from({ length: count }, () => (2 * random.uniform() - 1) * (largest - 1));
      const x = kind === 'log' ? exponents.map(Math.exp) : exponents;
      x.set(ends[kind].slice(0, Math.max(0, count - 3)), Math.min(3, count));
      return { x, dOut: normals(random, count) };
    };
    // Results of exp are of very different sizes.
    const observe = (outputs: Readonly<Record<string, Float64Array>>) => ({
      out: outputs.out.map((value) =>
        kind === 'exp' && value > 1e-37 ? Math.log(value) : value < 1e-37 && kind === 'exp' ? 0 : value,
      ),
    });
    return [
      {
        ...{ name: `${kind} ${count}`, bound, because, inputs, observe },
        outputs: () => ({ out: count }),
        call: (backend, { x, out }) => backend.activation(kind, x, out),
      },
      {
        ...{ name: `${kind} backward ${count}`, bound: 2e-6, because },
        inputs: (random) => {
          const x = normals(random, count, 2).map((value) => (kind === 'log' ? Math.abs(value) + 0.01 : value));
          return { x, dOut: normals(random, count) };
        },
        outputs: () => ({ dX: count }),
        call: (backend, { x, dOut, dX }) => backend.activationBackward(kind, x, dOut, dX),
      },
    ] satisfies Case[];
  });
}

/** Activations over the whole range in which they differ from 0 and x, and far outside it. */
function activations(count: number): Case[] {
  return (['relu', 'gelu', 'geluTanh', 'tanh'] as const).flatMap((kind) => {
    const bound = kind === 'relu' ? 0 : 2e-6;
    const because = kind === 'relu' ? 'no arithmetic' : 'float32 polynomials for erf, exp or tanh';
    const inputs = (random: Parameters<Case['inputs']>[0]) => {
      const x = normals(random, count, 3);
      x.set([0.7, -100, 100, 0].slice(0, count));
      return { x, dOut: normals(random, count) };
    };
    return [
      {
        ...{ name: `${kind} ${count}`, bound, because, inputs },
        outputs: () => ({ out: count }),
        call: (backend, { x, out }) => backend.activation(kind, x, out),
      },
      {
        ...{ name: `${kind} backward ${count}`, bound, because, inputs },
        outputs: () => ({ dX: count }),
        call: (backend, { x, dOut, dX }) => backend.activationBackward(kind, x, dOut, dX),
      },
    ] satisfies Case[];
  });
}

function sumAxis(outer: number, length: number, inner: number, accumulate: boolean): Case {
  return {
    name: `sum of axis ${outer}×${length}×${inner}${accumulate ? ' accumulate' : ''}`,
    bound: 2e-6,
    because: 'float32 sums of up to 1024 numbers, which may cancel',
    termSize: { out: Math.sqrt(length) },
    inputs: (random) => ({ x: normals(random, outer * length * inner) }),
    outputs: (random) => ({ out: accumulate ? normals(random, outer * inner) : outer * inner }),
    call: (backend, { x, out }) => backend.sumAxis({ x, out, outer, length, inner, accumulate }),
  };
}

/** Rows of x times factors, some of them 0, that repeat. */
export const scaleRowsCases: Case[] = [
  [0, 5, 1],
  [7, 1, 7],
  [45, 37, 9],
  [1009, 67, 1009],
].map(([rows, width, numFactors]) => ({
  ...{ name: `scale rows ${rows}×${width} by ${numFactors}`, bound: rounding, because: oneRounding },
  inputs: (random) => ({
    x: normals(random, rows * width),
    factors: normals(random, numFactors).map((factor, i) => (i % 3 === 1 ? 0 : factor)),
  }),
  outputs: () => ({ out: rows * width }),
  call: (backend, { x, factors, out }) => backend.scaleRows({ x, factors, out, rows, width }),
}));

export const elementwiseCases: Case[] = [
  ...scaleRowsCases,
  ...counts.flatMap((count) => [...addition(count), ...logarithms(count), ...unary(count), ...activations(count)]),
  ...[
    [1, 1, 1],
    [1, 7, 131],
    [1, 1009, 37],
    [1, 0, 5],
    [1, 5, 0],
    [7, 131, 1],
    [3, 2053, 1],
    [1, 40_009, 1],
    [5, 0, 1],
    [3, 5, 7],
    [5, 67, 523],
  ].flatMap(([outer, length, inner]) => [sumAxis(outer, length, inner, false), sumAxis(outer, length, inner, true)]),
];
