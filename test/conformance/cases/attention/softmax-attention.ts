import type { Backend, Storage } from '../../../../src/backend/types.ts';
import {
  type AttentionSetup,
  attentionArrays,
  attentionInputs,
  crossSetups,
  gradientLengths,
  gradientTermSize,
  offsetNearFieldSetups,
  offsetSetups,
  outputLengths,
  squareNearFieldSetups,
  squareSetups,
} from '../../attention.ts';
import type { Case } from '../../case.ts';

export function softmaxAttentionCasesOf(setup: AttentionSetup, causal: boolean, normalise = true): Case[] {
  // Scores grow with the square of the inputs' size, and so does their float32 rounding: keep the scores' own size.
  const { inputScale = 1 } = setup;
  const scale = 1 / Math.sqrt(setup.dHead) / inputScale;
  const { out, perQuery } = outputLengths(setup);
  const name = `${setup.name} ${setup.layout}${causal ? ' causal' : ''}${normalise ? '' : ' not normalised'}`;
  const inputs: Case['inputs'] = (random) => attentionInputs(setup, random);
  const forward = (backend: Backend, arrays: Readonly<Record<string, Storage>>) => {
    const call = {
      ...attentionArrays(setup, arrays),
      out: arrays.out,
      logSumExp: arrays.logSumExp,
      causal,
      scale,
      normalise,
      block: setup.block,
      sinks: setup.sinks,
    };
    backend.softmaxAttention(call);
    return call;
  };
  return [
    {
      ...{ name, bound: 1e-5, because: 'exp of scores of up to a few hundred, rounded to float32', inputs },
      outputs: () => ({ out, logSumExp: perQuery }),
      call: forward,
    },
    {
      ...{ name: `backward ${name}`, bound: 2e-5, because: 'differences of such terms', inputs },
      ...(normalise ? { termSize: gradientTermSize(setup) } : {}),
      outputs: () => ({ out, logSumExp: perQuery, ...gradientLengths(setup) }),
      call: (backend, arrays) => {
        const { dOut, dQ, dK, dV } = arrays;
        backend.softmaxAttentionBackward({ ...forward(backend, arrays), dOut, dQ, dK, dV });
      },
    },
  ];
}

/** Short and long sequences, one and many, some masked; × 10 reaches exponentials far beyond float32's digits. */
const notNormalised = new Set([
  'small',
  'small × 10',
  'long',
  'masked',
  'few queries',
  'sequences of different lengths',
]);

export const softmaxAttentionCases: Case[] = [
  ...[...squareSetups, ...crossSetups].flatMap((setup) => [
    ...softmaxAttentionCasesOf(setup, false),
    ...softmaxAttentionCasesOf(setup, true),
    ...(notNormalised.has(setup.name) ? softmaxAttentionCasesOf(setup, false, false) : []),
  ]),
  ...offsetSetups.flatMap((setup) => [
    ...softmaxAttentionCasesOf(setup, true),
    ...softmaxAttentionCasesOf(setup, true, false),
  ]),
  ...squareNearFieldSetups.flatMap((setup) => [
    ...softmaxAttentionCasesOf(setup, false),
    ...softmaxAttentionCasesOf(setup, true),
  ]),
  ...offsetNearFieldSetups.flatMap((setup) => softmaxAttentionCasesOf(setup, true)),
];
