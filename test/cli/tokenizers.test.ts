import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { performers } from './performers.ts';

const directory = mkdtempSync(join(tmpdir(), 'performers-tokenizers-'));
const at = (name: string) => join(directory, name);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const sentences = Array.from({ length: 300 }, (_, i) => `The naïve whale ${i * 37} swims past ${i % 7} ships. `);
writeFileSync(at('text.txt'), sentences.join(''));
writeFileSync(at('protein.txt'), 'MKVLAAGICQDEFHNPRSTWYBOUXZ'.repeat(200));
const model = { dModel: 12, numLayers: 1, numHeads: 3, dFeedForward: 16, attention: { type: 'favor', numFeatures: 8 } };

const numCharacters = new Set(sentences.join('')).size;

test.each([
  ['bytes and a mask', { type: 'bytes', mask: true }, 'text.txt', 257],
  ['characters', { type: 'characters' }, 'text.txt', numCharacters + 1],
  ['unigram', { type: 'unigram', vocabSize: 300 }, 'text.txt', 300],
  ['protein', { type: 'protein' }, 'protein.txt', 30],
])('trains, generates and evaluates with %s', (_, tokenizer, data, vocabSize) => {
  const run = at(JSON.stringify(tokenizer).replace(/\W/g, ''));
  writeFileSync(at('run.json'), JSON.stringify({ model, tokenizer }));
  const flags = ['--steps', '2', '--batch-size', '2', '--length', '16', '--config', at('run.json')];
  const trained = performers(directory, 'train', '--data', at(data), '--out', run, ...flags);
  expect(trained.status, trained.stderr).toBe(0);
  const configuration = readFileSync(join(run, 'checkpoints/step-00000002/config.json'), 'utf8');
  expect(JSON.parse(configuration).vocabSize).toBe(vocabSize);
  const prompt = data === 'text.txt' ? 'The naïve' : 'MKV';
  const generated = performers(directory, 'generate', '--model', run, '--prompt', prompt, '--tokens', '12');
  expect(generated.status, generated.stderr).toBe(0);
  expect(generated.stdout.length).toBeGreaterThan(5);
  const evaluated = performers(directory, 'evaluate', '--model', run, '--data', at(data), '--json');
  const { characters, tokens } = JSON.parse(evaluated.stdout);
  expect(characters).toBe([...readFileSync(at(data), 'utf8')].length);
  if (tokenizer.type === 'characters') expect(tokens).toBe(characters - 1);
});

test('flags choose the tokenizer, and a size is refused where it is fixed', () => {
  writeFileSync(at('model.json'), JSON.stringify({ model }));
  const flags = ['--steps', '1', '--batch-size', '2', '--length', '16', '--config', at('model.json')];
  const train = (out: string, ...more: string[]) =>
    performers(directory, 'train', '--data', at('text.txt'), '--out', at(out), ...flags, ...more);
  const { status, stderr } = train('chosen', '--tokenizer', 'unigram', '--vocab-size', '280');
  expect(status, stderr).toBe(0);
  const { tokenizer } = JSON.parse(readFileSync(at('chosen/run.json'), 'utf8'));
  expect(tokenizer).toEqual({ type: 'unigram', vocabSize: 280 });
  const refused = train('none', '--tokenizer', 'protein', '--vocab-size', '280');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('The vocabulary of protein has a fixed size: leave --vocab-size out.');
});
