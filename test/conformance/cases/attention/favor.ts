import type { Backend, Storage } from '../../../../src/backend/types.ts';
import { attentionArrays, attentionInputs, gradientLengths, outputLengths } from '../../attention.ts';
import type { Case } from '../../case.ts';
import {
  type FavorSetup,
  featureArrays,
  featureInputs,
  gradientBounds,
  meaningOf,
  nameOf,
  resultBounds,
  stateArrays,
  stateLengths,
} from '../../favor.ts';
import { boundFavorSetups, crossFavorSetups, estimatorSetups, squareFavorSetups } from '../../favor-setups.ts';

export function favorCasesOf(setup: FavorSetup): Case[] {
  const { out, perQuery } = outputLengths(setup);
  const numSequences = setup.sequences?.length ?? setup.batch;
  const state = stateLengths(numSequences * setup.heads, setup.numFeatures, setup.dValue);
  const inputs: Case['inputs'] = (random) => ({ ...attentionInputs(setup, random), ...featureInputs(setup, random) });
  const forward = (backend: Backend, arrays: Readonly<Record<string, Storage>>) => {
    const features = { ...featureArrays(setup, arrays), ...stateArrays(arrays) };
    const call = { ...attentionArrays(setup, arrays), ...features, out: arrays.out, denominator: arrays.denominator };
    backend.favor(call);
    return call;
  };
  return [
    {
      name: nameOf(setup),
      ...resultBounds(setup),
      inputs,
      outputs: () => ({ out, denominator: perQuery, ...state }),
      call: forward,
      observe: (outputs) => meaningOf(outputs, setup, setup.dValue),
    },
    {
      name: nameOf(setup, 'backward '),
      ...gradientBounds(setup),
      inputs,
      outputs: () => ({ out, denominator: perQuery, ...state, ...gradientLengths(setup) }),
      call: (backend, arrays) => {
        const { dOut, dQ, dK, dV } = arrays;
        backend.favorBackward({ ...forward(backend, arrays), dOut, dQ, dK, dV });
      },
      observe: ({ dQ, dK, dV }) => ({ dQ, dK, dV }),
    },
  ];
}

export const favorCases: Case[] = [
  ...squareFavorSetups,
  ...crossFavorSetups,
  ...estimatorSetups,
  ...boundFavorSetups,
].flatMap(favorCasesOf);
