import { DataError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import type { TransformerConfiguration } from '../../model/configuration.ts';
import { transformerConfigurationKind } from '../../model/configuration.ts';
import type { Transformer } from '../../model/transformer.ts';
import { transformerKind } from '../../model/transformer.ts';
import { type Companions, classLabels, companion, keptConfig, unchangedCompanions } from '../../storage/companions.ts';
import { encodeSafetensors, type TensorEntry } from '../../storage/safetensors.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { SpecialIds } from '../../tokenizers/tokenizer.ts';
import { tokenizerKind } from '../../tokenizers/tokenizer.ts';
import { familyOfModel } from './architectures/families.ts';
import type { NamedTensor } from './architectures/family.ts';

/** What an export needs of a tokenizer; every tokenizer of this package has it. */
export interface ExportedTokenizer {
  readonly specials: ReadonlyMap<string, number>;
  readonly specialTokens: {
    readonly padding?: number;
    readonly mask?: number;
    readonly unknown?: number;
    readonly beginning?: number;
    readonly end?: number;
  };
  /** The contents of tokenizer.json. */
  toJSON(): object;
}

export interface ExportOptions extends Stoppable {
  /** Its files go beside the model's. Default: no tokenizer. */
  readonly tokenizer?: ExportedTokenizer | undefined;
  /** What was beside the model that this model comes from: its settings and files are kept. Default: nothing. */
  readonly companions?: Companions | undefined;
}

/**
 * A model as the files of Hugging Face's layout, by name: config.json, model.safetensors with the library's names, and
 * tokenizer.json with tokenizer_config.json. The family (BERT, RoBERTa, GPT-2, ESM-2, ViT) follows from the configuration.
 *
 * The library computes exact attention with these weights, whatever attention the model has here. With `exact` it gives
 * the same numbers. Under FAVOR+ the projections are left out, and the library gives the numbers that FAVOR+
 * approximates.
 *
 * @throws DataError when no family has a model of this form
 */
export async function exportHuggingFace(
  model: Transformer,
  options: ExportOptions = {},
): Promise<Map<string, Uint8Array>> {
  checkArguments(
    'exportHuggingFace',
    { model, options },
    {
      model: transformerKind,
      options: option.object,
    },
  );
  checkOptions<ExportOptions>('exportHuggingFace', options, {
    tokenizer: tokenizerKind,
    companions: option.object,
    signal: option.signal,
  });
  const { tokenizer, companions = {}, signal } = options;
  const pauses = new Pauses(signal);
  await pauses.next();
  const { configuration } = model;
  const family = familyOfModel(configuration);
  checkAttention(model);
  const source = keptConfig(companions);
  const ids = keptIds(source, tokenizer?.specialTokens ?? {});
  const table = family.tensors(configuration, ids);
  const prefix = table.some(({ ofHead }) => ofHead) || isTiedLanguageModel(configuration) ? family.prefix : '';
  const parameters = model.parameters();
  const tensors = new Map<string, TensorEntry>();
  for (const row of table) {
    await pauses.next();
    const data = row.form.write(await join(row, parameters), row.shape);
    for (const name of [row.theirs, ...(row.writesCopies ? row.copies : [])]) {
      tensors.set(row.ofHead ? name : prefix + name, { dtype: 'F32', shape: row.shape, data });
    }
  }
  await pauses.next();
  const own = { ...family.config(configuration, ids), ...classLabels(companions, configuration) };
  const config = {
    ...source,
    ...withKeptDropout(own, source),
    model_type: family.modelTypes.find((type) => type === source.model_type) ?? family.modelTypes[0],
    dtype: 'float32',
  };
  return new Map([
    ['config.json', configText(config)],
    ['model.safetensors', encodeSafetensors(tensors, { format: 'pt' })],
    ...(tokenizer ? tokenizerFiles(tokenizer, configuration, companions) : []),
    ...unchangedCompanions(companions).map(([name, contents]) => [name, json(contents)] as const),
  ]);
}

/** Ids of special tokens as config.json had them or, where it said nothing, as the tokenizer has them. */
function keptIds(source: Readonly<Record<string, unknown>>, roles: ExportedTokenizer['specialTokens']): SpecialIds {
  const kept = (key: string, role: number | undefined) => {
    if (!Object.hasOwn(source, key)) return role;
    const id = source[key];
    return typeof id === 'number' ? id : undefined;
  };
  return {
    padding: kept('pad_token_id', roles.padding),
    beginning: kept('bos_token_id', roles.beginning),
    end: kept('eos_token_id', roles.end),
  };
}

/** This package has one rate of dropout; the library's others stay as they were where that is as it was. */
function withKeptDropout(
  own: Readonly<Record<string, unknown>>,
  source: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const isSame = ['hidden_dropout_prob', 'resid_pdrop'].every((key) => own[key] === source[key]);
  const others = ['attention_probs_dropout_prob', 'embd_pdrop', 'attn_pdrop'];
  return Object.fromEntries(
    Object.entries(own).map(([key, value]) => [key, isSame && others.includes(key) ? (source[key] ?? value) : value]),
  );
}

/** A head that is only the embedding once more has no tensor that would tell it. */
function isTiedLanguageModel({ languageHead, tiedEmbeddings }: TransformerConfiguration): boolean {
  return languageHead && tiedEmbeddings;
}

function checkAttention({ attentions }: Transformer): void {
  if (attentions.some(({ isReplaceable = true }) => !isReplaceable)) {
    throw new DataError(
      'This model has no counterpart in the library transformers: LSH attention and learned Linformer projections have weights of their own; export it in another format.',
    );
  }
}

async function join({ ours }: NamedTensor, parameters: ReadonlyMap<string, Tensor>): Promise<Float32Array> {
  const parts = await Promise.all(ours.map((name) => parameters.get(name)!.data()));
  const [only] = parts;
  if (parts.length === 1 && only instanceof Float32Array) return only;
  const joined = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}

/** A tokenizer as the library's files: tokenizer.json, and tokenizer_config.json with what its special tokens are for. */
export function tokenizerFiles(
  tokenizer: ExportedTokenizer,
  configuration: TransformerConfiguration,
  companions: Companions = {},
): [name: string, contents: Uint8Array][] {
  checkArguments(
    'tokenizerFiles',
    { tokenizer, configuration, companions },
    {
      tokenizer: tokenizerKind,
      configuration: transformerConfigurationKind,
      companions: option.object,
    },
  );
  const { maxLength } = configuration;
  const texts = new Map([...tokenizer.specials].map(([text, id]) => [id, text]));
  const { padding, mask, unknown, beginning, end } = tokenizer.specialTokens;
  const named = Object.entries({
    pad_token: padding,
    mask_token: mask,
    unk_token: unknown,
    bos_token: beginning,
    cls_token: beginning,
    eos_token: end,
    sep_token: end,
  }).flatMap(([key, id]) => {
    const text = id === undefined ? undefined : texts.get(id);
    return text === undefined ? [] : [[key, text] as const];
  });
  const source = companion(companions, 'tokenizer_config.json');
  const { model_max_length: length } = source;
  const config = {
    ...Object.fromEntries(named),
    ...source,
    // The one that takes tokenizer.json as it is.
    tokenizer_class: 'PreTrainedTokenizerFast',
    // The library writes 1e30 where nobody has said a length.
    model_max_length: typeof length === 'number' && length <= maxLength ? length : maxLength,
  };
  return [
    ['tokenizer.json', json(tokenizer.toJSON())],
    ['tokenizer_config.json', json(config)],
  ];
}

/** Numbers that the library declares as float need a fraction, or it refuses them: dropout of 0. */
function configText(config: Record<string, unknown>): Uint8Array {
  const text = new TextDecoder().decode(json(config));
  return new TextEncoder().encode(text.replace(/"\w+_(?:prob|pdrop|eps|epsilon)": \d+(?=[,\n])/g, '$&.0'));
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}
