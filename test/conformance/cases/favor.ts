import type { Backend, Storage } from '../../../src/backend/types.ts';
import { attentionArrays, attentionInputs, gradientLengths, gradientTermSize, outputLengths } from '../attention.ts';
import type { Case } from '../case.ts';
import {
  type FavorSetup,
  favorSetups,
  featureArrays,
  featureInputs,
  meaningOf,
  NORM_BOUND,
  nameOf,
  outBecause,
  outBound,
  stateArrays,
  stateBounds,
  stateLengths,
} from '../favor.ts';

function casesOf(setup: FavorSetup): Case[] {
  const { out, perQuery } = outputLengths(setup);
  const numRuns = setup.runs?.length ?? setup.batch;
  const state = stateLengths(numRuns * setup.heads, setup.numFeatures, setup.dValue);
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
      bound: { out: outBound(setup.inputScale), ...stateBounds },
      normBound: { out: NORM_BOUND },
      because: outBecause,
      inputs,
      outputs: () => ({ out, denominator: perQuery, ...state }),
      call: forward,
      observe: ({ denominator, ...outputs }) => meaningOf(outputs, setup.dValue),
    },
    {
      name: nameOf(setup, 'backward '),
      termSize: gradientTermSize(setup),
      bound: 5e-5,
      because: 'gradients are differences of terms that each carry the features’ error',
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

export const favorCases: Case[] = favorSetups.flatMap(casesOf);
