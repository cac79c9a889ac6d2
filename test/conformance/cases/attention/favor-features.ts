import { type Case, normals } from '../../case.ts';
import { featureArrays, featureInputs, isExponential, nameOf } from '../../favor.ts';
import { estimatorSetups, squareFavorSetups } from '../../favor-setups.ts';

/** Heads of width 1 and inputs of 1, so that u is the projection itself, exactly. */
const sines: Case = {
  name: 'sine of u up to 8,000 in size',
  bound: 1e-7,
  because: 'docs/favor.md states this bound',
  inputs: (random) => ({
    x: Float32Array.of(1),
    projection: Float32Array.from({ length: 4001 }, (_, i) => (i === 0 ? 8000 : 16_000 * random.uniform() - 8000)),
  }),
  outputs: () => ({ out: 4001 }),
  call: (backend, arrays) => {
    const { x, out } = arrays;
    const setup = { map: 'sine', hasBias: false, numFeatures: 4001, dHead: 1 } as const;
    backend.favorFeatures({
      ...featureArrays(setup, arrays),
      x,
      out,
      batch: 1,
      heads: 1,
      length: 1,
      dHead: 1,
      layout: 'bhld',
    });
  },
};

const setups = [...squareFavorSetups, ...estimatorSetups].map((setup): Case => {
  const { batch, heads, lengthQ: length, dHead, layout, inputScale = 1 } = setup;
  return {
    name: nameOf(setup),
    // a map of u has the absolute error of u, which here reaches 10, and × 10 in large inputs 100
    bound: isExponential(setup) ? 1e-6 : 3e-6 * Math.max(1, inputScale),
    because: 'float32 sums of dHead products; the largest u sets the scale of the error',
    inputs: (random) => ({
      x: normals(random, batch * heads * length * dHead, inputScale),
      ...featureInputs(setup, random),
    }),
    outputs: () => ({ out: batch * heads * length * setup.numFeatures }),
    call: (backend, arrays) => {
      const { x, out } = arrays;
      backend.favorFeatures({ ...featureArrays(setup, arrays), x, out, batch, heads, length, dHead, layout });
    },
  };
});

export const favorFeaturesCases: Case[] = [...setups, sines];
