import { type Case, normals } from '../case.ts';
import { featureArrays, featureInputs, isExponential, nameOf } from '../favor.ts';
import { estimatorSetups, squareFavorSetups } from '../favor-setups.ts';

export const favorFeaturesCases: Case[] = [...squareFavorSetups, ...estimatorSetups].map((setup): Case => {
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
