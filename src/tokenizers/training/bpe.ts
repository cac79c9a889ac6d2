/**
 * Training of byte-pair encoding (Sennrich et al., 2016): start from bytes and join the most frequent pair of
 * neighbours again and again. Equal pre-tokens are counted once. The places of each pair are kept in a list of its own,
 * so that a merge costs only as much as it changes.
 */

import { ConfigurationError } from '../../base/errors.ts';
import { Pauses } from '../../base/event-loop.ts';
import { option } from '../../base/options.ts';
import { specialTokensFrom } from '../added-tokens.ts';
import { BpeTokenizer, keyOf } from '../bpe.ts';
import { BYTE_ORDER } from '../byte-level/byte-level.ts';
import { PairQueue } from './pair-queue.ts';
import { countPreTokens } from './pre-tokens.ts';
import { checkSubwordTraining, type SubwordTrainingOptions } from './subword-options.ts';

/** The vocabulary has fewer ids than wanted if the text has no further frequent pairs. */
export interface TrainBpeOptions extends SubwordTrainingOptions {
  /** Pairs that occur less often are not joined. Default 2. */
  minFrequency?: number;
}

/**
 * Trains a tokenizer on texts. No token crosses from one text to the next, so hand a stream over as `segments(stream)`.
 * The same texts give the same tokenizer: ties go to the pair of smaller ids.
 *
 * @throws ConfigurationError if vocabSize or minFrequency is out of range
 */
export async function trainBpe(
  texts: Iterable<string> | AsyncIterable<string>,
  options: TrainBpeOptions,
): Promise<BpeTokenizer> {
  const specials = checkSubwordTraining<TrainBpeOptions>('trainBpe', texts, options, { minFrequency: option.number });
  const { vocabSize, minFrequency = 2, onProgress } = options;
  if (!Number.isInteger(minFrequency) || minFrequency < 1) {
    throw new ConfigurationError(`minFrequency is ${minFrequency}; use an integer of at least 1.`);
  }
  const pauses = new Pauses(options.signal);
  const words = await countPreTokens(texts, specials, pauses);
  const tokens: Uint8Array[] = Array.from(BYTE_ORDER, (byte) => Uint8Array.of(byte));
  const merges = await findMerges(words, tokens, vocabSize - specials.length, minFrequency, onProgress, pauses);
  const added = specialTokensFrom(tokens.length, specials);
  tokens.push(...added.map(({ content }) => new TextEncoder().encode(content)));
  return new BpeTokenizer({ tokens, merges, added });
}

async function findMerges(
  words: ReadonlyMap<string, number>,
  tokens: Uint8Array[],
  numTokens: number,
  minFrequency: number,
  onProgress: TrainBpeOptions['onProgress'],
  pauses: Pauses,
): Promise<[left: number, right: number][]> {
  const idOfKey = new Map(tokens.map((bytes, id) => [keyOf(bytes), id]));
  await pauses.next();
  const places = new Places(words);
  const wanted = numTokens - tokens.length;
  const merges: [number, number][] = [];
  while (tokens.length < numTokens) {
    if (pauses.isDue) await pauses.next();
    const pair = places.queue.pop();
    if (pair === -1 || places.queue.counts[pair]! < minFrequency) break;
    const left = places.queue.lefts[pair]!;
    const right = places.queue.rights[pair]!;
    const bytes = Uint8Array.of(...tokens[left]!, ...tokens[right]!);
    // Two pairs can join to the same bytes: (a, bc) and (ab, c).
    let id = idOfKey.get(keyOf(bytes));
    if (id === undefined) {
      id = tokens.length;
      idOfKey.set(keyOf(bytes), id);
      tokens.push(bytes);
    }
    merges.push([left, right]);
    places.merge(pair, id);
    if (merges.length % 256 === 0) onProgress?.(merges.length, wanted);
  }
  onProgress?.(merges.length, wanted);
  return merges;
}

/** All words as linked symbols; the positions whose pair with the next symbol is the same form a linked list. */
class Places {
  readonly queue = new PairQueue();
  private readonly symbols: Int32Array;
  /** How often the word at this position occurs. */
  private readonly weights: Float64Array;
  private readonly previous: Int32Array;
  private readonly next: Int32Array;
  /** Pair that starts here, −1 for no pair, and its list. */
  private readonly pairAt: Int32Array;
  private readonly before: Int32Array;
  private readonly after: Int32Array;
  private readonly heads: number[] = [];

  constructor(words: ReadonlyMap<string, number>) {
    const idOfByte = new Int32Array(256);
    BYTE_ORDER.forEach((byte, id) => {
      idOfByte[byte] = id;
    });
    const encoder = new TextEncoder();
    let length = 0;
    const encoded: [Uint8Array, number][] = [];
    for (const [word, count] of words) {
      const bytes = encoder.encode(word);
      if (bytes.length < 2) continue;
      encoded.push([bytes, count]);
      length += bytes.length;
    }
    this.symbols = new Int32Array(length);
    this.weights = new Float64Array(length);
    this.previous = new Int32Array(length).fill(-1);
    this.next = new Int32Array(length).fill(-1);
    this.pairAt = new Int32Array(length).fill(-1);
    this.before = new Int32Array(length).fill(-1);
    this.after = new Int32Array(length).fill(-1);
    let offset = 0;
    for (const [bytes, count] of encoded) {
      for (let i = 0; i < bytes.length; i++) {
        const place = offset + i;
        this.symbols[place] = idOfByte[bytes[i]!]!;
        this.weights[place] = count;
        if (i > 0) {
          this.previous[place] = place - 1;
          this.next[place - 1] = place;
          this.link(place - 1);
        }
      }
      offset += bytes.length;
    }
    for (let pair = 0; pair < this.queue.counts.length; pair++) this.queue.push(pair);
  }

  /** Makes every occurrence of `pair` the symbol `id`, from left to right. */
  merge(pair: number, id: number): void {
    const { symbols, next, previous, pairAt } = this;
    const places: number[] = [];
    for (let place = this.heads[pair]!; place !== -1; place = this.after[place]!) places.push(place);
    const grown = new Set<number>();
    for (const place of Int32Array.from(places).sort()) {
      // In `aaa` the second pair is gone once the first is joined.
      if (pairAt[place] !== pair) continue;
      const gone = next[place]!;
      const left = previous[place]!;
      const right = next[gone]!;
      this.unlink(place);
      if (left !== -1) this.unlink(left);
      if (right !== -1) this.unlink(gone);
      symbols[place] = id;
      next[place] = right;
      if (right !== -1) previous[right] = place;
      if (left !== -1) grown.add(this.link(left));
      if (right !== -1) grown.add(this.link(place));
    }
    for (const changed of grown) this.queue.push(changed);
  }

  private link(place: number): number {
    const { symbols, heads, after, before } = this;
    const pair = this.queue.index(symbols[place]!, symbols[this.next[place]!]!);
    const head = heads[pair] ?? -1;
    this.pairAt[place] = pair;
    before[place] = -1;
    after[place] = head;
    if (head !== -1) before[head] = place;
    heads[pair] = place;
    this.queue.counts[pair]! += this.weights[place]!;
    return pair;
  }

  private unlink(place: number): void {
    const { before, after } = this;
    const pair = this.pairAt[place]!;
    const earlier = before[place]!;
    const later = after[place]!;
    if (earlier !== -1) after[earlier] = later;
    else this.heads[pair] = later;
    if (later !== -1) before[later] = earlier;
    this.pairAt[place] = -1;
    this.queue.counts[pair]! -= this.weights[place]!;
  }
}
