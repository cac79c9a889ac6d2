import { BadRecords, fromTexts, type MarkedText, readLabelledFolder, readPg19 } from '../../src/entries/data.ts';
import { ByteTokenizer } from '../../src/entries/tokenizers.ts';
import { type ClassificationNumbers, classify } from '../contests/classification-contest.ts';
import type { ExperimentContext } from '../experiment.ts';
import type { LraTextConfiguration } from './configuration.ts';

/** Texts as bytes, classified; the Long Range Arena takes IMDb's reviews. */
export async function run(
  { data, ...settings }: LraTextConfiguration,
  context: ExperimentContext,
): Promise<ClassificationNumbers> {
  const { length } = settings.training;
  const texts = data.type === 'books' ? await readBooks(data.folder, data.heldOut, length) : await readFolders(data);
  const tokenizer = new ByteTokenizer();
  const parts = (['train', 'test'] as const).flatMap((part) =>
    texts[part].map((text): MarkedText => ({ ...text, part })),
  );
  const store = await fromTexts(parts, tokenizer, { by: 'given' }, { maxLength: length });
  return classify(store, store.test, settings, context);
}

interface Texts {
  readonly train: { text: string; label: number }[];
  readonly test: { text: string; label: number }[];
}

async function readBooks(folder: string, heldOut: number, length: number): Promise<Texts> {
  const texts: Texts = { train: [], test: [] };
  const bad = new BadRecords();
  let label = 0;
  for await (const { text } of readPg19(folder, bad)) {
    const bytes = new TextEncoder().encode(text);
    const count = Math.floor(bytes.length / length);
    const numTest = Math.ceil(heldOut * count);
    for (let i = 0; i < count; i++) {
      const passage = new TextDecoder().decode(bytes.subarray(i * length, (i + 1) * length));
      texts[i < count - numTest ? 'train' : 'test'].push({ text: passage, label });
    }
    label++;
  }
  refuse(bad);
  return { train: texts.train, test: interleaved(texts.test) };
}

async function readFolders({ train, test }: { train: string; test: string }): Promise<Texts> {
  const bad = new BadRecords();
  const texts: Texts = { train: [], test: [] };
  for await (const record of readLabelledFolder(train, bad)) texts.train.push(record);
  for await (const record of readLabelledFolder(test, bad)) texts.test.push(record);
  refuse(bad);
  return { train: texts.train, test: interleaved(texts.test) };
}

/** The classes in turn, so that the first batches have all of them. */
function interleaved<T extends { label: number }>(texts: readonly T[]): T[] {
  const seen = new Map<number, number>();
  const rank = texts.map(({ label }) => {
    const count = seen.get(label) ?? 0;
    seen.set(label, count + 1);
    return count;
  });
  return texts
    .map((text, i) => ({ text, at: (rank[i] as number) / (seen.get(text.label) as number) }))
    .sort((a, b) => a.at - b.at)
    .map(({ text }) => text);
}

function refuse(bad: BadRecords): void {
  if (bad.count > 0) throw new Error(`Some texts cannot be used; fix or remove them:\n${bad.describe()}`);
}
