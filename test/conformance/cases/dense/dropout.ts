import { type Case, normals } from '../../case.ts';

function casesOf(count: number, rate: number, seed: readonly [number, number], stream: number): Case[] {
  const [seedLow, seedHigh] = seed;
  const shared = { bound: 2 ** -22, because: '1 / (1 − rate) and its product, each rounded to float32' };
  const label = `${count} at ${rate}, seed ${seed.join(':')}, stream ${stream}`;
  return [
    {
      ...{ name: label, ...shared, inputs: (random) => ({ x: normals(random, count) }) },
      outputs: () => ({ out: count }),
      call: (backend, { x, out }) => backend.dropout({ x, out, rate, seedLow, seedHigh, stream }),
    },
    {
      ...{ name: `${label} in place`, ...shared, inputs: () => ({}) },
      outputs: (random) => ({ x: normals(random, count) }),
      call: (backend, { x }) => backend.dropout({ x, out: x, rate, seedLow, seedHigh, stream }),
    },
  ];
}

export const dropoutCases: Case[] = [
  ...casesOf(0, 0.1, [1, 2], 3),
  ...casesOf(1, 0.5, [1, 2], 3),
  ...casesOf(4099, 0, [1, 2], 3),
  ...casesOf(4099, 0.1, [0xffffffff, 0x1fffff], 0xfffffffe),
  ...casesOf(70_001, 0.9, [0, 0], 0),
];
