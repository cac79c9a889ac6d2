import { type Case, normals } from '../case.ts';

const counts = [0, 1, 3, 17, 1009, 70_001];
const rounding = 2 ** -23;
const oneRounding = 'one or two float32 roundings';

function binary(name: 'add' | 'multiply', count: number): Case[] {
  const shared = { bound: rounding, because: oneRounding };
  return [
    {
      ...shared,
      name: `${name} ${count}`,
      inputs: (random) => ({ a: normals(random, count), b: normals(random, count) }),
      outputs: () => ({ out: count }),
      call: (backend, { a, b, out }) => backend[name](a, b, out),
    },
    {
      ...shared,
      name: `${name} ${count} in place`,
      inputs: (random) => ({ b: normals(random, count) }),
      outputs: (random) => ({ a: normals(random, count) }),
      call: (backend, { a, b }) => backend[name](a, b, a),
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

function columnSum(rows: number, columns: number, accumulate: boolean): Case {
  return {
    name: `column sum ${rows}×${columns}${accumulate ? ' accumulate' : ''}`,
    bound: 2e-6,
    because: 'float32 sums of up to 1009 rows',
    inputs: (random) => ({ x: normals(random, rows * columns) }),
    outputs: (random) => ({ out: accumulate ? normals(random, columns) : columns }),
    call: (backend, { x, out }) => backend.columnSum({ x, out, rows, columns, accumulate }),
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
  ...counts.flatMap((count) => [
    ...binary('add', count),
    ...binary('multiply', count),
    ...unary(count),
    ...activations(count),
  ]),
  ...[
    [1, 1],
    [7, 131],
    [1009, 37],
    [0, 5],
    [5, 0],
  ].flatMap(([rows, columns]) => [columnSum(rows, columns, false), columnSum(rows, columns, true)]),
];
