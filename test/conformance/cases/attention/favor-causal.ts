import { snapshotsLength } from '../../../../src/backend/projection-sizes.ts';
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
  randomStates,
  resultBounds,
  stateArrays,
} from '../../favor.ts';
import {
  boundFavorSetups,
  crossFavorSetups,
  estimatorOffsetSetups,
  estimatorSetups,
  longFavorSetups,
  offsetFavorSetups,
  pastSegmentSetups,
  squareFavorSetups,
} from '../../favor-setups.ts';

export function favorCausalCasesOf(setup: FavorSetup): Case[] {
  const { out, perQuery } = outputLengths(setup);
  const numStates = (setup.sequences?.length ?? setup.batch) * setup.heads;
  const inputs: Case['inputs'] = (random) => ({ ...attentionInputs(setup, random), ...featureInputs(setup, random) });
  const callOf = (arrays: Readonly<Record<string, Storage>>) => {
    const attention = { ...attentionArrays(setup, arrays), ...featureArrays(setup, arrays) };
    return { ...attention, out: arrays.out, denominator: arrays.denominator };
  };
  const withState = (updateState: boolean): Case => ({
    name: nameOf(setup, updateState ? 'updating a state, ' : 'from a state, '),
    ...resultBounds(setup),
    inputs,
    outputs: (random) => ({
      ...{ out, denominator: perQuery },
      ...randomStates(random, numStates, setup, setup.dValue),
    }),
    call: (backend, arrays) => backend.favorCausal({ ...callOf(arrays), ...stateArrays(arrays), updateState }),
    observe: (outputs) => meaningOf(outputs, setup, setup.dValue),
  });
  return [
    {
      name: nameOf(setup),
      ...resultBounds(setup),
      inputs,
      outputs: () => ({ out, denominator: perQuery }),
      call: (backend, arrays) => backend.favorCausal(callOf(arrays)),
      observe: (outputs) => meaningOf(outputs, setup, setup.dValue),
    },
    // reading a state without updating it is the same work: the small sizes suffice
    ...(setup.name.startsWith('small') || setup.sequences ? [withState(false)] : []),
    withState(true),
    {
      name: nameOf(setup, 'backward '),
      ...gradientBounds(setup),
      inputs,
      outputs: () => ({ out, denominator: perQuery, ...gradientLengths(setup) }),
      call: (backend: Backend, arrays) => {
        const { dOut, dQ, dK, dV } = arrays;
        const call = callOf(arrays);
        const snapshots = backend.allocate(snapshotsLength(call, call.numFeatures));
        backend.favorCausal({ ...call, snapshots });
        backend.favorCausalBackward({ ...call, snapshots, dOut, dQ, dK, dV });
        backend.release(snapshots);
      },
      observe: ({ dQ, dK, dV }) => ({ dQ, dK, dV }),
    },
  ];
}

export const favorCausalCases: Case[] = [
  ...[...squareFavorSetups, ...crossFavorSetups, ...offsetFavorSetups],
  ...[...estimatorSetups, ...estimatorOffsetSetups, ...boundFavorSetups],
]
  .flatMap(favorCausalCasesOf)
  .concat(
    [...longFavorSetups, ...pastSegmentSetups]
      .flatMap(favorCausalCasesOf)
      .filter(({ name }) => name.startsWith('backward')),
  );
