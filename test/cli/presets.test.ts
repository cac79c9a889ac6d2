import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentClasses } from '../../cli/training/classes.ts';
import { runSchema } from '../../cli/training/configuration.ts';
import { presetNames, presetOf } from '../../cli/training/presets.ts';
import { openDataset, tokenizeDataset } from '../../src/entries/data.ts';
import {
  checkObjective,
  evaluateListOps,
  listOpsExample,
  listOpsLetters,
  parseListOps,
  transformerSchema,
} from '../../src/entries/internal.ts';
import { ByteTokenizer } from '../../src/entries/tokenizers.ts';
import { npy, zip } from '../data/formats/images/zip-writer.ts';
import { performers } from './performers.ts';

const directory = mkdtempSync(join(tmpdir(), 'performers-presets-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string) => join(directory, name);

const model = { dModel: 12, numLayers: 2, numHeads: 3, dFeedForward: 16, dropout: 0 };
const attention = { type: 'favor', featureMap: 'relu', numFeatures: 8, projection: 'orthogonal' };
const config = (name: string, value: object = {}) => {
  writeFileSync(at(name), JSON.stringify({ model: { ...model, attention }, ...value }));
  return ['--config', name];
};

function train(preset: string, ...args: string[]) {
  const out = ['--preset', preset, '--out', preset, '--json'];
  const { status, stdout, stderr } = performers(directory, 'train', ...out, ...args);
  expect(status, stderr).toBe(0);
  return { ...JSON.parse(stdout), stderr };
}

const stored = (run: string) => JSON.parse(readFileSync(at(`${run}/run.json`), 'utf8'));
const trained = (run: string, step: number) =>
  JSON.parse(readFileSync(at(`${run}/checkpoints/step-0000000${step}/config.json`), 'utf8'));

function losses(run: string): [number, number][] {
  const lines = readFileSync(at(`${run}/metrics.jsonl`), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line)).flatMap(({ step, loss }) => (loss === undefined ? [] : [[step, loss]]));
}

beforeAll(() => {
  const residues = 'ACDEFGHIKLMNPQRSTVWY';
  const sequence = (i: number) =>
    Array.from({ length: 13 + (i % 11) }, (_, j) => residues[(i * 7 + j * j) % 20]).join('');
  const proteins = Array.from(
    { length: 60 },
    (_, i) => `>sp|P${10000 + i}|NAME OS=Species ${i % 12} OX=${i}\n${sequence(i)}\n`,
  );
  writeFileSync(at('proteins.fasta'), proteins.join(''));
});

describe('every preset', () => {
  const configurations = presetNames.map((name) => [name, presetOf(name).configuration] as const);

  it.each(configurations)('%s is a valid configuration, its model included', (_, input) => {
    const { model, training, tokenizer } = runSchema.parse(input);
    const isClassification = training.objective.type === 'classification';
    const parsed = transformerSchema.parse({
      causal: training.objective.type === 'nextToken',
      ...model,
      maxLength: training.length,
      vocabSize: 'vocabSize' in tokenizer ? tokenizer.vocabSize : 257,
      ...(isClassification && { numClasses: 10 }),
    });
    expect(() => checkObjective(training.objective, parsed)).not.toThrow();
    expect(training.packing ?? 'windows').not.toBe(isClassification ? 'pack' : '');
  });

  it('has the sizes of the paper', () => {
    const of = (name: (typeof presetNames)[number]) => runSchema.parse(presetOf(name).configuration);
    const trembl = of('trembl');
    expect(trembl.model).toMatchObject({ numLayers: 36, numHeads: 8, dModel: 512, dFeedForward: 1024 });
    expect(trembl.training).toMatchObject({ length: 1024, objective: { type: 'maskedToken', fraction: 0.15 } });
    expect(of('trembl-concatenated').training).toMatchObject({ length: 8192, packing: 'windows' });
    expect(of('images').training.length).toBe(64 * 64 * 3);
    expect(of('pg19').tokenizer).toMatchObject({ type: 'unigram', vocabSize: 32_768 });
    expect(of('text-classification').training.length).toBe(4096);
  });

  it('stands in the help with its description', () => {
    const { stdout } = performers(directory, 'train', '--help');
    for (const name of presetNames) expect(stdout).toContain(presetOf(name).description);
  });
});

describe('performers train --preset', () => {
  it('trembl: masked proteins, reversible, and resumed as if never stopped; says its memory', () => {
    const flags = ['--data', 'proteins.fasta', '--length', '32', '--batch-size', '2', ...config('tiny.json')];
    const { peakMemory, evaluation, stderr } = train('trembl', '--steps', '2', ...flags);
    expect(trained('trembl', 2)).toMatchObject({ numLayers: 2, reversible: true, causal: false, dModel: 12 });
    expect(stored('trembl')).toMatchObject({
      dataset: { format: 'fasta' },
      split: { by: 'group', fraction: 0.1, heldOut: 0.05 },
      tokenizer: { type: 'protein' },
      training: { packing: 'pack', accumulate: 2, length: 32, objective: { type: 'maskedToken' } },
      evaluationBatches: 4,
    });
    expect(evaluation.bitsPerCharacter).toBeUndefined();
    // Node alone takes more than 30 MiB, and this model next to nothing.
    expect(peakMemory).toBeGreaterThan(30 * 2 ** 20);
    expect(peakMemory).toBeLessThan(2 * 2 ** 30);
    expect(stderr).toContain(`peak memory ${(peakMemory / 2 ** 20).toFixed(0)} MiB\n`);
    performers(tmpdir(), 'train', '--resume', '--out', at('trembl'), '--steps', '4');
    performers(directory, 'train', '--preset', 'trembl', '--out', 'whole', '--steps', '4', ...flags);
    expect(losses('trembl')).toHaveLength(4);
    expect(losses('trembl')).toEqual(losses('whole'));
  });

  it('trembl-concatenated: windows of one stream, causal; --attention overrides what a preset has', () => {
    const flags = ['--data', 'proteins.fasta', '--length', '64', '--steps', '1', '--accumulate', '1'];
    train('trembl-concatenated', ...flags, '--feature-map', 'positive', ...config('tiny.json'));
    const { attention, causal, reversible } = trained('trembl-concatenated', 1);
    expect([attention.type, attention.featureMap.type, attention.numFeatures]).toEqual(['favor', 'positive', 8]);
    expect([causal, reversible]).toEqual([true, false]);
  });

  it('protein-lm: whole sequences packed, the next residue', () => {
    const flags = ['--data', 'proteins.fasta', '--length', '40', '--batch-size', '2', '--steps', '2'];
    const { evaluation, tokens } = train('protein-lm', ...flags, ...config('tiny.json'));
    expect(trained('protein-lm', 2)).toMatchObject({ causal: true, reversible: false });
    expect(stored('protein-lm').training).toMatchObject({ packing: 'pack', objective: { type: 'nextToken' } });
    expect(tokens).toBe(2 * 2 * 40);
    expect(evaluation.accuracy).toBeLessThan(1);
  });

  it('pg19: folders of books, a unigram vocabulary', () => {
    for (const part of ['train', 'validation']) {
      mkdirSync(at(`books/${part}`), { recursive: true });
      const sentences = Array.from({ length: 60 }, (_, i) => `The ${part} whale ${i * 37} swims past ${i % 7} ships. `);
      writeFileSync(at(`books/${part}/1.txt`), sentences.join(''));
    }
    writeFileSync(at('books/metadata.csv'), '1,A whale,1850,http://example.org/1\n');
    const flags = ['--length', '32', '--steps', '2', '--accumulate', '1', '--vocab-size', '300'];
    train('pg19', '--data', 'books', ...flags, ...config('tiny.json'));
    expect(trained('pg19', 2)).toMatchObject({ causal: true, positions: 'rotary', vocabSize: 300 });
    expect(stored('pg19')).toMatchObject({ dataset: { format: 'pg19' }, split: { by: 'given' } });
  });

  it('images: bits per dimension of all values, the first included', async () => {
    const planes = Uint8Array.from({ length: 5 * 27 }, (_, i) => (i * 101 + (i >> 3)) % 256);
    writeFileSync(at('train_1.npz'), await zip([{ name: 'data.npy', data: npy([5, 27], planes) }]));
    writeFileSync(at('val_data.npz'), await zip([{ name: 'data.npy', data: npy([2, 27], planes.subarray(54, 108)) }]));
    const flags = ['--length', '27', '--steps', '2', '--accumulate', '1', '--learning-rate', '1e-9'];
    const size = config('images.json', { dataset: { size: 3 } });
    const { evaluation, stderr } = train('images', '--data', 'train_1.npz', 'val_data.npz', ...flags, ...size);
    expect(trained('images', 2)).toMatchObject({ vocabSize: 257, causal: true });
    expect(evaluation.tokens).toBe(2 * 27);
    // Nothing is learnt at that rate: about log2(257) bits.
    expect(evaluation.bitsPerToken).toBeCloseTo(Math.log2(257), 1);
    expect(stderr).toContain(`held out: ${evaluation.bitsPerToken.toFixed(3)} bits/dimension`);
    // Read as the run read its own: images of 3×3.
    const measured = performers(directory, 'evaluate', '--model', 'images', '--data', 'val_data.npz', '--json');
    expect(JSON.parse(measured.stdout), measured.stderr).toMatchObject({ loss: evaluation.loss, tokens: 54 });
  });

  it('listops without data: generated examples, resumed with the same', () => {
    const examples = config('listops.json', { dataset: { numTraining: 7, numTest: 5, seed: 3 } });
    const flags = ['--batch-size', '1', '--accumulate', '1', '--length', '100', ...examples];
    const { evaluation } = train('listops', '--steps', '2', ...flags);
    expect(evaluation.tokens).toBe(5);
    expect(trained('listops', 2)).toMatchObject({ numClasses: 10, vocabSize: 17 });
    expect(stored('listops')).toMatchObject({ data: [], dataset: { format: 'listops', numTraining: 7, seed: 3 } });
    const resumed = performers(tmpdir(), 'train', '--resume', '--out', at('listops'), '--steps', '3');
    expect(resumed.status, resumed.stderr).toBe(0);
    const limit = ['--evaluation-batches', '1', '--json'];
    const whole = ['--preset', 'listops', '--out', 'straight', '--steps', '3', ...flags, ...limit];
    // A batch of held-out examples has 4 of the 5.
    expect(JSON.parse(performers(directory, 'train', ...whole).stdout).evaluation.tokens).toBe(4);
    expect(losses('listops')).toEqual(losses('straight'));
  });

  it("protein-mlm: one organism's proteome is split by document, and said to be", () => {
    writeFileSync(
      at('proteome.fasta'),
      readFileSync(at('proteins.fasta'), 'utf8').replace(/OS=Species \d+/g, 'OS=Yeast'),
    );
    const flags = ['--data', 'proteome.fasta', '--steps', '1', '--length', '32', '--batch-size', '2'];
    const { evaluation, stderr } = train('protein-mlm', ...flags, ...config('tiny.json'));
    expect(stderr).toContain('belong to "Yeast": 0.05 of the documents are held out instead.\n');
    const [, training, heldOut] = /([\d,]+) training tokens, ([\d,]+) held out/.exec(stderr) ?? [];
    expect(evaluation.tokens).toBeGreaterThan(0);
    expect(Number(heldOut)).toBeGreaterThan(0);
    expect(Number(training?.replace(',', ''))).toBeGreaterThan(10 * Number(heldOut));
  });

  it('text-classification: labels of a table belong to their texts', () => {
    const rows = Array.from({ length: 40 }, (_, i) => `${i}\t${i % 3 ? 'cold' : 'warm'}\t${i % 3 ? 'snow' : 'sand'}`);
    writeFileSync(at('reviews.tsv'), ['id\tfeeling\treview', ...rows, '40\thot\tlava'].join('\n'));
    const classes = config('classes.json', { dataset: { classes: ['warm', 'cold'] } });
    const fields = ['--format', 'labelled', '--text-field', 'review', '--label-field', 'feeling'];
    const flags = ['--length', '8', '--batch-size', '8', '--accumulate', '1', '--learning-rate', '0.02'];
    const schedule = ['--warmup-steps', '0', '--steps', '40'];
    const data = ['--data', 'reviews.tsv', ...fields];
    const run = train('text-classification', ...data, ...flags, ...schedule, ...classes);
    expect(run.evaluation.accuracy).toBe(1);
    expect(run.stderr).toContain('1 records cannot be used:\n');
    expect(run.stderr).toContain(`${at('reviews.tsv')}:42: "feeling" is "hot", not one of warm, cold`);
    expect(stored('text-classification').split.by).toBe('document');
  });

  it('refuses what does not fit, in one sentence', () => {
    const fails = (message: string, ...args: string[]) => {
      const { status, stderr } = performers(directory, 'train', '--out', 'bad', ...args);
      expect(status, stderr).toBe(1);
      expect(stderr).toContain(message);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    };
    fails('nothing to train on: name files with --data', '--preset', 'trembl');
    const proteins = ['--data', 'proteins.fasta'];
    fails('images take pixels, and nothing else does', '--preset', 'images', '--format', 'fasta', ...proteins);
    fails('Values of images have no mask token', '--preset', 'images', '--objective', 'masked-token', ...proteins);
    fails('Classification takes text files', '--preset', 'protein-lm', '--objective', 'classification', ...proteins);
    fails('protein has a fixed size', '--preset', 'protein-mlm', '--vocab-size', '300', ...proteins);
    fails('does not begin with "Source"', '--preset', 'listops', ...proteins);
  });
});

describe('classes of a dataset', () => {
  it("are those of the Long Range Arena's files, in the parts that their names say", async () => {
    mkdirSync(at('lra'));
    const examples = Array.from({ length: 9 }, (_, i) => listOpsExample(i, { seed: 5, minLength: 1, maxLength: 40 }));
    const lines = (from: number, to: number) =>
      ['Source\tTarget', ...examples.slice(from, to).map(({ text, label }) => `${text}\t${label}`)].join('\n');
    writeFileSync(at('lra/basic_train.tsv'), lines(0, 5));
    writeFileSync(at('lra/basic_val.tsv'), lines(5, 7));
    writeFileSync(at('lra/basic_test.tsv'), lines(7, 9));
    const dataset = await openDataset({ format: 'listops', data: [at('lra')] });
    expect(dataset.split).toEqual({ by: 'given' });
    const labels = examples.map(({ label }) => label);
    const store = await tokenizeDataset(dataset, new ByteTokenizer(), { file: at('lra/tokens.bin') });
    const names = documentClasses(dataset, store);
    await store.close();
    expect([names.length, store.train.labels, store.heldOut.labels]).toEqual([
      10,
      labels.slice(0, 5),
      labels.slice(5, 7),
    ]);
    const texts = [];
    for await (const document of dataset.documents()) for await (const text of document.read()) texts.push(text);
    // Files are sorted: test, train, val.
    const order = [...examples.slice(7), ...examples.slice(0, 7)];
    expect(texts).toEqual(order.map(({ symbols }) => listOpsLetters(symbols)));
  });

  it('a letter is a symbol', () => {
    const symbols = parseListOps('[MIN 3 [MAX 4 [SM 5 6 ] ] [MED 7 8 9 ] 0 1 2 ]');
    expect(listOpsLetters(symbols)).toBe('n3x4+56]]d789]012]');
    expect(evaluateListOps(symbols)).toBe(0);
  });
});
