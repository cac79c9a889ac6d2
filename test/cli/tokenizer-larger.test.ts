/** A tokenizer with more ordinary tokens than its model has rows: every command says so in the same sentence. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandsIn } from './performers.ts';

const folder = mkdtempSync(join(tmpdir(), 'performers-larger-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { performers } = commandsIn(folder);
const bert = join(import.meta.dirname, '../golden/transformers/bert');
const before = join(import.meta.dirname, '../golden/before/exact');

beforeAll(() => {
  writeFileSync(join(folder, 'some.txt'), 'Snow is cold. '.repeat(40));
  // A BERT model with one ordinary token more than it has rows,nine of them.
  cpSync(bert, join(folder, 'bert'), { recursive: true });
  const path = join(folder, 'bert/tokenizer.json');
  const tokenizer = JSON.parse(readFileSync(path, 'utf8'));
  const { vocab_size: rows } = JSON.parse(readFileSync(join(bert, 'config.json'), 'utf8'));
  for (let id = Object.keys(tokenizer.model.vocab).length; id < rows + 9; id++) tokenizer.model.vocab[`more${id}`] = id;
  writeFileSync(path, JSON.stringify(tokenizer));
  // A directory of this package, of 11 rows, with the tokenizer of bytes.
  mkdirSync(join(folder, 'own'));
  for (const name of readdirSync(before)) cpSync(join(before, name), join(folder, 'own', name));
  cpSync(join(before, '../bytes/checkpoints/step-00000004/tokenizer.json'), join(folder, 'own/tokenizer.json'));
});

const sentence =
  /tokenizer\.json has \d+ tokens but the model only \d+: use the tokenizer that the model was trained with\.\n$/;

test.each([
  ['convert', '--from', 'bert', '--out', 'out'],
  ['convert', '--from', 'own', '--out', 'out'],
  ['finetune', '--from', 'own', '--data', 'some.txt', '--steps', '1', '--out', 'out'],
  ['generate', '--model', 'own', '--prompt', 'Snow'],
  ['evaluate', '--model', 'own', '--data', 'some.txt'],
  ['serve', '--model', 'own', '--port', '0'],
  ['export', '--from', 'own', '--to', 'onnx', '--out', 'out'],
])('%s %s %s', (...args) => {
  const { status, stderr, stdout } = performers(...args);
  expect(stderr).toMatch(sentence);
  expect([status, stdout]).toEqual([1, '']);
  expect(existsSync(join(folder, 'out'))).toBe(false);
});
