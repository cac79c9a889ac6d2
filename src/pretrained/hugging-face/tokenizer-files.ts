/** The tokenizer of a directory as one tokenizer.json, which older directories hold in other files. */
import { DataError } from '../../base/errors.ts';
import type { FamilyName } from './family.ts';
import { type PretrainedFiles, pathOf, readJson, readText } from './files.ts';

/** The contents of a tokenizer.json. */
export type TokenizerFile = Readonly<Record<string, unknown>>;

/**
 * tokenizer.json; else what vocab.txt (BERT, ESM-2) or vocab.json and merges.txt (GPT-2, RoBERTa) amount to.
 *
 * @returns undefined where there is none
 * @throws one sentence when a file is not valid
 */
export async function readTokenizer(files: PretrainedFiles, family: FamilyName): Promise<TokenizerFile | undefined> {
  const has = (name: string) => files.names.includes(name);
  if (has('tokenizer.json')) return record(files, 'tokenizer.json');
  if (has('vocab.txt') && (family === 'bert' || family === 'esm')) {
    const lines = (await readText(files, 'vocab.txt')).replace(/\r?\n$/, '').split(/\r?\n/);
    const tokens = new Map(lines.map((token, id) => [token.trim(), id]));
    if (tokens.size < lines.length)
      throw new DataError(`${pathOf(files, 'vocab.txt')} names a token twice: restore it from a copy.`);
    return family === 'esm' ? esmTokenizer(tokens, files) : bertTokenizer(tokens, await lowerCases(files), files);
  }
  if (has('vocab.json') && has('merges.txt') && (family === 'gpt2' || family === 'roberta')) {
    const vocab = await record(files, 'vocab.json');
    const merges = (await readText(files, 'merges.txt'))
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#version'));
    return byteLevelTokenizer(vocab, merges, family, files);
  }
  return undefined;
}

async function record(files: PretrainedFiles, name: string): Promise<TokenizerFile> {
  const json = await readJson(files, name);
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as TokenizerFile;
  throw new DataError(`${pathOf(files, name)} holds no object: restore it from a copy.`);
}

async function lowerCases(files: PretrainedFiles): Promise<boolean> {
  if (!files.names.includes('tokenizer_config.json')) return true;
  return (await record(files, 'tokenizer_config.json')).do_lower_case !== false;
}

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

function bertTokenizer(vocab: ReadonlyMap<string, number>, lowercase: boolean, files: PretrainedFiles): TokenizerFile {
  return {
    ...common(
      ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map((content) => ({ content })),
      vocab,
    ),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: frame('[CLS]', '[SEP]', vocab, files),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
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
  family: 'gpt2' | 'roberta',
  files: PretrainedFiles,
): TokenizerFile {
  const ids = new Map(
    Object.entries(vocab).flatMap(([token, id]) => (typeof id === 'number' ? [[token, id] as const] : [])),
  );
  const roberta = family === 'roberta';
  const specials = roberta
    ? [...['<s>', '<pad>', '</s>', '<unk>'].map((content) => ({ content })), { content: '<mask>', lstrip: true }]
    : [{ content: '<|endoftext|>' }];
  return {
    ...common(specials, ids),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: roberta
      ? frame('<s>', '</s>', ids, files)
      : { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
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
