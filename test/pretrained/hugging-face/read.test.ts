import { mkdtempSync, symlinkSync } from 'node:fs';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import { createPretrained } from '../../../src/pretrained/hugging-face/create-pretrained.ts';
import { readHuggingFace } from '../../../src/pretrained/hugging-face/read.ts';
import { resizedPositions } from '../../../src/pretrained/hugging-face/tensor-forms.ts';
import { directoryFiles } from '../../../src/storage/directory-files.ts';
import { filesInMemory, type PretrainedFiles } from '../../../src/storage/files.ts';
import { loadModel, loadTransformer } from '../../../src/storage/load.ts';
import { saveModel } from '../../../src/storage/save.ts';
import { goldenContents, goldenPath, goldenTensors, json, readGolden } from './golden.ts';

const scratch = mkdtempSync(join(tmpdir(), 'hugging-face-'));
afterAll(() => rm(scratch, { recursive: true }));

describe('maxLength', () => {
  it('interpolates linearly with the ends kept, and cuts', () => {
    const table = Float32Array.of(0, 10, 4, 20, 8, 0);
    expect([...resizedPositions(table, 2, 5)]).toEqual([0, 10, 2, 15, 4, 20, 6, 10, 8, 0]);
    expect([...resizedPositions(table, 2, 3)]).toEqual([...table]);
    expect([...resizedPositions(table, 2, 2)]).toEqual([0, 10, 4, 20]);
    expect([...resizedPositions(Float32Array.of(3, 5), 2, 3)]).toEqual([3, 5, 3, 5, 3, 5]);
    const longer = resizedPositions(table, 2, 8);
    expect([...longer.subarray(14)]).toEqual([8, 0]);
    expect(longer[6]).toBeCloseTo((3 * 2 * 4) / 7, 6);
  });

  it('lengthens learned positions, RoBERTa’s after those that nothing reads', async () => {
    const table = goldenTensors('roberta/model.safetensors').get('roberta.embeddings.position_embeddings.weight')!;
    const { configuration, weights } = await readGolden('roberta', { maxLength: 57 });
    expect(configuration.maxLength).toBe(57);
    const positions = weights.get('positions.weight')!;
    expect(positions.shape).toEqual([57, 30]);
    const [found, trained] = [positions.data as Float32Array, table.data as Float32Array];
    expect([...found.subarray(0, 30)]).toEqual([...trained.subarray(60, 90)]);
    expect([...found.subarray(56 * 30)]).toEqual([...trained.subarray(30 * 30)]);
    for (let i = 0; i < 30; i++) expect(found[30 + i]).toBeCloseTo((trained[60 + i]! + trained[90 + i]!) / 2, 6);
  });

  it('is only noted where positions are rotary', async () => {
    const { configuration, weights } = await readGolden('esm', { maxLength: 8192 });
    expect(configuration.maxLength).toBe(8192);
    expect(weights).toEqual((await readGolden('esm')).weights);
  });
});

describe('vectors of sentences', () => {
  const files = (entries: Record<string, unknown>) =>
    new Map([
      ...goldenContents('bert', 'config.json', 'model.safetensors'),
      ...Object.entries(entries).map(([name, value]) => [name, json(value)] as const),
    ]);
  const module = (path: string, type: string) => ({
    idx: 0,
    name: '0',
    path,
    type: `sentence_transformers.models.${type}`,
  });

  it('are pooled as modules.json says', async () => {
    const { pooling, configuration, unused } = await readHuggingFace(
      files({
        'modules.json': [
          module('', 'Transformer'),
          module('1_Pooling', 'Pooling'),
          module('2_Dense', 'Dense'),
          module('3_Normalize', 'Normalize'),
        ],
        '1_Pooling/config.json': { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false },
        'sentence_bert_config.json': { max_seq_length: 23, do_lower_case: false },
      }),
    );
    expect(pooling).toEqual({ pooling: 'first', normalize: true, maxLength: 23 });
    expect(configuration.pooling).toBe('first');
    expect(unused).toContain('modules.json: 2_Dense (sentence_transformers.models.Dense)');
  });

  it.each([
    [{ pooling_mode: 'mean' }, 'mean'],
    [{ pooling_mode: 'lasttoken' }, 'last'],
    [{ pooling_mode_mean_tokens: true }, 'mean'],
  ])('%j alone', async (config, pooling) => {
    const read = await readHuggingFace(files({ '1_Pooling/config.json': config }));
    expect(read.pooling).toEqual({ pooling, normalize: false, maxLength: undefined });
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [
      { '1_Pooling/config.json': { pooling_mode_max_tokens: true } },
      /asks for the pooling pooling_mode_max_tokens, and only/,
    ],
    [{ '1_Pooling/config.json': { pooling_mode: ['mean', 'cls'] } }, /asks for the pooling mean with cls, and only/],
    [{ '1_Pooling/config.json': {} }, /asks for the pooling of nothing/],
    [{ '1_Pooling/config.json': { pooling_mode: 3 } }, /1_Pooling\/config\.json is not valid/],
    [{ 'modules.json': {} }, /modules\.json is no list of paths and types/],
    [{ 'modules.json': [module('../x', 'Pooling')] }, /\.\.\/x\/config\.json is missing, which modules\.json names/],
    [
      { '1_Pooling/config.json': { pooling_mode: 'mean' }, 'sentence_bert_config.json': [] },
      /sentence_bert_config\.json is not valid/,
    ],
  ])('%j is refused', async (entries, message) => {
    const refusal = readHuggingFace(files(entries));
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toThrow(/^[^\n]*\.$/);
  });
});

describe('files', () => {
  it('of a directory and of memory are the same, folders and links among them', async () => {
    const directory = join(scratch, 'cache');
    await mkdir(join(directory, '1_Pooling', 'deep'), { recursive: true });
    await writeFile(join(directory, '1_Pooling', 'config.json'), '{"pooling_mode": "mean"}');
    await writeFile(join(directory, '1_Pooling', 'deep', 'secret'), '');
    for (const name of ['config.json', 'model.safetensors'])
      symlinkSync(goldenPath(`esm/${name}`), join(directory, name));
    symlinkSync(join(directory, 'nowhere'), join(directory, 'broken'));
    const files = await directoryFiles(directory);
    expect(files.names).toEqual(['1_Pooling/config.json', 'config.json', 'model.safetensors']);
    const memory = filesInMemory(goldenContents('esm', 'config.json', 'model.safetensors'));
    for (const range of [[], [3], [7, 19]]) {
      expect(await files.read('model.safetensors', ...range)).toEqual(await memory.read('model.safetensors', ...range));
    }
    expect(await files.size('config.json')).toBe(await memory.size('config.json'));
    expect((await readHuggingFace(files)).pooling!.pooling).toBe('mean');
    await expect(files.read('../x')).rejects.toThrow(/^.*\/\.\.\/x is missing: .*\.$/);
    await expect(files.size('broken')).rejects.toThrow(/broken is missing/);
    await expect(memory.read('x')).rejects.toThrow('the model/x is missing');
    await expect(directoryFiles(join(scratch, 'nowhere'))).rejects.toThrow(/nowhere is no directory: .*\.$/);
  });

  it('are read once, and no more of them than there is', async () => {
    const contents = goldenContents('bert', 'config.json', 'model.safetensors');
    const memory = filesInMemory(contents);
    const reads: [string, number][] = [];
    const counted: PretrainedFiles = {
      ...memory,
      async read(name, start, end) {
        const bytes = await memory.read(name, start, end);
        reads.push([name, bytes.length]);
        return bytes;
      },
    };
    await readHuggingFace(counted);
    const read = reads.filter(([name]) => name === 'model.safetensors');
    const size = contents.get('model.safetensors')!.length;
    // All but cls.seq_relationship, which nothing needs.
    expect(read.reduce((total, [, bytes]) => total + bytes, 0)).toBe(size - 4 * (2 * 30 + 2));
    expect(Math.max(...read.map(([, bytes]) => bytes))).toBeLessThan(size / 3);
  });

  it('that become shorter meanwhile are noticed', async () => {
    const memory = filesInMemory(goldenContents('bert', 'config.json', 'model.safetensors'));
    const shrinking: PretrainedFiles = {
      ...memory,
      read: async (name, start = 0, end?: number) =>
        (await memory.read(name, start, end)).slice(0, start > 50_000 ? -1 : undefined),
    };
    await expect(readHuggingFace(shrinking)).rejects.toThrow(
      /model\.safetensors became shorter while it was read: start again\.$/,
    );
  });
});

describe('as a model of this project', () => {
  const backend = createReferenceBackend();

  it('is loaded with its own tokenizer', async () => {
    const pretrained = await readGolden('bert');
    const model = createPretrained(backend, pretrained, { attention: { type: 'favor', numFeatures: 5 } });
    const directory = join(scratch, 'bert');
    await saveModel(directory, model, { tokenizer: JSON.stringify(pretrained.tokenizer) });
    const loaded = await loadModel(backend, directory);
    expect(loaded.model.configuration).toEqual(model.configuration);
    expect(await loaded.model.parameters().get('outputTransform.linear.weight')!.data()).toEqual(
      await model.parameters().get('outputTransform.linear.weight')!.data(),
    );
    const ids = loaded.tokenizer.encode('The whale', { framed: true });
    expect([ids[0], ids.at(-1)]).toEqual([2, 3]);
    expect(loaded.tokenizer.decode(ids.subarray(1, -1))).toBe('the whale');
    await writeFile(join(directory, 'tokenizer.json'), '{"model": {"type": "Riddle"}, "normalizer": {"type": "NFC"}}');
    await expect(loadModel(backend, directory)).rejects.toThrow(/tokenizer\.json: model\.type is "Riddle", .*\.$/);
  });

  it('needs no tokenizer where the caller needs none', async () => {
    const directory = join(scratch, 'vit');
    await saveModel(directory, createPretrained(backend, await readGolden('vit')));
    const { model } = await loadTransformer(backend, directory);
    expect(model.configuration.patches).toEqual({ imageSize: 15, patchSize: 5, channels: 3 });
    await expect(loadModel(backend, directory)).rejects.toThrow(/holds a model of images, which takes no text/);
  });

  it('a damaged tokenizer of this package’s own form stays refused', async () => {
    const directory = join(scratch, 'gpt2');
    await cp(goldenPath('gpt2'), directory, { recursive: true });
    const pretrained = await readGolden('gpt2');
    await rm(directory, { recursive: true });
    const { model: form, ...rest } = pretrained.tokenizer as { model: { merges: unknown[] } };
    const damaged = { ...rest, model: { ...form, merges: [...form.merges, ['Zq', 'qZ']] } };
    await saveModel(directory, createPretrained(backend, pretrained), { tokenizer: JSON.stringify(damaged) });
    await expect(loadModel(backend, directory)).rejects.toThrow(
      /tokenizer\.json: model\.merges\.\d+ needs the token "Zq"/,
    );
  });
});
