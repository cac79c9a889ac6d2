import { dirname } from 'node:path';
import { pixelText } from '../../tokenizers/pixels.ts';
import type { BookMetadata } from '../formats/pg19.ts';
import type { BadRecords, DataRecord, LabelledRecord, ReadingReport } from '../formats/records.ts';
import { openText } from '../source/files.ts';
import { classNames, folderOf } from './class-names.ts';
import type { DatasetConfiguration } from './configuration.ts';
import { partOfPath } from './data-files.ts';
import type { DatasetDocument } from './documents.ts';

/** The documents of files of one format, in order. */
export async function* readDocuments(
  configuration: DatasetConfiguration,
  files: readonly string[],
  report: ReadingReport,
): AsyncGenerator<DatasetDocument> {
  const { format } = configuration;
  if (format === 'text' && configuration.documents === 'file') {
    const { lineFeeds } = await import('../formats/text.ts');
    const classes = classNames(configuration, files);
    for (const file of files) {
      // Read as it is used: a file may be larger than memory.
      const label = classes?.indexOf(folderOf(file));
      yield { name: file, part: partOfPath(file, format), label, read: () => lineFeeds(openText(file)) };
    }
    return;
  }
  if (format === 'images') {
    yield* readImages(files, configuration.size, report.bad);
    return;
  }
  if (format === 'listops' && files.length === 0) {
    yield* generateListOps(configuration);
    return;
  }
  const titles = format === 'pg19' ? bookTitles(report) : undefined;
  for (const file of files) {
    const part = partOfPath(file, format);
    for await (const { text, id, group, label, line } of await openRecords(configuration, file, report, titles)) {
      yield { name: `${file}:${line}`, id, group, part, label, read: () => [text] };
    }
  }
}

/** Examples by number: those to train on, then those held out. */
async function* generateListOps({
  numTraining,
  numTest,
  seed,
  minLength,
  maxLength,
  maxDepth,
  maxArguments,
}: ListOps): AsyncGenerator<DatasetDocument> {
  const { listOpsExample, listOpsLetters } = await import('../listops.ts');
  const sizes = { seed, minLength, maxLength, maxDepth, maxArguments };
  for (let index = 0; index < numTraining + numTest; index++) {
    const { symbols, label } = listOpsExample(index, sizes);
    const part = index < numTraining ? 'train' : 'heldOut';
    yield { name: `example ${index}`, part, label, read: () => [listOpsLetters(symbols)] };
  }
}

type ListOps = Extract<DatasetConfiguration, { format: 'listops' }>;

/** Images as texts, see `PixelTokenizer`: those of .npz files, and files that are images. */
async function* readImages(files: readonly string[], size: number, bad: BadRecords): AsyncGenerator<DatasetDocument> {
  const { readImageFiles, readNpzImages } = await import('../formats/images/images.ts');
  const isArchive = (file: string) => /\.npz$/i.test(file);
  const records = async function* () {
    for (const file of files.filter(isArchive)) yield* readNpzImages(file, { size });
    const images = files.filter((file) => !isArchive(file));
    if (images.length > 0) yield* readImageFiles(images, bad, { size });
  };
  for await (const { pixels, file, line } of records()) {
    yield { name: `${file}:${line}`, part: partOfPath(file, 'images'), read: () => [pixelText(pixels)] };
  }
}

async function openRecords(
  configuration: Exclude<DatasetConfiguration, { format: 'images' }>,
  file: string,
  { bad, skipped }: ReadingReport,
  titles: BookTitles | undefined,
): Promise<AsyncIterable<DataRecord & Partial<Pick<LabelledRecord, 'label'>>>> {
  switch (configuration.format) {
    case 'text': {
      const { documents } = configuration;
      return (await import('../formats/text.ts')).readText(file, bad, { documents });
    }
    case 'jsonl': {
      const { text, id, group } = configuration;
      return (await import('../formats/jsonl.ts')).readJsonl(file, bad, { text, id, group });
    }
    case 'parquet': {
      const { text, id, group } = configuration;
      return (await import('../formats/parquet/parquet.ts')).readParquet(file, bad, { text, id, group });
    }
    case 'fasta': {
      const { residues } = configuration;
      return (await import('../formats/fasta.ts')).readFasta(file, bad, { residues });
    }
    case 'uniprot': {
      const { group, residues } = configuration;
      return (await import('../formats/uniprot.ts')).readUniProt(file, bad, { group, residues });
    }
    case 'labelled': {
      const { text, label, classes } = configuration;
      return (await import('../formats/labelled-text.ts')).readLabelledTable(file, bad, { text, label, classes });
    }
    case 'listops':
      return listOpsRecords(file, bad);
    case 'pg19': {
      const { readBook } = await import('../formats/pg19.ts');
      return readBook(file, bad, await titles?.(file));
    }
    case 'wikipedia': {
      const onSkip = (reason: string) => void skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
      return (await import('../formats/wikipedia.ts')).readWikipedia(file, bad, { onSkip });
    }
  }
}

async function* listOpsRecords(file: string, bad: BadRecords): AsyncGenerator<LabelledRecord> {
  const { listOpsLetters, parseListOps } = await import('../listops.ts');
  const { readListOps } = await import('../formats/listops.ts');
  for await (const record of readListOps(file, bad)) {
    yield { ...record, text: listOpsLetters(parseListOps(record.text)) };
  }
}

type BookTitles = (file: string) => Promise<ReadonlyMap<string, BookMetadata>>;

/** Finds the metadata.csv of books, in their folder or the one above; each is read once. */
function bookTitles({ bad }: ReadingReport): BookTitles {
  const known = new Map<string, Promise<ReadonlyMap<string, BookMetadata>>>();
  const inFolder = async (folder: string) => {
    const { readMetadata } = await import('../formats/pg19.ts');
    return readMetadata(folder, bad);
  };
  const cached = (folder: string) => {
    const found = known.get(folder) ?? inFolder(folder);
    known.set(folder, found);
    return found;
  };
  return async (file) => {
    const near = await cached(dirname(file));
    return near.size > 0 ? near : cached(dirname(dirname(file)));
  };
}
