import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { loadModel, loadTransformer } from '../../src/storage/load.ts';
import { saveFiles, saveModel } from '../../src/storage/save.ts';
import { ByteTokenizer } from '../../src/tokenizers/bytes.ts';

const backend = createReferenceBackend();
const options = { vocabSize: 256, dModel: 6, numLayers: 2, numHeads: 3, dFeedForward: 7, exactLayers: [1] } as const;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'performers-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('saveModel', () => {
  it('writes what loadModel reads: configuration, weights, projections and tokenizer', async () => {
    const model = new Transformer(backend, options, 7);
    const directory = join(folder, 'new', 'model');
    const tokenizer = JSON.stringify(new ByteTokenizer().toJSON());
    await saveModel(directory, model, { tokenizer, others: new Map([['notes.txt', 'kept']]) });
    expect((await readdir(directory)).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'notes.txt',
      'tokenizer.json',
    ]);
    expect(await readFile(join(directory, 'notes.txt'), 'utf8')).toBe('kept');
    const loaded = await loadModel(backend, directory);
    expect(loaded.model.configuration).toEqual(model.configuration);
    expect(loaded.tokenizer.vocabSize).toBe(256);
    for (const part of ['parameters', 'buffers'] as const) {
      const wanted = model[part]();
      const found = loaded.model[part]();
      expect([...found.keys()]).toEqual([...wanted.keys()]);
      for (const [name, tensor] of wanted) expect(await found.get(name)!.data()).toEqual(await tensor.data());
    }
  });

  it('writes models of images, which have no tokenizer', async () => {
    const patches = { imageSize: 6, patchSize: 3, channels: 1 };
    const images = { ...options, vocabSize: 0, languageHead: false, causal: false, patches };
    const directory = join(folder, 'images');
    await saveModel(directory, new Transformer(backend, images, 7));
    const { model } = await loadTransformer(backend, directory);
    expect(model.configuration.patches).toEqual(patches);
    await expect(loadModel(backend, directory)).rejects.toThrow('holds a model of images, which takes no text');
  });

  it('of two at once one is saved, whole, and the other refused', async () => {
    const directory = join(folder, 'both');
    await mkdir(directory);
    const save = (text: string) =>
      saveFiles(
        directory,
        new Map([
          ['a.txt', text],
          [`${text}.txt`, text],
        ]),
      );
    const results = await Promise.allSettled([save('first'), save('second')]);
    const failed = results.filter((each) => each.status === 'rejected');
    expect(failed.map(({ reason }) => reason.message)).toEqual([
      expect.stringMatching(
        /^Cannot write .*both because files are there already: name a directory that is new or empty/,
      ),
    ]);
    const winner = results[0]!.status === 'fulfilled' ? 'first' : 'second';
    expect((await readdir(directory)).sort()).toEqual(['a.txt', `${winner}.txt`]);
    expect(await readFile(join(directory, 'a.txt'), 'utf8')).toBe(winner);
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('leaves directories with files as they are', async () => {
    const model = new Transformer(backend, options);
    const directory = join(folder, 'full');
    await mkdir(directory);
    await writeFile(join(directory, 'other'), 'mine');
    await expect(saveModel(directory, model)).rejects.toThrow(`${directory} holds files already`);
    await expect(saveModel(join(directory, 'other'), model)).rejects.toThrow('is a file: name a directory');
    expect(await readdir(directory)).toEqual(['other']);
  });
});
