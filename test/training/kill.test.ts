import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildOptions } from './child.ts';
import { bundleChild, startChild } from './processes.ts';

const STEPS = 40;
let parent: string;
let duration: number;
let undisturbed: string[];

const options = (name: string): ChildOptions => ({
  out: join(parent, name),
  backend: 'native',
  numThreads: 1,
  configuration: { steps: STEPS, checkpointEvery: 1, evaluateEvery: 7, keepCheckpoints: 2 },
});

/** metrics.jsonl without the times. */
const metrics = (name: string): string[] =>
  readFileSync(join(parent, name, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.stringify({ ...JSON.parse(line), seconds: undefined }));

const weights = (name: string): Buffer =>
  readFileSync(join(parent, name, 'checkpoints', `step-${String(STEPS).padStart(8, '0')}`, 'model.safetensors'));

beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'performers-kill-'));
  await bundleChild();
  const child = startChild(options('undisturbed'));
  await child.started;
  const start = performance.now();
  const { code, errors } = await child.ended;
  duration = performance.now() - start;
  expect(errors).toBe('');
  expect(code).toBe(0);
  undisturbed = metrics('undisturbed');
  expect(undisturbed.length).toBe(STEPS + Math.ceil(STEPS / 7));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

describe('a run that is killed and resumed', () => {
  it('gives the losses of an undisturbed run when killed at random moments', async () => {
    const delays: number[] = [];
    let kills = 0;
    for (;;) {
      const child = startChild(options('random'));
      await child.started;
      // The first at once: this machine may be less busy than when the duration was measured.
      delays.push(kills === 0 ? 0 : (Math.random() * duration) / 3);
      const survived = kills < 6 ? await Promise.race([child.ended, sleep(delays.at(-1))]) : await child.ended;
      if (!survived) child.process.kill('SIGKILL');
      const { code, signal, errors } = await child.ended;
      expect(errors, `kills after ${delays.join(', ')} ms`).toBe('');
      if (code === 0) break;
      expect(signal).toBe('SIGKILL');
      kills++;
    }
    expect(kills).toBeGreaterThan(0);
    expect(metrics('random'), `kills after ${delays.join(', ')} ms`).toEqual(undisturbed);
    expect(weights('random').equals(weights('undisturbed'))).toBe(true);
  });

  it('gives them when killed at every call of a checkpoint write in turn', async () => {
    // Four calls ready the directory; a checkpoint takes thirteen, and three more once the oldest must go.
    for (let dieAtCall = 4; dieAtCall < 29; dieAtCall++) {
      const { signal, errors } = await startChild({ ...options('write'), dieAtCall }).ended;
      expect(errors, `killed at call ${dieAtCall}`).toBe('');
      expect(signal).toBe('SIGKILL');
    }
    const { code, errors } = await startChild(options('write')).ended;
    expect(errors).toBe('');
    expect(code).toBe(0);
    expect(metrics('write')).toEqual(undisturbed);
    expect(weights('write').equals(weights('undisturbed'))).toBe(true);
  });
});
