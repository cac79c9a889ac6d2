/**
 * The process that reads inputs: `node child.mjs TARGET SEED FOLDER`. The process may hang, exhaust memory or crash;
 * the parent watches.
 */
import { createInterface } from 'node:readline';
import { PerformersError } from '../../src/entries/performers.ts';
import { createDrawer } from './draw.ts';
import { type Files, readFiles, writeFiles } from './files.ts';
import { watchResident } from './peak.ts';
import type { Answer } from './reader.ts';
import { targetNamed } from './targets/index.ts';

const [name, seed, folder] = process.argv.slice(2) as [string, string, string];
const target = targetNamed(name)!;
const { draw } = await createDrawer(target, Number(seed));
const read = await target.start(folder);

const SENTENCE = /^\S[^\n]{0,2500}[.!?]$/;

/** Errors that nobody waited for. */
const stray: unknown[] = [];
process.on('uncaughtException', (error) => void stray.push(error));
process.on('unhandledRejection', (error) => void stray.push(error));

function verdictOf(error: unknown): Pick<Answer, 'outcome' | 'detail'> {
  const detail = error instanceof Error ? (error.stack ?? error.message) : `thrown: ${error}`;
  if (!(error instanceof PerformersError)) return { outcome: 'raw error', detail };
  if (!SENTENCE.test(error.message)) return { outcome: 'no sentence', detail };
  return { outcome: 'refused', detail: error.message };
}

async function run(files: Files): Promise<Answer> {
  writeFiles(folder, files);
  const { arrayBuffers } = process.memoryUsage();
  const residentGrowth = watchResident();
  const cpu = process.cpuUsage();
  let verdict: Pick<Answer, 'outcome' | 'detail'> = { outcome: 'accepted', detail: '' };
  try {
    await read(files);
  } catch (error) {
    verdict = verdictOf(error);
  }
  const { user, system } = process.cpuUsage(cpu);
  const resident = residentGrowth();
  // Pages that nothing was written to are not resident, but they are taken.
  const arrays = process.memoryUsage().arrayBuffers - arrayBuffers;
  await new Promise((resolve) => setImmediate(resolve));
  if (stray.length > 0) verdict = { outcome: 'stray error', detail: verdictOf(stray.splice(0)[0]).detail };
  return { ...verdict, seconds: (user + system) / 1e6, growth: Math.max(resident, arrays) };
}

// The first input loads what is loaded when needed, which is no growth of that input.
await run(draw(0));
globalThis.gc?.();

const answer = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
answer('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line) as number | string;
  answer(await run(typeof wanted === 'number' ? draw(wanted) : readFiles(wanted)));
}
process.exit(0);
