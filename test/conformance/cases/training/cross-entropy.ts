import { type Case, normals } from '../../case.ts';

function casesOf(rows: number, vocabSize: number, logitScale: number): Case[] {
  const targets = (random: Parameters<Case['inputs']>[0]) =>
    Int32Array.from({ length: rows }, (_, row) => (row % 5 === 3 ? -1 : random.integer(vocabSize)));
  const args = { rows, vocabSize, gradientScale: 0.37 };
  const label = `${rows}×${vocabSize}, logits × ${logitScale}`;
  const shared = { bound: 2e-6, because: 'exp of a float32 difference of logits, then float32 sums' };
  return [
    {
      ...{ name: label, ...shared },
      inputs: (random) => ({ logits: normals(random, rows * vocabSize, logitScale), targets: targets(random) }),
      outputs: () => ({ loss: rows, correct: rows, dLogits: rows * vocabSize }),
      call: (backend, arrays) => {
        const { logits, loss, correct, dLogits } = arrays;
        backend.softmaxCrossEntropy({ ...args, logits, targets: arrays.targets, loss, correct, dLogits });
      },
    },
    {
      ...{ name: `${label}, gradient in place`, ...shared },
      inputs: (random) => ({ targets: targets(random) }),
      outputs: (random) => ({ logits: normals(random, rows * vocabSize, logitScale), loss: rows }),
      call: (backend, arrays) => {
        const { logits, loss } = arrays;
        backend.softmaxCrossEntropy({ ...args, logits, targets: arrays.targets, loss, dLogits: logits });
      },
    },
    {
      ...{ name: `${label}, loss alone`, ...shared },
      inputs: (random) => ({ logits: normals(random, rows * vocabSize, logitScale), targets: targets(random) }),
      outputs: () => ({ loss: rows }),
      call: (backend, arrays) => {
        backend.softmaxCrossEntropy({ ...args, logits: arrays.logits, targets: arrays.targets, loss: arrays.loss });
      },
    },
  ];
}

export const crossEntropyCases: Case[] = [
  ...casesOf(1, 1, 1),
  ...casesOf(7, 5, 1),
  ...casesOf(13, 257, 30),
  ...casesOf(67, 131, 3),
  ...casesOf(5, 4099, 3),
  ...casesOf(0, 5, 1),
];
