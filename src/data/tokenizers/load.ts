import { z } from 'zod';
import type { Tokenizer } from '../tokenizer.ts';
import { BpeTokenizer } from './bpe.ts';
import { BYTE_ORDER, BYTE_TO_CHARACTER, tokenToBytes } from './byte-level.ts';
import type { AddedToken } from './byte-level-tokenizer.ts';
import { ByteTokenizer } from './bytes.ts';

const addedTokenSchema = () =>
  z.object({
    id: z.int().min(0),
    content: z.string().min(1).regex(/^\S+$/, 'must not contain white space'),
    single_word: z.literal(false).optional(),
    lstrip: z.literal(false).optional(),
    rstrip: z.literal(false).optional(),
    normalized: z.boolean().optional(),
    special: z.boolean().optional(),
  });

/** What this package reads: GPT-2's form of byte-level BPE, and nothing that would change the ids. */
const tokenizerSchema = z.lazy(() =>
  z.object({
    truncation: z.null().optional(),
    padding: z.null().optional(),
    added_tokens: z.array(addedTokenSchema()).default([]),
    normalizer: z.null().optional(),
    pre_tokenizer: z.object({
      type: z.literal('ByteLevel'),
      add_prefix_space: z.literal(false),
      use_regex: z.literal(true).optional(),
    }),
    post_processor: z.object({ type: z.literal('ByteLevel') }).nullish(),
    decoder: z.object({ type: z.literal('ByteLevel') }),
    model: z.object({
      type: z.literal('BPE').optional(),
      dropout: z.null().optional(),
      continuing_subword_prefix: z.literal('').nullish(),
      end_of_word_suffix: z.literal('').nullish(),
      byte_fallback: z.literal(false).optional(),
      ignore_merges: z.literal(false).optional(),
      vocab: z.custom<Record<string, number>>(
        (value) =>
          typeof value === 'object' && value !== null && Object.values(value).every((v) => Number.isInteger(v)),
        'must map tokens to integer ids',
      ),
      merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
    }),
  }),
);

/**
 * Makes a tokenizer from the parsed contents of a tokenizer.json: byte-level BPE in GPT-2's form, or the byte tokenizer.
 *
 * @param name what error messages call the source, such as its path
 * @throws in one sentence, if the file is of another kind or contradicts itself
 */
export function loadTokenizer(json: unknown, name = 'tokenizer.json'): Tokenizer {
  const fail = (what: string): never => {
    throw new Error(`${name}: ${what}; use a byte-level BPE tokenizer.json such as this package writes.`);
  };
  const parsed = tokenizerSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    return fail(`${issue.path.join('.') || 'the file'} is wrong (${issue.message.replace(/\.$/, '')})`);
  }
  const { model, added_tokens } = parsed.data;
  const added = added_tokens.map(
    ({ id, content, special = false, normalized = !special }): AddedToken => ({ id, content, special, normalized }),
  );
  const tokens = gatherTokens(model.vocab, added, fail);
  const addedContents = new Set(added.map(({ content }) => content));
  const merges = gatherMerges(model.vocab, model.merges, addedContents, fail);
  for (let byte = 0; byte < 256; byte++) {
    if (!Object.hasOwn(model.vocab, BYTE_TO_CHARACTER[byte]!)) {
      fail(`the vocabulary lacks byte ${byte}, written ${JSON.stringify(BYTE_TO_CHARACTER[byte])}`);
    }
  }
  const isBytes = BYTE_ORDER.every((byte, id) => model.vocab[BYTE_TO_CHARACTER[byte]!] === id);
  if (isBytes && merges.length === 0 && tokens.length === 256 + added.length) return new ByteTokenizer({ added });
  return new BpeTokenizer({ tokens, merges, added });
}

type Fail = (what: string) => never;

function gatherTokens(vocab: Record<string, number>, added: readonly AddedToken[], fail: Fail): Uint8Array[] {
  const encoder = new TextEncoder();
  const tokens = new Map<number, Uint8Array>();
  const addedIds = new Map(added.map(({ content, id }) => [content, id]));
  if (addedIds.size < added.length) fail('added_tokens names a token twice');
  for (const { content, id } of added) {
    if (tokens.has(id)) fail(`id ${id} is given to two added tokens`);
    if (Object.hasOwn(vocab, content) && vocab[content] !== id) {
      fail(`token ${JSON.stringify(content)} has ids ${vocab[content]} and ${id}`);
    }
    tokens.set(id, encoder.encode(content));
  }
  for (const [token, id] of Object.entries(vocab)) {
    if (addedIds.has(token)) continue;
    if (tokens.has(id)) fail(`id ${id} is given to two tokens, one of them ${JSON.stringify(token)}`);
    const bytes = tokenToBytes(token);
    if (bytes === undefined || bytes.length === 0) {
      return fail(`token ${JSON.stringify(token)} is not written in the byte-level alphabet`);
    }
    tokens.set(id, bytes);
  }
  return Array.from({ length: tokens.size }, (_, id) => {
    return tokens.get(id) ?? fail(`no token has id ${id} though ids must run from 0 to ${tokens.size - 1}`);
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
