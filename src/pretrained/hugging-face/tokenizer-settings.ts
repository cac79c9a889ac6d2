/** What tokenizer_config.json, special_tokens_map.json and added_tokens.json say about a tokenizer without tokenizer.json. */
import { DataError } from '../../base/errors.ts';
import { safeParse, z } from '../../base/zod.ts';
import { type PretrainedFiles, pathOf, readJson } from '../../storage/files.ts';
import type { PlacedToken } from '../../tokenizers/pipeline/added-vocabulary.ts';

export const TOKENIZER_CONFIG = 'tokenizer_config.json';
const SPECIAL_TOKENS = 'special_tokens_map.json';
const ADDED_TOKENS = 'added_tokens.json';

/** An added token; without an id the vocabulary has it, or it is the next. */
export interface AddedSetting extends Omit<PlacedToken, 'id'> {
  readonly id?: number | undefined;
}

const flagNames = [
  'do_lower_case',
  'strip_accents',
  'tokenize_chinese_chars',
  'add_prefix_space',
  'add_bos_token',
  'add_eos_token',
] as const;
const roleNames = ['unk_token', 'pad_token', 'cls_token', 'sep_token', 'mask_token', 'bos_token', 'eos_token'] as const;

export interface TokenizerSettings {
  readonly className: string | undefined;
  readonly flags: { readonly [Name in (typeof flagNames)[number]]?: boolean };
  readonly roles: { readonly [Name in (typeof roleNames)[number]]?: string };
  readonly added: readonly AddedSetting[];
  /** Keys that nothing is known about. */
  readonly unused: readonly string[];
}

const flag = () => z.nullish(z.boolean());
const token = () =>
  z.union([
    z.string(),
    z.object({
      content: z.string(),
      single_word: z._default(z.boolean(), false),
      lstrip: z._default(z.boolean(), false),
      rstrip: z._default(z.boolean(), false),
      normalized: z.optional(z.boolean()),
      special: z._default(z.boolean(), false),
    }),
  ]);
const id = () => z.int().check(z.minimum(0));
const each = <Name extends string, S extends z.core.$ZodType>(names: readonly Name[], schema: () => S) =>
  Object.fromEntries(names.map((name) => [name, schema()])) as Record<Name, S>;

const schema = z.lazy(() =>
  z.looseObject({
    tokenizer_class: z.nullish(z.string()),
    ...each(flagNames, flag),
    ...each(roleNames, () => z.nullish(token())),
    additional_special_tokens: z.nullish(z.array(token())),
    extra_special_tokens: z.nullish(z.union([z.array(token()), z.record(z.string(), token())])),
    added_tokens_decoder: z.nullish(z.record(z.string().check(z.regex(/^\d+$/)), token())),
  }),
);
const addedSchema = z.lazy(() => z.record(z.string(), id()));

/** Keys that change no id of a text, or only where a caller asks for it. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...['auto_map', 'backend', 'chat_template', 'clean_up_tokenization_spaces', 'device_map', 'errors', 'from_slow'],
  ...['is_local', 'local_files_only', 'max_len', 'max_length', 'model_input_names', 'model_max_length', 'name_or_path'],
  ...['pad_to_multiple_of', 'pad_token_type_id', 'padding', 'padding_side', 'processor_class', 'return_tensors'],
  ...['special_tokens_map_file', 'stride', 'tokenizer_file', 'trim_offsets', 'truncation', 'truncation_side'],
  ...['truncation_strategy', 'model_specific_special_tokens', 'use_fast', 'vocab_file', 'merges_file', '_commit_hash'],
]);
/** Keys that change ids unless they have one of these values. */
const ONLY: Readonly<Record<string, readonly unknown[]>> = {
  do_basic_tokenize: [true, null],
  never_split: [null],
  split_special_tokens: [false, null],
  basic_tokenizer: [null],
};

/** @throws DataError when a file is not valid, or a setting is not supported */
export async function readTokenizerSettings(files: PretrainedFiles): Promise<TokenizerSettings> {
  const map = await optional(files, SPECIAL_TOKENS, schema);
  const config = { ...map, ...defined(await optional(files, TOKENIZER_CONFIG, schema)) };
  const where = pathOf(files, TOKENIZER_CONFIG);
  for (const [key, values] of Object.entries(ONLY)) {
    const value = config[key];
    const isEmpty = Array.isArray(value) && value.length === 0;
    if (value === undefined || isEmpty || values.includes(value)) continue;
    throw new DataError(`${where} sets ${key} to ${JSON.stringify(value)}, which is not supported: remove it.`);
  }
  const listed = Object.entries(config.added_tokens_decoder ?? {}).map(([number, value]) =>
    settingOf(value, Number(number)),
  );
  const numbered = Object.entries((await optional(files, ADDED_TOKENS, addedSchema)) ?? {})
    .map(([content, number]) =>
      settingOf({ content, single_word: false, lstrip: false, rstrip: false, special: false }, number),
    )
    .sort((a, b) => a.id! - b.id!);
  const extra = config.extra_special_tokens ?? [];
  const special = [
    ...roleNames.flatMap((name) => config[name] ?? []),
    ...(config.additional_special_tokens ?? []),
    ...(Array.isArray(extra) ? extra : Object.values(extra)),
  ].map((value) => ({ ...settingOf(value), special: true }));
  const added = new Map<string, AddedSetting>();
  for (const one of [...numbered, ...listed]) added.set(one.content, one);
  for (const one of special) {
    const before = added.get(one.content);
    added.set(one.content, before ? { ...before, special: true } : { ...one, normalized: false });
  }
  const known = new Set([
    ...['tokenizer_class', 'added_tokens_decoder', 'additional_special_tokens', 'extra_special_tokens'],
    ...[...flagNames, ...roleNames, ...Object.keys(ONLY), ...HARMLESS],
  ]);
  return {
    className: config.tokenizer_class ?? undefined,
    flags: defined(Object.fromEntries(flagNames.map((name) => [name, config[name] ?? undefined]))),
    roles: defined(
      Object.fromEntries(roleNames.map((name) => [name, config[name] ? settingOf(config[name]).content : undefined])),
    ),
    added: [...added.values()],
    unused: Object.keys(config)
      .filter((key) => !known.has(key) && config[key] !== null)
      .map((key) => `${TOKENIZER_CONFIG}: ${key}`),
  };
}

function settingOf(value: z.output<ReturnType<typeof token>>, id?: number): AddedSetting {
  const fields =
    typeof value === 'string'
      ? { content: value, single_word: false, lstrip: false, rstrip: false, special: true }
      : { ...value, special: value.special };
  const normalized = typeof value === 'string' ? false : (value.normalized ?? !value.special);
  return { ...fields, normalized, id };
}

async function optional<S extends z.core.$ZodType>(files: PretrainedFiles, name: string, schema: S) {
  if (!files.names.includes(name)) return undefined;
  const result = safeParse(schema, await readJson(files, name));
  if (result.success) return result.data as z.output<S>;
  const { path, message } = result.error.issues[0]!;
  const at = path.length > 0 ? `"${path.join('.')}" in ` : '';
  const reason = message.replace(/^Invalid input: /, '').replace(/\.$/, '');
  throw new DataError(`${at}${pathOf(files, name)} is not valid: ${reason}.`);
}

function defined<T extends object>(object: T | undefined): T {
  return Object.fromEntries(Object.entries(object ?? {}).filter(([, value]) => value !== undefined)) as T;
}
