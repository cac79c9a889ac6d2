import type { AttentionLayout } from '../../../../src/backend/types.ts';
import { type Case, normals } from '../../case.ts';

type Sizes = readonly [batch: number, heads: number, length: number, dHead: number];

function casesOf(sizes: Sizes, layout: AttentionLayout, offset: number, inverse: boolean): Case[] {
  const [batch, heads, length, dHead] = sizes;
  const count = batch * heads * length * dHead;
  const args = { batch, heads, length, dHead, layout, offset, base: 10_000, inverse };
  const shared = {
    bound: 1e-6,
    because: 'a float32 product of a float32 sine; the angle itself must be better than float32',
  };
  const label = `${sizes.join('×')} ${layout} from ${offset}${inverse ? ' inverse' : ''}`;
  return [
    {
      ...{ name: label, ...shared, inputs: (random) => ({ x: normals(random, count) }) },
      outputs: () => ({ out: count }),
      call: (backend, { x, out }) => backend.rotary({ ...args, x, out }),
    },
    {
      ...{ name: `${label} in place`, ...shared, inputs: () => ({}) },
      outputs: (random) => ({ x: normals(random, count) }),
      call: (backend, { x }) => backend.rotary({ ...args, x, out: x }),
    },
  ];
}

export const rotaryCases: Case[] = (['bhld', 'blhd'] as const).flatMap((layout) => [
  ...casesOf([2, 3, 7, 10], layout, 0, false),
  ...casesOf([2, 3, 7, 10], layout, 11, true),
  ...casesOf([1, 2, 131, 34], layout, 4099, false),
  ...casesOf([3, 2, 0, 10], layout, 0, false),
]);
