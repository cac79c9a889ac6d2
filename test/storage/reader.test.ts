/** Readers of a run that trains in another process, and of runs that are damaged. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBackend } from '../../src/entries/performers.ts';
import { loadTransformer } from '../../src/storage/load.ts';
import { findCheckpoint, readNewest } from '../../src/storage/model-directory.ts';
import { loadCheckpoint } from '../../src/training/checkpoint.ts';
import { train } from '../../src/training/run.ts';
import { bundleChild, startChild } from '../training/processes.ts';
import { tinyRun } from '../training/support.ts';

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'performers-reader-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

describe('beside a run that keeps one checkpoint', () => {
  it('1,000 loads find a model, and newer ones as they come', async () => {
    await bundleChild();
    const out = join(parent, 'live');
    const configuration = { steps: 1_000_000, checkpointEvery: 1, evaluateEvery: 0, keepCheckpoints: 1 };
    const child = startChild({ out, backend: 'native', numThreads: 1, configuration });
    const backend = await createBackend({ numThreads: 1 });
    try {
      await child.started;
      while (!(await findCheckpoint(out).catch(() => undefined))) await new Promise((next) => setTimeout(next, 5));
      const found = new Set<string>();
      // On a machine that gives the trainer little time, more loads see as many checkpoints.
      for (let load = 0; load < 1000 || found.size <= 50; load++) {
        const { model, directory } = await loadTransformer(backend, out);
        model.dispose();
        found.add(directory);
        // Resuming reads all files of a checkpoint.
        if (load % 10 === 0) await readNewest(out, loadCheckpoint);
      }
      expect(child.process.exitCode).toBeNull();
    } finally {
      child.process.kill('SIGKILL');
      await child.ended;
      backend.close();
    }
  });

  it('looks again for as long as newer ones come, and no longer', async () => {
    const out = join(parent, 'moving');
    const at = (step: number) => join(out, 'checkpoints', `step-${String(step).padStart(8, '0')}`);
    const make = (step: number) => {
      cpSync(join(parent, 'live', 'checkpoints', newest), at(step), { recursive: true });
    };
    const [newest] = readdirSync(join(parent, 'live', 'checkpoints')).filter((name) => /^step-\d+$/.test(name));
    make(1);
    let reads = 0;
    const gone = async (directory: string) => {
      reads++;
      if (reads <= 3) {
        make(reads + 1);
        rmSync(directory, { recursive: true });
      }
      throw new Error(`lost ${directory}`);
    };
    await expect(readNewest(out, gone)).rejects.toThrow(`lost ${at(4)}`);
    expect(reads).toBe(4);
    const replaced = async (directory: string) => {
      reads++;
      mkdirSync(`${directory}.new`);
      rmSync(directory, { recursive: true });
      renameSync(`${directory}.new`, directory);
      throw new Error('replaced');
    };
    reads = 0;
    await expect(readNewest(out, replaced)).rejects.toThrow('replaced');
    expect(reads).toBe(101);
  });
});

describe('a checkpoint with a flipped byte', () => {
  const names = ['model.safetensors', 'optimizer.safetensors', 'config.json', 'tokenizer.json', 'training.json'];

  it('is found in every file, and the advice leads to the older one', async () => {
    const backend = await createBackend({ numThreads: 1 });
    const out = join(parent, 'whole');
    const run = tinyRun(backend, out, { steps: 6, checkpointEvery: 2, keepCheckpoints: 3 });
    for await (const _ of train({ ...run, tokenizer: '{"model":{"vocab":{"a":0,"b":1}}}' }));
    for (const name of names) {
      const copy = join(parent, `flipped ${name}`);
      cpSync(out, copy, { recursive: true });
      const newest = await findCheckpoint(copy);
      const path = join(newest, name);
      const whole = readFileSync(path);
      // At several places; a changed digit is still JSON.
      for (const place of [0.1, 0.5, 0.9].map((share) => Math.floor(share * whole.length))) {
        const bytes = Buffer.from(whole);
        bytes[place] ^= 1;
        writeFileSync(path, bytes);
        const damaged = readNewest(copy, loadCheckpoint);
        await expect(damaged).rejects.toThrow(`${path} is damaged`);
        await expect(damaged).rejects.toMatchObject({ name: 'DataError' });
      }
      const older = join(copy, 'checkpoints', 'step-00000004');
      const { message } = (await readNewest(copy, loadCheckpoint).catch((error: Error) => error)) as Error;
      expect(message).toContain(`the older checkpoint ${older} is intact: move what is damaged away (mv '${newest}'`);
      await expect(loadCheckpoint(newest)).rejects.toThrow(`${older} is intact: name that directory to use it.`);
      expect((await loadCheckpoint(older)).training.step).toBe(4);
      renameSync(newest, `${newest}.damaged`);
      expect((await readNewest(copy, loadCheckpoint)).training.step).toBe(4);
      // As the first release wrote them.
      rmSync(join(older, 'SHA256SUMS'));
      expect((await readNewest(copy, loadCheckpoint)).training.step).toBe(4);
    }
    backend.close();
  });
});
