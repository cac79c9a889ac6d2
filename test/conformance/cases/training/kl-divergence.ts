import { type Case, normals } from '../../case.ts';

function casesOf(rows: number, vocabSize: number, logitScale: number, inverseTemperature: number): Case[] {
  const args = { rows, vocabSize, inverseTemperature, gradientScale: 0.37 };
  const count = rows * vocabSize;
  const shared = { bound: 4e-6, because: 'exp of float32 differences of logits, then float32 sums' };
  const name = (what: string) => `${rows}×${vocabSize}, logits × ${logitScale} / ${1 / inverseTemperature}, ${what}`;
  type Random = Parameters<Case['inputs']>[0];
  const logits = (random: Random) => normals(random, count, logitScale);
  /** Near the logits, as a teacher's are; every third row has the same largest. */
  const targets = (random: Random, from: Float32Array) => {
    const noise = normals(random, count, logitScale);
    return from.map((logit, i) => (Math.floor(i / vocabSize) % 3 === 0 ? logit : 0.5 * logit + noise[i]));
  };
  const both = (random: Random) => {
    const x = logits(random);
    return { logits: x, targets: targets(random, x) };
  };
  return [
    {
      ...{ name: name('gradient apart'), ...shared },
      inputs: both,
      outputs: () => ({ loss: rows, correct: rows, dLogits: count }),
      call: (backend, { loss, correct, dLogits, ...given }) =>
        backend.softmaxKlDivergence({ ...args, logits: given.logits, targets: given.targets, loss, correct, dLogits }),
    },
    ...(['targets', 'logits'] as const).map((overwritten): Case => {
      const other = overwritten === 'targets' ? 'logits' : 'targets';
      return {
        ...{ name: name(`gradient in place of the ${overwritten}`), ...shared },
        inputs: (random) => ({ [other]: logits(random) }),
        outputs: (random) => ({ [overwritten]: logits(random), loss: rows }),
        call: (backend, { logits, targets, loss, ...given }) =>
          backend.softmaxKlDivergence({
            ...args,
            ...given,
            logits,
            targets,
            loss,
            dLogits: overwritten === 'targets' ? targets : logits,
          }),
      };
    }),
    {
      ...{ name: name('loss alone'), ...shared },
      inputs: both,
      outputs: () => ({ loss: rows }),
      call: (backend, given) =>
        backend.softmaxKlDivergence({ ...args, logits: given.logits, targets: given.targets, loss: given.loss }),
    },
  ];
}

export const klDivergenceCases: Case[] = [
  ...casesOf(1, 1, 1, 1),
  ...casesOf(7, 5, 1, 0.5),
  ...casesOf(13, 257, 30, 0.25),
  ...casesOf(67, 131, 3, 1),
  ...casesOf(5, 4099, 3, 1.7),
  ...casesOf(0, 5, 1, 1),
];
