/**
 * Timing by interleaved rounds: what disturbs the machine for a while disturbs every subject alike. The multiply-add
 * peak is sampled right before and after every sample, because it may change from one moment to the next. Virtual
 * processors share a core now and have one each then.
 */

/** Something to time. */
export interface Subject {
  readonly label: string;
  /** Floating-point operations that count for one call; 0 where they are not the point. */
  readonly flops: number;
  /** What `flops` and the peak count: bytes where reading memory bounds the work. Default 'flop'. */
  readonly unit?: 'flop' | 'byte';
  /** Exponentials that one call computes, where they are worth counting. */
  readonly exponentials?: number;
  /** Measures the peak that the subject's share refers to; its label says of what. Default: that of {@link MeasureOptions}. */
  readonly peak?: Subject;
  /** Tokens that one call processes, where tokens per second say something. */
  readonly tokens?: number;
  /** A failure is reported and the others continue: for engines that are not ours. Default false. */
  readonly mayFail?: boolean;
  /** Milliseconds to wait after a sample, for engines whose threads keep spinning. Default 0. */
  readonly rest?: number;
  /** Does the work once and has finished when it returns or resolves. */
  run(): void | Promise<void>;
}

export interface Timing {
  readonly subject: Subject;
  /** Rounds that the subject took part in: all, or {@link SLOW_ROUNDS} of them. */
  readonly rounds: readonly number[];
  /** Milliseconds per call, one number for each of these rounds. */
  readonly milliseconds: readonly number[];
  /** Peak GFLOP/s around each of these samples, the higher of the two. */
  readonly peaks: readonly number[];
  /** What the peak is of: instruction set and threads. */
  readonly peakLabel: string;
}

export interface Failure {
  readonly label: string;
  readonly reason: string;
}

export interface Measured {
  readonly timings: readonly Timing[];
  readonly failures: readonly Failure[];
}

export interface MeasureOptions {
  readonly rounds: number;
  readonly peak: Subject;
  /** A sample repeats a subject until about this much time has passed. Default 20. */
  readonly sampleMilliseconds?: number;
  /** Milliseconds since some moment. Default `performance.now`. */
  readonly now?: () => number;
}

/** A subject whose call takes longer than this, in milliseconds, takes part in {@link SLOW_ROUNDS} rounds only. */
export const SLOW_MILLISECONDS = 1000;
export const SLOW_ROUNDS = 3;

interface Entry {
  readonly subject: Subject;
  readonly peak: Subject;
  readonly repeats: number;
  readonly rounds: ReadonlySet<number>;
  readonly milliseconds: number[];
  readonly peaks: number[];
}

/** Times each subject once per round, in turn, every second round backwards, after warming each up. */
export async function measure(subjects: readonly Subject[], options: MeasureOptions): Promise<Measured> {
  const { sampleMilliseconds = 20, now = () => performance.now() } = options;
  const failures: Failure[] = [];
  /** False, with the reason noted, if a subject failed that may. */
  const guarded = async (subject: Subject, work: () => Promise<void>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      if (!subject.mayFail) throw error;
      failures.push({ label: subject.label, reason: reasonOf(error) });
      return false;
    }
  };

  const entries: Entry[] = [];
  for (const subject of subjects) {
    const peak = subject.peak ?? options.peak;
    await guarded(subject, async () => {
      await sample(peak, 1, now);
      let once = await sample(subject, 1, now);
      if (once <= SLOW_MILLISECONDS) once = await sample(subject, 1, now);
      await resting(subject);
      entries.push({
        subject,
        peak,
        repeats: Math.max(1, Math.min(10_000, Math.ceil(sampleMilliseconds / once))),
        rounds: new Set(once > SLOW_MILLISECONDS ? fewRounds(options.rounds) : range(options.rounds)),
        milliseconds: [],
        peaks: [],
      });
    });
  }
  let running = entries;
  for (const round of range(options.rounds)) {
    const failed = new Set<Entry>();
    const turns = running.filter((entry) => entry.rounds.has(round));
    if (round % 2 === 1) turns.reverse();
    for (const entry of turns) {
      const { subject, peak, repeats } = entry;
      const succeeded = await guarded(subject, async () => {
        const before = await sample(peak, 1, now);
        const time = await sample(subject, repeats, now);
        await resting(subject);
        const after = await sample(peak, 1, now);
        entry.milliseconds.push(time);
        entry.peaks.push(peak.flops / Math.min(before, after) / 1e6);
      });
      if (!succeeded) failed.add(entry);
    }
    running = running.filter((entry) => !failed.has(entry));
  }
  const timings = running.map(({ subject, peak, rounds, milliseconds, peaks }) => ({
    subject,
    rounds: [...rounds],
    milliseconds,
    peaks,
    peakLabel: peak.label,
  }));
  return { timings, failures };
}

/** How many times as long `slow` takes as `fast`: the median, over the rounds that both took part in, of the ratio within one. */
export function ratio(slow: Timing, fast: Timing): number {
  const ratios = slow.rounds.flatMap((round, index) => {
    const other = fast.rounds.indexOf(round);
    return other < 0 ? [] : [slow.milliseconds[index] / fast.milliseconds[other]];
  });
  return quantile(ratios, 0.5);
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

/** An error in one line. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0].trim();
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** {@link SLOW_ROUNDS} rounds, the first and the last among them. */
function fewRounds(rounds: number): number[] {
  if (rounds <= SLOW_ROUNDS) return range(rounds);
  return range(SLOW_ROUNDS).map((i) => Math.round((i * (rounds - 1)) / (SLOW_ROUNDS - 1)));
}

async function resting({ rest = 0 }: Subject): Promise<void> {
  if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
}

async function sample(subject: Subject, repeats: number, now: () => number): Promise<number> {
  const start = now();
  for (let i = 0; i < repeats; i++) {
    const pending = subject.run();
    if (pending) await pending;
  }
  return (now() - start) / repeats;
}
