import { BadRecords, readPg19 } from '../../src/entries/data.ts';
import { sentenceBooks } from '../sources/sentence-books.ts';

/**
 * The sentences of a folder of novels, in order, without the novels that the compared sentences are of. Paragraphs are
 * cut after full stops and the like.
 *
 * @throws one sentence when there is no such folder, or a book cannot be read
 */
export async function trainingSentences(folder: string): Promise<string[]> {
  const bad = new BadRecords();
  const found: string[] = [];
  for await (const { text, file } of readPg19(folder, bad)) {
    if (sentenceBooks.some((book) => file.includes(book))) continue;
    for (const paragraph of text.split(/\n\s*\n/)) {
      const whole = paragraph.replace(/\s+/g, ' ').trim();
      found.push(...whole.split(/(?<=[.!?]["')]*)(?<!\b(?:Dr|Mr|Mrs|St)\.) (?=["'(]*[A-Z])/));
    }
  }
  if (bad.count > 0) throw new Error(`Some books cannot be used; mend or remove them:\n${bad.describe()}`);
  return found.filter((sentence) => sentence.length >= shortest);
}

/** Characters of a sentence that says something. */
const shortest = 20;
