import type { Tokenizer } from '../tokenizer.ts';
import { loadForeignTokenizer } from './foreign.ts';
import { loadTokenizer } from './load.ts';

/**
 * Makes a tokenizer from the parsed contents of any tokenizer.json: by `loadTokenizer` where the form is one of this
 * package, else by `loadForeignTokenizer`.
 *
 * @param name what error messages call the source, such as its path
 * @throws in one sentence, if the file is not valid or of a form that neither knows
 */
export async function loadAnyTokenizer(json: unknown, name = 'tokenizer.json'): Promise<Tokenizer> {
  return isForeign(json) ? loadForeignTokenizer(json, name) : loadTokenizer(json, name);
}

interface Parts {
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: unknown;
  readonly post_processor?: unknown;
  readonly decoder?: unknown;
  readonly model?: unknown;
  readonly added_tokens?: unknown;
}

/** Whether a part has a type that `loadTokenizer` never reads: a damaged file of its own stays its own to refuse. */
function isForeign(json: unknown): boolean {
  if (typeof json !== 'object' || json === null) return false;
  const {
    normalizer,
    pre_tokenizer: preTokenizer,
    post_processor: postProcessor,
    decoder,
    model,
    added_tokens: added,
  }: Parts = json;
  return (
    typeOf(normalizer) !== undefined ||
    isOther(preTokenizer, 'ByteLevel') ||
    isOther(postProcessor, 'ByteLevel') ||
    isOther(decoder, 'ByteLevel', 'Fuse') ||
    isOther(model, 'BPE', 'Unigram') ||
    (preTokenizer as { add_prefix_space?: unknown } | null | undefined)?.add_prefix_space === true ||
    (Array.isArray(added) && added.some((token) => token?.lstrip || token?.rstrip || token?.single_word))
  );
}

function isOther(part: unknown, ...known: readonly string[]): boolean {
  const type = typeOf(part);
  return type !== undefined && !known.includes(type);
}

function typeOf(part: unknown): string | undefined {
  const type = (part as { type?: unknown } | null | undefined)?.type;
  return typeof type === 'string' ? type : undefined;
}
