import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBackend, saveModel, Transformer } from '../../src/entries/performers.ts';
import { wordPiece } from '../support/word-piece.ts';
import { commandsIn } from './performers.ts';

const directory = mkdtempSync(join(tmpdir(), 'performers-finetune-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const sizes = { dModel: 12, numLayers: 2, numHeads: 3, dFeedForward: 16 } as const;
const flags = ['--data', 'text/*.txt', '--batch-size', '2', '--length', '16', '--threads', '1'];

const { run, fails } = commandsIn(directory);
const json = (path: string) => JSON.parse(readFileSync(join(directory, path), 'utf8'));
const metrics = (out: string) =>
  readFileSync(join(directory, out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), seconds: 0 }) as Record<string, number>);

const tokenizerJson = wordPiece(['snow', 'sand', '##s', 'is', 'cold', 'warm']);

beforeAll(async () => {
  mkdirSync(join(directory, 'text'));
  const sentences = ['Snow is cold. ', 'Sands is warm. ', 'Snow is snow. '];
  for (let i = 0; i < 9; i++) {
    writeFileSync(join(directory, `text/${i}.txt`), sentences[i % 3].repeat(2 + (i % 4)));
  }
  const backend = await createBackend({ numThreads: 1 });
  const options = { vocabSize: 11, ...sizes, maxLength: 24, causal: false, languageHead: false, pooler: true } as const;
  const encoder = new Transformer(backend, { ...options, attention: { type: 'favor', numFeatures: 8 } }, 3);
  await saveModel(join(directory, 'encoder'), encoder, {
    tokenizer: JSON.stringify(tokenizerJson),
  });
  backend.close();
  writeFileSync(join(directory, 'tiny.json'), JSON.stringify({ model: { ...sizes, attention: 'exact' } }));
  run('train', ...flags, '--tokenizer', 'bytes', '--config', 'tiny.json', '--steps', '4', '--out', 'exact');
  run('convert', '--from', 'exact', '--features', '8', '--out', 'favor');
});

describe('performers finetune', () => {
  it('starts from a converted model, learns next tokens from it with its teacher, and resumes exactly', () => {
    const distill = [...flags, '--from', 'favor', '--distill', '--evaluate-every', '3'];
    const { stderr } = run('finetune', ...distill, '--steps', '6', '--out', 'whole');
    expect(stderr).toMatch(
      /step 6, held out: .*next-token accuracy [\d.]+ %; errors against the teacher: attention [\d.e-]+, logits/,
    );
    run('finetune', ...distill, '--steps', '3', '--out', 'parts');
    run('finetune', '--resume', '--out', 'parts', '--steps', '6', '--threads', '1');
    // What it was like before, on held-out text, is remembered.
    expect(stderr).toMatch(/held out +embedding error +cosine +accuracy\nbefore .*\nafter .*\nexact attention /);
    const recovery = json('whole/recovery.json');
    expect(json('parts/recovery.json')).toEqual(recovery);
    expect(recovery.after.embeddingError).not.toBe(recovery.before.embeddingError);
    expect(recovery.exact).toEqual({ accuracy: expect.any(Number), loss: expect.any(Number) });
    expect(metrics('parts')).toEqual(metrics('whole'));
    const [first] = metrics('whole');
    // Weights of their own would give an error of 2.
    expect(first.attentionError).toBeGreaterThan(0);
    expect(first.attentionError).toBeLessThan(0.1);
    expect(first.learningRate).toBe(3e-4);
    const { training } = json('whole/run.json');
    expect(training.distillation.teacher).toBe(join(directory, 'favor'));
    expect(json('whole/checkpoints/step-00000006/training.json').teacher.directory).toBe(join(directory, 'favor'));
    const config = json('whole/checkpoints/step-00000006/config.json');
    expect(config).toEqual({ ...json('favor/config.json'), dropout: 0 });
  });

  it('leaves a model that is evaluated by what it predicts, though it learnt from its teacher alone', () => {
    const distill = [...flags, '--from', 'favor', '--distill', '--objective', 'distillation'];
    const { stderr } = run('finetune', ...distill, '--steps', '2', '--out', 'alone');
    expect(stderr).toMatch(/held out: errors against the teacher: .*, the teacher's likeliest token in [\d.]+ %\n/);
    const { stdout } = run('evaluate', '--model', 'alone', '--data', 'text/1.txt', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ objective: 'nextToken', perplexity: expect.any(Number) });
  });

  it('has no teacher unless asked, and the dropout of the model', () => {
    run('finetune', ...flags, '--from', 'favor', '--steps', '2', '--out', 'plain');
    expect(metrics('plain')[0].attentionError).toBeUndefined();
    expect(json('plain/checkpoints/step-00000002/config.json')).toEqual(json('favor/config.json'));
    const { training } = json('plain/run.json');
    expect(training).toMatchObject({ learningRate: 1e-4, weightDecay: 0 });
    expect(training.distillation).toBeUndefined();
  });

  it('teaches an encoder without a language head, with a tokenizer of another library, for some time', () => {
    const distill = [...flags, '--from', 'encoder', '--distill', '--minutes', '0.0001'];
    const { stderr } = run('finetune', ...distill, '--out', 'taught');
    expect(stderr).toMatch(
      /step 1, held out: errors against the teacher: attention [\d.e-]+, hidden states [\d.e-]+\n/,
    );
    expect(readdirSync(join(directory, 'taught/checkpoints'))).toEqual(['step-00000001']);
    const { training } = json('taught/run.json');
    expect(training).toMatchObject({ objective: { type: 'distillation' }, packing: 'pack' });
    expect(json('taught/checkpoints/step-00000001/tokenizer.json')).toEqual(tokenizerJson);
    fails('say how long with --minutes', 'finetune', '--resume', '--out', 'taught');
    run('finetune', '--resume', '--out', 'taught', '--steps', '2');
    expect(metrics('taught').map(({ step }) => step)).toEqual([1, 1, 2, 2]);
    fails('This model predicts no tokens', 'evaluate', '--model', 'taught', '--data', 'text/1.txt');
  });

  it('learns from another teacher that is named, and refuses what does not fit', () => {
    const out = ['--out', 'refused'];
    fails(
      'The teacher has vocabSize 11 where the model has',
      'finetune',
      ...flags,
      ...['--from', 'favor', '--distill', 'encoder'],
      ...out,
    );
    fails('so that it can only learn from a teacher: add --distill', 'finetune', ...flags, '--from', 'encoder', ...out);
    fails('name a model with --from', 'finetune', ...flags, ...out);
    fails('name files with --data', 'finetune', '--from', 'favor', ...out);
    const long = ['--length', '25', '--data', 'text/*.txt', '--distill', ...out];
    fails(
      'end at 24, before rows of 25 tokens: choose a --length up to that',
      'finetune',
      '--from',
      'encoder',
      ...long,
    );
    fails('favor already holds a run', 'finetune', ...flags, '--from', 'encoder', '--distill', '--out', 'favor');
    expect(() => readdirSync(join(directory, 'refused'))).toThrow('ENOENT');
  });

  it('honours the maxLength of --config, or refuses it by name', () => {
    const withMaxLength = (maxLength: number) =>
      writeFileSync(join(directory, 'length.json'), JSON.stringify({ model: { maxLength } }));
    const from = (model: string) => [...flags, '--from', model, '--config', 'length.json', '--steps', '1'];
    withMaxLength(40);
    run('finetune', ...from('favor'), '--out', 'longer');
    expect(json('longer/checkpoints/step-00000001/config.json')).toEqual({
      ...json('favor/config.json'),
      maxLength: 40,
    });
    withMaxLength(8);
    fails(
      'Key "model.maxLength" is 8, below the 16 tokens of a window: raise it, or shorten the windows with --length.',
      ...['finetune', ...from('favor'), '--out', 'shorter'],
    );
    // Learned positions are weights: there are as many as there are.
    for (const maxLength of [40, 20]) {
      withMaxLength(maxLength);
      fails(
        `Key "model.maxLength" is ${maxLength}, but the positions of`,
        ...['finetune', ...from('encoder'), '--distill', '--out', 'other'],
      );
    }
  });
});
