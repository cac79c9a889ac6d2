import type { Backend, Storage } from '../../../../src/backend/types.ts';
import { type Case, normals } from '../../case.ts';

const sizes = [
  [1, 3],
  [13, 37],
  [3, 1021],
  [257, 17],
  [0, 5],
] as const;

function casesOf(rows: number, width: number, shift: number): Case[] {
  const epsilon = 1e-5;
  const forward = (
    backend: Backend,
    { x, gamma, beta, out, mean, inverseDeviation }: Readonly<Record<string, Storage>>,
  ) => backend.layerNorm({ x, gamma, beta, out, mean, inverseDeviation, rows, width, epsilon });
  const inputs: Case['inputs'] = (random) => ({
    x: normals(random, rows * width).map((value) => value + shift),
    gamma: normals(random, width),
    beta: normals(random, width),
    dOut: normals(random, rows * width),
  });
  const kept = { out: rows * width, mean: rows, inverseDeviation: rows };
  const shifted = `a mean of ${shift} is kept as float32, so x − mean is off by 2^-24 of it`;
  const because = shift === 0 ? 'float32 sums over one row' : shifted;
  const label = `${rows}×${width}${shift === 0 ? '' : ` around ${shift}`}`;
  return [
    { name: label, bound: shift === 0 ? 1e-6 : 1e-5, because, inputs, outputs: () => kept, call: forward },
    {
      name: `backward ${label}`,
      bound: shift === 0 ? 3e-6 : 2e-5,
      because,
      inputs,
      outputs: () => ({ ...kept, dX: rows * width, dGamma: width, dBeta: width }),
      call: (backend, arrays) => {
        forward(backend, arrays);
        const { x, gamma, mean, inverseDeviation, dOut, dX, dGamma, dBeta } = arrays;
        backend.layerNormBackward({ x, gamma, mean, inverseDeviation, dOut, dX, dGamma, dBeta, rows, width });
      },
    },
  ];
}

/** A row of one element is constant: its gradient is 0 but for rounding, so there is nothing to be relative to. */
const oneElement = casesOf(2, 1, 0).slice(0, 1);

export const layerNormCases: Case[] = [
  ...oneElement,
  ...sizes.flatMap(([rows, width]) => casesOf(rows, width, 0)),
  ...casesOf(7, 131, 100),
];
