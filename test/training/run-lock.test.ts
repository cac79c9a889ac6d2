import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBackend } from '../../src/entries/performers.ts';
import { train } from '../../src/training/run.ts';
import { lockRun } from '../../src/training/run-lock.ts';
import { bundleChild, startChild } from './processes.ts';
import { tinyRun } from './support.ts';

let parent: string;
let out: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'performers-lock-'));
  out = join(parent, 'run');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const path = () => join(out, 'run.lock');
const owner = () => JSON.parse(readFileSync(path(), 'utf8'));
/** A process that has ended. */
const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid;
/** Leaves a lock as another process would. */
function leave(fields: object = {}): void {
  mkdirSync(out, { recursive: true });
  const since = '2026-11-30T21:00:00.000Z';
  writeFileSync(path(), JSON.stringify({ id: 'other', pid: deadPid(), host: hostname(), since, ...fields }));
}
const isLinux = process.platform === 'linux';

describe('the lock of a run', () => {
  it('is of one at a time, in one process too, and leaves nothing', async () => {
    const lock = await lockRun(out);
    expect(owner()).toMatchObject({ pid: process.pid, host: hostname(), since: expect.stringMatching(/^\d{4}-.*Z$/) });
    await expect(lockRun(out)).rejects.toThrow(
      `Process ${process.pid} on ${hostname()} trains in ${out} since ${owner().since}: wait for its end, or choose`,
    );
    await expect(lockRun(out)).rejects.toMatchObject({ name: 'FileError' });
    lock.release();
    expect(existsSync(out)).toBe(false);
    const again = await lockRun(out);
    writeFileSync(join(out, 'run.json'), '{}');
    lock.release();
    expect(existsSync(path())).toBe(true);
    again.release();
    expect(readdirSync(out)).toEqual(['run.json']);
  });

  it('is taken over from a process that has died, which is said', async () => {
    leave();
    const lock = await lockRun(out);
    expect(lock.takenOver).toMatch(
      /^Process \d+, which trained in .* since 2026-11-30T21:00:00.000Z, has died: its lock is/,
    );
    expect(owner().pid).toBe(process.pid);
    lock.release();
    expect(readdirSync(out)).toEqual([]);
  });

  it.runIf(isLinux)(
    'is taken over where its number is that of a later process, or the machine has started anew',
    async () => {
      for (const fields of [
        { pid: process.pid, began: '1' },
        { pid: process.pid, boot: 'another' },
        { pid: process.ppid, began: '1' },
      ]) {
        leave(fields);
        const lock = await lockRun(out);
        expect(lock.takenOver).toContain('has died');
        lock.release();
      }
    },
  );

  it.runIf(isLinux)('is taken over from a process of which only the entry is left', async () => {
    // The shell becomes a program that does not wait for its child, which has ended.
    const shell = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60']);
    const pid = await new Promise<number>((resolve) => shell.stdout.once('data', (text) => resolve(Number(text))));
    while (!readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z '))
      await new Promise((next) => setTimeout(next, 10));
    leave({ pid });
    (await lockRun(out)).release();
    shell.kill();
  });

  it('is left where this machine cannot tell whether its process runs', async () => {
    const cases = [{ host: 'another-machine' }, ...(isLinux ? [{ processes: 'pid:[1]' }] : [])];
    for (const fields of cases) {
      leave(fields);
      const pid = owner().pid;
      await expect(lockRun(out)).rejects.toThrow(
        new RegExp(
          `^Process ${pid} on .* or has died, which cannot be told from here: if it no longer runs, remove .*run.lock.$`,
        ),
      );
      expect(owner().id).toBe('other');
      rmSync(path());
      (await lockRun(out)).release();
    }
  });

  it('that another starter has taken over meanwhile is not removed', async () => {
    leave();
    const { pid } = owner();
    const kill = process.kill.bind(process);
    const spy = vi.spyOn(process, 'kill').mockImplementation((asked, signal) => {
      // Between the look at the dead owner and its removal.
      if (asked === pid) leave({ id: 'starter', pid: process.pid });
      return kill(asked, signal);
    });
    try {
      await expect(lockRun(out)).rejects.toThrow(`Process ${process.pid} on ${hostname()} trains in ${out}`);
    } finally {
      spy.mockRestore();
    }
    expect(owner().id).toBe('starter');
  });

  it('that says nothing is left, and how to remove it said', async () => {
    for (const text of ['', '{"pid":0}']) {
      mkdirSync(out, { recursive: true });
      writeFileSync(path(), text);
      await expect(lockRun(out)).rejects.toThrow(`${path()} does not say which process trains there: remove that file`);
      expect(readFileSync(path(), 'utf8')).toBe(text);
    }
  });

  it('of a dead process goes to one of many that start at once', async () => {
    for (const withGuard of [false, true]) {
      leave();
      if (withGuard) writeFileSync(`${path()}.takeover`, JSON.stringify({ ...owner(), id: 'guard' }));
      const locks = await Promise.allSettled(Array.from({ length: 20 }, () => lockRun(out)));
      const won = locks.filter(({ status }) => status === 'fulfilled');
      expect(won).toHaveLength(1);
      expect(readdirSync(out)).toEqual(['run.lock']);
      for (const lock of won) if (lock.status === 'fulfilled') lock.value.release();
    }
  });

  it('says in one sentence why a directory cannot be written', async () => {
    const file = join(parent, 'file');
    writeFileSync(file, '');
    const dangling = join(parent, 'dangling');
    symlinkSync(join(parent, 'no', 'where'), dangling);
    const loop = join(parent, 'loop');
    symlinkSync(loop, loop);
    const cases: [string, string][] = [
      [file, 'a file of that name is in the way'],
      [join(file, 'run'), 'part of that path is a file'],
      [dangling, ''],
      [join(dangling, 'run'), ''],
      [loop, ''],
      [join(parent, 'a'.repeat(300)), 'the name is too long'],
    ];
    if (process.getuid?.() !== 0) {
      const closed = join(parent, 'closed');
      mkdirSync(closed);
      chmodSync(closed, 0o500);
      cases.push([closed, 'permission is denied'], [join(closed, 'run'), 'permission is denied']);
    }
    for (const [directory, reason] of cases) {
      const { name, message } = (await lockRun(directory).catch((error) => error)) as Error;
      expect([directory, name]).toEqual([directory, 'FileError']);
      expect(message).toMatch(/^Cannot write [^\n]* because [^\n]*; what was saved earlier is intact\.$/);
      expect(message).toContain(reason);
      expect(message.split('Cannot write')).toHaveLength(2);
    }
    (await lockRun(join(parent, 'new', 'folders', 'run'))).release();
  });
});

describe('trainings into one directory', () => {
  beforeAll(() => bundleChild());

  it('in one process: the second is refused, the first continues', async () => {
    const backend = await createBackend({ numThreads: 1 });
    const first = train(tinyRun(backend, out, { steps: 3 }));
    await first.next();
    await expect(train(tinyRun(backend, out, { steps: 3 })).next()).rejects.toThrow('trains in');
    let events = 0;
    for await (const _ of first) events++;
    expect(events).toBeGreaterThan(2);
    expect(existsSync(path())).toBe(false);
    // Whoever stops listening lets others train.
    for await (const _ of train(tinyRun(backend, join(parent, 'other'), { steps: 3 }))) break;
    expect(existsSync(join(parent, 'other', 'run.lock'))).toBe(false);
    backend.close();
  });

  it('in four processes: one trains, three say why not; killed, the next continues', async () => {
    const options = {
      out,
      backend: 'native',
      numThreads: 1,
      configuration: { steps: 100_000, checkpointEvery: 1 },
    } as const;
    const children = new Set(Array.from({ length: 4 }, () => startChild(options)));
    // Three end, however slow they are; the fourth continues.
    while (children.size > 1) {
      const ends = [...children].map(async (child) => ({ child, ...(await child.ended) }));
      const { child, code, errors } = await Promise.race(ends);
      expect(code).toBe(1);
      expect(errors).toMatch(/FileError: Process \d+ on .* trains in/);
      children.delete(child);
    }
    const [last] = children;
    const metrics = join(out, 'metrics.jsonl');
    while (!existsSync(metrics)) await new Promise((resolve) => setTimeout(resolve, 5));
    last.process.kill('SIGKILL');
    await last.ended;
    const whole = readFileSync(metrics, 'utf8').split('\n').slice(0, -1);
    const steps = whole.map((line) => JSON.parse(line)).flatMap(({ kind, step }) => (kind === 'step' ? [step] : []));
    expect(steps).toEqual(steps.map((_, i) => i + 1));
    expect(existsSync(path())).toBe(true);
    expect((await startChild({ ...options, dieAtCall: 90 }).ended).signal).toBe('SIGKILL');
  });
});
