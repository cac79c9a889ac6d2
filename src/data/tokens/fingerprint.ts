/** Hashes that tell whether tokens are those of the same data and options. */

import { type BinaryLike, createHash, type Hash } from 'node:crypto';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { jsonOf } from '../../base/json.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import type { Tokenizer } from '../../tokenizers/tokenizer.ts';
import { statesOf } from '../dataset/dataset-text.ts';
import type { Dataset } from '../dataset/open-dataset.ts';
import { packedArray, type TokenSplit, tokenSplitKind } from './token-store.ts';

export const createFingerprint = (): Hash => createHash('sha256');

/** SHA-256 as hexadecimal digits. */
export const fingerprintOf = (data: BinaryLike): string => createFingerprint().update(data).digest('hex');

/** The fingerprint of tokens as files hold them: equal for equal tokens, wherever they are. */
export async function tokensFingerprint(
  tokens: TokenSplit,
  vocabSize: number,
  options: Stoppable = {},
): Promise<string> {
  checkArguments('tokensFingerprint', { tokens, vocabSize }, { tokens: tokenSplitKind, vocabSize: option.natural });
  checkOptions<Stoppable>('tokensFingerprint', options, { signal: option.signal });
  const hash = createFingerprint();
  const pauses = new Pauses(options.signal);
  for (let start = 0; start < tokens.length; start += BLOCK) {
    await pauses.next();
    hash.update(packedArray(vocabSize).from(await tokens.read(start, Math.min(BLOCK, tokens.length - start))));
  }
  return hash.digest('hex');
}

const BLOCK = 1 << 18;

/**
 * Everything that the tokens of a dataset depend on: its files' paths, sizes and times, its options and split, and the
 * tokenizer.
 */
export async function datasetKey(dataset: Dataset, tokenizer: Tokenizer): Promise<string> {
  const { split, files, configuration, format, classes } = dataset;
  const { data: _, split: __, ...reading } = configuration;
  // Files of earlier releases lack labels and groups; data that has these is tokenised again.
  const labels = classes !== undefined || format === 'labelled' ? true : undefined;
  const groups = format === 'fasta' || ('group' in reading && reading.group !== undefined) ? true : undefined;
  const tokens = fingerprintOf(jsonOf('the tokenizer', tokenizer.toJSON()));
  return jsonOf('the configuration of the dataset', {
    reading,
    split,
    labels,
    groups,
    tokenizer: tokens,
    inputs: await statesOf(files),
  });
}
