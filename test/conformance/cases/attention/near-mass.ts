import type { Backend, Storage } from '../../../../src/backend/types.ts';
import {
  attentionArrays,
  attentionInputs,
  gradientLengths,
  offsetNearFieldSetups,
  outputLengths,
  squareNearFieldSetups,
} from '../../attention.ts';
import { type Case, normals } from '../../case.ts';
import { estimatorOf, featureInputs, nameOf } from '../../favor.ts';
import { type FarSetup, withEstimator } from './far-field.ts';

type Arrays = Readonly<Record<string, Storage>>;

export function nearMassCasesOf(setup: FarSetup, causal: boolean): Case[] {
  const { dHead, block, sinks, inputScale = 1 } = setup;
  const { out, perQuery } = outputLengths(setup);
  const callOf = (arrays: Arrays) => {
    const { map: _, epsilon: __, ...estimator } = estimatorOf(setup, dHead);
    const { projection, bias } = arrays;
    return { ...attentionArrays(setup, arrays), ...estimator, projection, bias, causal, block, sinks, weight: 0.03 };
  };
  const name = nameOf({ ...setup, name: `${setup.name}${causal ? ' causal' : ''}` });
  const inputs: Case['inputs'] = (random) => ({ ...attentionInputs(setup, random), ...featureInputs(setup, random) });
  const { dQ, dK } = gradientLengths(setup);
  return [
    {
      ...{ name, inputs, bound: inputScale > 10 ? 5e-6 : 2e-6, because: 'a logarithm of sums of float32 features' },
      outputs: () => ({ logMass: perQuery }),
      call: (backend: Backend, arrays) => backend.nearMass({ ...callOf(arrays), logMass: arrays.logMass }),
    },
    {
      name: `backward ${name}`,
      inputs: (random) => ({
        ...inputs(random),
        ...{ out: normals(random, out), nearOut: normals(random, out) },
        kept: Float32Array.from({ length: perQuery }, (_, i) => (i % 5 === 0 ? 0 : random.uniform())),
      }),
      ...{
        bound: inputScale > 10 ? 3e-4 : 5e-5,
        because: 'gradients are differences of terms that carry the features’ error',
      },
      termSize: { dQ: dHead ** -0.5 * inputScale, dK: dHead ** -0.5 * inputScale },
      outputs: (random) => ({ dQ: normals(random, dQ), dK: normals(random, dK) }),
      call: (backend, arrays) => {
        const { out, nearOut, kept, dOut, dQ, dK } = arrays;
        backend.nearMassBackward({ ...callOf(arrays), out, nearOut, kept, dOut, dQ, dK });
      },
    },
  ];
}

export const nearMassCases: Case[] = [
  ...squareNearFieldSetups
    .map(withEstimator)
    .flatMap((setup) => [...nearMassCasesOf(setup, false), ...nearMassCasesOf(setup, true)]),
  ...offsetNearFieldSetups.map(withEstimator).flatMap((setup) => nearMassCasesOf(setup, true)),
];
