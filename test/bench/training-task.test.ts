import { describe, expect, it } from 'vitest';
import type { Peer, TrainingProblem } from '../../bench/peers/peer.ts';
import { trainingProblem, trainingTask } from '../../bench/peers/tasks.ts';

const size = { dModel: 8, numLayers: 1, numHeads: 2, dFeedForward: 16, vocabSize: 11, batchSize: 2, length: 5 };
const task = trainingTask({ label: 'step', against: 'ours', flops: 1 }, trainingProblem(size, 0.1));
const reference = {} as never;

/** An engine whose losses start at a multiple of the logarithm of the vocabulary's size and change by `slope` a step. */
function engine(factor: number, slope: number): { peer: Peer; problems: TrainingProblem[] } {
  const problems: TrainingProblem[] = [];
  const peer: Peer = {
    name: 'losses',
    runsOn: 'wasm',
    threads: () => 1,
    async trainingStep(problem) {
      problems.push(problem);
      const losses: number[] = [];
      const run = () => void losses.push(factor * Math.log(problem.vocabSize) + slope * losses.length);
      return [{ form: '', run, read: async () => losses, release: () => {} }];
    },
  };
  return { peer, problems };
}

describe('a training step of another engine', () => {
  it('gives each token its successor as target', () => {
    const { inputs, targets } = trainingProblem(size, 0.1);
    expect(inputs).toHaveLength(10);
    expect(Array.from(targets.slice(0, -1))).toEqual(Array.from(inputs.slice(1)));
    expect(Math.max(...inputs, ...targets)).toBeLessThan(11);
  });

  it('is checked by its first loss, after steps in which the loss falls', async () => {
    const [run] = (await task.start(engine(1.01, -0.1).peer, 'small', 1)) ?? [];
    await run.run();
    const [expected] = Array.from(await task.expected(reference));
    expect(expected).toBeCloseTo(Math.log(61), 12);
    expect(Array.from(await run.read())).toEqual([1.01 * expected]);
  });

  it('is refused if the loss does not fall, or is no number', async () => {
    for (const slope of [0, 0.1, Number.NaN]) {
      const [run] = (await task.start(engine(1, slope).peer, 'small', 1)) ?? [];
      await run.run();
      await expect(run.read()).rejects.toThrow('its loss does not fall in 8 steps');
    }
  });

  it('is timed one step at a time on the given problem', async () => {
    const { peer, problems } = engine(1, -0.1);
    const [run] = (await task.start(peer, 'timed', 1)) ?? [];
    await run.run();
    expect(await run.read()).toHaveLength(1);
    expect(problems).toEqual([trainingProblem(size, 0.1)]);
  });

  it('is left out by an engine that does not train', () => {
    expect(task.start({ name: 'none', runsOn: 'wasm', threads: () => 1 }, 'small', 1)).toBeUndefined();
  });
});
