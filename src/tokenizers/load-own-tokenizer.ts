import { DataError } from '../base/errors.ts';
import { checkJson } from '../base/json.ts';
import { checkArguments, option } from '../base/options.ts';
import { safeParse, type z } from '../base/zod.ts';
import type { AddedToken } from './added-tokens.ts';
import { BpeTokenizer } from './bpe.ts';
import { BYTE_ORDER, BYTE_TO_CHARACTER, tokenToBytes } from './byte-level/byte-level.ts';
import { ByteTokenizer } from './bytes.ts';
import { CharacterTokenizer } from './characters.ts';
import { PROTEIN_SPECIALS, PROTEIN_TOKENS, PROTEIN_UNKNOWN, ProteinTokenizer } from './proteins.ts';
import { byteLevelBpeSchema, byteLevelUnigramSchema, characterSchema, formSchema } from './schemas.ts';
import type { Tokenizer } from './tokenizer.ts';
import { UnigramTokenizer } from './unigram.ts';

/**
 * Makes a tokenizer from the parsed contents of a tokenizer.json, of a form that this package writes. The forms are
 * bytes, byte-level BPE (GPT-2's form), byte-level unigram, characters and proteins.
 *
 * @param name what error messages call the source, such as its path
 * @throws DataError if the file is of another form or contradicts itself
 */
export function loadTokenizer(json: unknown, name = 'tokenizer.json'): Tokenizer {
  checkArguments('loadTokenizer', { name }, { name: option.string });
  const fail: Fail = (what) => {
    throw new DataError(`${name}: ${what}; use a tokenizer.json such as this package writes.`);
  };
  checkJson(json, name);
  const { pre_tokenizer, model } = read(formSchema, json, fail);
  if (pre_tokenizer === null || pre_tokenizer === undefined) return loadCharacters(json, fail);
  return model.type === 'Unigram' ? loadUnigram(json, fail) : loadByteLevelBpe(json, fail);
}

/** Ends loading with a sentence about `what`. */
type Fail = (what: string) => never;

function read<S extends z.core.$ZodType>(schema: S, json: unknown, fail: Fail): z.output<S> {
  const parsed = safeParse(schema, json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  return fail(`${path.map(String).join('.') || 'the file'} is wrong (${message.replace(/\.$/, '')})`);
}

function loadByteLevelBpe(json: unknown, fail: Fail): Tokenizer {
  const { model, added_tokens } = read(byteLevelBpeSchema, json, fail);
  const added = added_tokens.map(toAddedToken);
  const tokens = toBytes(gatherTokens(Object.entries(model.vocab), added, fail), added, fail);
  const merges = gatherMerges(model.vocab, model.merges, new Set(added.map(({ content }) => content)), fail);
  checkBytes(new Set(Object.keys(model.vocab)), fail);
  const isBytes = BYTE_ORDER.every((byte, id) => model.vocab[BYTE_TO_CHARACTER[byte]!] === id);
  if (isBytes && merges.length === 0 && tokens.length === 256 + added.length) return new ByteTokenizer({ added });
  return new BpeTokenizer({ tokens, merges, added });
}

function loadUnigram(json: unknown, fail: Fail): Tokenizer {
  const { model, added_tokens } = read(byteLevelUnigramSchema, json, fail);
  const added = added_tokens.map(toAddedToken);
  const names = model.vocab.map(([token], id) => [token, id] as const);
  if (new Set(model.vocab.map(([token]) => token)).size < names.length) fail('model.vocab names a token twice');
  const tokens = toBytes(gatherTokens(names, added, fail), added, fail);
  checkBytes(new Set(model.vocab.map(([token]) => token)), fail);
  return new UnigramTokenizer({ tokens: model.vocab.map(([, score], id) => ({ bytes: tokens[id]!, score })), added });
}

function loadCharacters(json: unknown, fail: Fail): Tokenizer {
  const { model, added_tokens } = read(characterSchema, json, fail);
  const added = added_tokens.map(toAddedToken);
  const tokens = gatherTokens(Object.entries(model.vocab), added, fail);
  const isAdded = new Set(added.map(({ id }) => id));
  tokens.forEach((token, id) => {
    if (!isAdded.has(id) && !/^\P{Surrogate}$/u.test(token)) {
      fail(`token ${JSON.stringify(token)} is not one character, as it must be without a pre-tokenizer`);
    }
  });
  const unknown = tokens.indexOf(model.unk_token);
  if (unknown === -1) fail(`model.unk_token is ${JSON.stringify(model.unk_token)}, which the vocabulary lacks`);
  const isProtein =
    JSON.stringify([tokens, added, unknown]) === JSON.stringify([PROTEIN_TOKENS, PROTEIN_SPECIALS, PROTEIN_UNKNOWN]);
  return isProtein ? new ProteinTokenizer() : new CharacterTokenizer({ tokens, unknown, added });
}

interface AddedTokenFields {
  id: number;
  content: string;
  special?: boolean | undefined;
  normalized?: boolean | undefined;
}

function toAddedToken({ id, content, special = false, normalized = !special }: AddedTokenFields): AddedToken {
  return { id, content, special, normalized };
}

/** Texts of all ids, those of added tokens included. */
function gatherTokens(
  vocab: readonly (readonly [token: string, id: number])[],
  added: readonly AddedToken[],
  fail: Fail,
): string[] {
  const tokens = new Map<number, string>();
  const addedIds = new Map(added.map(({ content, id }) => [content, id]));
  if (addedIds.size < added.length) fail('added_tokens names a token twice');
  for (const { content, id } of added) {
    if (tokens.has(id)) fail(`id ${id} is given to two added tokens`);
    tokens.set(id, content);
  }
  for (const [token, id] of vocab) {
    const addedId = addedIds.get(token);
    if (addedId === id) continue;
    if (addedId !== undefined) fail(`token ${JSON.stringify(token)} has ids ${id} and ${addedId}`);
    if (tokens.has(id)) fail(`id ${id} is given to two tokens, one of them ${JSON.stringify(token)}`);
    tokens.set(id, token);
  }
  return Array.from({ length: tokens.size }, (_, id) => {
    return tokens.get(id) ?? fail(`no token has id ${id} though ids must run from 0 to ${tokens.size - 1}`);
  });
}

function checkBytes(tokens: ReadonlySet<string>, fail: Fail): void {
  BYTE_TO_CHARACTER.forEach((character, byte) => {
    if (!tokens.has(character)) fail(`the vocabulary lacks byte ${byte}, written ${JSON.stringify(character)}`);
  });
}

/** Bytes of a token in the byte-level alphabet; added tokens are written as they are. */
function toBytes(tokens: readonly string[], added: readonly AddedToken[], fail: Fail): Uint8Array[] {
  const encoder = new TextEncoder();
  const isAdded = new Set(added.map(({ id }) => id));
  return tokens.map((token, id) => {
    if (isAdded.has(id)) return encoder.encode(token);
    const bytes = tokenToBytes(token);
    if (bytes === undefined || bytes.length === 0) {
      return fail(`token ${JSON.stringify(token)} is not written in the byte-level alphabet`);
    }
    return bytes;
  });
}
function gatherMerges(
  vocab: Record<string, number>,
  merges: readonly (string | readonly [string, string])[],
  added: ReadonlySet<string>,
  fail: Fail,
): [left: number, right: number][] {
  const seen = new Set<string>();
  return merges.map((merge, rank) => {
    const [left, right, ...rest] = typeof merge === 'string' ? merge.split(' ') : merge;
    if (left === undefined || right === undefined || rest.length > 0) {
      return fail(`model.merges.${rank} is not a pair of tokens`);
    }
    for (const token of [left, right, left + right]) {
      if (!Object.hasOwn(vocab, token) || added.has(token)) {
        fail(`model.merges.${rank} needs ${JSON.stringify(token)} as an ordinary token`);
      }
    }
    const key = `${left} ${right}`;
    if (seen.has(key)) fail(`model.merges.${rank} repeats the pair ${JSON.stringify(key)}`);
    seen.add(key);
    return [vocab[left]!, vocab[right]!];
  });
}
