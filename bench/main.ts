/** `npm run bench -- [NAME …]`: checks values, then times each case beside its peers and prints shares of the FMA peak. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import pico from 'picocolors';
import { type Backend, createBackend } from '../src/entries/performers.ts';
import { decoding } from './attention/decoding.ts';
import { favor } from './attention/favor.ts';
import { favorCausal } from './attention/favor-causal.ts';
import { featureMaps } from './attention/feature-maps.ts';
import { lengthLadder } from './attention/lengths.ts';
import { nearField } from './attention/near-field.ts';
import { projections } from './attention/projections.ts';
import { softmaxAttention } from './attention/softmax-attention.ts';
import type { BackendKind, BenchmarkCase } from './case.ts';
import { drawReports } from './figure.ts';
import { gemm } from './gemm.ts';
import { reasonOf } from './measure.ts';
import { installNode, runUnderNode } from './newer-node.ts';
import { peaks } from './peaks.ts';
import { peers } from './peers/index.ts';
import { installPeers } from './peers/install.ts';
import type { Peer } from './peers/peer.ts';
import { startPython } from './peers/python.ts';
import { type CaseReport, formatCase } from './report.ts';
import { runCase } from './run.ts';
import { formatTable } from './tables.ts';
import { bundle } from './whole/bundle.ts';
import { checks } from './whole/checks.ts';
import { data } from './whole/data.ts';
import { depth } from './whole/depth.ts';
import { memory } from './whole/memory.ts';
import { onnxExport } from './whole/onnx-export.ts';
import { start } from './whole/start.ts';
import { stretches } from './whole/stretches.ts';
import { tokenizers } from './whole/tokenizers.ts';
import { trainingStep } from './whole/training-step.ts';
import { trainingStepCompact } from './whole/training-step-compact.ts';

const cases: readonly BenchmarkCase[] = [
  peaks,
  gemm,
  favor,
  favorCausal,
  nearField,
  softmaxAttention,
  lengthLadder,
  featureMaps,
  projections,
  trainingStep,
  trainingStepCompact,
  depth,
  decoding,
  memory,
  start,
  checks,
  stretches,
  tokenizers,
  onnxExport,
  bundle,
  data,
];

interface Options {
  readonly backend?: BackendKind;
  readonly threads?: number;
  readonly rounds: number;
  /** False with `--no-peers`. */
  readonly peers: boolean;
  readonly python?: boolean;
  readonly node?: string;
  readonly json?: string;
  readonly table?: string;
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

/** Fails before the runs, not after them. */
function checkWritable(option: string, path: string): void {
  try {
    closeSync(openSync(path, 'a'));
  } catch (error) {
    throw new Error(`Cannot write to ${path}: pass ${option} a file in an existing folder.`, { cause: error });
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

const mostThreads = ({ threads }: Pick<Options, 'threads'>): number =>
  threads ?? (Number(process.env.PERFORMERS_THREADS) || availableParallelism());

/** The backends of each kind that was asked for and loads: WebAssembly on one thread and on all. */
async function createBackends({ backend, threads }: Options): Promise<Map<BackendKind, Backend[]>> {
  const most = mostThreads({ threads });
  const found = new Map<BackendKind, Backend[]>();
  if (backend !== 'wasm') {
    try {
      found.set('native', [await createBackend({ backend: 'native', numThreads: most })]);
    } catch (error) {
      if (backend === 'native') throw error;
      console.log(pico.yellow(`native: not measured: ${reasonOf(error)}`));
    }
  }
  if (backend !== 'native') {
    const wasm: Backend[] = [];
    for (const numThreads of new Set([1, most])) wasm.push(await createBackend({ backend: 'wasm', numThreads }));
    found.set('wasm', wasm);
  }
  return found;
}

/** On which kinds a case runs: those it names, or all there are if the command line chose or it names none of them. */
function kindsOf(benchmark: BenchmarkCase, backends: ReadonlyMap<BackendKind, unknown>): BackendKind[] {
  const available = [...backends.keys()];
  const named = available.filter((kind) => (benchmark.on ?? ['native']).includes(kind));
  return named.length > 0 ? named : available;
}

async function main(names: readonly string[], options: Options): Promise<void> {
  const benchmarks = chosen(names);
  if (options.json !== undefined) checkWritable('--json', options.json);
  if (options.table !== undefined) checkWritable('--table', options.table);
  if (options.figure !== undefined) checkWritable('--figure', options.figure);
  const backends = await createBackends(options);
  try {
    const wanted = benchmarks.some((benchmark) =>
      kindsOf(benchmark, backends).some((kind) => (benchmark.peerTasks?.(kind) ?? []).length > 0),
    );
    if (options.peers && wanted) await installPeers((line) => console.error(pico.dim(line)));
    const python = options.python ? await startPython(mostThreads(options)) : undefined;
    for (const line of python?.missing ?? []) console.log(pico.yellow(line));
    try {
      const engines = [...(options.peers ? peers : []), ...(python?.peers ?? [])];
      await runAll(benchmarks, backends, engines, options);
    } finally {
      python?.close();
    }
  } finally {
    for (const backend of [...backends.values()].flat()) backend.close();
  }
}

async function runAll(
  benchmarks: readonly BenchmarkCase[],
  backends: ReadonlyMap<BackendKind, readonly Backend[]>,
  engines: readonly Peer[],
  options: Options,
): Promise<void> {
  const { rounds } = options;
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`;
  console.log(`${pico.bold(machine)} · ${rounds} interleaved rounds`);
  console.log(
    pico.dim(
      'Times are medians over the rounds. The multiply-add peak, in GFLOP/s, is measured around every sample; share: of that peak;\n' +
        'with exp: the same with 12 flops for every exponential, the multiply-adds of its polynomial.',
    ),
  );
  const reference = await createBackend({ backend: 'reference' });
  const reports: CaseReport[] = [];
  for (const benchmark of benchmarks) {
    for (const kind of kindsOf(benchmark, backends)) {
      const report = await announced(`${benchmark.name}, ${kind}`, () =>
        runCase(benchmark, {
          kind,
          backends: backends.get(kind) ?? [],
          reference,
          peers: engines,
          rounds,
        }),
      );
      reports.push(report);
      console.log(formatCase(report, rounds));
    }
  }
  reference.close();
  if (options.figure !== undefined) drawReports(reports, machine, options.figure);
  if (options.table !== undefined) writeFileSync(options.table, `${formatTable(reports)}\n`);
  if (options.json !== undefined) {
    const summary = { machine, date: new Date().toISOString(), rounds, cases: reports };
    writeFileSync(options.json, `${JSON.stringify(summary, null, 2)}\n`);
  }
}

/** Runs this command again under that Node; resolves with its exit code. */
async function underNode(version: string): Promise<number> {
  const executable = await installNode(version, (line) => console.error(pico.dim(line)));
  const [, script, ...args] = process.argv;
  const at = args.findIndex((arg) => arg === '--node' || arg.startsWith('--node='));
  args.splice(at, args[at] === '--node' ? 2 : 1);
  return runUnderNode(executable, script, args);
}

const program = new Command('bench')
  .description(
    `Times the kernels beside other engines and prints shares of the multiply-add peak that the same run measures.\nCases: ${cases.map(({ name }) => name).join(', ')}.`,
  )
  .argument('[names...]', 'cases to run (default: all)')
  .addOption(
    new Option('--backend <name>', 'where to run (default: both, each case where it says)').choices(['native', 'wasm']),
  )
  .option('--threads <n>', 'number of threads (default: PERFORMERS_THREADS, else all processors)', wholeNumber)
  .option('--rounds <n>', 'interleaved rounds; times are medians over them', wholeNumber, 9)
  .option('--no-peers', 'leave other engines out, and do not install them')
  .option('--python', 'also compare with PyTorch and JAX, in python3 or the Python that PERFORMERS_PYTHON names')
  .option('--node <version>', 'run under this version of Node, fetched from npm: 24 has relaxed SIMD for WebAssembly')
  .option('--json <file>', 'also write everything measured, samples included, to a file')
  .option('--table <file>', 'also write the results as a table in Markdown, to paste into docs/')
  .option('--figure <file>', 'also draw the run, as SVG, or as PNG if the name ends in .png')
  .action(async (names: string[], options: Options) => {
    try {
      if (options.node !== undefined) process.exitCode = await underNode(options.node);
      else await main(names, options);
    } catch (error) {
      console.error(pico.red(error instanceof Error ? error.message : String(error)));
      process.exitCode = 1;
    }
  });

await program.parseAsync();
