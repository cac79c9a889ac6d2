import { dividedRows, exponentialEstimator } from '../../../src/backend/estimator.ts';
import { type Case, normals } from '../case.ts';
import { meaningOf, NORM_BOUND, outBecause, outBound, randomStates, stateArrays, stateBounds } from '../favor.ts';

type Sizes = readonly [batch: number, heads: number, dHead: number, dValue: number, numFeatures: number];

/** Three tokens, one after the other. */
function caseOf(sizes: Sizes, inputScale: number, hasBias: boolean): Case {
  const [batch, heads, dHead, dValue, numFeatures] = sizes;
  const rows = batch * heads;
  const numTokens = 3;
  return {
    name: `${sizes.join('×')}, inputs × ${inputScale}${hasBias ? ', bias' : ''}`,
    bound: { out: outBound(inputScale), ...stateBounds },
    normBound: { out: NORM_BOUND },
    because: outBecause,
    inputs: (random) => ({
      q: normals(random, numTokens * rows * dHead, inputScale),
      k: normals(random, numTokens * rows * dHead, inputScale),
      v: normals(random, numTokens * rows * dValue),
      projection: normals(random, numFeatures * dHead),
      ...(hasBias ? { bias: normals(random, numFeatures) } : {}),
    }),
    outputs: (random) => ({
      out: numTokens * rows * dValue,
      ...randomStates(random, rows, numFeatures, dValue),
    }),
    call: (backend, arrays) => {
      const { projection, bias } = arrays;
      for (let token = 0; token < numTokens; token++) {
        const at = (name: string, width: number) => backend.slice(arrays[name], token * rows * width, rows * width);
        const inputs = { q: at('q', dHead), k: at('k', dHead), v: at('v', dValue), out: at('out', dValue) };
        const features = {
          projection,
          bias,
          ...exponentialEstimator(numFeatures),
          ...dividedRows,
          ...stateArrays(arrays),
        };
        backend.favorStep({ ...inputs, ...features, batch, heads, dHead, dValue });
      }
    },
    observe: (outputs) => meaningOf(outputs, dValue),
  };
}

export const favorStepCases: Case[] = [1, 10, 30].flatMap((inputScale) => [
  caseOf([1, 1, 1, 1, 1], inputScale, false),
  caseOf([2, 3, 5, 11, 3], inputScale, true),
  caseOf([3, 2, 17, 7, 67], inputScale, false),
  caseOf([1, 8, 64, 64, 256], inputScale, true),
  caseOf([0, 3, 5, 7, 11], inputScale, false),
]);
