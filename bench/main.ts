/** `npm run bench -- [NAME …]`: checks values, then times each case and prints shares of the FMA peak. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import pico from 'picocolors';
import { type Backend, createBackend } from '../src/node.ts';
import type { BenchmarkCase } from './case.ts';
import { favor } from './favor.ts';
import { favorCausal } from './favor-causal.ts';
import { featureMaps } from './feature-maps.ts';
import { lengthFigure } from './figure.ts';
import { gemm } from './gemm.ts';
import { lengthLadder } from './lengths.ts';
import { measure, ratio, type Subject } from './measure.ts';
import { peakSubject } from './peak.ts';
import { projections } from './projections.ts';
import { type CaseReport, formatCase, resultOf } from './report.ts';
import { softmaxAttention } from './softmax-attention.ts';
import { trainingStep } from './training-step.ts';
import { wasm } from './wasm.ts';

const cases: readonly BenchmarkCase[] = [
  gemm,
  favor,
  favorCausal,
  featureMaps,
  projections,
  softmaxAttention,
  lengthLadder,
  trainingStep,
  wasm,
];

interface Options {
  readonly backend?: 'native' | 'wasm';
  readonly threads?: number;
  readonly rounds: number;
  readonly json?: string;
  readonly figure?: string;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Give a whole number of at least 1.');
  return value;
}

function chosen(names: readonly string[]): readonly BenchmarkCase[] {
  if (names.length === 0) return cases;
  return names.map((name) => {
    const found = cases.find((candidate) => candidate.name === name);
    if (found) return found;
    const known = cases.map((candidate) => candidate.name).join(', ');
    throw new InvalidArgumentError(`There is no benchmark "${name}": choose among ${known}.`);
  });
}

async function runCase(benchmark: BenchmarkCase, backend: Backend, peak: Subject, rounds: number): Promise<CaseReport> {
  const reference = await createBackend({ backend: 'reference' });
  const checks = await benchmark.check(backend, reference);
  reference.close();
  const { subjects, comparisons = [], release } = await benchmark.prepare(backend);
  try {
    const timings = await measure(subjects, { rounds, peak });
    const find = (label: string) => {
      const timing = timings.find(({ subject }) => subject.label === label);
      if (!timing) throw new Error(`The case ${benchmark.name} compares "${label}", which it does not time.`);
      return timing;
    };
    return {
      name: benchmark.name,
      description: benchmark.description,
      checks,
      results: timings.map((timing) => resultOf(benchmark.name, timing)),
      comparisons: comparisons.map(([slow, fast]) => ({ slow, fast, ratio: ratio(find(slow), find(fast)) })),
    };
  } finally {
    release();
  }
}

/** Fails before the runs, not after them. */
function checkWritable(path: string): void {
  try {
    closeSync(openSync(path, 'a'));
  } catch (error) {
    throw new Error(`Cannot write to ${path}: pass --json a file in an existing folder.`, { cause: error });
  }
}

/** Says on a terminal what is being timed, until the work is done. */
async function announced<T>(what: string, work: () => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work();
  process.stderr.write(pico.dim(`timing ${what} …`));
  try {
    return await work();
  } finally {
    process.stderr.write('\r\x1b[K');
  }
}

async function main(names: readonly string[], options: Options): Promise<void> {
  const benchmarks = chosen(names);
  for (const path of [options.json, options.figure]) if (path !== undefined) checkWritable(path);
  const backend = await createBackend({ backend: options.backend, numThreads: options.threads });
  try {
    await runAll(benchmarks, backend, options);
  } finally {
    backend.close();
  }
}

async function runAll(benchmarks: readonly BenchmarkCase[], backend: Backend, options: Options): Promise<void> {
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`;
  console.log(`${pico.bold(backend.description)} · ${machine} · ${options.rounds} interleaved rounds`);

  console.log(
    pico.dim(
      'Times are medians over the rounds. The multiply-add peak, in GFLOP/s, is measured around every sample; share: of that peak.',
    ),
  );

  const peak = peakSubject(backend);
  const reports: CaseReport[] = [];
  for (const benchmark of benchmarks) {
    const report = await announced(benchmark.name, () => runCase(benchmark, backend, peak, options.rounds));
    reports.push(report);
    console.log(formatCase(report));
  }
  const ladder = reports.find(({ name }) => name === lengthLadder.name);
  if (options.figure !== undefined && ladder) {
    writeFileSync(options.figure, lengthFigure(ladder, `${backend.description} · ${machine}`));
  }
  if (options.json !== undefined) {
    const summary = {
      backend: backend.description,
      machine,
      rounds: options.rounds,
      cases: reports,
    };
    writeFileSync(options.json, `${JSON.stringify(summary, null, 2)}\n`);
  }
}

const program = new Command('bench')
  .description(
    `Times the kernels and prints shares of the multiply-add peak that the same run measures.\nCases: ${cases.map(({ name }) => name).join(', ')}.`,
  )
  .argument('[names...]', 'cases to run (default: all)')
  .addOption(
    new Option('--backend <name>', 'where to run (default: native where it loads)').choices(['native', 'wasm']),
  )
  .option('--threads <n>', 'number of threads (default: PERFORMERS_THREADS, else all processors)', wholeNumber)
  .option('--rounds <n>', 'interleaved rounds; times are medians over them', wholeNumber, 9)
  .option('--json <file>', 'also write everything measured, samples included, to a file')
  .option('--figure <file>', 'also draw the case lengths, as SVG')
  .action(async (names: string[], options: Options) => {
    try {
      await main(names, options);
    } catch (error) {
      console.error(pico.red(error instanceof Error ? error.message : String(error)));
      process.exitCode = 1;
    }
  });

await program.parseAsync();
