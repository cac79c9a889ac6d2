import { type Case, normals } from '../../case.ts';

/** Some scores are left out by −∞; one row holds nothing else, one a NaN, one an infinity, if there are so many. */
function scoresOf(rows: number, width: number, size: number): Case['inputs'] {
  return (random) => {
    const x = normals(random, rows * width, size);
    x.forEach((_, i) => {
      if (i % 7 === 3) x[i] = Number.NEGATIVE_INFINITY;
    });
    if (rows > 5) x.fill(Number.NEGATIVE_INFINITY, 2 * width, 3 * width);
    if (rows > 5) x[3 * width] = Number.NaN;
    if (rows > 5) x[5 * width - 1] = Number.POSITIVE_INFINITY;
    return { x };
  };
}

function casesOf(rows: number, width: number, size: number): Case[] {
  return [false, true].flatMap((log): Case[] => {
    const label = `${log ? 'log ' : ''}softmax ${rows}×${width}, scores × ${size}`;
    const shared = { bound: 2e-6, because: 'exp of a float32 difference of scores, then float32 sums' };
    const args = { rows, width, isLog: log };
    return [
      {
        ...{ name: label, ...shared, inputs: scoresOf(rows, width, size) },
        outputs: () => ({ out: rows * width }),
        call: (backend, { x, out }) => backend.softmax({ ...args, x, out }),
      },
      {
        ...{ name: `${label}, in place`, ...shared, inputs: () => ({}) },
        outputs: (random) => ({ x: normals(random, rows * width, size) }),
        call: (backend, { x }) => backend.softmax({ ...args, x, out: x }),
      },
      {
        ...{ name: `${label}, backward`, ...shared },
        // Weights of rows, some of them exactly 0, whose gradients are no numbers and take no part.
        inputs: (random) => {
          const weights = normals(random, rows * width).map((value, i) => (i % 7 === 3 ? 0 : Math.abs(value) / width));
          const dOut = normals(random, rows * width).map((value, i) => (i % 7 === 3 && !log ? Number.NaN : value));
          return { out: log ? weights.map((weight) => Math.log(weight)) : weights, dOut };
        },
        outputs: () => ({ dX: rows * width }),
        call: (backend, { out, dOut, dX }) => backend.softmaxBackward({ ...args, out, dOut, dX }),
      },
    ];
  });
}

export const softmaxCases: Case[] = [
  ...casesOf(0, 5, 1),
  ...casesOf(5, 0, 1),
  ...casesOf(1, 1, 1),
  ...casesOf(7, 5, 1),
  ...casesOf(67, 131, 30),
  ...casesOf(3, 4099, 3),
];
