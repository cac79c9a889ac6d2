import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import type { TokenSplit } from '../../src/data/tokens/token-store.ts';
import { nodeFileSystem } from '../../src/storage/atomic-directory.ts';
import { restoreModel } from '../../src/storage/load.ts';
import { findCheckpoint } from '../../src/storage/model-directory.ts';
import { loadCheckpoint } from '../../src/training/checkpoint.ts';
import type { TrainingOptions } from '../../src/training/configuration.ts';
import { changedParts, dataFingerprint } from '../../src/training/data-fingerprint.ts';
import { type RunEvent, type RunOptions, train } from '../../src/training/run.ts';
import { eventsOf, resumedFrom, timeless, tinyRun } from './support.ts';

const backend = createReferenceBackend();

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'performers-run-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

/** The same run, from the newest checkpoint of `out`, or the one given. */
async function resumed(out: string, from = out, options: TrainingOptions = {}): Promise<RunOptions> {
  return resumedFrom(backend, from, tinyRun(backend, out, options));
}

const metrics = (out: string): unknown[] =>
  readFileSync(join(out, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), seconds: 0 }));
const file = (out: string, step: number, name: string): string =>
  readFileSync(join(out, 'checkpoints', `step-${String(step).padStart(8, '0')}`, name), 'latin1');

describe('train', () => {
  it('yields steps, evaluations and checkpoints when they are due, and writes the metrics', async () => {
    const out = join(parent, 'run');
    const events = await eventsOf(tinyRun(backend, out, { steps: 10 }));
    const at = (kind: RunEvent['kind']): number[] => events.flatMap((e) => (e.kind === kind ? [e.step] : []));
    expect(at('step')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(at('evaluation')).toEqual([4, 8, 10]);
    expect(at('checkpoint')).toEqual([3, 6, 9, 10]);
    const lines = metrics(out) as Record<string, number>[];
    expect(lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 10]);
    const evaluation = events.find((e) => e.kind === 'evaluation')!;
    expect(lines[4]).toMatchObject({ heldOutLoss: evaluation.loss, bitsPerCharacter: evaluation.bitsPerCharacter });
    const losses = events.flatMap((e) => (e.kind === 'evaluation' ? [e.loss] : []));
    expect((await loadCheckpoint(await findCheckpoint(out))).training.best!.loss).toBe(Math.min(...losses));
  });

  it('resumes from any checkpoint to the last bit: losses, evaluations, weights, moments, metrics', async () => {
    const whole = join(parent, 'whole');
    const expected = await eventsOf(tinyRun(backend, whole));
    for (const stop of [3, 5, 8, 11]) {
      const out = join(parent, `stopped-${stop}`);
      await eventsOf(tinyRun(backend, out), stop); // breaking off is as abrupt as a kill: nothing more is saved
      const options = stop < 4 ? tinyRun(backend, out) : await resumed(out);
      const start = options.resume?.checkpoint.training.step ?? 0;
      expect(start).toBe(stop === 3 ? 0 : stop - (stop % 3));
      const events = await eventsOf(options);
      expect(timeless(events)).toEqual(timeless(expected).filter((e) => (e as RunEvent).step > start));
      expect(metrics(out)).toEqual(metrics(whole));
      for (const name of readdirSync(join(whole, 'checkpoints/step-00000012'))) {
        expect(file(out, 12, name) === file(whole, 12, name), name).toBe(true);
      }
    }
  });

  it('does not depend on when it is evaluated or saved', async () => {
    const often = await eventsOf(tinyRun(backend, join(parent, 'a'), { evaluateEvery: 1, checkpointEvery: 1 }));
    const never = await eventsOf(tinyRun(backend, join(parent, 'b'), { evaluateEvery: 0, checkpointEvery: 0 }));
    const losses = (events: RunEvent[]): number[] => events.flatMap((e) => (e.kind === 'step' ? [e.loss] : []));
    expect(losses(often)).toEqual(losses(never));
    expect(never.filter((e) => e.kind !== 'step').map(({ kind, step }) => `${kind} ${step}`)).toEqual([
      'evaluation 12',
      'checkpoint 12',
    ]);
    expect(readdirSync(join(parent, 'a', 'checkpoints')).length).toBe(3);
  });

  it('says how long an update waited for its batches', async () => {
    const run = tinyRun(backend, join(parent, 'run'), { steps: 3, accumulate: 2 });
    // A clock of its own, which only batches move, and a little each look.
    let time = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (time += 0.001));
    const slow = async (index: number) => {
      await Promise.resolve();
      time += index < 2 ? 60 : 1;
      return run.data.batchAt(index);
    };
    const events = await eventsOf({ ...run, data: { batchAt: slow } }).finally(() => clock.mockRestore());
    const waits = events.flatMap((event) => (event.kind === 'step' ? [[event.dataSeconds, event.seconds]] : []));
    expect(waits).toHaveLength(3);
    expect(waits.map(([waited]) => waited)).toEqual([0.12, 0.002, 0.002].map((each) => expect.closeTo(each, 4)));
    for (const [waited, whole] of waits) expect(waited).toBeLessThanOrEqual(whole);
  });

  it('finishes the update and saves when aborted', async () => {
    const out = join(parent, 'run');
    const controller = new AbortController();
    const events: RunEvent[] = [];
    for await (const event of train({ ...tinyRun(backend, out), signal: controller.signal })) {
      events.push(event);
      if (event.kind === 'step' && event.step === 4) controller.abort();
    }
    expect(events.slice(-2)).toMatchObject([
      { kind: 'step', step: 4 },
      { kind: 'checkpoint', step: 4 },
    ]);
    const rest = await eventsOf(await resumed(out));
    const whole = timeless(await eventsOf(tinyRun(backend, join(parent, 'whole')))) as RunEvent[];
    // The evaluation that step 4 was due for comes first.
    const isRest = ({ kind, step }: RunEvent) => step > 4 || (step === 4 && kind === 'evaluation');
    expect(rest[0]).toMatchObject({ kind: 'evaluation', step: 4 });
    expect(timeless(rest)).toEqual(whole.filter(isRest));
  });

  it('continues from an older checkpoint that is named, and sets the later ones aside', async () => {
    const out = join(parent, 'run');
    await eventsOf(tinyRun(backend, out));
    const older = join(out, 'checkpoints', 'step-00000006');
    const events = await eventsOf(await resumed(out, older), 8);
    expect(events[0]).toMatchObject({ step: 7 });
    expect(readdirSync(join(out, 'checkpoints')).sort()).toEqual([
      'step-00000006',
      'step-00000009.superseded',
      'step-00000012.superseded',
    ]);
    expect(metrics(out).map((line) => (line as { step: number }).step)).toEqual([1, 2, 3, 4, 4, 5, 6, 7, 8]);
  });

  it('can be lengthened, and has nothing to do when it is complete', async () => {
    const out = join(parent, 'run');
    await eventsOf(tinyRun(backend, out, { steps: 6 }));
    expect(await eventsOf(await resumed(out, out, { steps: 6 }))).toEqual([]);
    const more = await eventsOf(await resumed(out, out, { steps: 8 }));
    expect(more.flatMap((e) => (e.kind === 'step' ? [e.step] : []))).toEqual([7, 8]);
  });

  it('refuses to resume with another seed or other data', async () => {
    const out = join(parent, 'run');
    await eventsOf(tinyRun(backend, out, { steps: 3 }));
    await expect(eventsOf(await resumed(out, out, { seed: 4 }))).rejects.toThrow(/was trained with seed 3, not 4/);
    const options = { ...(await resumed(out)), dataFingerprint: 'other' };
    await expect(eventsOf(options)).rejects.toThrow(/step-00000003 was trained on other data: resume it with the same/);
    for (const [changed, words] of [
      [{ length: 6 }, 'was trained with length 7, not 6: resume it with what it had'],
      [{ batchSize: 3 }, 'was trained with batchSize 2, not 3'],
      [{ packing: 'pack' }, 'was trained with packing unset, not "pack"'],
    ] as const) {
      await expect(eventsOf(await resumed(out, out, changed))).rejects.toThrow(words);
    }
  });

  it('says which part of the data differs, and still resumes runs that tell it in one text', () => {
    const store = { fingerprint: 'abc', train: { documents: [0, 5], labels: [0, 1] } as unknown as TokenSplit };
    const classes = ['a b', 'c'];
    const trainedOn = (train: object) => ({ ...store, train: { ...store.train, ...train } });
    const now = dataFingerprint(store, classes);
    const changed = (other: Parameters<typeof dataFingerprint>) => changedParts(now, dataFingerprint(...other));
    expect(changed([store, classes])).toEqual([]);
    expect(changed([trainedOn({ labels: [1, 0] }), classes])).toEqual(['labels']);
    expect(changed([store, ['a b', 'd']])).toEqual(['classes']);
    expect(changed([{ ...store, fingerprint: 'abd' }, classes])).toEqual(['tokens']);
    expect(changed([trainedOn({ documents: [0, 4] }), classes])).toEqual(['documents']);
    expect(changed([store])).toEqual(['classes', 'labels']);
    expect(changedParts('abc a b c', now)).toEqual([]);
    expect(changedParts('abc', dataFingerprint(store))).toEqual([]);
    expect(changedParts('abd', dataFingerprint(store))).toEqual(['data']);
    expect(changedParts('one', 'other')).toEqual(['data']);
  });

  it('leaves the last checkpoint intact when the loss is not finite, and says where it is', async () => {
    const out = join(parent, 'run');
    const options = tinyRun(backend, out);
    const events: RunEvent[] = [];
    const run = async (): Promise<void> => {
      for await (const event of train(options)) {
        events.push(event);
        if (event.kind === 'checkpoint' && event.step === 6) {
          const weight = [...options.model.parameters().values()][0]!;
          backend.fill(weight.storage, Number.NaN);
        }
      }
    };
    const last = join(out, 'checkpoints', 'step-00000006');
    await expect(run()).rejects.toThrow(
      `The loss is NaN at step 7: lower learningRate (now 0.01) or raise warmupSteps; the checkpoint ${last} is intact: continue from there.`,
    );
    expect(await findCheckpoint(out)).toBe(last);
    const rest = await eventsOf(await resumed(out));
    expect(rest.at(-1)).toMatchObject({ kind: 'checkpoint', step: 12 });
  });

  it('leaves the last checkpoint intact when the disk is full', async () => {
    const out = join(parent, 'run');
    let full = false;
    const fileSystem: typeof nodeFileSystem = {
      ...nodeFileSystem,
      writeFile: (path, data) =>
        full && path.endsWith('optimizer.safetensors')
          ? Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
          : nodeFileSystem.writeFile(path, data),
    };
    const run = async (): Promise<void> => {
      for await (const event of train({ ...tinyRun(backend, out), fileSystem }))
        full ||= event.kind === 'checkpoint' && event.step === 6;
    };
    await expect(run()).rejects.toThrow(/^Cannot write .*step-00000009 because the disk is full: free some space/);
    expect(readdirSync(join(out, 'checkpoints')).sort()).toEqual(['step-00000003', 'step-00000006']);
    const rest = await eventsOf(await resumed(out));
    const whole = await eventsOf(tinyRun(backend, join(parent, 'whole')));
    expect(timeless(rest)).toEqual(timeless(whole).filter((e) => (e as RunEvent).step > 6));
  });

  it('does not accept a config.json with a key it does not know', async () => {
    const out = join(parent, 'run');
    await eventsOf(tinyRun(backend, out, { steps: 3 }));
    const directory = await findCheckpoint(out);
    const checkpoint = await loadCheckpoint(directory);
    const config = { ...(checkpoint.config as object), numHeds: 2 };
    expect(() => restoreModel(backend, { ...checkpoint, config }, directory)).toThrow(
      `Unknown key "numHeds" in ${directory}/config.json: did you mean "numHeads"?`,
    );
    const fewer = { ...(checkpoint.config as object), vocabSize: 12 };
    expect(() => restoreModel(backend, { ...checkpoint, config: fewer }, directory)).toThrow(
      /^Tensor tokens\.weight in .*model\.safetensors has shape \[13,8\] where \[12,8\] is needed/,
    );
    // Before memory is taken: a model of these sizes would not fit.
    for (const [sizes, message] of [
      [{ dModel: 2 ** 27 }, /model\.safetensors holds \d+ numbers, fewer than the \d+ that its config\.json asks for/],
      [{ dFeedForward: 2 ** 27 }, /fewer than the \d+/],
      [{ numLayers: 2 ** 27 }, /fewer than the \d+/],
      [{ attention: { type: 'favor', numFeatures: 2 ** 32 } }, /fewer than the \d+/],
    ] as const) {
      const large = { ...(checkpoint.config as object), ...sizes };
      expect(() => restoreModel(backend, { ...checkpoint, config: large }, directory)).toThrow(message);
    }
  });
});
