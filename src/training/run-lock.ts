/**
 * One training at a time in a run's directory: the file run.lock there names the process that trains. The lock of a
 * process that has died is taken over, where this machine can tell.
 */

import { mkdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import { explainWriteError } from '../base/write-errors.ts';
import { safeParse, z } from '../base/zod.ts';

const ownerSchema = z.lazy(() =>
  z.object({
    id: z.string(),
    pid: z.int().check(z.positive()),
    host: z.string(),
    /** When the training began, as ISO 8601. */
    since: z.string(),
    /** Linux: of this start of the machine. */
    boot: z.optional(z.string()),
    /** Linux: the processes that `pid` counts among, which differ between containers. */
    processes: z.optional(z.string()),
    /** Linux: when the process began, which tells it from a later one of the same number. */
    began: z.optional(z.string()),
  }),
);

/** The process that trains in a directory. */
type Owner = z.output<typeof ownerSchema>;

export interface RunLock {
  /** What happened to the lock of a process that has died; undefined if there was no lock. */
  readonly takenOver: string | undefined;
  /** Lets others train there. The end of the process does the same. */
  release(): void;
}

/** How often, and for how many milliseconds each, another starter is waited for. */
const PATIENCE = { tries: 25, milliseconds: 20 };

/**
 * Locks the directory of a run for one training. Makes the directory if it does not exist.
 *
 * @throws FileError when another process trains there or may do so, or the directory cannot be written
 */
export async function lockRun(out: string): Promise<RunLock> {
  checkArguments('lockRun', { out }, { out: option.string });
  const path = join(out, 'run.lock');
  const owner = describeSelf();
  const made = attempt(out, () => mkdirSync(out, { recursive: true }));
  let takenOver: string | undefined;
  for (let tries = 0; ; tries++) {
    if (attempt(path, () => create(path, owner))) break;
    const found = read(path);
    const state = found && stateOf(found);
    if (state === 'dead' && tries < PATIENCE.tries) {
      await takeOver(path, found!);
      takenOver = `Process ${found!.pid}, which trained in ${out} since ${found!.since}, has died: its lock is taken over.`;
    } else if (state === 'alive' || state === 'unknown' || tries >= PATIENCE.tries) {
      throw new FileError(refusal(out, path, found, state));
    } else {
      // Another starter is writing or removing the lock.
      await sleep(PATIENCE.milliseconds);
    }
  }
  const release = () => {
    process.off('exit', release);
    if (read(path)?.id !== owner.id) return;
    rmSync(path, { force: true });
    if (made !== undefined) removeIfEmpty(out);
  };
  process.once('exit', release);
  return { takenOver, release };
}

function refusal(out: string, path: string, owner: Owner | undefined, state: State | undefined): string {
  if (owner === undefined) {
    return `${path} does not say which process trains there: remove that file if no training runs in ${out}.`;
  }
  const who = `Process ${owner.pid} on ${owner.host} trains in ${out} since ${owner.since}`;
  if (state === 'unknown') {
    return `${who}, or has died, which cannot be told from here: if it no longer runs, remove ${path}.`;
  }
  return `${who}: wait for its end, or choose another directory.`;
}

/** Creates the lock. @returns false if there is one already */
function create(path: string, owner: Owner): boolean {
  try {
    writeFileSync(path, `${JSON.stringify(owner)}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes the lock of a dead process. Of several starters one at a time may remove it, so that no starter removes the
 * lock of another.
 */
async function takeOver(path: string, dead: Owner): Promise<void> {
  const guard = `${path}.takeover`;
  if (!attempt(guard, () => create(guard, describeSelf()))) {
    const other = read(guard);
    if (other && stateOf(other) === 'dead') await takeOver(guard, other);
    else await sleep(PATIENCE.milliseconds);
    return;
  }
  try {
    if (read(path)?.id === dead.id) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}

/** The owner that a lock names. Undefined where there is no lock, or it is not written yet. */
function read(path: string): Owner | undefined {
  try {
    return safeParse(ownerSchema, JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

type State = 'alive' | 'dead' | 'unknown';

function stateOf(owner: Owner): State {
  const self = describeSelf();
  if (owner.host !== self.host) return 'unknown';
  if (differ(owner.boot, self.boot)) return 'dead';
  if (differ(owner.processes, self.processes)) return 'unknown';
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'dead';
  }
  const now = processOf(owner.pid);
  return now?.hasEnded || differ(owner.began, now?.began) ? 'dead' : 'alive';
}

/** Whether both are known and not the same. */
const differ = (a: string | undefined, b: string | undefined) => a !== undefined && b !== undefined && a !== b;

function describeSelf(): Owner {
  return {
    id: crypto.randomUUID(),
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    boot: known(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    processes: known(() => readlinkSync('/proc/self/ns/pid')),
    began: processOf(process.pid)?.began,
  };
}

/** Linux: when a process began, in ticks since the machine started, and whether only its entry is left. */
function processOf(pid: number): { began: string; hasEnded: boolean } | undefined {
  return known(() => {
    // The name before it may hold spaces and parentheses.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return { began: fields[19]!, hasEnded: /^[ZX]$/.test(fields[0]!) };
  });
}

/** What a file of the system says; undefined on systems without it. */
function known<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Whether this process holds a run now.
  }
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw explainWriteError(error, path);
  }
}
