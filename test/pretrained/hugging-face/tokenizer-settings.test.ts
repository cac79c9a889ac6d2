import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { FamilyName } from '../../../src/pretrained/hugging-face/architectures/family.ts';
import { readTokenizer } from '../../../src/pretrained/hugging-face/tokenizer-files.ts';
import { filesInMemory } from '../../../src/storage/files.ts';
import { loadAnyTokenizer } from '../../../src/tokenizers/load-any-tokenizer.ts';
import { json, text } from './golden.ts';

interface Case {
  readonly name: string;
  readonly family: FamilyName;
  readonly files: Readonly<Record<string, string>>;
  readonly ids: readonly number[][];
  readonly framed: readonly number[][];
}

const golden = new URL('../../golden/tokenizers/files/cases.json', import.meta.url);
const { texts, cases } = JSON.parse(readFileSync(golden, 'utf8')) as { texts: string[]; cases: Case[] };
const filesOf = (files: Readonly<Record<string, string>>) =>
  filesInMemory(new Map(Object.entries(files).map(([name, contents]) => [name, text(contents)])));

test.each(cases)('$name: ids of the library transformers', async ({ family, files, ids, framed }) => {
  const source = await readTokenizer(filesOf(files), family);
  expect(source!.unused).toEqual([]);
  const tokenizer = await loadAnyTokenizer(source!.json, source!.from);
  texts.forEach((given, i) => {
    expect([...tokenizer.encode(given)], given).toEqual(ids[i]);
    expect([...tokenizer.encode(given, { framed: true })], given).toEqual(framed[i]);
  });
});

const words = '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n';

test('names the keys that it does not know', async () => {
  const files = filesOf({ 'vocab.txt': words, 'tokenizer_config.json': '{"riddle": 1, "model_max_length": 3}' });
  expect((await readTokenizer(files, 'bert'))!.unused).toEqual(['tokenizer_config.json: riddle']);
});

test.each<[string, FamilyName, Record<string, unknown>, RegExp]>([
  [
    'words that are kept whole',
    'bert',
    { 'vocab.txt': words, 'tokenizer_config.json': { never_split: ['a'] } },
    /tokenizer_config\.json sets never_split to \["a"\], which is not supported/,
  ],
  [
    'no basic tokenizer',
    'bert',
    { 'vocab.txt': words, 'tokenizer_config.json': { do_basic_tokenize: false } },
    /sets do_basic_tokenize to false/,
  ],
  [
    'another class',
    'bert',
    { 'vocab.txt': words, 'tokenizer_config.json': { tokenizer_class: 'BertJapaneseTokenizer' } },
    /sets tokenizer_class to "BertJapaneseTokenizer", which is not read: .* save_pretrained, which writes tokenizer\.json/,
  ],
  [
    'a flag that is no truth value',
    'bert',
    { 'vocab.txt': words, 'tokenizer_config.json': { do_lower_case: 'no' } },
    /^"do_lower_case" in the model\/tokenizer_config\.json is not valid: /,
  ],
  [
    'SentencePiece',
    'roberta',
    { 'sentencepiece.bpe.model': 'x' },
    /model\/sentencepiece\.bpe\.model is no tokenizer that/,
  ],
  ['words without merges', 'gpt2', { 'vocab.json': { a: 0 } }, /model\/vocab\.json is no tokenizer that is read/],
  ['the words of another family', 'gpt2', { 'vocab.txt': words }, /model\/vocab\.txt is no tokenizer that is read/],
])('refuses %s by name', async (_, family, contents, message) => {
  const files = Object.entries(contents).map(
    ([name, value]) => [name, typeof value === 'string' ? text(value) : json(value)] as const,
  );
  const refusal = readTokenizer(filesInMemory(new Map(files)), family);
  await expect(refusal).rejects.toThrow(message);
  await expect(refusal).rejects.toThrow(/^[^\n]*\.$/);
});
