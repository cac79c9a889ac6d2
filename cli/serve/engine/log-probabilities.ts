import type { Tokenizer } from '../../../src/entries/tokenizers.ts';

/** A generated token with its log-probability (nats, before temperature) and those of the likeliest. */
export interface TokenLogProbability {
  readonly token: string;
  readonly logProbability: number;
  /** Likeliest first. */
  readonly top: readonly (readonly [token: string, logProbability: number])[];
  /** Where the token's text starts in the completion, in UTF-16 units. */
  readonly offset: number;
}

/** OpenAI's form of {@link TokenLogProbability}. */
export interface LogProbabilitiesJson {
  tokens: string[];
  token_logprobs: number[];
  top_logprobs: Record<string, number>[];
  text_offset: number[];
}

/** O(logits.length·count). @param count how many of the likeliest to name, 0 or more */
export function logProbabilities(
  logits: ArrayLike<number>,
  token: number,
  count: number,
  tokenizer: Tokenizer,
  offset: number,
): TokenLogProbability {
  let largest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) largest = Math.max(largest, logits[id]);
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id] - largest);
  const logSum = largest + Math.log(sum);
  return {
    token: tokenText(tokenizer, token),
    logProbability: logits[token] - logSum,
    top: likeliest(logits, count).map((id) => [tokenText(tokenizer, id), logits[id] - logSum]),
    offset,
  };
}

export function logProbabilitiesToJson(entries: readonly TokenLogProbability[]): LogProbabilitiesJson {
  return {
    tokens: entries.map(({ token }) => token),
    token_logprobs: entries.map(({ logProbability }) => logProbability),
    top_logprobs: entries.map(({ top }) => Object.fromEntries(top)),
    text_offset: entries.map(({ offset }) => offset),
  };
}

/** Ids of the `count` largest logits, largest first; ties go to the smaller id. */
function likeliest(logits: ArrayLike<number>, count: number): number[] {
  const best: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && (count === 0 || logits[id] <= logits[best[count - 1]])) continue;
    const at = best.findIndex((other) => logits[id] > logits[other]);
    best.splice(at < 0 ? best.length : at, 0, id);
    best.length = Math.min(best.length, count);
  }
  return best;
}

/** The token's text; where its bytes are no whole characters, `bytes:\xe2\x80`, as OpenAI writes them. */
function tokenText(tokenizer: Tokenizer, id: number): string {
  // Models may have more ids than their tokenizer.
  if (id >= tokenizer.vocabSize) return `token:${id}`;
  const text = tokenizer.decode([id]);
  if (!text.includes('\ufffd')) return text;
  try {
    const bytes = tokenizer.bytesOf(id);
    return `bytes:${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  } catch {
    // Not every tokenizer knows bytes.
    return text;
  }
}
