import { afterAll, describe, expect, it } from 'vitest';
import { createBackend } from '../../../src/entries/performers.ts';
import { createPretrained } from '../../../src/pretrained/hugging-face/create-pretrained.ts';
import { exportHuggingFace } from '../../../src/pretrained/hugging-face/export.ts';
import { readHuggingFace } from '../../../src/pretrained/hugging-face/read.ts';
import { checkTokenizer } from '../../../src/storage/check-tokenizer.ts';
import { parseCompanions, sentenceLength } from '../../../src/storage/companions.ts';
import { decodeSafetensors, encodeSafetensors, type TensorEntry } from '../../../src/storage/safetensors.ts';
import { loadAnyTokenizer } from '../../../src/tokenizers/load-any-tokenizer.ts';
import { compiledBackends } from '../../backend/available.ts';
import { wordPiece } from '../../support/word-piece.ts';
import { goldenContents, goldenTensors, json, parsed, text } from './golden.ts';

const backend = await createBackend({ backend: compiledBackends[0], numThreads: 1 });
afterAll(() => backend.close());

type Files = Map<string, Uint8Array>;

/** A golden model with other settings and more files. */
function filesOf(name: string, config: Record<string, unknown>, others: Record<string, unknown> = {}): Files {
  const files = goldenContents(name, 'config.json', 'model.safetensors');
  files.set('config.json', json({ ...parsed(files.get('config.json')!), ...config }));
  for (const [file, contents] of Object.entries(others)) files.set(file, json(contents));
  return files;
}

async function exported(files: Files): Promise<Files> {
  const pretrained = await readHuggingFace(files);
  const model = createPretrained(backend, pretrained);
  const tokenizer = pretrained.tokenizer && (await loadAnyTokenizer(pretrained.tokenizer));
  // Through the text of hugging-face.json, as in a model's directory.
  const companions = parseCompanions(JSON.parse(JSON.stringify(pretrained.companions)), 'hugging-face.json');
  const written = await exportHuggingFace(model, { tokenizer, companions });
  model.dispose();
  return written;
}

const contentsOf = (files: Files, name: string) => parsed(files.get(name)!);
const module = (path: string, type: string) => ({
  idx: 0,
  name: path,
  path,
  type: `sentence_transformers.models.${type}`,
});

describe('what lay beside a model is kept', () => {
  it('names of classes, other settings, and rates of dropout that this package has one of', async () => {
    const id2label = { 0: 'negative', 1: 'neutral', 2: 'positive' };
    const label2id = { negative: 0, neutral: 1, positive: 2 };
    const settings = { id2label, label2id, problem_type: 'single_label_classification', initializer_range: 0.03 };
    const others = {
      attention_probs_dropout_prob: 0,
      hidden_dropout_prob: 0.1,
      pad_token_id: 7,
      torch_dtype: 'float16',
    };
    const config = contentsOf(await exported(filesOf('bert-classes', { ...settings, ...others })), 'config.json');
    expect(config).toMatchObject({ ...settings, attention_probs_dropout_prob: 0, pad_token_id: 7, dtype: 'float32' });
    expect(config).not.toHaveProperty('torch_dtype');
  });

  it('how sentences are pooled, and how generation starts', async () => {
    const others = {
      'modules.json': [
        module('', 'Transformer'),
        module('1_Pooling', 'Pooling'),
        module('2_Dense', 'Dense'),
        module('2_Normalize', 'Normalize'),
      ],
      '1_Pooling/config.json': { word_embedding_dimension: 30, pooling_mode_cls_token: true },
      'sentence_bert_config.json': { max_seq_length: 23, do_lower_case: false },
      'config_sentence_transformers.json': { prompts: { query: 'query: ' } },
    };
    const written = await exported(filesOf('bert', { architectures: ['BertModel'] }, others));
    const { 'modules.json': _, ...same } = others;
    for (const [name, contents] of Object.entries(same)) expect(contentsOf(written, name)).toEqual(contents);
    // A dense layer is not read, and so not promised.
    expect(contentsOf(written, 'modules.json').map(({ path }: { path: string }) => path)).toEqual([
      '',
      '1_Pooling',
      '2_Normalize',
    ]);
    const read = await readHuggingFace(written);
    expect(read.pooling).toEqual({ pooling: 'first', normalize: true, maxLength: 23 });
    expect(sentenceLength(read.companions, read.configuration)).toBe(23);
    const longer = await readHuggingFace(written, { maxLength: 50 });
    expect(sentenceLength(longer.companions, longer.configuration)).toBe(50);
    const { 'sentence_bert_config.json': _stated, ...unstated } = read.companions;
    expect(sentenceLength(unstated, read.configuration)).toBe(read.configuration.maxLength);
    expect(sentenceLength({}, read.configuration)).toBe(undefined);

    const generation = { bos_token_id: 5, eos_token_id: [6, 7], max_new_tokens: 9 };
    const decoder = await exported(
      filesOf('gpt2', { bos_token_id: 5, eos_token_id: 6 }, { 'generation_config.json': generation }),
    );
    expect(contentsOf(decoder, 'generation_config.json')).toEqual(generation);
    expect(contentsOf(decoder, 'config.json')).toMatchObject({ bos_token_id: 5, eos_token_id: 6 });
  });

  it('settings of the tokenizer', async () => {
    const files = filesOf(
      'bert',
      {},
      {
        'tokenizer_config.json': {
          padding_side: 'left',
          model_max_length: 1e30,
          cls_token: '[CLS]',
          tokenizer_class: 'BertTokenizer',
        },
      },
    );
    files.set('tokenizer.json', goldenContents('bert', 'tokenizer.json').get('tokenizer.json')!);
    expect(contentsOf(await exported(files), 'tokenizer_config.json')).toMatchObject({
      padding_side: 'left',
      cls_token: '[CLS]',
      model_max_length: 31,
      tokenizer_class: 'PreTrainedTokenizerFast',
    });
  });

  it('and what is not kept is named', async () => {
    const files = filesOf('bert', {}, { 'riddle.json': {}, 'generation_config.json': {} });
    files.set('chat_template.jinja', text('x')).set('README.md', text('x'));
    const { unused } = await readHuggingFace(files);
    expect(unused.filter((name) => !name.startsWith('cls.'))).toEqual(['riddle.json', 'chat_template.jinja']);
  });

  it('no name leads out of the directory', () => {
    expect(() => parseCompanions({ '../x.json': {} }, 'here')).toThrow(
      /^here is no object of JSON files by name: .*\.$/,
    );
    expect(() => parseCompanions([], 'here')).toThrow('here is no object');
  });
});

const withTensors = (files: Files, tensors: ReadonlyMap<string, TensorEntry>) =>
  files.set('model.safetensors', encodeSafetensors(tensors));
const vector = (length: number, scale: number): TensorEntry => {
  return { dtype: 'F32', shape: [length], data: Float32Array.from({ length }, (_, i) => i * scale) };
};

describe('an untied head of a masked model', () => {
  it.each([
    ['bert', 'cls.predictions.bias', 'cls.predictions.decoder', 'bert.embeddings.word_embeddings.weight', 211],
    ['roberta', 'lm_head.bias', 'lm_head.decoder', 'roberta.embeddings.word_embeddings.weight', 307],
  ] as const)(
    '%s: has the bias of the decoder, whatever the other is',
    async (name, bias, decoder, embedding, vocabSize) => {
      const tensors = goldenTensors(`${name}/model.safetensors`);
      const weight = tensors.get(embedding)!;
      tensors.set(bias, vector(vocabSize, 1)).set(`${decoder}.bias`, vector(vocabSize, 2));
      tensors.set(`${decoder}.weight`, {
        ...weight,
        data: (weight.data as Float32Array).map((x) => -x),
      } as TensorEntry);
      // Tensors that differ are not tied, whatever config.json says.
      for (const tied of [false, true]) {
        const files = withTensors(filesOf(name, { tie_word_embeddings: tied }), tensors);
        const read = await readHuggingFace(files);
        expect(read.configuration.tiedEmbeddings).toBe(false);
        expect(read.weights.get('output.bias')!.data).toEqual(vector(vocabSize, 2).data);
        expect(read.unused).toContain(bias);
        const written = await exported(files);
        const stored = decodeSafetensors(written.get('model.safetensors')!, 'export').tensors;
        for (const key of [bias, `${decoder}.bias`]) expect(stored.get(key)!.data).toEqual(vector(vocabSize, 2).data);
        expect(stored.get(`${decoder}.weight`)!.data[1]).toBe(-weight.data[1]!);
        expect(contentsOf(written, 'config.json').tie_word_embeddings).toBe(false);
      }
    },
  );

  it('of ESM-2 has its own bias, as the decoder there has none', async () => {
    const tensors = goldenTensors('esm/model.safetensors').set('lm_head.decoder.bias', vector(33, 3));
    const read = await readHuggingFace(withTensors(filesOf('esm', {}), tensors));
    expect(read.weights.get('output.bias')!.data).toEqual(tensors.get('lm_head.bias')!.data);
  });
});

it('a tokenizer may be larger than a model by its special tokens alone', async () => {
  const file = wordPiece(['a', 'b']);
  const added = (id: number, special: boolean) => ({ ...file.added_tokens[0]!, id, content: `<${id}>`, special });
  const load = (special: boolean) =>
    loadAnyTokenizer({ ...file, added_tokens: [...file.added_tokens, added(7, special)] });
  const fits = { vocabSize: 7, patches: undefined };
  checkTokenizer(await load(true), fits, 'here');
  checkTokenizer(await load(false), { ...fits, vocabSize: 8 }, 'here');
  const message = 'here has 8 tokens but the model only 7: use the tokenizer that the model was trained with.';
  expect(() => checkTokenizer({ vocabSize: 8, specials: new Map() }, fits, 'here')).toThrow(message);
  await expect(load(false).then((tokenizer) => checkTokenizer(tokenizer, fits, 'here'))).rejects.toThrow(message);
  await expect(
    load(true).then((tokenizer) => checkTokenizer(tokenizer, { ...fits, vocabSize: 6 }, 'here')),
  ).rejects.toThrow('only 6');
});
