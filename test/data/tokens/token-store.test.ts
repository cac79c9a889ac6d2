import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDataset } from '../../../src/data/dataset/open-dataset.ts';
import type { SplitOptions } from '../../../src/data/dataset/split.ts';
import { fromTexts } from '../../../src/data/tokens/from-texts.ts';
import type { TokenizedDataset } from '../../../src/data/tokens/token-file.ts';
import type { TokenSplit, TokenStore } from '../../../src/data/tokens/token-store.ts';
import { tokenizeDataset } from '../../../src/data/tokens/tokenize-dataset.ts';
import { ByteTokenizer } from '../../../src/tokenizers/bytes.ts';
import { loadTokenizer } from '../../../src/tokenizers/load-own-tokenizer.ts';
import type { Tokenizer } from '../../../src/tokenizers/tokenizer.ts';
import { trainBpe } from '../../../src/tokenizers/training/bpe.ts';
import { mixedLines } from '../text-mixture.ts';

// The first is longer than a segment, so that pieces are joined; without the separator, which would add documents' ends.
const texts = [1700, 70, 30].map((lines) =>
  [...mixedLines(lines, lines)]
    .join('\n')
    .replaceAll('<|endoftext|>', 'end')
    .replaceAll('\0', 'NUL')
    .replaceAll('\r\n', '\n'),
);
const plainBpe = await trainBpe(texts, { vocabSize: 500 });
const bpe = await trainBpe(texts, { vocabSize: 500, endOfText: true });

const tokenizeFiles = async (
  data: string[],
  tokenizer: Tokenizer,
  { file, split }: { readonly file: string; readonly split: SplitOptions },
): Promise<TokenizedDataset> =>
  tokenizeDataset(await openDataset({ format: 'text', data, split }), tokenizer, { file });

const whole = (split: TokenSplit) => split.read(0, split.length);

describe('in memory', () => {
  test('holds the ids of each document, with their ends', async () => {
    const { train, heldOut, vocabSize } = await fromTexts(texts, bpe, { by: 'none' });
    const ids = texts.map((text) => [...bpe.encode(text), bpe.endOfText!]);
    expect([...(await whole(train))]).toEqual(ids.flat());
    expect(train.documents).toEqual([0, ids[0]!.length, ids[0]!.length + ids[1]!.length]);
    expect(vocabSize).toBe(bpe.vocabSize);
    expect(heldOut).toMatchObject({ length: 0, characters: 0, bytes: 0, documents: [] });
  });

  test('counts characters and bytes', async () => {
    const { train, heldOut } = await fromTexts(['aé東😀', '東京'], new ByteTokenizer(), { by: 'tail', fraction: 0.5 });
    expect(train).toMatchObject({ length: 6, characters: 3, bytes: 6, documents: [0] });
    expect(heldOut).toMatchObject({ length: 10, characters: 3, bytes: 10, documents: [0, 4] });
  });

  test('the split is the same text for every tokenizer', async () => {
    for (const rule of [
      { by: 'tail', fraction: 0.13 },
      { by: 'document', fraction: 0.3 },
    ] satisfies SplitOptions[]) {
      const stores = await Promise.all([new ByteTokenizer(), plainBpe].map((t) => fromTexts(texts, t, rule)));
      const [bytes, merged] = stores as [TokenStore, TokenStore];
      for (const part of ['train', 'heldOut'] as const) {
        const text = plainBpe.decode(await whole(merged[part]));
        expect(new ByteTokenizer().decode(await whole(bytes[part])) === text).toBe(true);
        expect(merged[part].characters).toBe([...text].length);
        expect(merged[part].bytes).toBe(Buffer.byteLength(text));
        expect(bytes[part].characters).toBe(merged[part].characters);
      }
    }
  });

  test('a cut inside a document is no end of a document', async () => {
    const tokenizer = new ByteTokenizer({ endOfText: true });
    const { train, heldOut } = await fromTexts(['abcd'], tokenizer, { by: 'tail', fraction: 0.25 });
    expect(tokenizer.decode(await whole(train))).toBe('abc');
    expect(tokenizer.decode(await whole(heldOut))).toBe('d<|endoftext|>');
    expect(heldOut).toMatchObject({ length: 2, characters: 1, bytes: 1 });
  });
});

describe('in a file', () => {
  let folder = '';
  let paths: string[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tokens-'));
    paths = texts.map((text, i) => {
      const path = join(folder, `${i}.txt`);
      writeFileSync(path, i === 1 ? gzipSync(text) : text);
      return path;
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const rule: SplitOptions = { by: 'tail', fraction: 0.4 };
  const tokenize = (name: string, tokenizer: Tokenizer = bpe, split: SplitOptions = rule): Promise<TokenizedDataset> =>
    tokenizeFiles(paths, tokenizer, { file: join(folder, name), split });

  /** A byte tokenizer with further tokens, so that ids need more than 16 bits. */
  function wideTokenizer(): Tokenizer {
    const json = new ByteTokenizer().toJSON();
    const letters = Object.keys(json.model.vocab);
    for (let n = 0; n < 65_600; n++) {
      const [a, b, c] = [letters[n & 255], letters[(n >> 8) & 255], letters[n >> 16]];
      json.model.vocab[`${c}${b}${a}`] = 256 + n;
    }
    json.added_tokens.push({ ...bpe.toJSON().added_tokens[0]!, id: 256 + 65_600 });
    return loadTokenizer(json);
  }

  test.each<[string, () => Tokenizer]>([
    ['8', () => new ByteTokenizer()],
    ['16', () => bpe],
    ['32', wideTokenizer],
  ])('equals the store in memory, with %s bits', async (bits, make) => {
    const tokenizer = make();
    const memory = await fromTexts(texts, tokenizer, rule);
    const file = await tokenize(`equal-${bits}.tok`, tokenizer);
    for (const part of ['train', 'heldOut'] as const) {
      const { read: _, ...counts } = memory[part];
      expect(file[part]).toMatchObject(counts);
      expect(await whole(file[part])).toEqual(await whole(memory[part]));
      expect(await file[part].read(101, 13)).toEqual(await memory[part].read(101, 13));
      expect(await file[part].read(counts.length, 0)).toHaveLength(0);
      for (const [offset, length] of [
        [counts.length - 1, 2],
        [-1, 2],
        [0.5, 1],
      ] as const) {
        await expect(file[part].read(offset, length)).rejects.toThrow('are not inside');
        await expect(memory[part].read(offset, length)).rejects.toThrow('are not inside');
      }
    }
    const ids = await whole(file.train);
    const packed = { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array }[Number(bits) as 8 | 16 | 32].from(ids);
    expect(file.fingerprint).toBe(createHash('sha256').update(Buffer.from(packed.buffer)).digest('hex'));
    await file.close();
  });

  test('is reused only while nothing has changed', async () => {
    const reused = async (...args: Parameters<typeof tokenize>) => {
      const store = await tokenize(...args);
      await store.close();
      return store.reused;
    };
    expect(await reused('again.tok')).toBe(false);
    const first = readFileSync(join(folder, 'again.tok'));
    expect(await reused('again.tok')).toBe(true);
    expect(await reused('again.tok', bpe, { by: 'tail', fraction: 0.41 })).toBe(false);
    expect(await reused('again.tok', plainBpe)).toBe(false);
    expect(await reused('again.tok')).toBe(false);
    expect(readFileSync(join(folder, 'again.tok'))).toEqual(first);
    utimesSync(paths[0]!, 1000, 1000);
    expect(await reused('again.tok')).toBe(false);
    expect(await reused('again.tok')).toBe(true);
    writeFileSync(join(folder, 'again.tok'), first.subarray(0, first.length - 1));
    expect(await reused('again.tok')).toBe(false);
    writeFileSync(join(folder, 'again.tok'), first.subarray(2));
    expect(await reused('again.tok')).toBe(false);
    writeFileSync(join(folder, 'again.tok'), 'something else entirely');
    expect(await reused('again.tok')).toBe(false);
  });

  test('the fingerprint is that of the training tokens', async () => {
    const fingerprint = async (name: string, ...args: [Tokenizer?, SplitOptions?]) => {
      const store = await tokenize(name, ...args);
      await store.close();
      return store.fingerprint;
    };
    const first = await fingerprint('print.tok');
    expect(await fingerprint('print.tok')).toBe(first);
    expect(await fingerprint('moved.tok')).toBe(first);
    expect(await fingerprint('moved.tok', bpe, { by: 'tail', fraction: 0.3 })).not.toBe(first);
    const bytes = Buffer.from(Uint16Array.from(await whole((await fromTexts(texts, bpe, rule)).train)).buffer);
    expect(first).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  test('a failure leaves the earlier file and nothing else', async () => {
    const store = await tokenize('kept.tok');
    await store.close();
    const before = readFileSync(join(folder, 'kept.tok'));
    const invalid = join(folder, 'latin1.txt');
    writeFileSync(invalid, Buffer.from([0x61, 0xe9, 0x62]));
    const failing = tokenizeFiles([...paths, invalid], bpe, { file: join(folder, 'kept.tok'), split: { by: 'none' } });
    await expect(failing).rejects.toThrow(`${invalid} is not UTF-8 at byte 1`);
    expect(readFileSync(join(folder, 'kept.tok'))).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const nowhere = tokenizeFiles(paths, bpe, { file: join(folder, 'no/such.tok'), split: rule });
    await expect(nowhere).rejects.toThrow(/^Cannot write .*no\/such\.tok because part of that path is missing/);
  });

  test.runIf(existsSync('/dev/full'))('a full disk is said once, in one sentence', async () => {
    const file = join(folder, 'full.tok');
    symlinkSync('/dev/full', `${file}.${process.pid}.train.tmp`);
    const { name, message } = (await tokenizeFiles(paths, bpe, { file, split: rule }).catch((error) => error)) as Error;
    expect([name, message]).toEqual([
      'FileError',
      `Cannot write ${file} because the disk is full: free some space; what was saved earlier is intact.`,
    ]);
    expect(existsSync(file)).toBe(false);
  });

  test('damage is reported, not trained on', async () => {
    const store = await tokenize('damaged.tok');
    await store.close();
    const path = join(folder, 'damaged.tok');
    const data = readFileSync(path);
    // Tokens of both parts, where documents start, and the fingerprint.
    const footer = data.indexOf('"fingerprint":"') + 15;
    for (const place of [2 * 7, Math.floor(0.9 * footer), data.lastIndexOf('{"key"') - 5, footer]) {
      const flipped = Buffer.from(data);
      flipped[place] ^= 1;
      writeFileSync(path, flipped);
      await expect(tokenize('damaged.tok')).rejects.toThrow(
        `${path} is damaged (its checksum does not match): remove it, and the text is tokenised again.`,
      );
    }
    rmSync(path);
    const again = await tokenize('damaged.tok');
    await again.close();
    expect(readFileSync(path)).toEqual(data);
  });

  test('damage of a file without a checksum is found where its ids show it', async () => {
    const store = await tokenize('early.tok');
    await store.close();
    const path = join(folder, 'early.tok');
    const data = readFileSync(path);
    // As the first release wrote it.
    const start = data.lastIndexOf('{"key"');
    const json = JSON.parse(data.subarray(start, data.length - 12).toString());
    const text = Buffer.from(JSON.stringify({ ...json, checksum: undefined }));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    const early = Buffer.concat([data.subarray(0, start), text, length, Buffer.from('PERFTOK2')]);
    writeFileSync(path, early);
    const reused = await tokenize('early.tok');
    expect(reused.reused).toBe(true);
    await reused.close();
    early[2 * 7 + 1] = 0xff;
    writeFileSync(path, early);
    const damaged = await tokenize('early.tok');
    await expect(damaged.train.read(0, 20)).rejects.toThrow(/early\.tok holds token \d+, beyond the vocabulary/);
    await damaged.close();
  });
});
