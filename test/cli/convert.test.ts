import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConversionReport } from '../../src/pretrained/conversion/types.ts';
import { commandsIn } from './performers.ts';

const golden = join(import.meta.dirname, '../golden/transformers');
const directory = mkdtempSync(join(tmpdir(), 'performers-convert-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

beforeAll(() => {
  const lines = readFileSync(join(golden, 'lines.txt'), 'utf8').split('\n').slice(0, 12);
  writeFileSync(join(directory, 'lines.jsonl'), lines.map((text) => JSON.stringify({ text })).join('\n'));
  writeFileSync(join(directory, 'text.txt'), lines.join('\n'));
});

const few = ['--ladder', '16,32', '--estimators', 'positive', 'favor++', '--sequences', '8', '--length', '12'];
const model = (name: string) => join(golden, name);
const read = (...path: string[]) => JSON.parse(readFileSync(join(directory, ...path), 'utf8'));

const { run, performers } = commandsIn(directory);

function convert(from: string, out: string, ...args: string[]): { unused: string[]; report: ConversionReport | null } {
  return JSON.parse(run('convert', '--from', model(from), '--out', out, '--json', ...args).stdout);
}

describe('performers convert', () => {
  it('bert: writes a model that the other commands take, with the report beside it', () => {
    const { report, unused } = convert('bert', 'bert', '--data', 'lines.jsonl', '--features', '32', ...few);
    expect(unused.length).toBeGreaterThan(0);
    expect(report).toEqual(read('bert', 'conversion.json'));
    expect(report!.ladder.map(({ estimator, numFeatures }) => `${estimator} ${numFeatures}`)).toEqual([
      'positive 16',
      'positive 32',
      'favor++ 16',
      'favor++ 32',
    ]);
    expect(report!.sequences).toBe(8);
    // The chosen attention is the second of the ladder.
    expect(report!.chosen.model).toEqual(report!.ladder[1].model);
    expect(report!.exact.accuracy).toBeGreaterThanOrEqual(0);
    expect(read('bert', 'config.json')).toMatchObject({ attention: { type: 'favor', numFeatures: 32 }, norm: 'post' });
    expect(run('info', '--model', 'bert').stdout).toMatch(/attention +numFeatures 32/);
    expect(run('info', '--model', 'bert').stdout).not.toContain('trained');
  });

  it('prints the report as tables', () => {
    const { stdout, stderr } = run(
      'convert',
      '--from',
      model('bert'),
      '--out',
      'printed',
      '--data',
      'lines.jsonl',
      ...few,
    );
    expect(stdout).toMatch(/all layers +features +embedding error +cosine +accuracy +worst layer/);
    expect(stdout).toMatch(/positive +32 /);
    expect(stdout).toMatch(/layer 1 alone/);
    expect(stdout).toMatch(/Attention favor, 256 features: embedding error [\d.]+, cosine [\d.]+/);
    expect(stderr).toContain('Not used: ');
    expect(stderr).toContain('Saved to printed.');
    expect(stderr).toMatch(/Queries and keys are balanced on \d+ other sequences/);
    run('convert', '--from', model('bert'), '--out', 'plain', '--data', 'lines.jsonl', '--no-balance', ...few);
    const [balanced, plain] = [read('printed', 'conversion.json'), read('plain', 'conversion.json')];
    expect(balanced.exact.loss).toBeCloseTo(plain.exact.loss, 5);
    expect(balanced.p).toBeLessThan(plain.p);
  });

  it('gpt2: a Performer that continues generating; a hybrid keeps layers exact', () => {
    const { report } = convert('gpt2', 'gpt2', '--data', 'text.txt', '--keep-exact', '1', ...few);
    expect(report!.chosen.exactLayers).toEqual([1]);
    expect(report!.chosen.layers.map(({ layer }) => layer)).not.toContain(1);
    expect(read('gpt2', 'config.json')).toMatchObject({ causal: true, exactLayers: [1] });
    const generated = run('generate', '--model', 'gpt2', '--prompt', 'The ship', '--tokens', '5', '--json');
    expect(JSON.parse(generated.stdout)).toMatchObject({ prompt: 'The ship', tokens: 5 });
  });

  it('exact attention is the model as it was', () => {
    const { report } = convert('esm', 'esm', '--attention', 'exact', '--data', 'lines.jsonl', ...few);
    expect(report!.chosen.model).toMatchObject({ embeddingError: 0, ...report!.exact });
    expect(read('esm', 'config.json').attention).toEqual({ type: 'exact' });
  });

  it('--auto finds features and exact layers for an error; --kernel favor++ takes the measured parameter', () => {
    const { report } = convert('roberta', 'auto', '--auto', '1e-9', '--data', 'lines.jsonl', ...few);
    expect(report!.chosen.attention).toEqual({ type: 'exact' });
    const { report: other } = convert('roberta', 'sharp', '--kernel', 'favor++', '--data', 'lines.jsonl', ...few);
    expect(read('sharp', 'config.json').attention.featureMap).toEqual({ type: 'favor++', p: other!.p });
  });

  it('measures images on ViT, and says what is not measured without data', async () => {
    const { default: sharp } = await import('sharp');
    for (const [i, name] of ['a.png', 'b.png', 'c.png'].entries()) {
      const background = { r: 90 * i, g: 200 - 60 * i, b: 40 };
      await sharp({ create: { width: 20, height: 20, channels: 3, background } }).toFile(join(directory, name));
    }
    const { report } = convert('vit', 'vit', '--data', '*.png', '--ladder', '16', '--estimators', 'smreg');
    expect(report!.sequences).toBe(3);
    expect(report!.chosen.layers.length).toBe(read('vit', 'config.json').numLayers);
    expect(run('info', '--model', 'vit').stdout).not.toContain('tokenizer');
    const { stderr } = run('convert', '--from', model('vit'), '--out', 'unmeasured');
    expect(stderr).toContain('Not measured');
  });

  it('--max-length interpolates positions; a model of this program is converted too', () => {
    convert('bert', 'long', '--max-length', '97', '--attention', 'exact');
    expect(read('long', 'config.json').maxLength).toBe(97);
    const again = run('convert', '--from', 'long', '--out', 'again', '--features', '16', '--json');
    expect(JSON.parse(again.stdout).report).toBeNull();
    expect(read('again', 'config.json')).toMatchObject({
      maxLength: 97,
      attention: { type: 'favor', numFeatures: 16 },
    });
  });
});

it('what a classifier calls its classes is kept to the end', () => {
  mkdirSync(join(directory, 'named'));
  for (const name of ['config.json', 'model.safetensors'])
    writeFileSync(join(directory, 'named', name), readFileSync(join(golden, 'bert-classes', name)));
  const id2label = { 0: 'negative', 1: 'neutral', 2: 'positive' };
  const label2id = { negative: 0, neutral: 1, positive: 2 };
  const config = { ...read('named/config.json'), id2label, label2id };
  writeFileSync(join(directory, 'named/config.json'), JSON.stringify(config));
  run('convert', '--from', 'named', '--out', 'named-converted', '--attention', 'exact');
  run('convert', '--from', 'named-converted', '--out', 'named-again', '--features', '16');
  for (const to of ['huggingface', 'onnx']) {
    run('export', '--from', 'named-again', '--to', to, '--out', `named-${to}`);
    expect(read(`named-${to}`, 'config.json')).toMatchObject({ id2label, label2id });
  }
});

describe('bad input', () => {
  const refuses = (message: RegExp, ...args: string[]) => {
    const before = readdirSync(directory);
    const { status, stderr } = performers('convert', '--out', 'refused', ...args);
    expect(status, stderr).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/ {4}at |\[\n/);
    expect(readdirSync(directory)).toEqual(before);
  };

  it('is refused in one sentence; nothing is written', () => {
    refuses(/There is no .*nowhere/, '--from', 'nowhere');
    mkdirSync(join(directory, 'larger'));
    for (const name of ['config.json', 'model.safetensors'])
      writeFileSync(join(directory, 'larger', name), readFileSync(join(golden, 'bert-classes', name)));
    const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...Array.from({ length: 55 }, (_, i) => `w${i}`)];
    writeFileSync(join(directory, 'larger/vocab.txt'), words.join('\n'));
    refuses(/larger\/vocab\.txt has 60 tokens but the model only 53: use/, '--from', 'larger');
    mkdirSync(join(directory, 'pickled'));
    writeFileSync(join(directory, 'pickled/config.json'), readFileSync(join(golden, 'bert/config.json')));
    writeFileSync(join(directory, 'pickled/pytorch_model.bin'), 'PK');
    refuses(/pytorch_model\.bin.*safetensors/, '--from', 'pickled');
    refuses(/leave those flags out/, '--from', model('bert'), '--attention', 'exact', '--features', '16');
    refuses(/without --data.* does not take --auto: name text/, '--from', model('bert'), '--auto', '0.1');
    refuses(
      /leave --keep-exact out/,
      '--from',
      model('bert'),
      '--auto',
      '0.1',
      '--keep-exact',
      '0',
      '--data',
      'text.txt',
    );
    refuses(/FAVOR\+\+ takes its parameter/, '--from', model('bert'), '--kernel', 'favor++');
    refuses(
      /exactLayers are counted from 0, so each must be less than numLayers/,
      '--from',
      model('bert'),
      '--keep-exact',
      '7',
    );
    refuses(/leave --length out/, '--from', model('vit'), '--length', '5', '--data', 'a.png');
    refuses(/fewer than --length 500/, '--from', model('gpt2'), '--data', 'text.txt', '--length', '500');
    refuses(/nothing\.txt does not exist/, '--from', model('bert'), '--data', 'nothing.txt');
  });

  it('an --out with files stays as it is', () => {
    mkdirSync(join(directory, 'mine'));
    writeFileSync(join(directory, 'mine/notes.txt'), 'mine');
    const { status, stderr } = performers('convert', '--from', model('bert'), '--out', 'mine');
    expect([status, stderr.trim()]).toEqual([
      1,
      'performers: mine holds files already: name a directory that is new or empty.',
    ]);
    expect(readdirSync(join(directory, 'mine'))).toEqual(['notes.txt']);
    expect(existsSync(join(directory, 'refused'))).toBe(false);
  });
});
