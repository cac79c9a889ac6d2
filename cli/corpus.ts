import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  ByteTokenizer,
  documentParts,
  expandPaths,
  fileDocuments,
  ProteinTokenizer,
  planSplit,
  type SplitRule,
  segments,
  type TokenFileStore,
  type Tokenizer,
  tokenizeFiles,
  trainBpe,
  trainCharacters,
  trainUnigram,
} from '../src/node.ts';
import type { RunConfiguration } from './configuration.ts';

/** Files, tokenised with a tokenizer. */
export interface Corpus {
  readonly files: readonly string[];
  readonly tokenizer: Tokenizer;
  readonly store: TokenFileStore;
}

/**
 * Trains the tokenizer that `configuration` asks for, on the training part alone, and tokenises its files into
 * `out/tokens.bin` (or uses that file, if nothing has changed).
 */
export async function openCorpus(configuration: RunConfiguration, out: string): Promise<Corpus> {
  const files = (await expandPaths(configuration.data)).map((file) => resolve(file));
  return tokenize(files, await makeTokenizer(configuration, files), configuration.split, out);
}

/** Tokenises files with a tokenizer that is there already. */
export async function tokenize(
  files: readonly string[],
  tokenizer: Tokenizer,
  split: SplitRule,
  out: string,
): Promise<Corpus> {
  await mkdir(out, { recursive: true });
  return { files, tokenizer, store: await tokenizeFiles(files, tokenizer, { file: join(out, 'tokens.bin'), split }) };
}

async function makeTokenizer({ tokenizer, split }: RunConfiguration, files: readonly string[]): Promise<Tokenizer> {
  if (tokenizer.type === 'protein') return new ProteinTokenizer();
  const options = { ...tokenizer, endOfText: files.length > 1 };
  if (options.type === 'bytes') return new ByteTokenizer(options);
  const parts = documentParts(await planSplit(fileDocuments(files), split), 'train');
  async function* trainingText() {
    for (const part of parts) yield* segments(part.read());
  }
  if (options.type === 'characters') return trainCharacters(trainingText(), options);
  return options.type === 'bpe' ? trainBpe(trainingText(), options) : trainUnigram(trainingText(), options);
}
