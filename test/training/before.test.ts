/** Directories, runs and saved states that the release before this wrote: see test/golden/before/make.mjs. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadTransformer } from '../../src/entries/internal.ts';
import { createBackend, Decoder, tensor } from '../../src/entries/performers.ts';
import { commandsIn } from '../cli/performers.ts';

const golden = join(import.meta.dirname, '../golden/before');
const folder = mkdtempSync(join(tmpdir(), 'performers-before-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
cpSync(golden, folder, { recursive: true });
const { run } = commandsIn(folder);
const json = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const expected = json('expected.json');

/** The largest difference is below what kernels of another processor differ by. */
function expectClose(actual: ArrayLike<number>, wanted: readonly number[]): void {
  expect(actual.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) expect(actual[i]).toBeCloseTo(value, 4);
}

describe('what the release before wrote', () => {
  test.each(['bytes', 'bpe'])('%s: generates the same text', (name) => {
    const flags = ['--model', name, '--prompt', 'Snow is ', '--tokens', '24', '--threads', '1'];
    expect(run('generate', ...flags, '--temperature', '0').stdout).toBe(expected[name].greedy);
    expect(run('generate', ...flags, '--seed', '5').stdout).toBe(expected[name].sampled);
  });

  test.each(['classifier', 'converted'])('%s: the same outputs', async (name) => {
    const backend = await createBackend({ numThreads: 1 });
    const { model } = await loadTransformer(backend, join(folder, name));
    const { ids, outputs } = expected[name];
    const hidden = model.forward(tensor(backend, Int32Array.from(ids), [1, ids.length]));
    expectClose(await (name === 'classifier' ? model.classify(hidden) : hidden).data(), outputs);
    backend.close();
  });

  test.each(['bytes', 'exact'])('%s: a saved decoding state continues', async (name) => {
    const backend = await createBackend({ numThreads: 1 });
    const { model } = await loadTransformer(backend, join(folder, name));
    const { saved, next, logits } = json(`state-${name}.json`);
    const decoder = new Decoder(model, saved);
    expectClose(await decoder.feed(next), logits);
    backend.close();
  });

  test.each(['bytes', 'bpe', 'classifier'])('%s: a run resumes as if it had never stopped', (name) => {
    run('train', '--resume', '--out', name, '--steps', '6', '--threads', '1');
    const losses = readFileSync(join(folder, name, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).loss)
      .filter((loss) => loss !== undefined);
    expectClose(losses, expected[name].losses);
  });
});
