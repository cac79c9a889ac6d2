import { join } from 'node:path';
import {
  type Dataset,
  type DatasetOptions,
  datasetText,
  isHubName,
  listOpsTokenizer,
  openDataset,
  type TokenizedDataset,
  tokenizeDataset,
} from '../../src/entries/data.ts';
import { ConfigurationError, type Stoppable } from '../../src/entries/performers.ts';
import {
  ByteTokenizer,
  PixelTokenizer,
  ProteinTokenizer,
  type Tokenizer,
  trainBpe,
  trainCharacters,
  trainUnigram,
} from '../../src/entries/tokenizers.ts';
import type { Vocabulary } from '../../src/entries/training.ts';
import { formatCount, say } from '../output.ts';
import type { RunConfiguration } from './configuration.ts';

/** Data, tokenised with a tokenizer. */
export interface Corpus {
  readonly dataset: Dataset;
  /** The part of a configuration that finds the same data again, wherever the program runs. */
  readonly source: Pick<RunConfiguration, 'data' | 'dataset' | 'split'>;
  readonly tokenizer: Tokenizer;
  readonly store: TokenizedDataset;
}

/** What batches and models know of the tokens: an image has a beginning, so that its first value is predicted too. */
export function vocabularyOf(tokenizer: Tokenizer, { format }: Pick<Dataset, 'format'>): Vocabulary {
  if (format !== 'images') return tokenizer;
  const { vocabSize, specials } = tokenizer;
  return { vocabSize: vocabSize + 1, specials, specialTokens: { beginning: vocabSize } };
}

/**
 * Trains the tokenizer that `configuration` asks for, on the training part alone. Then tokenises the data into
 * `out/tokens.bin`, or uses that file, if nothing has changed.
 */
export async function openCorpus(
  configuration: RunConfiguration,
  out: string,
  options: Stoppable = {},
): Promise<Corpus> {
  const dataset = await openRunDataset(configuration, options);
  return store(dataset, configuration, await makeTokenizer(configuration, dataset, options), out, options);
}

/** Tokenises data with a tokenizer that is there already. */
export async function tokenize(
  configuration: RunConfiguration,
  tokenizer: Tokenizer,
  out: string,
  options: Stoppable = {},
): Promise<Corpus> {
  return store(await openRunDataset(configuration, options), configuration, tokenizer, out, options);
}

/** Finds the data of a configuration; reads none of it. */
export function openRunDataset({ data, dataset, split }: RunConfiguration, options: Stoppable = {}): Promise<Dataset> {
  // The format decides about the other options, which openDataset checks.
  return openDataset({ ...dataset, data, ...(split && { split }) } as DatasetOptions, options);
}

async function store(
  dataset: Dataset,
  configuration: RunConfiguration,
  tokenizer: Tokenizer,
  out: string,
  { signal }: Stoppable,
): Promise<Corpus> {
  const { files, format, split } = dataset;
  const { data } = dataset.configuration;
  const source = {
    data: data.some(isHubName) ? data : [...files],
    dataset: { ...configuration.dataset, format },
    split,
  };
  const onProgress = tokenProgress();
  const store = await tokenizeDataset(dataset, tokenizer, { file: join(out, 'tokens.bin'), onProgress, signal });
  sayWhatIsLeftOut(store);
  return { dataset, source, tokenizer, store };
}

/** Says every ten seconds how far it is. */
function tokenProgress(): (tokens: number) => void {
  let last = performance.now();
  return (tokens) => {
    if (performance.now() - last < 10_000) return;
    last = performance.now();
    say(`${formatCount(tokens)} tokens read`);
  };
}

function sayWhatIsLeftOut({ bad, skipped, notes = [] }: TokenizedDataset): void {
  for (const note of notes) say(note);
  for (const [reason, count] of skipped) say(`${formatCount(count)} left out: ${reason}`);
  if (bad.count > 0) say(`${formatCount(bad.count)} records cannot be used:\n${bad.describe()}`);
}

async function makeTokenizer(
  configuration: RunConfiguration,
  dataset: Dataset,
  options: Stoppable,
): Promise<Tokenizer> {
  const fixed = fixedTokenizer(configuration, dataset);
  if (fixed) return fixed;
  const { tokenizer } = configuration;
  const shared = { endOfText: dataset.numDocuments !== 1, signal: options.signal };
  const text = datasetText(dataset, 'train', options);
  switch (tokenizer.type) {
    case 'bpe':
    case 'unigram': {
      const { type, ...settings } = tokenizer;
      const train = type === 'bpe' ? trainBpe : trainUnigram;
      return train(text, { ...settings, ...shared });
    }
    default: {
      const { type: _, ...settings } = tokenizer;
      // All symbols of ListOps have a token, whether they occur or not.
      if (dataset.format === 'listops') return listOpsTokenizer({ ...settings, ...shared });
      return trainCharacters(text, { ...settings, ...shared });
    }
  }
}

/**
 * The tokenizer of a configuration, where no text decides about it; undefined where it is trained.
 *
 * @throws ConfigurationError when it does not fit the data
 */
export function fixedTokenizer({ tokenizer }: RunConfiguration, dataset: Dataset): Tokenizer | undefined {
  if ((tokenizer.type === 'pixels') !== (dataset.format === 'images')) {
    throw new ConfigurationError(
      `Data of format ${dataset.format} does not fit the tokenizer ${tokenizer.type}: images take pixels, and nothing else does.`,
    );
  }
  if (tokenizer.type === 'protein') return new ProteinTokenizer();
  if (tokenizer.type === 'pixels') return new PixelTokenizer();
  if (tokenizer.type !== 'bytes') return undefined;
  const { type: _, ...settings } = tokenizer;
  return new ByteTokenizer({ ...settings, endOfText: dataset.numDocuments !== 1 });
}
