import { afterAll, describe, expect, it } from 'vitest';
import { createBackend } from '../../../src/entries/performers.ts';
import type { TransformerOptions } from '../../../src/model/configuration.ts';
import { Transformer } from '../../../src/model/transformer.ts';
import { createPretrained } from '../../../src/pretrained/hugging-face/create-pretrained.ts';
import { exportHuggingFace } from '../../../src/pretrained/hugging-face/export.ts';
import { readHuggingFace } from '../../../src/pretrained/hugging-face/read.ts';
import { decodeSafetensors, encodeSafetensors, type TensorEntry } from '../../../src/storage/safetensors.ts';
import { loadAnyTokenizer } from '../../../src/tokenizers/load-any-tokenizer.ts';
import { compiledBackends } from '../../backend/available.ts';
import { goldenContents, goldenTensors, json, parsed, readGolden } from './golden.ts';

const backend = await createBackend({ backend: compiledBackends[0], numThreads: 1 });
afterAll(() => backend.close());

const shards = [1, 2, 3, 4].map((i) => `esm-sharded/model-0000${i}-of-00004.safetensors`);

function weightsOf(name: string): Map<string, TensorEntry> {
  const files = name === 'esm-sharded' ? shards : [`${name}/model.safetensors`];
  return new Map(files.flatMap((file) => [...goldenTensors(file)]));
}

/** Bytes of every tensor, by name. */
const bits = (tensors: ReadonlyMap<string, TensorEntry>) =>
  Object.fromEntries(
    [...tensors].map(([name, { dtype, shape, data }]) => [
      name,
      [dtype, shape.join(), Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')],
    ]),
  );

const tensorsOf = (files: ReadonlyMap<string, Uint8Array>) =>
  decodeSafetensors(files.get('model.safetensors')!, 'export');

const rotary = Array.from({ length: 3 }, (_, i) => `esm.encoder.layer.${i}.attention.self.rotary_embeddings.inv_freq`);
const contact = ['esm.contact_head.regression.bias', 'esm.contact_head.regression.weight'];
/** Tensors that no model of ours has a place for. */
const unused: Record<string, string[]> = {
  bert: ['cls.seq_relationship.bias', 'cls.seq_relationship.weight'],
  esm: [...contact, ...rotary],
  'esm-sharded': [...contact, 'esm.encoder.layer.*.attention.self.rotary_embeddings.inv_freq'],
};

describe.each([
  'bert',
  'roberta',
  'gpt2',
  'esm',
  'vit',
  'bert-classes',
  'roberta-classes',
  'roberta-f16',
  'gpt2-bf16',
  'esm-sharded',
])('%s', (name) => {
  it('is exported with the names and bits that it was imported with', async () => {
    const pretrained = await readGolden(name);
    expect([...pretrained.unused].sort()).toEqual(unused[name] ?? []);
    const wanted = weightsOf(name);
    for (const left of pretrained.unused) wanted.delete(left);
    // What transformers 5.24 renames on the way out, the hub's files and ours do not.
    const renamed = new Map(
      [...wanted].map(([key, entry]) => [
        key.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias'),
        entry,
      ]),
    );
    const model = createPretrained(backend, pretrained);
    const tokenizer = pretrained.tokenizer && (await loadAnyTokenizer(pretrained.tokenizer));
    const files = await exportHuggingFace(model, { tokenizer });
    const { tensors, metadata } = tensorsOf(files);
    expect(metadata).toEqual({ format: 'pt' });
    expect(bits(tensors)).toEqual(bits(renamed));

    const config = parsed(files.get('config.json')!);
    const golden = parsed(goldenContents(name, 'config.json').get('config.json')!);
    if (name === 'bert') golden.architectures = ['BertForMaskedLM'];
    for (const [key, value] of Object.entries(config)) {
      const isOther = golden[key] === undefined || golden[key] === null || key === 'dtype';
      if (!isOther) expect([key, value]).toEqual([key, golden[key]]);
    }

    const again = await readHuggingFace(files);
    expect(again.configuration).toEqual(pretrained.configuration);
    expect(bits(again.weights)).toEqual(bits(pretrained.weights));
    expect(again.tokenizer === undefined).toBe(tokenizer === undefined);
    expect(again.unused).toEqual([]);
    model.dispose();
  });
});

it('a model under FAVOR+ has the same weights, and its projections are left out', async () => {
  const pretrained = await readGolden('bert');
  const exact = createPretrained(backend, pretrained);
  const attention = { type: 'favor', numFeatures: 7 } as const;
  const [favor, other, same] = [1, 2, 1].map((seed) =>
    createPretrained(backend, pretrained, { attention, exactLayers: [1], seed }),
  );
  expect(favor!.configuration).toMatchObject({ attention, exactLayers: [1] });
  expect(favor!.buffers().size).toBe(1);
  const projection = async (model: Transformer) => [...(await [...model.buffers().values()][0]!.data())];
  expect(await projection(favor!)).toEqual(await projection(same!));
  expect(await projection(favor!)).not.toEqual(await projection(other!));
  const [from, to] = [await exportHuggingFace(exact), await exportHuggingFace(favor!)];
  expect(bits(tensorsOf(to).tensors)).toEqual(bits(tensorsOf(from).tensors));
  expect(to.get('config.json')).toEqual(from.get('config.json'));
  for (const model of [exact, favor!, other!, same!]) model.dispose();
});

it('an output matrix of its own goes both ways', async () => {
  const files = goldenContents('gpt2', 'config.json', 'model.safetensors');
  const tensors = goldenTensors('gpt2/model.safetensors');
  const output = {
    ...tensors.get('transformer.wte.weight')!,
    data: new Float32Array(293 * 30).map((_, i) => i),
  } as TensorEntry;
  const config = { ...parsed(files.get('config.json')!), tie_word_embeddings: false };
  files.set('config.json', json(config));
  files.set('model.safetensors', encodeSafetensors(new Map([...tensors, ['lm_head.weight', output]])));
  const pretrained = await readHuggingFace(files);
  expect(pretrained.configuration.tiedEmbeddings).toBe(false);
  expect(pretrained.weights.get('output.weight')!.data).toEqual(output.data);
  const model = createPretrained(backend, pretrained);
  const exported = await exportHuggingFace(model);
  expect(tensorsOf(exported).tensors.get('lm_head.weight')!.data).toEqual(output.data);
  expect(parsed(exported.get('config.json')!).tie_word_embeddings).toBe(false);
  model.dispose();
});

it('files of the bare model, with gamma and beta, are read alike', async () => {
  const files = goldenContents('bert', 'config.json');
  const tensors = [...goldenTensors('bert/model.safetensors')].filter(([name]) => name.startsWith('bert.'));
  const renamed = tensors.map(([name, entry]) => {
    const bare = name.slice('bert.'.length);
    return [
      bare.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'),
      entry,
    ] as const;
  });
  const positions = { dtype: 'I64', shape: [1, 31], data: new BigInt64Array(31) } as const;
  files.set('model.safetensors', encodeSafetensors(new Map([...renamed, ['embeddings.position_ids', positions]])));
  files.set('config.json', json({ ...parsed(files.get('config.json')!), architectures: ['BertModel'] }));
  const bare = await readHuggingFace(files);
  const whole = await readGolden('bert');
  expect(bare.unused).toEqual(['embeddings.position_ids']);
  expect(bare.configuration).toMatchObject({ languageHead: false, outputTransform: false, pooler: true });
  const body = [...whole.weights].filter(([name]) => !name.startsWith('output'));
  expect(bits(bare.weights)).toEqual(bits(new Map(body)));
  const model = createPretrained(backend, bare);
  const exported = await exportHuggingFace(model);
  expect(parsed(exported.get('config.json')!).architectures).toEqual(['BertModel']);
  expect(tensorsOf(exported).tensors.has('embeddings.LayerNorm.weight')).toBe(true);
  model.dispose();
});

it('writes whole numbers as the floats that the library wants', async () => {
  const model = createPretrained(backend, await readGolden('esm'));
  const text = new TextDecoder().decode((await exportHuggingFace(model)).get('config.json')!);
  expect(text).toContain('"hidden_dropout_prob": 0.0,');
  expect(text).toContain('"hidden_size": 30,');
  model.dispose();
});

const sizes: TransformerOptions = {
  vocabSize: 11,
  dModel: 6,
  numLayers: 2,
  numHeads: 3,
  dFeedForward: 7,
  attention: 'exact',
};
const bert = { causal: false, norm: 'post', embeddingNorm: true, tokenTypes: 2, languageHead: false } as const;
const encoder = { causal: false, positions: 'rotary', languageHead: false } as const;
const images = {
  causal: false,
  languageHead: false,
  vocabSize: 0,
  patches: { imageSize: 6, patchSize: 3, channels: 1 },
} as const;

describe('a model that transformers has no counterpart of is refused', () => {
  it.each<[string, Partial<TransformerOptions>, RegExp]>([
    ['a decoder with rotary positions', { positions: 'rotary' }, /gpt2, which is nearest, has positions: learned;/],
    ['a post-norm decoder', { norm: 'post' }, /gpt2, which is nearest, has norm: pre;/],
    ['a decoder with token types', { tokenTypes: 2 }, /gpt2.*has tokenTypes: 0;/],
    ['a decoder with an embedding norm', { embeddingNorm: true }, /gpt2.*has embeddingNorm: false;/],
    ['a decoder with an output bias', { outputBias: true }, /gpt2.*has a language head of one matrix;/],
    ['a decoder with classes', { numClasses: 2 }, /gpt2.*has neither a pooler nor a classification head;/],
    ['reversible layers', { reversible: true }, /gpt2.*has reversible: false;/],
    [
      'a pre-norm encoder with learned positions',
      { causal: false, languageHead: false },
      /esm.*has positions: rotary;/,
    ],
    ['a rotary encoder with relu', { ...encoder, activation: 'relu' }, /esm.*has activation: gelu;/],
    [
      'another ratio',
      { ...encoder, tokenDropout: { maskToken: 1, ratio: 0.2 } },
      /esm.*has a tokenDropout ratio of 0.12;/,
    ],
    [
      'an encoder with a plain head',
      { ...bert, languageHead: true },
      /bert.*has outputTransform and outputBias in its/,
    ],
    ['BERT without token types', { ...bert, tokenTypes: 0 }, /bert.*has tokenTypes of at least 1;/],
    ['BERT without an embedding norm', { ...bert, embeddingNorm: false }, /bert.*has embeddingNorm: true;/],
    ['BERT with sinusoidal positions', { ...bert, positions: 'sinusoidal' }, /bert.*has positions: learned;/],
    [
      'BERT with classes but no pooler',
      { ...bert, numClasses: 2 },
      /bert.*has a pooler before its classification head;/,
    ],
    [
      'RoBERTa with relu and a head',
      { ...bert, tokenTypes: 1, languageHead: true, outputTransform: true, outputBias: true, activation: 'relu' },
      /roberta.*has activation: gelu beside a language head;/,
    ],
    ['ViT with a mean of places', { ...images, numClasses: 2 }, /vit.*has pooling: first before its/],
    ['post-norm ViT', { ...images, norm: 'post' }, /vit.*has norm: pre;/],
    [
      'LSH attention',
      { attention: 'lsh' },
      /LSH attention and learned Linformer projections have weights of their own;/,
    ],
  ])('%s', async (_, options, message) => {
    const model = new Transformer(backend, { ...sizes, ...options });
    const refusal = exportHuggingFace(model);
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toThrow(/^This model has no counterpart in the library transformers: [^\n]*\.$/);
    model.dispose();
  });

  it('and a pretrained one does not take an attention with weights of its own', async () => {
    const pretrained = await readGolden('gpt2');
    expect(() => createPretrained(backend, pretrained, { attention: 'lsh' })).toThrow(/^LSH attention and .*\.$/);
    expect(() => createPretrained(backend, pretrained, { exactLayers: [2] })).toThrow(/exactLayers/);
  });
});
