import { DataError } from '../../base/errors.ts';
import type { Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { type Tokenizer, tokenizerKind } from '../../tokenizers/tokenizer.ts';
import { checkedDocuments, splitterOf } from '../dataset/dataset-text.ts';
import { type Dataset, datasetKind } from '../dataset/open-dataset.ts';
import { BadRecords, type ReadingReport } from '../formats/records.ts';
import { datasetKey, tokensFingerprint } from './fingerprint.ts';
import { openTokens, type TokenizedDataset } from './token-file.ts';
import { readFooter, verifyTokens } from './token-footer.ts';
import { TokenMemory, type TokenSink, tokenizeDocuments } from './token-store.ts';
import { TokenFileWriter } from './token-writer.ts';

export interface TokenizeDatasetOptions extends Stoppable {
  /** Where the tokens are kept. Default: in memory. */
  readonly file?: string | undefined;
  /** Called every so often with the number of tokens written. */
  readonly onProgress?: ((tokens: number) => void) | undefined;
}

/** Tokens between two calls of `onProgress`, where they are kept in memory. */
const progressStep = 1 << 20;

/**
 * Tokenises a dataset into `options.file`, all parts in one pass with bounded memory. By tail, a pass before counts
 * characters unless `datasetText` has done so. The file is used as it is if files, tokenizer, format and split are what
 * they were. The file appears only once it is complete. Without a file, tokens are kept in memory. What reading left
 * out is in the result, also where the file is used again.
 *
 * @throws as the readers do, and where no record can be used or a part would be empty
 * @throws FileError when the file cannot be written; an earlier file then stays as it was
 */
export async function tokenizeDataset(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: TokenizeDatasetOptions = {},
): Promise<TokenizedDataset> {
  checkArguments('tokenizeDataset', { dataset, tokenizer }, { dataset: datasetKind, tokenizer: tokenizerKind });
  checkOptions<TokenizeDatasetOptions>('tokenizeDataset', options, {
    file: option.string,
    onProgress: option.function,
    signal: option.signal,
  });
  const { file, onProgress = () => {}, signal } = options;
  if (file === undefined) {
    let tokens = 0;
    const memory = new TokenMemory(tokenizer, { signal }, (written) => {
      const before = tokens;
      tokens += written;
      if (Math.floor(tokens / progressStep) > Math.floor(before / progressStep)) onProgress(tokens);
    });
    const report = await readInto(memory, dataset, options);
    const store = memory.finish();
    const fingerprint = await tokensFingerprint(store.train, store.vocabSize, options);
    return { ...store, ...report, reused: false, fingerprint };
  }
  const key = await datasetKey(dataset, tokenizer);
  const earlier = await readFooter(file);
  if (earlier?.key === key) {
    await verifyTokens(file, earlier);
    return openTokens(file, earlier, tokenizer.vocabSize, true);
  }
  const writer = await TokenFileWriter.create(file, tokenizer, onProgress, signal);
  try {
    const footer = await writer.finish(key, await readInto(writer, dataset, options));
    return await openTokens(file, footer, tokenizer.vocabSize, false);
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

async function readInto(sink: TokenSink, dataset: Dataset, options: Stoppable): Promise<ReadingReport> {
  const splitter = await splitterOf(dataset, options);
  const report = { bad: new BadRecords(), skipped: new Map<string, number>() };
  const count = await tokenizeDocuments(checkedDocuments(dataset, report), splitter, sink, options);
  if (count === 0) {
    const why = report.bad.examples[0]?.reason ?? 'nothing is in them that is read';
    throw new DataError(
      `No record of ${describeFiles(dataset.files)} can be used (${why}); check the files and their format.`,
    );
  }
  return { ...report, notes: splitter.note === undefined ? [] : [splitter.note] };
}

const describeFiles = (files: readonly string[]) =>
  files.length === 1 ? files[0]! : `${files.length} files (${files[0]}, …)`;
