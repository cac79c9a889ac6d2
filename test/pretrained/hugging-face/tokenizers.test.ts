import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readTokenizer } from '../../../src/pretrained/hugging-face/tokenizer-files.ts';
import { filesInMemory } from '../../../src/storage/files.ts';
import { BpeTokenizer } from '../../../src/tokenizers/bpe.ts';
import { loadAnyTokenizer } from '../../../src/tokenizers/load-any-tokenizer.ts';
import { goldenContents, goldenPath, json, parsed, text } from './golden.ts';

const lines = readFileSync(goldenPath('lines.txt'), 'utf8').split('\n');

/** For each line the ids that the library gives it, special tokens included. */
function goldenIds(name: string): number[][] {
  const bytes = gunzipSync(readFileSync(goldenPath(`${name}/ids.bin.gz`)));
  const numbers = Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16LE(2 * i));
  const ids: number[][] = [];
  for (let i = 0; i < numbers.length; i += 1 + numbers[i]!) ids.push(numbers.slice(i + 1, i + 1 + numbers[i]!));
  return ids;
}

type Name = 'bert' | 'roberta' | 'gpt2' | 'esm';
const fileOf = (name: Name) => (name === 'esm' ? 'vocab.txt' : 'tokenizer.json');

async function tokenizerOf(name: Name, contents = goldenContents(name, fileOf(name))) {
  return loadAnyTokenizer((await readTokenizer(filesInMemory(contents), name))?.json, name);
}

/** Lines whose ids are not the golden ones. */
async function wrongLines(name: Name, contents?: Map<string, Uint8Array>): Promise<unknown[]> {
  const tokenizer = await tokenizerOf(name, contents);
  const golden = goldenIds(name);
  const isFramed = name !== 'gpt2';
  return lines.flatMap((line, i) => {
    const framed = [...tokenizer.encode(line, { framed: true })];
    const plain = [...tokenizer.encode(line)];
    const wanted = isFramed ? golden[i]!.slice(1, -1) : golden[i]!;
    const isRight = `${framed}` === `${golden[i]}` && `${plain}` === `${wanted}`;
    return isRight ? [] : [{ line, framed, wanted: golden[i] }];
  });
}

it.each<Name>(['bert', 'roberta', 'gpt2', 'esm'])(
  '%s: the ids of 1,000 lines, with special tokens and without',
  async (name) => {
    expect(lines).toHaveLength(1000);
    expect(goldenIds(name)).toHaveLength(1000);
    expect(await wrongLines(name)).toEqual([]);
  },
);

it('ESM-2: white space is what Python takes for it', async () => {
  const esm = await tokenizerOf('esm');
  const numUnknown = (text: string) => esm.encode(text).filter((id) => id === 3).length;
  for (const space of ['\x1c', '\x1f', '\x85', '\xa0', '\u3000', ' \t']) expect(numUnknown(`J${space}J`)).toBe(2);
  for (const other of ['\ufeff', '\u200b', '?', '']) expect(numUnknown(`J${other}J`)).toBe(1);
});

describe('older files amount to the same', () => {
  it('vocab.txt of BERT', async () => {
    const { model } = parsed(goldenContents('bert', 'tokenizer.json').get('tokenizer.json')!);
    const tokens = Object.entries<number>(model.vocab).sort(([, a], [, b]) => a - b);
    const contents = new Map([['vocab.txt', text(`${tokens.map(([token]) => token).join('\n')}\n`)]]);
    expect(await wrongLines('bert', contents)).toEqual([]);
    const cased = await tokenizerOf(
      'bert',
      new Map([...contents, ['tokenizer_config.json', json({ do_lower_case: false })]]),
    );
    expect(cased.encode('THE')).not.toEqual(cased.encode('the'));
  });

  it.each(['roberta', 'gpt2'] as const)('vocab.json and merges.txt of %s', async (name) => {
    const { model } = parsed(goldenContents(name, 'tokenizer.json').get('tokenizer.json')!);
    const merges = model.merges.map((merge: string | string[]) =>
      typeof merge === 'string' ? merge : merge.join(' '),
    );
    const contents = new Map([
      ['vocab.json', json(model.vocab)],
      ['merges.txt', text(`#version: 0.2\n${merges.join('\n')}\n`)],
    ]);
    expect(await wrongLines(name, contents)).toEqual([]);
  });

  it('and where there is nothing, no tokenizer', async () => {
    expect(await readTokenizer(filesInMemory(new Map()), 'bert')).toBeUndefined();
  });
});

describe('a foreign tokenizer is a whole one', () => {
  it('knows the roles of its special tokens', async () => {
    const { specialTokens, vocabSize, endOfText } = await tokenizerOf('esm');
    expect({ specialTokens, vocabSize, endOfText }).toEqual({
      specialTokens: { beginning: 0, padding: 1, end: 2, unknown: 3, mask: 32 },
      vocabSize: 33,
      endOfText: 2,
    });
  });

  it.each<Name>(['bert', 'roberta', 'esm'])('%s: a stream gives what decoding at once gives', async (name) => {
    const tokenizer = await tokenizerOf(name);
    for (const line of [...lines.slice(0, 60), ...lines.slice(600, 700), ...lines.slice(860, 900)]) {
      const ids = tokenizer.encode(line);
      const stream = tokenizer.decodeStream();
      const pieces = [...ids].map((id) => stream.push(id));
      expect(pieces.join('') + stream.end()).toBe(tokenizer.decode(ids));
      expect(stream.push(ids) + stream.end()).toBe(tokenizer.decode(ids));
      for (const piece of pieces) expect(piece.endsWith('\ufffd') && !line.includes('\ufffd')).toBe(false);
    }
  });

  it('decodes byte-level and residues to the text, WordPiece to its words', async () => {
    const [roberta, esm, bert] = [await tokenizerOf('roberta'), await tokenizerOf('esm'), await tokenizerOf('bert')];
    const odd = 'naïve 東京 👩‍👩‍👧 \t x';
    expect(roberta.decode(roberta.encode(odd))).toBe(odd);
    expect(esm.decode(esm.encode('MKT<mask>LLX'))).toBe('MKT<mask>LLX');
    expect(bert.decode(bert.encode('The whale, said he'))).toBe('the whale, said he');
  });

  it('gives the bytes of byte-level tokens, and says that others have none', async () => {
    const [roberta, bert] = [await tokenizerOf('roberta'), await tokenizerOf('bert')];
    const ids = roberta.encode('東京 the');
    const bytes = [...ids].flatMap((id) => [...roberta.bytesOf(id)]);
    expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe('東京 the');
    expect(new TextDecoder().decode(roberta.bytesOf(4))).toBe('<mask>');
    expect(() => bert.bytesOf(20)).toThrow(/^Token 20 of bert has no bytes of its own, .*\.$/);
    expect(() => bert.bytesOf(211)).toThrow(/Token id 211 is outside the vocabulary of 211/);
  });

  it('is written as it was read', async () => {
    const contents = goldenContents('roberta', 'tokenizer.json');
    expect((await tokenizerOf('roberta')).toJSON()).toEqual(parsed(contents.get('tokenizer.json')!));
  });
});

it('GPT-2 is of a form that this package reads and writes itself, its first token added', async () => {
  const tokenizer = await tokenizerOf('gpt2');
  expect(tokenizer).toBeInstanceOf(BpeTokenizer);
  const { model, added_tokens } = parsed(json(tokenizer.toJSON()));
  // Else other libraries give <|endoftext|> the next id.
  expect(model.vocab['<|endoftext|>']).toBe(0);
  expect(added_tokens[0].id).toBe(0);
});

it.each<[string, Map<string, Uint8Array>, RegExp]>([
  ['no JSON', new Map([['tokenizer.json', text('{')]]), /^the model\/tokenizer\.json is not JSON: .*\.$/],
  ['no object', new Map([['tokenizer.json', json([1])]]), /^the model\/tokenizer\.json holds no object: .*\.$/],
  ['no UTF-8', new Map([['vocab.txt', Uint8Array.of(0xff, 0xfe)]]), /^the model\/vocab\.txt is not UTF-8 text: .*\.$/],
  ['a token twice', new Map([['vocab.txt', text('a\nb\na')]]), /^the model\/vocab\.txt names a token twice: .*\.$/],
  ['no special tokens', new Map([['vocab.txt', text('a\nb')]]), /^the model holds a vocabulary without \[CLS\]: .*\.$/],
])('refuses %s', async (_, contents, message) => {
  await expect(readTokenizer(filesInMemory(contents), 'bert')).rejects.toThrow(message);
});
