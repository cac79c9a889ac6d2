/**
 * Training of a unigram language model of subwords (Kudo 2018), as SentencePiece does it. Start from many frequent
 * substrings and fit their probabilities by expectation–maximisation. Then drop the quarter of the tokens that the
 * likelihood would miss least, and so on until few enough are left.
 */

import { Pauses } from '../../base/event-loop.ts';
import { option } from '../../base/options.ts';
import { specialTokensFrom } from '../added-tokens.ts';
import { BYTE_ORDER } from '../byte-level/byte-level.ts';
import { UnigramTokenizer } from '../unigram.ts';
import { frequentSubstrings, type Substrings } from './frequent-substrings.ts';
import { countPreTokens } from './pre-tokens.ts';
import { checkInteger, checkSubwordTraining, type SubwordTrainingOptions } from './subword-options.ts';
import { WordLattices } from './word-lattices.ts';
import { WordList } from './word-list.ts';

/** The vocabulary has fewer ids than wanted if the text has fewer frequent substrings. */
export interface TrainUnigramOptions extends SubwordTrainingOptions {
  /** Longest token, in characters. Default 16. */
  maxTokenLength?: number;
  /** Substrings to start from. Default 1,000,000. */
  numSeeds?: number;
}

/** Added to the count of every byte, as bytes must stay possible where the text lacks them. */
export const BYTE_PRIOR = 0.01;

/** Keeps logarithms finite. */
const SMALLEST_COUNT = 1e-300;

/** Steps of expectation–maximisation between prunings, and share of the tokens that a pruning keeps. */
const NUM_STEPS = 2;
const KEPT_SHARE = 0.75;

/**
 * Trains a tokenizer on texts. No token crosses from one text to the next, so hand a stream over as `segments(stream)`.
 * The same texts give the same tokenizer. Time and memory grow with the distinct pre-tokens (words, roughly): about a
 * hundred bytes for each of their characters.
 *
 * @throws ConfigurationError if an option is out of range
 */
export async function trainUnigram(
  texts: Iterable<string> | AsyncIterable<string>,
  options: TrainUnigramOptions,
): Promise<UnigramTokenizer> {
  const specials = checkSubwordTraining<TrainUnigramOptions>('trainUnigram', texts, options, {
    maxTokenLength: option.number,
    numSeeds: option.number,
  });
  const { vocabSize, maxTokenLength = 16, numSeeds = 1_000_000, onProgress } = options;
  checkInteger('maxTokenLength', maxTokenLength, 1, 64);
  checkInteger('numSeeds', numSeeds, 0, 1 << 24);
  const pauses = new Pauses(options.signal);
  const words = new WordList(await countPreTokens(texts, specials, pauses));
  await pauses.next();
  const substrings = frequentSubstrings(words, maxTokenLength);
  const wanted = vocabSize - specials.length;
  const seeds = chooseSeeds(substrings, Math.max(numSeeds, wanted - 256));
  const lattices = new WordLattices(words, substrings, seeds);
  await pauses.next();
  let scores = seedScores(words, substrings, seeds);
  while (lattices.size > wanted) {
    for (let step = 0; step < NUM_STEPS; step++) {
      await pauses.next();
      scores = maximise(lattices.expectedCounts(scores).counts);
    }
    await pauses.next();
    const kept = tokensToKeep(lattices, scores, wanted);
    lattices.keep(kept);
    scores = Float64Array.from(kept, (token) => scores[token]!);
    onProgress?.(lattices.size, wanted);
  }
  for (let step = 0; step < NUM_STEPS; step++) {
    await pauses.next();
    scores = maximise(lattices.expectedCounts(scores).counts);
  }
  const tokens = Array.from(scores, (score, token) => ({ bytes: lattices.bytesOf(token), score: round(score) }));
  // Array.sort is stable, and substrings come in the order of their bytes.
  const ordered = [...tokens.slice(0, 256), ...tokens.slice(256).sort((a, b) => b.score - a.score)];
  return new UnigramTokenizer({ tokens: ordered, added: specialTokensFrom(ordered.length, specials) });
}

/** The substrings with the largest count · length, in their own order; of equal ones the first. */
export function chooseSeeds({ counts, characters }: Substrings, numSeeds: number): Int32Array {
  const weights = Float64Array.from(counts, (count, i) => count * characters[i]!);
  const order = Int32Array.from(weights.keys());
  if (order.length <= numSeeds) return order;
  return order
    .sort((a, b) => weights[b]! - weights[a]! || a - b)
    .slice(0, numSeeds)
    .sort();
}

/** Log-probabilities to start from: in proportion to count · length, as SentencePiece does. */
export function seedScores(words: WordList, { counts, characters }: Substrings, seeds: Int32Array): Float64Array {
  const weights = new Float64Array(256 + seeds.length);
  const ofByte = new Float64Array(256);
  for (let word = 0; word < words.size; word++) {
    for (let i = words.starts[word]!; i < words.starts[word + 1]!; i++) ofByte[words.bytes[i]!]! += words.counts[word]!;
  }
  BYTE_ORDER.forEach((byte, id) => {
    weights[id] = ofByte[byte]!;
  });
  seeds.forEach((seed, i) => {
    weights[256 + i] = counts[seed]! * characters[seed]!;
  });
  return maximise(weights);
}

/** The probabilities, as logarithms, that make counts likeliest; with {@link BYTE_PRIOR} for bytes. */
export function maximise(counts: Float64Array): Float64Array {
  const weights = counts.map((count, token) => (token < 256 ? count + BYTE_PRIOR : count));
  const logTotal = Math.log(weights.reduce((sum, weight) => sum + weight, 0));
  return weights.map((weight) => Math.log(Math.max(weight, SMALLEST_COUNT)) - logTotal);
}

/** The bytes, and the tokens without which the likeliest ways to write the words would lose most. Ascending. */
function tokensToKeep(lattices: WordLattices, scores: Float64Array, wanted: number): Int32Array {
  const counts = lattices.bestCounts(scores);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const losses = counts.map((count, token) => {
    if (token < 256) return Infinity;
    if (count === 0) return 0;
    const others = lattices.alternative(token, scores);
    const newTotal = Math.log(total + count * (others.length - 1));
    const alternative = others.reduce((sum, other) => sum + Math.log(counts[other]! + count) - newTotal, 0);
    return count * (Math.log(count) - Math.log(total) - alternative);
  });
  const missed = losses.reduce((sum, loss) => sum + Number(loss > 0), 0);
  const numKept = Math.max(wanted, Math.min(missed, Math.floor(KEPT_SHARE * lattices.size)));
  return Int32Array.from(losses.keys())
    .sort((a, b) => losses[b]! - losses[a]! || a - b)
    .slice(0, numKept)
    .sort();
}

/** Multiples of 2⁻¹² have exact sums, so all libraries find the same ways equally likely, and break ties alike. */
const round = (score: number) => Math.round(score * 4096) / 4096;
