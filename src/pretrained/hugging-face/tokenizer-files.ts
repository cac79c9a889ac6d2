/** The tokenizer of a directory as one tokenizer.json, which older directories hold in other files. */
import { DataError } from '../../base/errors.ts';
import { type PretrainedFiles, pathOf, readJson, readText } from '../../storage/files.ts';
import type { FamilyName } from './architectures/family.ts';
import {
  type AddedSetting,
  readTokenizerSettings,
  TOKENIZER_CONFIG,
  type TokenizerSettings,
} from './tokenizer-settings.ts';

/** The contents of a tokenizer.json. */
export type TokenizerFile = Readonly<Record<string, unknown>>;

/** A tokenizer.json and the files that it was made of. */
interface TokenizerSource {
  readonly json: TokenizerFile;
  /** Names of the files, for errors. */
  readonly from: string;
  /** Keys of tokenizer_config.json that nothing is known about. */
  readonly unused: readonly string[];
}

/** Which of the library's older tokenizers a class is. */
const CLASSES: Readonly<Record<string, Exclude<FamilyName, 'vit'>>> = {
  Bert: 'bert',
  DistilBert: 'bert',
  Electra: 'bert',
  Roberta: 'roberta',
  GPT2: 'gpt2',
  Esm: 'esm',
};

/**
 * tokenizer.json; else what vocab.txt (BERT, ESM-2) or vocab.json and merges.txt (GPT-2, RoBERTa) amount to under the
 * settings of tokenizer_config.json, special_tokens_map.json and added_tokens.json.
 *
 * @returns undefined for a directory without files of a tokenizer
 * @throws DataError when a file is not valid, or a file or setting of a tokenizer is not supported
 */
export async function readTokenizer(files: PretrainedFiles, family: FamilyName): Promise<TokenizerSource | undefined> {
  const has = (name: string) => files.names.includes(name);
  if (has('tokenizer.json')) {
    return { json: await objectOf(files, 'tokenizer.json'), from: pathOf(files, 'tokenizer.json'), unused: [] };
  }
  const kept = files.names.find((name) => VOCABULARIES.test(name));
  if (kept === undefined) return undefined;
  const settings = await readTokenizerSettings(files);
  const form = formOf(settings.className, family, files);
  if (has('vocab.txt') && (form === 'bert' || form === 'esm')) {
    const lines = (await readText(files, 'vocab.txt')).replace(/\r?\n$/, '').split(/\r?\n/);
    const tokens = new Map(lines.map((token, id) => [form === 'esm' ? token.trim() : token, id]));
    if (tokens.size < lines.length)
      throw new DataError(`${pathOf(files, 'vocab.txt')} names a token twice: restore it from a copy.`);
    const json = form === 'esm' ? esmTokenizer(tokens, files) : bertTokenizer(tokens, settings, files);
    return { json: withAdded(json, settings), from: pathOf(files, 'vocab.txt'), unused: settings.unused };
  }
  if (has('vocab.json') && has('merges.txt') && (form === 'gpt2' || form === 'roberta')) {
    const vocab = await objectOf(files, 'vocab.json');
    const merges = (await readText(files, 'merges.txt'))
      .split(/\r?\n/)
      .filter((line) => line !== '' && !line.startsWith('#version'));
    const json = byteLevelTokenizer(vocab, merges, form, settings, files);
    const from = `${pathOf(files, 'vocab.json')} with merges.txt`;
    return { json: withAdded(json, settings), from, unused: settings.unused };
  }
  throw new DataError(
    `${pathOf(files, kept)} is no tokenizer that is read for this model: load it in Python with AutoTokenizer.from_pretrained and call save_pretrained, which writes tokenizer.json.`,
  );
}

/** Files of tokenizers: of words, of merges, of SentencePiece and others. */
const VOCABULARIES =
  /^(?:vocab\.(?:txt|json)|merges\.txt|.*\.(?:spm|tiktoken)|(?:sentencepiece.*|spiece|spm|tokenizer|source|target)\.(?:bpe\.)?model)$/;

function formOf(className: string | undefined, family: FamilyName, files: PretrainedFiles): FamilyName {
  const name = className?.replace(/Tokenizer(?:Fast)?$/, '');
  if (name === undefined || name === 'PreTrained' || name === 'Auto') return family;
  if (Object.hasOwn(CLASSES, name)) return CLASSES[name]!;
  throw new DataError(
    `${pathOf(files, TOKENIZER_CONFIG)} sets tokenizer_class to ${JSON.stringify(className)}, which is not read: load it in Python with AutoTokenizer.from_pretrained and call save_pretrained, which writes tokenizer.json.`,
  );
}

async function objectOf(files: PretrainedFiles, name: string): Promise<TokenizerFile> {
  const json = await readJson(files, name);
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as TokenizerFile;
  throw new DataError(`${pathOf(files, name)} holds no object: restore it from a copy.`);
}

/**
 * A tokenizer with its added tokens: those that settings name, over those that its form has anyway. A special token that
 * only a setting names is added even where the vocabulary lacks it, as the library does.
 */
function withAdded(json: TokenizerFile, { added }: TokenizerSettings): TokenizerFile {
  const { added_tokens: usual, model } = json as { added_tokens: Added[]; model: { vocab: Record<string, number> } };
  const tokens = new Map(usual.map((token) => [token.content, token]));
  let next = 1 + Math.max(-1, ...Object.values(model.vocab), ...added.map(({ id = -1 }) => id));
  for (const { id, ...flags } of added) {
    const known =
      tokens.get(flags.content)?.id ?? (Object.hasOwn(model.vocab, flags.content) && model.vocab[flags.content]);
    const own = known === false || known === undefined ? (id ?? next++) : known;
    tokens.set(flags.content, { ...flags, id: own });
  }
  return { ...json, added_tokens: [...tokens.values()].sort((a, b) => a.id - b.id) };
}

type Added = AddedSetting & { readonly id: number };

interface Special {
  readonly content: string;
  readonly lstrip?: boolean;
}

/** The parts that every tokenizer.json has; `vocab` gives the ids of special tokens. */
function common(specials: readonly Special[], vocab: ReadonlyMap<string, number>) {
  const added = specials.flatMap(({ content, lstrip = false }) => {
    const id = vocab.get(content);
    return id === undefined
      ? []
      : [{ id, content, single_word: false, lstrip, rstrip: false, normalized: false, special: true }];
  });
  added.sort((a, b) => a.id - b.id);
  return { version: '1.0', truncation: null, padding: null, added_tokens: added };
}

/** A post-processor that puts special tokens around a text, or around two. */
function frame(first: string, last: string, vocab: ReadonlyMap<string, number>, files: PretrainedFiles) {
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const entry = (token: string) => {
    const id = vocab.get(token);
    if (id === undefined)
      throw new DataError(`${files.where} holds a vocabulary without ${token}: add a tokenizer.json.`);
    return { id: token, ids: [id], tokens: [token] };
  };
  return {
    type: 'TemplateProcessing',
    single: [special(first), sequence('A'), special(last)],
    pair: [special(first), sequence('A'), special(last), sequence('B'), special(last)],
    special_tokens: { [first]: entry(first), [last]: entry(last) },
  };
}

function bertTokenizer(
  vocab: ReadonlyMap<string, number>,
  { flags, roles }: TokenizerSettings,
  files: PretrainedFiles,
): TokenizerFile {
  const { cls_token: first = '[CLS]', sep_token: last = '[SEP]', unk_token: unknown = '[UNK]' } = roles;
  const { pad_token: padding = '[PAD]', mask_token: mask = '[MASK]' } = roles;
  return {
    ...common(
      [padding, unknown, first, last, mask].map((content) => ({ content })),
      vocab,
    ),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: flags.tokenize_chinese_chars ?? true,
      strip_accents: flags.strip_accents ?? null,
      lowercase: flags.do_lower_case ?? true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: frame(first, last, vocab, files),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: unknown,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocab),
    },
  };
}

/** What Python takes for white space, which other languages do not quite. */
const SPACE = '\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000';

/**
 * Every token of the vocabulary is one residue or special; a run of anything else is one unknown token. Runs are joined here,
 * as programs do not agree on what a model's fuse_unk joins.
 */
function esmTokenizer(vocab: ReadonlyMap<string, number>, files: PretrainedFiles): TokenizerFile {
  const specials = [...vocab.keys()].filter((token) => [...token].length > 1);
  const residues = [...vocab.keys()]
    .filter((token) => [...token].length === 1)
    .map((token) => (/\w/.test(token) ? token : `\\${token}`));
  const replace = (Regex: string, content: string) => ({ type: 'Replace', pattern: { Regex }, content });
  return {
    ...common(
      specials.map((content) => ({ content })),
      vocab,
    ),
    normalizer: {
      type: 'Sequence',
      normalizers: [replace(`[${SPACE}]+`, ' '), replace(`[^ ${residues.join('')}]+`, '\ufffd')],
    },
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: frame('<cls>', '<eos>', vocab, files),
    decoder: { type: 'Fuse' },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges: [],
    },
  };
}

function byteLevelTokenizer(
  vocab: TokenizerFile,
  merges: readonly string[],
  form: 'gpt2' | 'roberta',
  { flags, roles }: TokenizerSettings,
  files: PretrainedFiles,
): TokenizerFile {
  const ids = new Map(
    Object.entries(vocab).flatMap(([token, id]) => (typeof id === 'number' ? [[token, id] as const] : [])),
  );
  const { cls_token: first = '<s>', sep_token: last = '</s>', mask_token: mask = '<mask>' } = roles;
  const { pad_token: padding = '<pad>', unk_token: unknown = '<unk>' } = roles;
  const specials =
    form === 'roberta'
      ? [...[first, padding, last, unknown].map((content) => ({ content })), { content: mask, lstrip: true }]
      : [{ content: '<|endoftext|>' }];
  const level = { add_prefix_space: true, trim_offsets: true, use_regex: true };
  return {
    ...common(specials, ids),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', ...level, add_prefix_space: flags.add_prefix_space ?? false },
    post_processor: form === 'roberta' ? frame(first, last, ids, files) : decoderFrame(flags, roles, ids, files),
    decoder: { type: 'ByteLevel', ...level },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges,
    },
  };
}

/** GPT-2 has special tokens around a text only where it is told so. */
function decoderFrame(
  { add_bos_token: begins, add_eos_token: ends }: TokenizerSettings['flags'],
  { bos_token: first = '<|endoftext|>', eos_token: last = '<|endoftext|>' }: TokenizerSettings['roles'],
  vocab: ReadonlyMap<string, number>,
  files: PretrainedFiles,
) {
  const level = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true };
  if (!begins && !ends) return level;
  const { single, pair, ...template } = frame(first, last, vocab, files);
  const around = (parts: readonly unknown[]) => parts.slice(begins ? 0 : 1, ends ? parts.length : -1);
  return { type: 'Sequence', processors: [level, { ...template, single: around(single), pair: around(pair) }] };
}
