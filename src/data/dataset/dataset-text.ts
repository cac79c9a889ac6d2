import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, elementsOf, option } from '../../base/options.ts';
import { segments } from '../../tokenizers/text-segments.ts';
import type { ReadingReport } from '../formats/records.ts';
import type { DatasetSplitter } from './document-split.ts';
import { type DatasetDocument, type PartName, partNames } from './documents.ts';
import { type Dataset, datasetKind } from './open-dataset.ts';
import { parseSplit, surveySplit } from './split.ts';
import { tailSplitters, tailText } from './tail-split.ts';
import { WaitingText } from './waiting-text.ts';

/** What a dataset's split needed to know of the documents, and the states of the files that this was read from. */
const surveys = new WeakMap<Dataset, { readonly states: string; readonly createSplitter: () => DatasetSplitter }>();

/** The documents of a dataset, which may be of the caller's making. */
export function checkedDocuments(dataset: Dataset, report?: ReadingReport): AsyncGenerator<DatasetDocument> {
  return elementsOf('a dataset', 'documents()', dataset.documents(report), documentKind);
}

const documentKind = option.having('a document', { read: option.function });

/** The splitter of a dataset, whose documents are surveyed once as long as the files stay as they are. */
export async function splitterOf(dataset: Dataset, options: Stoppable): Promise<DatasetSplitter> {
  const states = JSON.stringify(await statesOf(dataset.files));
  const known = surveys.get(dataset);
  if (known?.states === states) return known.createSplitter();
  const createSplitter = await surveySplit(() => checkedDocuments(dataset), dataset.split, options);
  surveys.set(dataset, { states, createSplitter });
  return createSplitter();
}

/** Absolute paths, sizes and times of files, which tell whether a file has changed. */
export function statesOf(paths: readonly string[]): Promise<unknown[]> {
  return Promise.all(
    paths.map(async (path) => {
      const entry = await stat(path).catch(() => undefined);
      return [resolve(path), entry?.size ?? null, entry?.mtimeMs ?? null];
    }),
  );
}

/**
 * The text of one part, such as a tokenizer is trained on, cut where no token crosses. The documents are read once, for
 * a tail split too. Text waits until its part is certain, beyond some 32 Mi characters in temporary files.
 *
 * @throws as the readers do, and where a part would be empty
 */
export async function* datasetText(dataset: Dataset, part: PartName, options: Stoppable = {}): AsyncGenerator<string> {
  checkArguments('datasetText', { dataset, part }, { dataset: datasetKind, part: option.oneOf(...partNames) });
  checkOptions<Stoppable>('datasetText', options, { signal: option.signal });
  const pauses = new Pauses(options.signal);
  const split = parseSplit(dataset.split);
  const states = JSON.stringify(await statesOf(dataset.files));
  if (split.by === 'tail' && (part === 'train' || part === 'heldOut') && surveys.get(dataset)?.states !== states) {
    const waiting = new WaitingText();
    try {
      const cuts = yield* tailText(checkedDocuments(dataset), split.fraction, part, waiting, pauses);
      surveys.set(dataset, { states, createSplitter: tailSplitters(cuts) });
    } finally {
      await waiting.close();
    }
    return;
  }
  const splitter = await splitterOf(dataset, options);
  for await (const document of checkedDocuments(dataset)) {
    await pauses.next();
    for await (const piece of splitter.divide(document)) {
      if (piece.part === part) yield* segments(piece.read());
    }
  }
}
