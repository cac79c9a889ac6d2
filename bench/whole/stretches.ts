/** How long asynchronous functions keep the event loop to themselves: the longest stretch between two of its turns. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataset, tokenizeDataset } from '../../src/entries/data.ts';
import { approximationReport, smallestNumFeatures } from '../../src/entries/inspect.ts';
import {
  type Backend,
  Decoder,
  EncoderDecoder,
  generate,
  streamText,
  type Tensor,
  Transformer,
  tensor,
  translate,
} from '../../src/entries/performers.ts';
import { conversionReport } from '../../src/entries/pretrained.ts';
import { ByteTokenizer, trainBpe, trainCharacters, trainUnigram } from '../../src/entries/tokenizers.ts';
import { Distillation, evaluate, parseTrainingConfiguration, Trainer } from '../../src/entries/training.ts';
import { type BenchmarkCase, type Measurement, normalNumbers } from '../case.ts';

const ROUNDS = 3;
const MEGABYTE = 1e6;

/** Something long, made anew for every round. */
type Work = () => Promise<unknown>;

/**
 * Each stretch counts by the time on the clock or the processor's, whichever is less, so that other processes do not
 * count.
 */
async function longestStretch(work: Work): Promise<number> {
  let longest = 0;
  let isDone = false;
  let start = performance.now();
  let processor = process.cpuUsage();
  const look = () => {
    const { user, system } = process.cpuUsage(processor);
    longest = Math.max(longest, Math.min(performance.now() - start, (user + system) / 1000));
    start = performance.now();
    processor = process.cpuUsage();
  };
  const turn = () => {
    look();
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  await new Promise((resolve) => setImmediate(resolve));
  await work();
  isDone = true;
  look();
  return longest;
}

async function drain(values: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of values);
}

/** Sentences of words of a thousand, drawn by a linear congruential generator. */
function text(bytes: number): string {
  let state = 1;
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const words = Array.from({ length: 1000 }, () =>
    Array.from({ length: 2 + draw(9) }, () => String.fromCharCode(97 + draw(26))).join(''),
  );
  const parts: string[] = [];
  for (let length = 0; length < bytes; length += parts.at(-1)!.length) {
    parts.push(`${words[Math.floor((draw(1000) * draw(1000)) / 1000)]}${draw(12) === 0 ? '.\n' : ' '}`);
  }
  return parts.join('');
}

function works(backend: Backend, folder: string): Readonly<Record<string, Work>> {
  const sizes = { vocabSize: 256, dModel: 256, numLayers: 4, numHeads: 4, dFeedForward: 1024, maxLength: 8192 };
  const favor = new Transformer(backend, {
    ...{ ...sizes, positions: 'rotary', attention: { type: 'favor', numFeatures: 256 } },
  });
  const exact = new Transformer(backend, { ...sizes, positions: 'rotary', attention: 'exact' });
  const translator = new EncoderDecoder(backend, {
    ...{ sourceVocabSize: 512, targetVocabSize: 512, dModel: 256, numHeads: 4, dFeedForward: 1024, maxLength: 512 },
    ...{ numEncoderLayers: 4, numDecoderLayers: 4 },
  });
  const ids = (length: number) => Int32Array.from({ length }, (_, i) => (i * 31) % 256);
  const heads = (count: number, seed: number): Tensor =>
    tensor(backend, normalNumbers(count * 8192 * 64, seed), [1, count, 8192, 64]);
  const [queries, keys, values] = [1, 2, 3].map((seed) => heads(12, seed));
  const [oneQueries, oneKeys, oneValues] = [1, 2, 3].map((seed) => heads(1, seed));
  const batches = Array.from({ length: 3 }, () => ({
    ...{ batchSize: 4, length: 512, inputs: ids(4 * 512), targets: ids(4 * 512) },
  }));
  const training = parseTrainingConfiguration({ batchSize: 4, length: 512, learningRate: 1e-9, distillation: {} });
  const teacher = new Distillation(exact, training.distillation!, training.objective);
  const data = { batchAt: () => batches[0] };
  const trainer = new Trainer({ model: favor, data, configuration: { ...training, distillation: undefined } });
  const measured = Array.from({ length: 2 }, () => ({ input: ids(512), shape: [1, 512], options: {} }));
  const bytes = new ByteTokenizer();
  const prompt = text(2000);
  const texts = Array.from({ length: 5 }, () => text(MEGABYTE));
  const files = texts.map((_, i) => join(folder, `${i}.txt`));
  let numFiles = 0;
  return {
    'generate, 200 tokens': () => drain(generate(favor, [1, 2, 3], { maxTokens: 200 })),
    'streamText, 200 tokens after 2,000 bytes': () => drain(streamText(favor, bytes, prompt, { maxTokens: 200 })),
    'translate, 512 tokens into 50': () =>
      drain(translate(translator, ids(512), { start: 1, stop: 511, maxTokens: 50 })),
    'Decoder.feed, 4,096 tokens, FAVOR+': () => new Decoder(favor).feed(ids(4096)),
    'Decoder.feed, 4,096 tokens, exact attention': () => new Decoder(exact).feed(ids(4096)),
    'evaluate, 4 × 512 tokens a batch': () => evaluate(favor, batches),
    'evaluate with a teacher, 4 × 512 tokens a batch': () => evaluate(favor, batches, { teacher }),
    'Trainer.step, 4 × 512 tokens': () => trainer.step(),
    'approximationReport, 8,192 × 12 heads × 64': () => approximationReport(queries, keys, values),
    'smallestNumFeatures, 8,192 × 1 head × 64, up to 4,096 features': () =>
      smallestNumFeatures(oneQueries, oneKeys, oneValues, { error: 1e-6, draws: 1 }),
    'conversionReport, 4 layers of 4 heads, 2 × 512 tokens': () =>
      conversionReport(exact, measured, { numFeatures: [64, 256], estimators: ['positive'] }),
    'trainCharacters, 5 MB': () => trainCharacters(texts),
    'trainBpe, 5 MB, 4,096 tokens': () => trainBpe(texts, { vocabSize: 4096 }),
    'trainUnigram, 5 MB, 4,096 tokens': () => trainUnigram(texts, { vocabSize: 4096 }),
    'tokenizeDataset, 5 MB': async () => {
      await Promise.all(files.map((file, i) => writeFile(file, texts[i])));
      const file = join(folder, `tokens-${numFiles++}`);
      const dataset = await openDataset({ data: files, split: { by: 'tail' } });
      await (await tokenizeDataset(dataset, bytes, { file })).close();
    },
  };
}

async function measureAll(backend: Backend): Promise<Measurement[]> {
  const folder = await mkdtemp(join(tmpdir(), 'performers-bench-'));
  try {
    const found: Measurement[] = [];
    for (const [label, work] of Object.entries(works(backend, folder))) {
      let least = Number.POSITIVE_INFINITY;
      for (let round = 0; round < ROUNDS; round++) least = Math.min(least, await longestStretch(work));
      found.push({ label, value: least, unit: 'ms' });
    }
    return found;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const stretches: BenchmarkCase = {
  name: 'stretches',
  description:
    `the longest stretch between two turns of the event loop, at dModel 256 and 4 layers; the least of ${ROUNDS} runs, of processor time ` +
    'where other processes interfere',
  on: ['native', 'wasm'],

  async check() {
    return [];
  },

  async prepare(backend) {
    return { subjects: [], summarise: () => measureAll(backend), release: () => {} };
  },
};
