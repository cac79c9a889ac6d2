import { describe, expect, it } from 'vitest';
import { readHuggingFace } from '../../../src/pretrained/hugging-face/read.ts';
import { encodeSafetensors, type TensorEntry } from '../../../src/storage/safetensors.ts';
import { goldenContents, goldenTensors, json, parsed, text } from './golden.ts';

type Files = Map<string, Uint8Array>;

async function expectRefusal(files: Files, message: RegExp, options?: { maxLength: number }) {
  const refusal = readHuggingFace(files, options);
  await expect(refusal).rejects.toThrow(message);
  await expect(refusal).rejects.toThrow(/^[^\n]+\.$|python -c/);
}

const golden = (name: string) => goldenContents(name, 'config.json', 'model.safetensors');

function withConfig(name: string, changes: Record<string, unknown>): Files {
  const files = golden(name);
  return files.set('config.json', json({ ...parsed(files.get('config.json')!), ...changes }));
}

function withTensors(name: string, change: (tensors: Map<string, TensorEntry>) => void): Files {
  const tensors = goldenTensors(`${name}/model.safetensors`);
  change(tensors);
  return golden(name).set('model.safetensors', encodeSafetensors(tensors));
}

function without(files: Files, name: string): Files {
  files.delete(name);
  return files;
}

describe('config.json', () => {
  it.each<[string, string, Record<string, unknown>, RegExp]>([
    [
      'an unknown architecture',
      'bert',
      { model_type: 'mamba' },
      /model_type "mamba", which is not supported: give one of bert, roberta, xlm-roberta, gpt2, esm, vit/,
    ],
    ['no architecture', 'bert', { model_type: undefined }, /config\.json names no model_type/],
    [
      'a setting of the wrong type',
      'bert',
      { hidden_size: 'wide' },
      /^"hidden_size" in the model\/config\.json is not valid: expected number/,
    ],
    ['a missing setting', 'bert', { num_hidden_layers: undefined }, /"num_hidden_layers" in .* is not valid/],
    [
      'relative positions',
      'bert',
      { position_embedding_type: 'relative_key' },
      /sets position_embedding_type to "relative_key", and only "absolute" is supported/,
    ],
    ['a decoder of BERT', 'bert', { is_decoder: true }, /sets is_decoder to true, and only false is supported/],
    ['cross-attention', 'roberta', { add_cross_attention: true }, /sets add_cross_attention to true/],
    [
      'an unknown activation',
      'bert',
      { hidden_act: 'swish' },
      /sets hidden_act to "swish", and only gelu, gelu_python, gelu_new/,
    ],
    [
      'RoBERTa with another activation beside its head',
      'roberta',
      { hidden_act: 'relu' },
      /sets hidden_act to "relu", and only "gelu"/,
    ],
    ['RoBERTa without positions', 'roberta', { max_position_embeddings: 2 }, /of which 2 come before the first token/],
    [
      'scores divided by the layer',
      'gpt2',
      { scale_attn_by_inverse_layer_idx: true },
      /sets scale_attn_by_inverse_layer_idx to true/,
    ],
    ['scores that are not scaled', 'gpt2', { scale_attn_weights: false }, /sets scale_attn_weights to false/],
    [
      'ESM-1',
      'esm',
      { position_embedding_type: 'absolute' },
      /sets position_embedding_type to "absolute", and only "rotary" is supported: choose ESM-2/,
    ],
    ['ESMFold', 'esm', { is_folding_model: true }, /sets is_folding_model to true/],
    ['another rotary base', 'esm', { rope_theta: 5e5 }, /sets rope_theta to 500000, and only 10000 is supported/],
    ['token dropout without a mask token', 'esm', { mask_token_id: null }, /sets token_dropout but no mask_token_id/],
    ['ViT without biases', 'vit', { qkv_bias: false }, /sets qkv_bias to false/],
    ['patches that do not fill the image', 'vit', { patch_size: 4 }, /patchSize must divide imageSize/],
    ['regression', 'bert-classes', { id2label: { 0: 'score' } }, /has 1 class, and a classification head needs two/],
    ['heads that do not divide the width', 'bert', { num_attention_heads: 7 }, /numHeads must divide dModel/],
  ])('%s', async (_, name, changes, message) => {
    await expectRefusal(withConfig(name, changes), message);
  });

  it('missing, no JSON, no object', async () => {
    await expectRefusal(without(golden('bert'), 'config.json'), /^the model\/config\.json is missing: /);
    await expectRefusal(golden('bert').set('config.json', text('{')), /config\.json is not JSON/);
    await expectRefusal(golden('bert').set('config.json', json([])), /names no model_type/);
  });
});

describe('tensors', () => {
  it('missing', async () => {
    const files = withTensors('bert', (tensors) => tensors.delete('bert.encoder.layer.1.output.dense.bias'));
    await expectRefusal(
      files,
      /^the model\/model\.safetensors lacks the tensor encoder\.layer\.1\.output\.dense\.bias, which config\.json asks for: /,
    );
  });

  it('of a head that the architecture says', async () => {
    const files = withTensors('gpt2', () => {});
    await expectRefusal(
      files.set('config.json', withConfig('gpt2', { tie_word_embeddings: false }).get('config.json')!),
      /lacks the tensor lm_head\.weight/,
    );
  });

  it('of another shape', async () => {
    const data = new Float32Array(30 * 29);
    const files = withTensors('esm', (tensors) =>
      tensors.set('lm_head.dense.weight', { dtype: 'F32', shape: [30, 29], data }),
    );
    await expectRefusal(files, /holds lm_head\.dense\.weight of shape \[30,29\] where config\.json asks for \[30,30\]/);
    await expectRefusal(
      withConfig('vit', { id2label: { 0: 'a', 1: 'b' } }),
      /classifier\.weight of shape \[7,30\].*asks for \[2,30\]/,
    );
  });

  it('of another type', async () => {
    const files = withTensors('esm', (tensors) =>
      tensors.set('lm_head.bias', { dtype: 'I8', shape: [33], data: new Int8Array(33) }),
    );
    await expectRefusal(
      files,
      /holds lm_head\.bias of type I8 where a float is needed: take weights that are not quantized/,
    );
  });

  it('in float64, however, are rounded', async () => {
    const data = Float64Array.from({ length: 33 }, (_, i) => i / 7);
    const files = withTensors('esm', (tensors) => tensors.set('lm_head.bias', { dtype: 'F64', shape: [33], data }));
    expect((await readHuggingFace(files)).weights.get('output.bias')!.data).toEqual(Float32Array.from(data));
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('with the number %d, where they are used', async (number) => {
    const data = Float32Array.from({ length: 33 }, (_, i) => (i === 17 ? number : i));
    const files = withTensors('esm', (tensors) => tensors.set('lm_head.bias', { dtype: 'F32', shape: [33], data }));
    await expectRefusal(files, new RegExp(`holds lm_head\\.bias, whose number 17 is ${number}: take weights`));
    const unused = withTensors('esm', (tensors) => tensors.set('riddle.bias', { dtype: 'F32', shape: [33], data }));
    expect((await readHuggingFace(unused)).unused).toContain('riddle.bias');
  });

  it('of a type that is not read, where they are used', async () => {
    const coded = (name: string) => {
      const bytes = golden('esm').get('model.safetensors')!;
      const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
      const header = parsed(bytes.subarray(8, end));
      const data = bytes.subarray(end);
      header[name] = { dtype: 'F8_E4M3', shape: [5], data_offsets: [data.length, data.length + 5] };
      delete header.__metadata__;
      const lines = json(header);
      const file = new Uint8Array([...new Uint8Array(8), ...lines, ...data, ...new Uint8Array(5)]);
      new DataView(file.buffer).setBigUint64(0, BigInt(lines.length), true);
      return golden('esm').set('model.safetensors', file);
    };
    expect((await readHuggingFace(coded('riddle.scale'))).unused).toContain('riddle.scale');
    await expectRefusal(coded('lm_head.decoder.bias'), /lm_head\.decoder\.bias of (shape|type)/);
  });

  it.each(['module.', 'model.', 'module.model.'])('are found where all have %s before their names', async (prefix) => {
    for (const name of ['esm', 'gpt2']) {
      const files = withTensors(name, (tensors) => {
        for (const [key, entry] of [...tensors]) {
          tensors.delete(key);
          tensors.set(prefix + key, entry);
        }
      });
      expect((await readHuggingFace(files)).weights).toEqual((await readHuggingFace(golden(name))).weights);
    }
  });

  it('that are one are used twice, and either will do', async () => {
    const whole = await readHuggingFace(golden('esm'));
    const both = withTensors('esm', (tensors) => tensors.set('lm_head.decoder.bias', tensors.get('lm_head.bias')!));
    const other = withTensors('esm', (tensors) => {
      tensors.set('lm_head.decoder.bias', tensors.get('lm_head.bias')!);
      tensors.delete('lm_head.bias');
    });
    for (const files of [both, other]) {
      const read = await readHuggingFace(files);
      expect(read.weights).toEqual(whole.weights);
      expect(read.unused).toHaveLength(5);
    }
  });

  it('named twice', async () => {
    const files = withTensors('esm', (tensors) =>
      tensors.set('embeddings.word_embeddings.weight', tensors.get('esm.embeddings.word_embeddings.weight')!),
    );
    await expectRefusal(files, /holds (esm\.)?embeddings\.word_embeddings\.weight, which is .* once more: remove one/);
  });
});

describe('the file of weights', () => {
  it('missing', async () => {
    await expectRefusal(
      without(golden('bert'), 'model.safetensors'),
      /^the model holds neither model\.safetensors nor model\.safetensors\.index\.json: /,
    );
  });

  it.each(['pytorch_model.bin', 'model.pt', 'pytorch_model-00001-of-00002.bin'])('a pickle, %s', async (name) => {
    const files = without(golden('bert'), 'model.safetensors').set(name, text('pickle'));
    await expectRefusal(
      files,
      new RegExp(
        `^the model holds its weights only as ${name}, a pickle, .* python -c "import torch[^"]*for f in \\['${name}'\\][^"]*torch\\.load\\(f, map_location='cpu', weights_only=True\\)[^"]*'model\\.safetensors'\\)"\\.$`,
      ),
    );
  });

  it('of several pickles, all of which are converted', async () => {
    const files = without(golden('bert'), 'model.safetensors');
    for (const i of [1, 2]) files.set(`pytorch_model-0000${i}-of-00002.bin`, text('pickle'));
    const list = "\\['pytorch_model-00001-of-00002\\.bin', 'pytorch_model-00002-of-00002\\.bin'\\]";
    await expectRefusal(files, new RegExp(`for f in ${list} for k, v in torch`));
  });

  it('that is a pointer, an adapter or in a folder says so', async () => {
    const pointer = text(`version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 17\n`);
    await expectRefusal(
      golden('bert').set('model.safetensors', pointer),
      /is a pointer of Git LFS instead of the file/,
    );
    const adapter = without(golden('bert'), 'model.safetensors').set('adapter_config.json', json({}));
    await expectRefusal(adapter, /holds an adapter of PEFT such as LoRA, not a whole model: merge it/);
    await expectRefusal(without(adapter, 'config.json'), /holds an adapter of PEFT/);
    const modules = [{ path: '0_Transformer', type: 'sentence_transformers.models.Transformer' }];
    const old = new Map([['modules.json', json(modules)]]);
    await expectRefusal(old, /modules\.json says that the model is in 0_Transformer, as older sentence-/);
  });

  it('with a header of 2⁶³ bytes, cut off, or with lying offsets', async () => {
    const whole = golden('bert').get('model.safetensors')!;
    const huge = whole.slice();
    new DataView(huge.buffer).setBigUint64(0, 2n ** 63n, true);
    const headerBytes = Number(new DataView(whole.buffer, whole.byteOffset).getBigUint64(0, true));
    const header = parsed(whole.subarray(8, 8 + headerBytes));
    const [name] = Object.keys(header).filter((key) => key !== '__metadata__');
    header[name!].data_offsets[0] += 4;
    const lying = Uint8Array.of(...new Uint8Array(8), ...json(header), ...whole.subarray(8 + headerBytes));
    new DataView(lying.buffer).setBigUint64(0, BigInt(json(header).length), true);
    for (const [bytes, message] of [
      [huge, /model\.safetensors is damaged \(it ends before its header of 9223372036854775808 bytes does/],
      [whole.subarray(0, 5), /is damaged \(it has 5 bytes/],
      [whole.subarray(0, whole.length - 1), /is damaged \(its header describes/],
      [lying, /is damaged \((the data of )?tensor/],
      [text('not a safetensors file'), /is damaged \(it ends before/],
    ] as const) {
      await expectRefusal(golden('bert').set('model.safetensors', bytes), message);
    }
  });
});

describe('shards', () => {
  const names = [1, 2, 3, 4].map((i) => `model-0000${i}-of-00004.safetensors`);
  const INDEX = 'model.safetensors.index.json';
  const sharded = () => goldenContents('esm-sharded', 'config.json', INDEX, ...names);
  const withIndex = (change: (map: Record<string, string>) => void) => {
    const files = sharded();
    const index = parsed(files.get(INDEX)!);
    change(index.weight_map);
    return files.set(INDEX, json(index));
  };

  it.each([
    '../model.safetensors',
    '/etc/model.safetensors',
    'a/b.safetensors',
    '..\\b.safetensors',
    'C:b.safetensors',
    'a\0.safetensors',
    'passwd',
    '.safetensors/..',
  ])('outside their directory, such as %j, are not opened', async (path) => {
    const files = withIndex((map) => {
      map['lm_head.bias'] = path;
    });
    // Even where the file exists.
    await expectRefusal(
      files.set(path, golden('esm').get('model.safetensors')!),
      /index\.json names the file ".*", but a shard is a \.safetensors file beside its index: /,
    );
  });

  it('missing', async () => {
    await expectRefusal(
      without(sharded(), names[2]!),
      /index\.json names model-00003-of-00004\.safetensors, which is missing/,
    );
  });

  it('that lack a tensor of the index', async () => {
    const files = withIndex((map) => {
      map['lm_head.bias'] = names[1]!;
    });
    await expectRefusal(files, /lacks the tensor lm_head\.bias, which model\.safetensors\.index\.json says it holds/);
    const invented = withIndex((map) => {
      map.invented = names[0]!;
    });
    await expectRefusal(invented, /00001-of-00004\.safetensors lacks the tensor invented/);
  });

  it('that hold the same tensor', async () => {
    const files = sharded();
    await expectRefusal(
      files.set(names[1]!, files.get(names[0]!)!),
      /holds the tensor .*, which model-00001-of-00004\.safetensors holds too/,
    );
  });

  it('without a map', async () => {
    await expectRefusal(sharded().set(INDEX, json({})), /index\.json holds no weight_map/);
    await expectRefusal(sharded().set(INDEX, json({ weight_map: { a: 1 } })), /index\.json holds no weight_map/);
  });
});

describe('maxLength', () => {
  it.each([0, -1, 2.5, Number.NaN])('%d is no length', async (maxLength) => {
    await expectRefusal(golden('bert'), /^maxLength is .*: give a whole number of at least 1\.$/, { maxLength });
  });

  it('of images', async () => {
    await expectRefusal(
      golden('vit'),
      /^A model of image patches has a place for each of them: leave maxLength out\.$/,
      { maxLength: 9 },
    );
  });
});
