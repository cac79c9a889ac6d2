import { afterAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { EncoderDecoder, translationLoss } from '../../src/model/encoder-decoder.ts';
import { translate } from '../../src/model/translate.ts';
import { scope } from '../../src/tensor/scope.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { AdamW } from '../../src/training/optimizer.ts';

const [start, stop, firstToken] = [0, 1, 2];
const words = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const alphabet = ` ${[...new Set(words.join(''))].sort().join('')}`;

interface Task {
  readonly targetVocabSize: number;
  target(digits: readonly number[]): number[];
}

const tasks: Record<string, Task> = {
  /** 3 1 4 → 3 1 4 */
  copy: { targetVocabSize: firstToken + 10, target: (digits) => digits.map((digit) => firstToken + digit) },
  /** 3 1 4 → “four one three”, letter by letter. */
  words: {
    targetVocabSize: firstToken + alphabet.length,
    target: (digits) => {
      const text = [...digits].reverse().map((digit) => words[digit]);
      return [...text.join(' ')].map((letter) => firstToken + alphabet.indexOf(letter));
    },
  },
};

/** 2 to 5 random digits. */
function digitsOf(random: Random): number[] {
  return Array.from({ length: 2 + random.integer(4) }, () => random.integer(10));
}

/** Pairs padded to common lengths: sources with a mask, targets after a start token. */
function batchOf({ target }: Task, random: Random, size: number) {
  const pairs = Array.from({ length: size }, () => {
    const digits = digitsOf(random);
    return { source: digits, target: target(digits) };
  });
  const lengthK = Math.max(...pairs.map((pair) => pair.source.length));
  const lengthQ = 1 + Math.max(...pairs.map((pair) => pair.target.length));
  const source = new Int32Array(size * lengthK);
  const inputs = new Int32Array(size * lengthQ);
  const targets = new Int32Array(size * lengthQ).fill(-1);
  pairs.forEach((pair, row) => {
    source.set(pair.source, row * lengthK);
    inputs.set([start, ...pair.target], row * lengthQ);
    targets.set([...pair.target, stop], row * lengthQ);
  });
  const sourceMask = pairs.map((pair) => Array.from({ length: lengthK }, (_, i) => (i < pair.source.length ? 1 : 0)));
  return { source, inputs, targets, sourceMask, lengthK, lengthQ, size };
}

describe('an encoder–decoder with FAVOR+ throughout learns 99 % of held-out tokens', async () => {
  const backend = await createBackend({ numThreads: 1 });
  afterAll(() => backend.close());

  it.each([
    ['copy', 200],
    ['words', 400],
  ])('%s, in %i updates', async (name, steps) => {
    const task = tasks[name];
    const favor = { type: 'favor', numFeatures: 32 } as const;
    const sizes = {
      dModel: 32,
      numEncoderLayers: 1,
      numDecoderLayers: 1,
      numHeads: 2,
      dFeedForward: 64,
      maxLength: 32,
    };
    const vocabularies = { sourceVocabSize: 10, targetVocabSize: task.targetVocabSize };
    const model = new EncoderDecoder(
      backend,
      { ...sizes, ...vocabularies, attention: favor, crossAttention: favor },
      3,
    );
    const parameters = model.parameters();
    const optimizer = new AdamW(parameters, { weightDecay: 0 });
    const lossOf = (batch: ReturnType<typeof batchOf>) => {
      const { source, inputs, targets, sourceMask, lengthK, lengthQ, size } = batch;
      return translationLoss(
        model,
        tensor(backend, source, [size, lengthK]),
        tensor(backend, inputs, [size, lengthQ]),
        tensor(backend, targets, [size, lengthQ]),
        { sourceMask, weight: 1 / targets.filter((token) => token >= 0).length },
      );
    };
    for (let step = 1; step <= steps; step++) {
      const batch = batchOf(task, new Random(7).fork(step), 32);
      scope(() => {
        const { gradients } = valueAndGradients(() => lossOf(batch).loss, [...parameters.values()]);
        const learningRate = 6e-3 * Math.min(1, step / 30) * (1 - (0.9 * step) / steps);
        optimizer.step(gradients, { learningRate });
      });
    }
    const heldOut = batchOf(task, new Random(8), 200);
    const { loss, correct } = scope(() => lossOf(heldOut));
    const hits = await correct.data();
    const counted = [...heldOut.targets.keys()].filter((i) => heldOut.targets[i] >= 0);
    expect(counted.filter((i) => hits[i] === 1).length / counted.length).toBeGreaterThanOrEqual(0.99);
    for (const tensor of [loss, correct]) tensor.dispose();

    const random = new Random(9);
    let right = 0;
    for (let i = 0; i < 10; i++) {
      const digits = digitsOf(random);
      const found: number[] = [];
      for await (const token of translate(model, digits, { start, stop, temperature: 0, maxTokens: 31 }))
        found.push(token);
      if (found.join() === task.target(digits).join()) right++;
    }
    expect(right).toBeGreaterThanOrEqual(8);
    optimizer.dispose();
    model.dispose();
  });
});
