import { DataError } from '../../base/errors.ts';
import { Pauses } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { type DatasetDocument, type DocumentMarks, type PartName, partNames } from '../dataset/documents.ts';
import { parseSplit, type SplitOptions, surveySplit } from '../dataset/split.ts';
import {
  type CounterOptions,
  encoderKind,
  type TokenEncoder,
  TokenMemory,
  type TokenStore,
  tokenizeDocuments,
} from './token-store.ts';

/** A text with its class, its group or, for a split by `given`, its part; records of the readers are such texts. */
export interface MarkedText extends DocumentMarks {
  readonly text: string;
  readonly part?: PartName | undefined;
}

/** `maxLength`: tokens of a text that are kept, its first. Default: all. */
export interface FromTextsOptions extends CounterOptions {}

/**
 * Tokenises texts, one document each, into memory. A token takes one byte where the vocabulary has at most 256, two
 * where it has at most 65,536, else four. Where texts have classes, those are `labels` of the parts. Texts that no
 * split has to know in advance (`none`, `given`) may be a stream of any length.
 *
 * @throws DataError without any text, and where a class is not an integer from 0 or some texts lack a class
 * @throws ConfigurationError for splits, as `openDataset` does
 */
export async function fromTexts(
  texts: Iterable<string | MarkedText> | AsyncIterable<string | MarkedText>,
  tokenizer: TokenEncoder,
  split: SplitOptions,
  options: FromTextsOptions = {},
): Promise<TokenStore> {
  checkArguments(
    'fromTexts',
    { texts, tokenizer, split },
    { texts: option.iterable, tokenizer: encoderKind, split: option.plain },
  );
  checkOptions<FromTextsOptions>('fromTexts', options, { maxLength: option.number, signal: option.signal });
  const configuration = parseSplit(split);
  const memory = new TokenMemory(tokenizer, options);
  const isStream = configuration.by === 'none' || configuration.by === 'given';
  const again = isStream ? texts : await gather(texts, new Pauses(options.signal));
  const createSplitter = await surveySplit(() => documentsOf(again), configuration, options);
  const count = await tokenizeDocuments(documentsOf(again), createSplitter(), memory, options);
  if (count === 0) throw new DataError('There are no texts; give at least one.');
  return memory.finish();
}

async function gather<T>(values: Iterable<T> | AsyncIterable<T>, pauses: Pauses): Promise<T[]> {
  const gathered: T[] = [];
  for await (const value of values) {
    await pauses.next();
    gathered.push(value);
  }
  return gathered;
}

const textKind = option.having('a text, or an object with a text', {
  text: option.string,
  label: option.optional(option.number),
  group: option.optional(option.string),
  part: option.optional(option.oneOf(...partNames)),
});

async function* documentsOf(
  texts: Iterable<string | MarkedText> | AsyncIterable<string | MarkedText>,
): AsyncGenerator<DatasetDocument> {
  let number = 0;
  for await (const each of texts) {
    const { text, label, group, part } = typeof each === 'string' ? { text: each } : checked(each);
    yield { name: `text ${++number}`, label, group, part, read: () => [text] };
  }
}

function checked(text: MarkedText): MarkedText {
  checkArguments('fromTexts', { 'an element of texts': text }, { 'an element of texts': textKind });
  return text;
}
