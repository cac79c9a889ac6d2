import files, { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { DatasetOptions } from '../../../src/data/dataset/configuration.ts';
import { formatOfName, partOfPath } from '../../../src/data/dataset/data-files.ts';
import { datasetText } from '../../../src/data/dataset/dataset-text.ts';
import { type PartName, partNames } from '../../../src/data/dataset/documents.ts';
import { type Dataset, openDataset } from '../../../src/data/dataset/open-dataset.ts';
import type { TokenizedDataset } from '../../../src/data/tokens/token-file.ts';
import { tokenizeDataset } from '../../../src/data/tokens/tokenize-dataset.ts';
import { ByteTokenizer } from '../../../src/tokenizers/bytes.ts';
import { trainBpe } from '../../../src/tokenizers/training/bpe.ts';

const folder = mkdtempSync(join(tmpdir(), 'datasets-'));
afterAll(() => rmSync(folder, { recursive: true }));
const tokenizer = new ByteTokenizer({ endOfText: true });

/** Writes files into a folder of this name and returns its path. */
function write(name: string, files: Record<string, string | Uint8Array>): string {
  for (const [path, data] of Object.entries(files)) {
    const where = join(folder, name, path);
    mkdirSync(join(where, '..'), { recursive: true });
    writeFileSync(where, data);
  }
  return join(folder, name);
}

const jsonl = (...texts: string[]) => texts.map((text) => JSON.stringify({ text })).join('\n');

async function documentsOf(configuration: DatasetOptions) {
  const dataset = await openDataset(configuration);
  const documents: [name: string, text: string, part?: PartName][] = [];
  for await (const { name, part, read } of dataset.documents()) {
    let text = '';
    for await (const chunk of read()) text += chunk;
    documents.push(part ? [name, text, part] : [name, text]);
  }
  return { dataset, documents };
}

/** The documents of every part that has any, decoded. */
async function partsOf(store: TokenizedDataset): Promise<Partial<Record<PartName, string[]>>> {
  const parts: Partial<Record<PartName, string[]>> = {};
  for (const name of partNames) {
    const part = store[name];
    if (part.length === 0) continue;
    parts[name] = await Promise.all(
      part.documents.map(async (start, i) => {
        const end = part.documents[i + 1] ?? part.length;
        return tokenizer.decode(await part.read(start, end - start));
      }),
    );
  }
  await store.close();
  return parts;
}

const tokenize = async (configuration: DatasetOptions, name = 'some.tok') =>
  tokenizeDataset(await openDataset(configuration), tokenizer, { file: join(folder, name) });

const end = (...texts: string[]) => texts.map((text) => `${text}<|endoftext|>`);

describe('openDataset', () => {
  test('knows formats by name and reads each through one door', async () => {
    const path = write('formats', {
      'a.txt': '\ufeffone\r\ntwo\r\n',
      'b.jsonl.gz': gzipSync(`${jsonl('three')}\n\n${jsonl('four')}`),
      'c.fa': '>c OS=Homo sapiens\nMKV\nLL\n',
      'd.xml':
        '<mediawiki><page><title>T</title><ns>0</ns><revision><text>[[five]]</text></revision></page></mediawiki>',
    });
    const read = async (name: string, more = {}) =>
      (await documentsOf({ data: [join(path, name)], ...more })).documents;
    expect(await read('a.txt')).toEqual([[`${path}/a.txt`, 'one\ntwo\n']]);
    expect(await read('a.txt', { format: 'text', documents: 'line' })).toEqual([
      [`${path}/a.txt:1`, 'one'],
      [`${path}/a.txt:2`, 'two'],
    ]);
    expect(await read('b.jsonl.gz')).toEqual([
      [`${path}/b.jsonl.gz:1`, 'three'],
      [`${path}/b.jsonl.gz:3`, 'four'],
    ]);
    expect(await read('c.fa')).toEqual([[`${path}/c.fa:1`, 'MKVLL']]);
    expect(await read('d.xml')).toEqual([[`${path}/d.xml:1`, 'five']]);
    const golden = join(import.meta.dirname, '../../golden/parquet/zstd.parquet');
    expect((await documentsOf({ data: [golden], format: 'parquet', text: 'organism' })).documents[1]![1]).toBe(
      'group 1',
    );
    const swiss = [
      'ID   A_B  Reviewed; 3 AA.',
      'AC   P1;',
      'OS   Homo sapiens.',
      'SQ   SEQUENCE   3 AA;',
      '     MKV',
      '//',
      '',
    ];
    write('formats', { 'e.dat': swiss.join('\n') });
    expect((await read('e.dat'))[0]![1]).toBe('MKV');
  });

  test.each([
    ['a/b.TXT.zst', 'text'],
    ['train-00000-of-00002.parquet', 'parquet'],
    ['enwiki-pages-articles.xml.bz2', 'wikipedia'],
    ['x.json', 'jsonl'],
    ['uniprot_trembl.fasta.gz', 'fasta'],
    ['x.constructor', undefined],
    ['README', undefined],
  ])('%s is %s', (name, format) => expect(formatOfName(name)).toBe(format));

  test.each([
    ['data/train-00000-of-00002.parquet', 'jsonl', 'train'],
    ['data/my_validation.jsonl', 'jsonl', 'heldOut'],
    ['dev/a.jsonl', 'jsonl', 'heldOut'],
    ['a/eval.jsonl', 'jsonl', 'test'],
    ['train/test.jsonl', 'jsonl', 'test'],
    ['train/A Test.txt', 'pg19', 'train'],
    ['test/data/a.jsonl', 'jsonl', undefined],
    ['latest/training-set.jsonl', 'jsonl', 'train'],
    ['contest/devices.jsonl', 'jsonl', undefined],
  ] as const)('%s (%s) is in part %s', (path, format, part) => expect(partOfPath(path, format)).toBe(part));

  test('folders are searched; one of PG-19 is known by its metadata.csv', async () => {
    const books = write('pg19', {
      'metadata.csv': '1,Emma,1815,u\n2,She,1887,u\n',
      'train/1.txt': '*** START OF THE PROJECT GUTENBERG EBOOK EMMA ***\none\n',
      'validation/2.txt.gz': gzipSync('two'),
      'test/3.txt': 'three',
    });
    const { dataset, documents } = await documentsOf({ data: [books] });
    expect([dataset.format, dataset.split]).toEqual(['pg19', { by: 'given' }]);
    expect(documents).toEqual([
      [`${books}/test/3.txt:1`, 'three', 'test'],
      [`${books}/train/1.txt:1`, 'one', 'train'],
      [`${books}/validation/2.txt.gz:1`, 'two', 'heldOut'],
    ]);
    const ids: unknown[] = [];
    for await (const { id } of dataset.documents()) ids.push(id);
    expect(ids).toEqual(['3', 'Emma', 'She']);
    const deep = write('deep', { 'x/y/b.jsonl': jsonl('b'), 'a.jsonl': jsonl('a'), 'README.md': '' });
    expect((await documentsOf({ data: [deep] })).documents.map(([, text]) => text)).toEqual(['a', 'b']);
  });

  test('says in one sentence what is wrong', async () => {
    const mixed = write('mixed', { 'a.txt': 'a', 'b.jsonl': jsonl('b') });
    const unknown = write('unknown', { 'a.csv': 'a' });
    const error = async (configuration: unknown, message: RegExp | string) =>
      expect(openDataset(configuration as DatasetOptions)).rejects.toThrow(message);
    await error(
      { data: [mixed] },
      /mixed\/b\.jsonl is jsonl|mixed\/a\.txt is text by its name, but .*b\.jsonl is jsonl; name files/,
    );
    await error(
      { data: [unknown] },
      /Nothing in .*unknown is known as data \(\.txt, .*\); name the files, or the format\./,
    );
    await error({ data: [unknown], format: 'jsonl' }, 'unknown has no file whose name says jsonl');
    await error({ data: [join(mixed, 'c.txt')] }, 'c.txt does not exist');
    await error({ data: [] }, 'No data is named');
    await error({}, 'No data is named');
    await error({ data: [mixed], format: 'csv' }, 'There is no data format "csv"; choose among text, jsonl, parquet');
    await error(
      { data: [join(mixed, 'a.txt')], format: 'text', text: 'body' },
      /options of the data are wrong: .*"text"/,
    );
    await error(
      { data: [join(mixed, 'a.txt')], split: { by: 'tail', fraction: 2 } },
      /options of the data are wrong: split: fraction/,
    );
  });
});

describe('tokenizeDataset', () => {
  test('writes every part, with its documents, in one pass', async () => {
    const data = write('parts', {
      'train.jsonl': jsonl('one', 'zwei 東'),
      'test.jsonl': jsonl('three'),
      'validation.jsonl': jsonl('four', '5'),
    });
    const store = await tokenize({ data: [data] });
    expect(store.heldOut).toMatchObject({ length: 7, characters: 5, bytes: 5, documents: [0, 5] });
    expect(store.train).toMatchObject({ characters: 9, bytes: 11, documents: [0, 4] });
    expect(store.reused).toBe(false);
    expect(await partsOf(store)).toEqual({
      train: end('one', 'zwei 東'),
      heldOut: end('four', '5'),
      test: end('three'),
    });
    const again = await tokenize({ data: [data] });
    expect([again.reused, again.fingerprint]).toEqual([true, store.fingerprint]);
    expect(again.heldOut.documents).toEqual([0, 5]);
    await again.close();
  });

  test("one organism's proteins are split by document; the file says so each time it is used", async () => {
    const sequences = Array.from({ length: 60 }, (_, i) => `>sp|P${i}|X OS=Homo sapiens OX=9606\nMKVLAWERTYH\n`).join(
      '',
    );
    const data = write('proteome', { 'UP000005640.fasta': sequences });
    for (const reused of [false, true]) {
      const store = await tokenize({ data: [data], split: { by: 'group', fraction: 0.1, heldOut: 0.05, seed: 0 } });
      expect(store.reused).toBe(reused);
      expect(store.heldOut.documents.length).toBeGreaterThan(0);
      expect(store.heldOut.documents.length + store.train.documents.length).toBe(60);
      expect(store.notes).toEqual([
        'All documents with a group belong to "Homo sapiens": 0.05 of the documents are held out instead.',
      ]);
      await store.close();
    }
  });

  test('groups are held out of training', async () => {
    const organisms = ['Homo sapiens', 'Mus musculus', 'Danio rerio', 'Gallus gallus'];
    const fasta = Array.from(
      { length: 40 },
      (_, i) => `>p${i} OS=${organisms[i % 4]}\n${'ACDE'[i % 4]}${'M'.repeat(1 + (i % 5))}`,
    );
    const data = write('proteins', { 'a.fasta': `${fasta.join('\n')}\n>bad OS=Homo sapiens\nM!\n` });
    const store = await tokenize({ data: [data], split: { by: 'group', fraction: 0.4, heldOut: 0.2, seed: 2 } });
    expect(store.bad.count).toBe(1);
    const { train = [], heldOut = [], outOfDistribution = [] } = await partsOf(store);
    expect(train.length + heldOut.length + outOfDistribution.length).toBe(40);
    const initials = (texts: string[]) => new Set(texts.map((text) => text[0]!));
    const outside = initials(outOfDistribution);
    expect([...initials([...train, ...heldOut])].filter((initial) => outside.has(initial))).toEqual([]);
    expect(outOfDistribution.length).toBe(10 * outside.size);
  });

  test('in memory the tokens are those of a file', async () => {
    const data = write('texts', { 'a.txt': 'a\n'.repeat(90_000), 'b.txt.gz': gzipSync('é東\n'.repeat(700)) });
    for (const split of [
      { by: 'tail', fraction: 0.2 },
      { by: 'document', fraction: 0.5, seed: 1 },
      { by: 'none' },
    ] as const) {
      const store = await tokenize({ data: [data], split }, 'door.tok');
      const memory = await tokenizeDataset(await openDataset({ data: [data], split }), tokenizer);
      expect(memory.fingerprint).toBe(store.fingerprint);
      expect(memory.reused).toBe(false);
      expect(await partsOf(memory)).toEqual(await partsOf(store));
    }
  });

  test('groups and classes are kept beside the tokens, in memory and in a file', async () => {
    const names = ['Homo sapiens', 'Mus musculus', undefined];
    const lines = Array.from({ length: 12 }, (_, i) => JSON.stringify({ text: `${i}`, of: names[i % 3] }));
    const data = write('grouped', { 'a.jsonl': lines.join('\n') });
    const options: DatasetOptions = { data: [data], format: 'jsonl', group: 'of', split: { by: 'none' } };
    const memory = await tokenizeDataset(await openDataset(options), tokenizer);
    for (const reused of [false, true]) {
      const store = await tokenize(options, 'grouped.tok');
      expect(store.reused).toBe(reused);
      for (const each of [store, memory]) {
        expect(each.train.groups).toEqual(Array.from({ length: 12 }, (_, i) => names[i % 3]));
        expect([each.train.labels, each.heldOut.groups]).toEqual([undefined, undefined]);
      }
      await store.close();
    }
    const split = { by: 'group', fraction: 0.5, heldOut: 0, seed: 1 } as const;
    const { train, outOfDistribution, close } = await tokenize({ ...options, split }, 'grouped.tok');
    const outside = new Set(outOfDistribution.groups);
    expect(outside.size).toBe(1);
    expect(train.groups).toEqual(
      Array.from({ length: 12 }, (_, i) => names[i % 3]).filter((name) => !outside.has(name)),
    );
    await close();
  });

  test('is reused only while files, options and split are what they were', async () => {
    const data = write('reuse', { 'a.jsonl': `${jsonl('one', 'two', 'three')}\n{"body": "four"}\n{"body": "five"}` });
    const reused = async (configuration: Partial<DatasetOptions> = {}) => {
      const store = await tokenize({ data: [data], ...configuration } as DatasetOptions, 'reuse.tok');
      await store.close();
      return store.reused;
    };
    expect(await reused()).toBe(false);
    expect(await reused()).toBe(true);
    expect(await reused({ split: { by: 'document', fraction: 0.1, seed: 0 } })).toBe(true);
    expect(await reused({ split: { by: 'none' } })).toBe(false);
    expect(await reused({ format: 'jsonl', text: 'body' })).toBe(false);
    expect(await reused({ format: 'jsonl', text: 'body' })).toBe(true);
    utimesSync(join(data, 'a.jsonl'), 1000, 1000);
    expect(await reused({ format: 'jsonl', text: 'body' })).toBe(false);
  });

  test('remembers what could not be used, also when the file is used again', async () => {
    const lines = [jsonl('one', 'two'), ...Array.from({ length: 13 }, () => '{}')];
    const data = write('bad', { 'a.jsonl': lines.join('\n') });
    for (const reused of [false, true]) {
      const store = await tokenize({ data: [data] }, 'bad.tok');
      expect(store.reused).toBe(reused);
      expect([store.bad.count, store.bad.examples.length]).toEqual([13, 10]);
      expect(store.bad.examples[0]).toEqual({
        file: `${data}/a.jsonl`,
        line: 3,
        reason: 'no field "text"; there is none',
      });
      expect(store.bad.describe()).toContain('… and 3 more records');
      await store.close();
    }
    const pages = ['A', 'B'].map(
      (title) => `<page><title>${title}</title><ns>0</ns><revision><text>t</text></revision></page>`,
    );
    const redirect = '<page><title>C</title><ns>0</ns><redirect title="A" /><revision><text>x</text></revision></page>';
    const wiki = write('wiki', { 'a.xml': `<mediawiki>${pages.join('')}${redirect}</mediawiki>` });
    for (const reused of [false, true]) {
      const store = await tokenize({ data: [wiki] }, 'wiki.tok');
      expect([store.reused, [...store.skipped]]).toEqual([reused, [['redirect', 1]]]);
      await store.close();
    }
  });

  test('nothing usable, and nothing to train on, is an error; no file is left behind', async () => {
    const useless = write('useless', { 'a.jsonl': '{}\n{}' });
    await expect(tokenize({ data: [useless], split: { by: 'none' } }, 'no.tok')).rejects.toThrow(
      /No record of .*a\.jsonl can be used \(no field "text"; there is none\); check the files and their format\./,
    );
    const tests = write('tests', { 'test.jsonl': jsonl('a') });
    await expect(tokenize({ data: [tests], split: { by: 'given' } }, 'no.tok')).rejects.toThrow(
      'By their names all files',
    );
    expect(readdirSync(folder).filter((name) => name.startsWith('no.tok'))).toEqual([]);
  });

  test('reports progress while it writes, and loses nothing between blocks', async () => {
    const text = Array.from({ length: 150_000 }, (_, i) => `line ${i}\n`).join('');
    const data = write('progress', { 'a.txt': text });
    const seen: number[] = [];
    const dataset = await openDataset({ data: [data] });
    const store = await tokenizeDataset(dataset, tokenizer, {
      file: join(folder, 'progress.tok'),
      onProgress: (tokens) => seen.push(tokens),
    });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toBe(store.train.length + store.heldOut.length);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    const { train, heldOut } = await partsOf(store);
    // Longer than a block of the writer.
    expect(train![0]! + heldOut![0]! === `${text}<|endoftext|>`).toBe(true);
  });
});

test('labels are kept beside the tokens, also of a document that the split cuts, and of tables', async () => {
  const data = write('labelled', {
    'warm/a.txt': 'sun and sand',
    'cold/a.txt': 'ice',
    'cold/b.txt': 'snow and wind and hail',
  });
  const dataset = await openDataset({ data: [join(data, '*/*.txt')], split: { by: 'tail', fraction: 0.3 } });
  expect(dataset.classes).toEqual(['cold', 'warm']);
  const file = join(folder, 'labelled.bin');
  const bytes = new ByteTokenizer();
  for (const reused of [false, true]) {
    const store = await tokenizeDataset(dataset, bytes, { file });
    expect([store.reused, store.train.labels, store.heldOut.labels, store.test.labels]).toEqual([
      reused,
      [0, 0, 1],
      [1],
      undefined,
    ]);
    expect(store.train.documents).toEqual([0, 3, 25]);
    await store.close();
  }
  const table = write('table', { 'd.tsv': 'text\tlabel\nfine\t1\nbad\t0\nso\t7' });
  const rows = await openDataset({ format: 'labelled', data: [join(table, 'd.tsv')], split: { by: 'none' } });
  const store = await tokenizeDataset(rows, bytes, { file: join(folder, 'table.bin') });
  expect([rows.classes, store.train.labels]).toEqual([undefined, [1, 0, 7]]);
  await store.close();
});

/** How often each file of a dataset is opened while `use` works with the dataset. */
async function countOpens(options: DatasetOptions, use: (dataset: Dataset) => Promise<void>): Promise<number[]> {
  const dataset = await openDataset(options);
  const opens = new Map(dataset.files.map((file) => [file, 0]));
  const count = (path: unknown) => {
    const known = opens.get(String(path));
    if (known !== undefined) opens.set(String(path), known + 1);
  };
  const spies = [vi.spyOn(files, 'open'), vi.spyOn(promises, 'open'), vi.spyOn(promises, 'readFile')];
  syncBuiltinESMExports();
  try {
    await use(dataset);
    for (const { mock } of spies) for (const [path] of mock.calls) count(path);
  } finally {
    for (const spy of spies) spy.mockRestore();
    syncBuiltinESMExports();
  }
  return [...opens.values()];
}

test('a text file is read twice at most: for a tokenizer and a tail split, and for tokens with classes', async () => {
  const files = { 'a/one.txt': 'one two three', 'b/two.txt': 'four five six' };
  const data = [join(write('counted', files), '*/*.txt')];
  const opened = await openDataset({ data });
  const textOf = async (dataset: Dataset, part: PartName) => {
    let text = '';
    for await (const chunk of datasetText(dataset, part)) text += chunk;
    return text;
  };
  const reads = await countOpens({ data, split: { by: 'tail', fraction: 0.3 } }, async (dataset) => {
    const trained = await trainBpe(datasetText(dataset, 'train'), { vocabSize: 260, endOfText: true });
    const store = await tokenizeDataset(dataset, trained, { file: join(folder, 'counted.bin') });
    expect([store.train.labels, store.heldOut.labels]).toEqual([[0, 1], [1]]);
    expect(trained.decode(await store.train.read(0, store.train.length))).toBe('one two three<|endoftext|>four ');
    expect(trained.decode(await store.heldOut.read(0, store.heldOut.length))).toBe('five six<|endoftext|>');
    await store.close();
  });
  expect(reads).toEqual([2, 2]);
  for (const split of [{ by: 'tail' }, { by: 'document', fraction: 0.5 }, { by: 'none' }] as const) {
    // Without a tokenizer to train, a tail is counted once and tokenised once; other splits need one read.
    const most = split.by === 'tail' ? 2 : 1;
    const tokens = async (dataset: Dataset) => void (await tokenizeDataset(dataset, tokenizer));
    expect(await countOpens({ data, split }, tokens)).toEqual([most, most]);
  }
  // Both parts as texts take a read each, as the first finds the cuts.
  const texts = await countOpens({ data, split: { by: 'tail', fraction: 0.3 } }, async (dataset) => {
    expect(await textOf(dataset, 'heldOut')).toBe('five six');
    expect(await textOf(dataset, 'train')).toBe('one two threefour ');
  });
  expect(texts).toEqual([2, 2]);
  // A file that has changed is counted anew.
  const dataset = await openDataset({ data, split: { by: 'tail', fraction: 0.3 } });
  expect(await textOf(dataset, 'train')).toBe('one two threefour ');
  writeFileSync(opened.files[1]!, 'four five six seven eight nine');
  expect(await textOf(dataset, 'train')).toBe('one two threefour five six sev');
});

test('datasetText is the text of one part', async () => {
  const data = write('text', { 'train.jsonl': jsonl('one', 'two'), 'valid.jsonl': jsonl('three') });
  const dataset = await openDataset({ data: [data] });
  const read = async (part: PartName) => {
    const pieces: string[] = [];
    for await (const piece of datasetText(dataset, part)) pieces.push(piece);
    return pieces;
  };
  expect(await read('train')).toEqual(['one', 'two']);
  expect(await read('heldOut')).toEqual(['three']);
});

test('a token file is the tokens of its parts, the starts of their documents and a footer', async () => {
  const data = write('layout', { 'train.jsonl': jsonl('ab'), 'valid.jsonl': jsonl('c') });
  await (await tokenize({ data: [data] }, 'layout.tok')).close();
  const bytes = readFileSync(join(folder, 'layout.tok'));
  const tokens = Array.from({ length: 5 }, (_, i) => bytes.readUInt16LE(2 * i));
  expect(tokens).toEqual([...tokenizer.encode('ab<|endoftext|>c<|endoftext|>')]);
  expect(bytes.readDoubleLE(10)).toBe(0);
  expect(bytes.toString('latin1', bytes.length - 8)).toBe('PERFTOK2');
});
