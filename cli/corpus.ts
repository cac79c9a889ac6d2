import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ByteTokenizer,
  ConfigurationError,
  type Dataset,
  type DatasetConfiguration,
  datasetText,
  isHubName,
  LISTOPS_SYMBOLS,
  listOpsLetters,
  openDataset,
  PixelTokenizer,
  ProteinTokenizer,
  type TokenFileStore,
  type Tokenizer,
  tokenizeDataset,
  trainBpe,
  trainCharacters,
  trainUnigram,
  type Vocabulary,
} from '../src/node.ts';
import type { RunConfiguration } from './configuration.ts';
import { formatCount, say } from './output.ts';

/** Data, tokenised with a tokenizer. */
export interface Corpus {
  readonly dataset: Dataset;
  /** What of a configuration finds the same data again, wherever the program runs. */
  readonly source: Pick<RunConfiguration, 'data' | 'dataset' | 'split'>;
  readonly tokenizer: Tokenizer;
  readonly store: TokenFileStore;
}

/** What batches and models know of the tokens: an image has a beginning, so that its first value is predicted too. */
export function vocabularyOf(tokenizer: Tokenizer, { format }: Pick<Dataset, 'format'>): Vocabulary {
  if (format !== 'images') return tokenizer;
  const { vocabSize, specials } = tokenizer;
  return { vocabSize: vocabSize + 1, specials, specialTokens: { beginning: vocabSize } };
}

/**
 * Trains the tokenizer that `configuration` asks for, on the training part alone, and tokenises its data into
 * `out/tokens.bin` (or uses that file, if nothing has changed).
 */
export async function openCorpus(configuration: RunConfiguration, out: string): Promise<Corpus> {
  const dataset = await open(configuration);
  return store(dataset, configuration, await makeTokenizer(configuration, dataset), out);
}

/** Tokenises data with a tokenizer that is there already. */
export async function tokenize(configuration: RunConfiguration, tokenizer: Tokenizer, out: string): Promise<Corpus> {
  return store(await open(configuration), configuration, tokenizer, out);
}

function open({ data, dataset, split }: RunConfiguration): Promise<Dataset> {
  // The format decides about the other options, which openDataset checks.
  return openDataset({ ...dataset, data, ...(split && { split }) } as DatasetConfiguration);
}

async function store(
  dataset: Dataset,
  configuration: RunConfiguration,
  tokenizer: Tokenizer,
  out: string,
): Promise<Corpus> {
  await mkdir(out, { recursive: true });
  const { files, format, split } = dataset;
  const { data } = dataset.configuration;
  const source = {
    data: data.some(isHubName) ? data : [...files],
    dataset: { ...configuration.dataset, format },
    split: split as RunConfiguration['split'],
  };
  const onProgress = tokenProgress();
  const store = await tokenizeDataset(dataset, tokenizer, { file: join(out, 'tokens.bin'), onProgress });
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

function sayWhatIsLeftOut({ bad, skipped }: TokenFileStore): void {
  for (const [reason, count] of skipped) say(`${formatCount(count)} left out: ${reason}`);
  if (bad.count > 0) say(`${formatCount(bad.count)} records cannot be used:\n${bad.describe()}`);
}

async function makeTokenizer({ tokenizer }: RunConfiguration, dataset: Dataset): Promise<Tokenizer> {
  if ((tokenizer.type === 'pixels') !== (dataset.format === 'images')) {
    throw new ConfigurationError(
      `Data of format ${dataset.format} does not fit the tokenizer ${tokenizer.type}: images take pixels, and nothing else does.`,
    );
  }
  if (tokenizer.type === 'protein') return new ProteinTokenizer();
  if (tokenizer.type === 'pixels') return new PixelTokenizer();
  const options = { ...tokenizer, endOfText: dataset.numDocuments !== 1 };
  if (options.type === 'bytes') return new ByteTokenizer(options);
  if (options.type === 'characters' && dataset.format === 'listops') {
    // All of its symbols, whether they occur or not.
    return trainCharacters([listOpsLetters(LISTOPS_SYMBOLS.map((_, symbol) => symbol))], options);
  }
  const text = datasetText(dataset, 'train');
  if (options.type === 'characters') return trainCharacters(text, options);
  return options.type === 'bpe' ? trainBpe(text, options) : trainUnigram(text, options);
}
