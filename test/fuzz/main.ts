/** `npm run fuzz`: gives readers what they must refuse in one sentence; fails on a crash, a hang, a raw error, or memory. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type Counts, campaign } from './campaign.ts';
import { readFiles } from './files.ts';
import { isFinding, Reader } from './reader.ts';
import { targetNamed, targets } from './targets/index.ts';

const OUT = 'build/fuzz';
const child = join(import.meta.dirname, 'child.mjs');

interface Options {
  readonly minutes: number;
  readonly target?: readonly string[];
  readonly seed: number;
  readonly inputs?: number;
  readonly replay?: string;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 10_000)) throw new InvalidArgumentError('Give a number above 0, at most 10,000.');
  return value;
}

function whole(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('Give a whole number.');
  return value;
}

function chosen(names: readonly string[] | undefined) {
  return (names ?? targets.map(({ name }) => name)).map((name) => {
    const found = targetNamed(name);
    if (found) return found;
    const known = targets.map((target) => target.name).join(', ');
    throw new InvalidArgumentError(`There is no target "${name}": choose among ${known}.`);
  });
}

const number = (value: number) => value.toLocaleString('en-US');

function total(counts: ReadonlyMap<string, Counts>): Counts {
  const sum = { inputs: 0, accepted: 0, refused: 0, findings: 0 };
  for (const count of counts.values()) {
    for (const key of ['inputs', 'accepted', 'refused', 'findings'] as const) sum[key] += count[key];
  }
  return sum;
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
}

/** A line about every ten seconds, the first after one; on a terminal every second in its place. */
function progress(minutes: number, start: number) {
  const isTerminal = process.stdout.isTTY === true;
  const next = { at: start + 1000 };
  return (name: string, counts: ReadonlyMap<string, Counts>) => {
    const now = performance.now();
    if (now < next.at) return;
    next.at = now + (isTerminal ? 1000 : 10_000);
    const { inputs, findings } = total(counts);
    const { accepted, refused } = counts.get(name)!;
    const line =
      `${clock((now - start) / 1000)} of ${clock(minutes * 60)}: ${number(inputs)} inputs, ${number(findings)} findings; ` +
      `now ${name} (${number(accepted)} accepted, ${number(refused)} refused)`;
    process.stdout.write(isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
  };
}

function printCounts(counts: ReadonlyMap<string, Counts>): void {
  const rows = [...counts, ['all', total(counts)] as const].map(([name, count]) => [
    name,
    ...[count.inputs, count.accepted, count.refused, count.findings].map(number),
  ]);
  process.stdout.write('\n');
  for (const row of [['target', 'inputs', 'accepted', 'refused', 'findings'], ...rows]) {
    process.stdout.write(`${row.map((cell, i) => (i === 0 ? cell.padEnd(14) : cell.padStart(12))).join('')}\n`);
  }
}

async function fuzz({ minutes, target, seed, inputs = Number.POSITIVE_INFINITY }: Options): Promise<number> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  const start = performance.now();
  const timer = setTimeout(() => stop.abort(), minutes * 60_000);
  const names = chosen(target);
  process.stdout.write(`${names.map(({ name }) => name).join(', ')}; seed ${seed}; what fails is written to ${OUT}\n`);
  const report = progress(minutes, start);
  const counts = await campaign({
    targets: names,
    seed,
    inputs,
    signal: stop.signal,
    out: OUT,
    child,
    onInput: ({ name }, all) => report(name, all),
    onFinding: ({ name }, { outcome, detail }, path) => {
      const [message] = detail.split('\n');
      process.stdout.write(`\n${name}: ${outcome}: ${message!.slice(0, 300)}\n  npm run fuzz -- --replay ${path}\n`);
    },
  });
  clearTimeout(timer);
  printCounts(counts);
  return total(counts).findings;
}

/** One input that was written, or all those in a folder of a target. */
async function replay(path: string): Promise<number> {
  const name = [basename(dirname(path)), basename(path)].find((candidate) => targetNamed(candidate));
  if (name === undefined)
    throw new Error(`${path} is in no target's folder: name an input such as ${OUT}/npz/0123abcd.`);
  const isWhole = basename(path) === name;
  const paths = isWhole ? readdirSync(path).map((entry) => join(path, entry)) : [path];
  const reader = new Reader({ child, target: name, seed: 0 });
  let findings = 0;
  for (const folder of paths.filter((entry) => statSync(entry).isDirectory())) {
    const answer = await reader.read(folder, () => readFiles(folder));
    if (isFinding(answer)) findings++;
    process.stdout.write(`${folder}: ${answer.outcome}: ${answer.detail}\n`);
  }
  reader.close();
  return findings;
}

await new Command('fuzz')
  .description(
    'Reads inputs that are changed at random, each in at most 2 s of processor time and twice its size in memory plus 64 MiB (compressed lines: 112 MiB).\n' +
      `Targets: ${targets.map(({ name }) => name).join(', ')}.`,
  )
  .option('--minutes <n>', 'how long', positive, 10)
  .option('--target <names...>', 'what to read (default: everything)')
  .option('--seed <n>', 'inputs follow from it', whole, 1)
  .option('--inputs <n>', 'stop after so many inputs of each target', whole)
  .option('--replay <folder>', 'read an input that was written, or all of a target')
  .action(async (options: Options) => {
    const findings = options.replay === undefined ? await fuzz(options) : await replay(options.replay);
    process.exitCode = findings === 0 ? 0 : 1;
  })
  .parseAsync();
