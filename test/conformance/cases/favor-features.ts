import { type Case, normals } from '../case.ts';
import { featureArrays, featureInputs, nameOf, squareFavorSetups } from '../favor.ts';

export const favorFeaturesCases: Case[] = squareFavorSetups.map((setup): Case => {
  const { batch, heads, lengthQ: length, dHead, layout, inputScale = 1 } = setup;
  return {
    name: nameOf(setup),
    bound: 1e-6,
    because: 'float32 sums of dHead products; the largest log-feature sets the scale',
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
