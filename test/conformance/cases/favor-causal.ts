import type { Backend, Storage } from '../../../src/backend/types.ts';
import { attentionArrays, attentionInputs, gradientLengths, gradientTermSize, outputLengths } from '../attention.ts';
import type { Case } from '../case.ts';
import {
  type FavorSetup,
  featureArrays,
  featureInputs,
  meaningOf,
  NORM_BOUND,
  nameOf,
  outBecause,
  outBound,
  randomStates,
  squareFavorSetups,
  stateArrays,
  stateBounds,
} from '../favor.ts';

function casesOf(setup: FavorSetup): Case[] {
  const { out, perQuery } = outputLengths(setup);
  const numStates = (setup.runs?.length ?? setup.batch) * setup.heads;
  const inputs: Case['inputs'] = (random) => ({ ...attentionInputs(setup, random), ...featureInputs(setup, random) });
  const callOf = (arrays: Readonly<Record<string, Storage>>) => {
    const attention = { ...attentionArrays(setup, arrays), ...featureArrays(setup, arrays) };
    return { ...attention, out: arrays.out, denominator: arrays.denominator };
  };
  const withState = (updateState: boolean): Case => ({
    name: nameOf(setup, updateState ? 'updating a state, ' : 'from a state, '),
    bound: { out: outBound(setup.inputScale), ...stateBounds },
    normBound: { out: NORM_BOUND },
    because: outBecause,
    inputs,
    outputs: (random) => ({
      ...{ out, denominator: perQuery },
      ...randomStates(random, numStates, setup.numFeatures, setup.dValue),
    }),
    call: (backend, arrays) => backend.favorCausal({ ...callOf(arrays), state: stateArrays(arrays), updateState }),
    observe: ({ denominator, ...outputs }) => meaningOf(outputs, setup.dValue),
  });
  return [
    {
      ...{
        name: nameOf(setup),
        bound: outBound(setup.inputScale),
        normBound: { out: NORM_BOUND },
        because: outBecause,
        inputs,
      },
      outputs: () => ({ out, denominator: perQuery }),
      call: (backend, arrays) => backend.favorCausal(callOf(arrays)),
      observe: (outputs) => ({ out: outputs.out }),
    },
    // reading a state without updating it is the same work: the small sizes suffice
    ...(setup.name.startsWith('small') || setup.runs ? [withState(false)] : []),
    withState(true),
    {
      name: nameOf(setup, 'backward '),
      termSize: gradientTermSize(setup),
      bound: 5e-5,
      because: 'gradients are differences of terms that each carry the features’ error',
      inputs,
      outputs: () => ({ out, denominator: perQuery, ...gradientLengths(setup) }),
      call: (backend: Backend, arrays) => {
        const { dOut, dQ, dK, dV } = arrays;
        backend.favorCausal(callOf(arrays));
        backend.favorCausalBackward({ ...callOf(arrays), dOut, dQ, dK, dV });
      },
      observe: ({ dQ, dK, dV }) => ({ dQ, dK, dV }),
    },
  ];
}

export const favorCausalCases: Case[] = squareFavorSetups.flatMap(casesOf);
