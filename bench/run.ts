/** One case on one kind of backend: values checked, subjects and peers timed together, everything reported. */
import type { Backend } from '../src/entries/performers.ts';
import type { BackendKind, BenchmarkCase, Measurement } from './case.ts';
import { measure, ratio, type Subject } from './measure.ts';
import { peakSubject, threadsText } from './peak.ts';
import { peerSubjects, type Unavailable } from './peers/index.ts';
import type { Peer } from './peers/peer.ts';
import { type CaseReport, resultOf } from './report.ts';

export interface RunOptions {
  readonly kind: BackendKind;
  /** One, or several of the same kind that differ in their number of threads. */
  readonly backends: readonly Backend[];
  readonly reference: Backend;
  readonly peers: readonly Peer[];
  readonly rounds: number;
  /** Default: the multiply-add peak of a backend. */
  readonly peakOf?: (backend: Backend, numThreads: number) => Subject;
}

export async function runCase(benchmark: BenchmarkCase, options: RunOptions): Promise<CaseReport> {
  const { kind, backends, reference, rounds, peakOf = peakSubject } = options;
  const tasks = benchmark.peerTasks?.(kind) ?? [];
  const numThreads = Math.max(...backends.map((backend) => backend.numThreads));
  const peaks = new Map(backends.map((backend) => [backend.numThreads, peakOf(backend, backend.numThreads)] as const));
  const largest = backends.find((backend) => backend.numThreads === numThreads) as Backend;
  const peakOn = (threads: number): Subject => {
    const known = peaks.get(threads) ?? peakOf(largest, Math.min(threads, numThreads));
    peaks.set(threads, known);
    return known;
  };
  /** Subjects of several backends differ by their threads. */
  const labelOn = (backend: Backend, label: string) =>
    backends.length === 1 ? label : `${label}, ${threadsText(backend.numThreads)}`;

  const checks = [];
  for (const backend of backends) {
    for (const check of await benchmark.check(backend, reference)) {
      checks.push({ ...check, what: labelOn(backend, check.what) });
    }
  }
  const peers = await peerSubjects(tasks, {
    peers: options.peers,
    kind,
    numThreads,
    reference,
    peakOf: peakOn,
  });
  const prepared = [];
  try {
    for (const backend of backends) prepared.push({ backend, ...(await benchmark.prepare(backend)) });
    const own = prepared.flatMap(({ backend, subjects }) =>
      subjects.map((subject) => ({
        ...subject,
        label: labelOn(backend, subject.label),
        peak: subject.peak ?? peakOn(backend.numThreads),
      })),
    );
    const subjects = [...own, ...peers.subjects.map(({ subject }) => subject)];
    const { timings, failures } = await measure(subjects, { rounds, peak: peakOn(numThreads) });

    const find = (label: string) => {
      const timing = timings.find(({ subject }) => subject.label === label);
      if (!timing) throw new Error(`The case ${benchmark.name} compares "${label}", which it does not time.`);
      return timing;
    };
    const compared = prepared.flatMap(({ backend, comparisons = [] }) => [
      ...comparisons.map(([slow, fast]) => ({
        slow: labelOn(backend, slow),
        fast: labelOn(backend, fast),
        peer: false,
      })),
      ...peers.subjects
        .filter(({ subject }) => !failures.some(({ label }) => label === subject.label))
        .map(({ subject, against }) => ({ slow: subject.label, fast: labelOn(backend, against), peer: true })),
    ]);
    const measurements: Measurement[] = [];
    for (const { backend, summarise, subjects: summarised } of prepared) {
      const labels = new Map(summarised.map(({ label }) => [labelOn(backend, label), label]));
      const its = timings.flatMap((timing) => {
        const label = labels.get(timing.subject.label);
        return label === undefined ? [] : [{ ...timing, subject: { ...timing.subject, label } }];
      });
      for (const measurement of (await summarise?.(its)) ?? []) {
        measurements.push({ ...measurement, label: labelOn(backend, measurement.label) });
      }
    }
    return {
      name: benchmark.name,
      kind,
      backends: backends.map(({ description }) => description),
      description: benchmark.description,
      checks: [...checks, ...peers.checks],
      results: timings.map((timing) => resultOf(benchmark.name, timing)),
      comparisons: compared.map((pair) => ({ ...pair, ratio: ratio(find(pair.slow), find(pair.fast)) })),
      measurements,
      unavailable: [...grouped(peers.unavailable), ...failures.map(({ label, reason }) => ({ name: label, reason }))],
    };
  } finally {
    for (const { release } of prepared) release();
    await peers.release();
  }
}

/** One entry for each peer and reason. */
function grouped(unavailable: readonly Unavailable[]): { name: string; reason: string }[] {
  const tasks = new Map<string, string[]>();
  const keyOf = ({ name, reason }: Unavailable) => JSON.stringify([name, reason]);
  for (const entry of unavailable) tasks.set(keyOf(entry), [...(tasks.get(keyOf(entry)) ?? []), entry.task]);
  return [...tasks].map(([key, its]) => {
    const [name, reason] = JSON.parse(key) as [string, string];
    return { name: `${name} (${its.join('; ')})`, reason };
  });
}
