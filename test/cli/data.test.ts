import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { performers } from './performers.ts';

const directory = mkdtempSync(join(tmpdir(), 'performers-data-'));
const at = (name: string) => join(directory, name);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const model = { dModel: 12, numLayers: 1, numHeads: 3, dFeedForward: 16, attention: { type: 'favor', numFeatures: 8 } };
const line = (body: unknown) => JSON.stringify({ body });

test('trains on JSONL in named parts, says what cannot be used, and continues with the same data', () => {
  mkdirSync(at('data'));
  const sentences = Array.from({ length: 40 }, (_, i) => line(`The whale ${i * 37} swims past ${i % 7} ships.`));
  writeFileSync(at('data/train.jsonl'), [...sentences.slice(0, 30), '{"body": 7}', 'no JSON'].join('\n'));
  writeFileSync(at('data/validation.jsonl'), sentences.slice(30).join('\n'));
  writeFileSync(at('config.json'), JSON.stringify({ model, tokenizer: { type: 'bytes' } }));
  const flags = ['--config', at('config.json'), '--batch-size', '2', '--length', '16', '--out', at('run'), '--json'];
  const trained = performers(directory, 'train', '--data', 'data', '--text-field', 'body', '--steps', '2', ...flags);
  expect(trained.status, trained.stderr).toBe(0);
  expect(trained.stderr).toContain('2 records cannot be used:\n');
  expect(trained.stderr).toContain(`${at('data/train.jsonl')}:31: "body" is no text\n`);
  expect(trained.stderr).toMatch(/data\/train\.jsonl:32: not JSON \(/);
  const stored = JSON.parse(readFileSync(at('run/run.json'), 'utf8'));
  expect(stored).toMatchObject({
    data: [at('data/train.jsonl'), at('data/validation.jsonl')],
    dataset: { format: 'jsonl', text: 'body' },
    split: { by: 'given' },
  });
  const resumed = performers(tmpdir(), 'train', '--resume', '--out', at('run'), '--steps', '3', '--json');
  expect(resumed.status, resumed.stderr).toBe(0);
  expect(resumed.stderr).toContain('2 records cannot be used:\n');
  expect(JSON.parse(resumed.stdout).step).toBe(3);
});

test('a name of the hub that cannot be reached says what to load', () => {
  const name = 'hf://datasets/org/some/train.parquet';
  const { status, stderr } = performers(directory, 'train', '--data', name, '--out', at('hub'), '--steps', '2');
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /is not in the cache; load \S+\/datasets\/org\/some\/resolve\/main\/train\.parquet and save it as/,
  );
});
