import { expect, test } from 'vitest';
import { measure, quantile, ratio, SLOW_MILLISECONDS, type Subject, spread, type Timing } from '../../bench/measure.ts';

/** A clock that subjects move: nothing here depends on how fast the machine is. */
function clock() {
  let time = 0;
  const calls: string[] = [];
  const subject = (label: string, milliseconds: () => number, more: Partial<Subject> = {}): Subject => ({
    label,
    flops: 1e6,
    ...more,
    run: () => {
      calls.push(label);
      time += milliseconds();
    },
  });
  return { calls, subject, now: () => time };
}

const timing = (rounds: number[], milliseconds: number[]): Timing => ({
  subject: { label: '', flops: 0, run: () => {} },
  rounds,
  milliseconds,
  peaks: milliseconds.map(() => 1),
  peakLabel: '',
});

test('quantiles interpolate between sorted values; spread is half the interquartile range over the median', () => {
  expect(quantile([9, 1, 5], 0.5)).toBe(5);
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([10, 20, 30, 40, 50], 0.25)).toBe(20);
  expect(quantile([7], 0.9)).toBe(7);
  expect(spread([10, 20, 30, 40, 50])).toBeCloseTo((40 - 20) / 2 / 30, 12);
});

test('a ratio is the median of ratios within rounds, over the rounds that both took part in', () => {
  // in round 2 the machine was ten times slower for both
  expect(ratio(timing([0, 1, 2], [6, 8, 90]), timing([0, 1, 2], [2, 4, 30]))).toBe(3);
  expect(ratio(timing([0, 4, 8], [10, 20, 40]), timing([0, 1, 4, 7, 8], [1, 77, 4, 77, 5]))).toBe(8);
  expect(ratio(timing([0, 1, 4, 7, 8], [1, 77, 4, 77, 5]), timing([0, 4, 8], [10, 20, 40]))).toBe(1 / 8);
});

test('subjects take turns, every second round backwards, each between two samples of the peak', async () => {
  const { calls, subject, now } = clock();
  const peak = subject('peak', () => 1);
  const subjects = [subject('a', () => 30), subject('b', () => 40)];
  await measure(subjects, { rounds: 4, peak, now });
  const warmUp = ['peak', 'a', 'a', 'peak', 'b', 'b'];
  const rounds = ['a', 'b', 'b', 'a', 'a', 'b', 'b', 'a'].flatMap((label) => ['peak', label, 'peak']);
  expect(calls).toEqual([...warmUp, ...rounds]);
});

test('a sample repeats a short subject, and its time is that of one call', async () => {
  const { calls, subject, now } = clock();
  const { timings } = await measure([subject('a', () => 3)], { rounds: 1, peak: subject('peak', () => 2), now });
  expect(calls.filter((label) => label === 'a')).toHaveLength(2 + 7);
  expect(timings[0].milliseconds).toEqual([3]);
});

test('the peak of a sample is the higher of the two around it', async () => {
  const { subject, now } = clock();
  const times = [9, 4, 2, 5, 8];
  const peak = subject('peak', () => times.shift() as number, { flops: 1e7 });
  const { timings } = await measure([subject('a', () => 50)], { rounds: 2, peak, now });
  // 10 MFLOP in 2 ms, then in 5 ms
  expect(timings[0].peaks).toEqual([5, 2]);
  expect(timings[0].peakLabel).toBe('peak');
});

test('a slow subject is called once to warm up and takes part in three rounds', async () => {
  const { calls, subject, now } = clock();
  const slow = subject('slow', () => SLOW_MILLISECONDS + 1);
  const { timings } = await measure([slow, subject('a', () => 25)], { rounds: 9, peak: subject('peak', () => 1), now });
  expect(timings.map(({ rounds }) => rounds)).toEqual([
    [0, 4, 8],
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  ]);
  expect(calls.filter((label) => label === 'slow')).toHaveLength(1 + 3);
});

test('a subject that may fail is reported and the others continue; another fails the run', async () => {
  const { subject, now } = clock();
  let calls = 0;
  const failing = subject('peer', () => {
    if (++calls === 4) throw new Error('out of memory\n  at Object.run');
    return 30;
  });
  const options = { rounds: 5, peak: subject('peak', () => 1), now };
  const own = subject('own', () => 20);
  const { timings, failures } = await measure([{ ...failing, mayFail: true }, own], options);
  expect(failures).toEqual([{ label: 'peer', reason: 'out of memory' }]);
  expect(timings.map(({ subject: { label } }) => label)).toEqual(['own']);
  expect(timings[0].milliseconds).toHaveLength(5);
  calls = 0;
  await expect(measure([failing], options)).rejects.toThrow('out of memory');
});
