import type { FeatureMapKind } from '../../../../src/backend/types.ts';
import { type Case, normals } from '../../case.ts';
import {
  type FavorOptions,
  featureArrays,
  featureInputs,
  meaningOf,
  randomStates,
  resultBounds,
  stateArrays,
} from '../../favor.ts';
import { estimatorCases } from '../../favor-setups.ts';

type Sizes = readonly [batch: number, heads: number, dHead: number, dValue: number];

/** Three tokens, one after the other. */
function caseOf(name: string, sizes: Sizes, inputScale: number, options: FavorOptions): Case {
  const [batch, heads, dHead, dValue] = sizes;
  const rows = batch * heads;
  const numTokens = 3;
  const features = { ...options, dHead };
  return {
    name,
    ...resultBounds({ ...options, inputScale }),
    inputs: (random) => ({
      q: normals(random, numTokens * rows * dHead, inputScale),
      k: normals(random, numTokens * rows * dHead, inputScale),
      v: normals(random, numTokens * rows * dValue),
      ...featureInputs(features, random),
    }),
    outputs: (random) => ({
      out: numTokens * rows * dValue,
      ...randomStates(random, rows, options, dValue),
    }),
    call: (backend, arrays) => {
      for (let token = 0; token < numTokens; token++) {
        const at = (name: string, width: number) => backend.slice(arrays[name], token * rows * width, rows * width);
        const inputs = { q: at('q', dHead), k: at('k', dHead), v: at('v', dValue), out: at('out', dValue) };
        const call = { ...featureArrays(features, arrays), ...stateArrays(arrays), ...inputs };
        backend.favorStep({ ...call, batch, heads, dHead, dValue });
      }
    },
    observe: (outputs) => meaningOf(outputs, options, dValue),
  };
}

function exponentialCase(sizes: Sizes, numFeatures: number, inputScale: number, hasBias: boolean): Case {
  const name = `${[...sizes, numFeatures].join('×')}, inputs × ${inputScale}${hasBias ? ', bias' : ''}`;
  return caseOf(name, sizes, inputScale, { numFeatures, hasBias });
}

/** Maps that sums of random states and keys leave far from 0 only when they are positive. */
const divided: readonly FeatureMapKind[] = ['exponential', 'relu', 'exp', 'sigmoid', 'abs', 'eluPlusOne', 'square'];

export const favorStepCases: Case[] = [
  ...[1, 10, 30].flatMap((inputScale) => [
    exponentialCase([1, 1, 1, 1], 1, inputScale, false),
    exponentialCase([2, 3, 5, 11], 3, inputScale, true),
    exponentialCase([3, 2, 17, 7], 67, inputScale, false),
    exponentialCase([1, 8, 64, 64], 256, inputScale, true),
    exponentialCase([0, 3, 5, 7], 11, inputScale, false),
  ]),
  // as far as docs/favor.md says
  ...[1e3, 2e4, 1e6, 1e18].map((inputScale) => exponentialCase([1, 8, 64, 64], 256, inputScale, false)),
  ...estimatorCases.map(({ inputScale = 1, ...options }, i) => {
    const { map = 'exponential', form, stacked, stabiliser, numFeatures } = options;
    const weight = divided.includes(map) || stabiliser ? options.weight : 0.03;
    const sizes: Sizes = i % 2 === 0 ? [2, 3, 7, 11] : [3, 2, 19, 5];
    const notes = [map, form, stacked && 'stacked', weight && `weight ${weight}`, stabiliser && 'stabilised'];
    const name = `${[...sizes, numFeatures].join('×')}, inputs × ${inputScale}, ${notes.filter(Boolean).join(' ')}`;
    return caseOf(name, sizes, inputScale, { ...options, weight, hasBias: i % 3 === 0 });
  }),
  caseOf('2×3×7×11×7, no projection', [2, 3, 7, 11], 1, { map: 'relu', form: 'none', numFeatures: 7, hasBias: false }),
];
