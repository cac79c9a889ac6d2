import { describe, expect, it } from 'vitest';
import { learningRateAt, type Schedule } from '../../src/training/schedule.ts';

const rates = (schedule: Schedule, steps: number, warmupSteps: number, learningRate = 1): number[] =>
  Array.from({ length: steps }, (_, step) => learningRateAt({ learningRate, warmupSteps, steps, schedule }, step));

const expectClose = (actual: number[], expected: number[]): void => {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of actual.entries()) expect(value).toBeCloseTo(expected[i]!, 14);
};

describe('learningRateAt', () => {
  it('rises linearly over the warm-up, whatever follows it', () => {
    expectClose(rates({ kind: 'constant' }, 7, 4, 0.5), [0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5]);
  });

  it('follows a cosine from the peak to the final fraction at the last step', () => {
    const half = Math.SQRT1_2 / 2;
    expectClose(rates({ kind: 'cosine', finalFraction: 0 }, 5, 0), [1, 0.5 + half, 0.5, 0.5 - half, 0]);
    expectClose(rates({ kind: 'cosine', finalFraction: 0.2 }, 5, 2, 10), [5, 10, 10, 6, 2]);
  });

  it('falls linearly to the final fraction at the last step', () => {
    expectClose(rates({ kind: 'linear', finalFraction: 0.1 }, 6, 3), [1 / 3, 2 / 3, 1, 1, 0.55, 0.1]);
  });

  it('stays at the end past the last step, and is defined when warm-up fills the run', () => {
    const schedule = { kind: 'linear', finalFraction: 0.25 } as const;
    expect(learningRateAt({ learningRate: 2, warmupSteps: 0, steps: 3, schedule }, 99)).toBe(0.5);
    expectClose(rates(schedule, 2, 2), [0.5, 1]);
    expectClose(rates(schedule, 1, 0), [1]);
  });
});
