import { farSnapshotsLength } from '../../../../src/backend/projection-sizes.ts';
import type { Backend, Storage } from '../../../../src/backend/types.ts';
import {
  type AttentionSetup,
  attentionArrays,
  attentionInputs,
  gradientLengths,
  gradientTermSize,
  offsetNearFieldSetups,
  outputLengths,
  squareNearFieldSetups,
} from '../../attention.ts';
import { type Case, normals } from '../../case.ts';
import {
  estimatorOf,
  type FavorOptions,
  featureInputs,
  meaningOf,
  nameOf,
  outBound,
  randomStates,
  stateArrays,
  stateBounds,
} from '../../favor.ts';

export interface FarSetup extends AttentionSetup, FavorOptions {
  readonly block: number;
  readonly hasGain: boolean;
}

/** Masses of far keys that a forgotten factor would change: 1/m and a map's constants are in it. */
const WEIGHT = 0.03;

type Arrays = Readonly<Record<string, Storage>>;

export function farFieldCasesOf(setup: FarSetup, causal: boolean): Case[] {
  const { heads, dHead, dValue, block, sinks, numFeatures, hasGain, inputScale } = setup;
  const { out, perQuery } = outputLengths(setup);
  const numSequences = setup.sequences?.length ?? setup.batch;
  const inputs: Case['inputs'] = (random) => ({
    ...attentionInputs(setup, random),
    ...featureInputs(setup, random),
    ...(hasGain ? { gain: normals(random, heads) } : {}),
  });
  const nearOf = (arrays: Arrays) => {
    const attention = { ...attentionArrays(setup, arrays), causal, scale: 1 / Math.sqrt(dHead), normalise: true };
    return { ...attention, block, sinks, out: arrays.out, logSumExp: arrays.logSumExp };
  };
  const farOf = (arrays: Arrays) => {
    const { map: _, epsilon: __, ...estimator } = estimatorOf(setup, dHead);
    const { projection, bias, gain } = arrays;
    const features = { ...estimator, projection, bias, gain };
    const { out, logSumExp } = arrays;
    return { ...attentionArrays(setup, arrays), ...features, out, logSumExp, block, sinks, weight: WEIGHT };
  };
  /** Near field and sweeps; returns what the gradients need, to be released. */
  const forward = (backend: Backend, arrays: Arrays) => {
    backend.softmaxAttention(nearOf(arrays));
    const call = farOf(arrays);
    return (causal ? [false] : [false, true]).map((reverse) => {
      const shares = backend.allocate(perQuery);
      const snapshots = backend.allocate(farSnapshotsLength(call, numFeatures, block));
      backend.fill(shares, 0);
      backend.farField({ ...call, shares, kept: arrays.kept, snapshots, reverse });
      return { shares, snapshots, reverse };
    });
  };
  const release = (backend: Backend, sweeps: ReturnType<typeof forward>) => {
    for (const storage of sweeps.flatMap(({ shares, snapshots }) => [shares, snapshots])) backend.release(storage);
  };
  const name = nameOf({ ...setup, name: `${setup.name}${causal ? ' causal' : ''}${hasGain ? ' gain' : ''}` });
  const because = 'float32 log-features, and masses whose logarithms, up to hundreds, are float32';
  const isLarge = (inputScale ?? 1) > 10;
  const bound = (isLarge ? 4 : 2) * outBound(inputScale);
  const withState: Case = {
    ...{ name: `updating a state, ${name}`, inputs, because },
    bound: { out: bound, logSumExp: 1e-6, ...stateBounds },
    outputs: (random) => ({
      ...{ out, logSumExp: perQuery },
      ...randomStates(random, numSequences * heads, setup, dValue),
    }),
    call: (backend, arrays) => {
      backend.softmaxAttention(nearOf(arrays));
      const shares = backend.allocate(perQuery);
      backend.farField({ ...farOf(arrays), ...stateArrays(arrays), shares, updateState: true });
      backend.release(shares);
    },
    observe: (outputs) => meaningOf(outputs, setup, dValue),
  };
  return [
    {
      ...{ name, inputs, because },
      bound: { out: bound, logSumExp: 1e-6, kept: bound },
      outputs: () => ({ out, logSumExp: perQuery, kept: perQuery }),
      call: (backend, arrays) => release(backend, forward(backend, arrays)),
    },
    ...(causal ? [withState] : []),
    {
      ...{ name: `backward ${name}`, inputs },
      ...{
        bound: isLarge ? 3e-4 : 1e-4,
        because: 'gradients are differences of terms that each carry the features’ error',
      },
      termSize: { ...gradientTermSize(setup), dGain: Math.sqrt(dValue) },
      outputs: () => ({
        ...{ out, logSumExp: perQuery, kept: perQuery, dGain: numSequences * heads },
        ...gradientLengths(setup),
      }),
      call: (backend, arrays) => {
        const { dOut, dQ, dK, dV, dGain, kept, out, logSumExp } = arrays;
        const sweeps = forward(backend, arrays);
        backend.softmaxAttentionBackward({ ...nearOf(arrays), out, logSumExp, dOut, dQ, dK, dV });
        if (sweeps.length > 1) {
          const [{ shares }] = sweeps;
          const all = { layout: backend.upload(Int32Array.of(perQuery, 1, 1)), numAxes: 1, count: perQuery };
          const product = backend.allocate(perQuery);
          backend.binary({ ...all, a: shares, b: kept, out: product, kind: 'multiply' });
          backend.copy(product, shares);
          for (const storage of [product, all.layout]) backend.release(storage);
        }
        for (const sweep of sweeps) backend.farFieldBackward({ ...farOf(arrays), ...sweep, dOut, dQ, dK, dV, dGain });
        release(backend, sweeps);
      },
      observe: ({ kept: _, out: __, logSumExp: ___, ...gradients }) => gradients,
    },
  ];
}

const estimators: readonly FavorOptions[] = [
  { numFeatures: 37, hasBias: false },
  { numFeatures: 42, hasBias: true, form: 'hadamard', stacked: true },
  { numFeatures: 139, hasBias: true },
  { numFeatures: 23, hasBias: false, form: 'givens' },
];

export const withEstimator = (setup: AttentionSetup, i: number): FarSetup => {
  const estimator = estimators[i % estimators.length];
  return {
    ...setup,
    ...estimator,
    block: setup.block ?? 16,
    hasGain: i % 2 === 0,
    name: `${setup.name}, m=${estimator.numFeatures}`,
  };
};

export const farFieldCases: Case[] = [
  ...squareNearFieldSetups
    .map(withEstimator)
    .flatMap((setup) => [...farFieldCasesOf(setup, false), ...farFieldCasesOf(setup, true)]),
  ...offsetNearFieldSetups.map(withEstimator).flatMap((setup) => farFieldCasesOf(setup, true)),
];
