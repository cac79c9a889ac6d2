/**
 * Timing by interleaved rounds: what disturbs the machine for a while disturbs every subject alike. The multiply-add peak is
 * sampled right before and after every sample, because it may change from one moment to the next: virtual processors share
 * a core now and have one each then.
 */

/** Something to time. */
export interface Subject {
  readonly label: string;
  /** Floating-point operations that count for one call; 0 where they are not the point. */
  readonly flops: number;
  /** Measures the peak that the subject's share refers to. Default: that of {@link MeasureOptions}. */
  readonly peak?: Subject;
  /** Tokens that one call processes, where tokens per second say something. */
  readonly tokens?: number;
  /** Does the work once and has finished when it returns or resolves. */
  run(): void | Promise<void>;
}

export interface Timing {
  readonly subject: Subject;
  /** Milliseconds per call, one number per round. */
  readonly milliseconds: readonly number[];
  /** Peak GFLOP/s around each of these samples, the higher of the two. */
  readonly peaks: readonly number[];
}

export interface MeasureOptions {
  readonly rounds: number;
  readonly peak: Subject;
  /** A sample repeats a subject until about this much time has passed. Default 20. */
  readonly sampleMilliseconds?: number;
}

/** Times each subject once per round, in turn, every second round backwards, after warming each up. */
export async function measure(subjects: readonly Subject[], options: MeasureOptions): Promise<Timing[]> {
  const { rounds, sampleMilliseconds = 20 } = options;
  const repeats: number[] = [];
  for (const subject of subjects) {
    await sample(subject.peak ?? options.peak, 1);
    await sample(subject, 1);
    const once = await sample(subject, 1);
    repeats.push(Math.max(1, Math.min(10_000, Math.ceil(sampleMilliseconds / once))));
  }
  const milliseconds: number[][] = subjects.map(() => []);
  const peaks: number[][] = subjects.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const index = round % 2 === 0 ? turn : subjects.length - 1 - turn;
      const subject = subjects[index];
      const peak = subject.peak ?? options.peak;
      const before = await sample(peak, 1);
      milliseconds[index].push(await sample(subject, repeats[index]));
      peaks[index].push(peak.flops / Math.min(before, await sample(peak, 1)) / 1e6);
    }
  }
  return subjects.map((subject, index) => ({ subject, milliseconds: milliseconds[index], peaks: peaks[index] }));
}

/** How many times as long `slow` takes as `fast`: the median over rounds of the ratio within a round. */
export function ratio(slow: Timing, fast: Timing): number {
  return quantile(
    slow.milliseconds.map((time, round) => time / fast.milliseconds[round]),
    0.5,
  );
}

/** Half the interquartile range over the median. */
export function spread(values: readonly number[]): number {
  return (quantile(values, 0.75) - quantile(values, 0.25)) / 2 / quantile(values, 0.5);
}

/** Linear interpolation between the sorted values. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = fraction * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

async function sample(subject: Subject, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) {
    const pending = subject.run();
    if (pending) await pending;
  }
  return (performance.now() - start) / repeats;
}
