/** Texts with classes, as rows of batches for a classifier. */

import { ConfigurationError, DataError } from '../../base/errors.ts';
import { Pauses } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import type { Tokenizer } from '../../tokenizers/tokenizer.ts';
import type { DataRecord } from '../dataset/records.ts';
import { checkRange, type TokenSplit, tokenSplitKind } from '../tokens/token-store.ts';
import { evaluationSequences, trainingSequences } from './sequences.ts';
import type { EvaluationWindows, TrainingWindows } from './windows.ts';

/** A text and its class. */
export interface LabelledRecord extends DataRecord {
  /** From 0. */
  readonly label: number;
}

/** Texts with classes, tokenised and in memory. */
export interface LabelledTokens {
  /** One document for each text. */
  readonly tokens: TokenSplit;
  /** `[number of texts]` */
  readonly classes: Int32Array;
  /** One more than the largest class. */
  readonly numClasses: number;
  readonly vocabSize: number;
}

export interface LabelledTokensOptions {
  /** Tokens of a text that are kept, its first. Default: all. */
  readonly maxLength?: number;
  /** Stops the work: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tokenises texts with classes. A token takes one byte in memory where the vocabulary has at most 256, else four.
 *
 * @throws if there are no texts, one gives no token, or a class is not an integer from 0
 */
export async function labelledTokens(
  records: Iterable<Labelled> | AsyncIterable<Labelled>,
  tokenizer: Pick<Tokenizer, 'encode' | 'vocabSize'>,
  options: LabelledTokensOptions = {},
): Promise<LabelledTokens> {
  checkArguments('labelledTokens', { records, tokenizer }, { records: option.iterable, tokenizer: encoderKind });
  checkOptions<LabelledTokensOptions>('labelledTokens', options, { maxLength: option.number, signal: option.signal });
  const { maxLength = Number.POSITIVE_INFINITY } = options;
  if (!(maxLength >= 1)) throw new ConfigurationError(`maxLength is ${maxLength}; use a positive number.`);
  const ArrayOfIds = tokenizer.vocabSize <= 256 ? Uint8Array : Int32Array;
  const encoder = new TextEncoder();
  const texts: (Uint8Array | Int32Array)[] = [];
  const documents: number[] = [];
  const classes: number[] = [];
  let length = 0;
  let characters = 0;
  let bytes = 0;
  const pauses = new Pauses(options.signal);
  for await (const { text, label } of records) {
    await pauses.next();
    const number = texts.length + 1;
    if (!Number.isInteger(label) || label < 0) {
      throw new DataError(`Text ${number} has class ${label}; number classes from 0.`);
    }
    const ids = tokenizer.encode(text).subarray(0, maxLength);
    if (ids.length === 0) throw new DataError(`Text ${number} gives no token; leave out empty texts.`);
    texts.push(ArrayOfIds.from(ids));
    documents.push(length);
    classes.push(label);
    length += ids.length;
    characters += Array.from(text).length;
    bytes += encoder.encode(text).length;
  }
  if (texts.length === 0) throw new DataError('There are no texts to classify; give at least one.');
  const read = async (offset: number, count: number) => {
    checkRange(offset, count, length);
    const out = new Int32Array(count);
    let at = 0;
    for (let i = lastAtMost(documents, offset); at < count; i++) {
      const from = offset + at - documents[i]!;
      const part = texts[i]!.subarray(from, from + count - at);
      out.set(part, at);
      at += part.length;
    }
    return out;
  };
  return {
    tokens: { length, characters, bytes, documents, read },
    classes: Int32Array.from(classes),
    numClasses: classes.reduce((most, label) => Math.max(most, label + 1), 0),
    vocabSize: tokenizer.vocabSize,
  };
}

type Labelled = Pick<LabelledRecord, 'text' | 'label'>;

/** Index of the last of ascending numbers that is at most `value`. */
function lastAtMost(numbers: readonly number[], value: number): number {
  let low = 0;
  let high = numbers.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! <= value) low = middle;
    else high = middle;
  }
  return low;
}

export interface LabelledBatchOptions {
  /** Rows of a batch. */
  readonly batchSize: number;
  /** Places of a row: longer texts are cut at the end, shorter ones padded. */
  readonly length: number;
  /** Id put before every text, such as one that the classifier reads from. Default: none. */
  readonly begin?: number | undefined;
  /** Input at places without a token, which segment −1 marks. Default 0. */
  readonly padding?: number | undefined;
}

/**
 * Batches of texts in random order, each text once in an epoch: `targets` is `[batchSize]`, one class for each row, and
 * `segments` are 0 on the text and −1 behind it. Batch number `step` depends on the step and the seed alone.
 *
 * @throws if a size is not a positive integer
 */
export function trainingExamples(
  data: Pick<LabelledTokens, 'tokens' | 'classes'>,
  options: LabelledBatchOptions & { readonly seed: number },
): TrainingWindows {
  checkArguments('trainingExamples', { data, options }, { data: labelledKind, options: option.object });
  return trainingSequences(data.tokens, { ...options, packing: 'pad', classes: data.classes });
}

/** Batches of all texts in their order, each once; the last batch may have fewer rows. @throws as {@link trainingExamples} */
export function evaluationExamples(
  data: Pick<LabelledTokens, 'tokens' | 'classes'>,
  options: LabelledBatchOptions,
): EvaluationWindows {
  checkArguments('evaluationExamples', { data, options }, { data: labelledKind, options: option.object });
  return evaluationSequences(data.tokens, { ...options, packing: 'pad', classes: data.classes });
}

const labelledKind = option.having('what labelledTokens() gives', {
  tokens: tokenSplitKind,
  classes: option.view('Int32Array'),
});

const encoderKind = option.having('a tokenizer', { vocabSize: option.natural, encode: option.function });
