/**
 * Chooses the sentences of sentences.json: `node experiments/sentences/choose.mjs NOVELS`, NOVELS being a folder that holds
 * the two books below, gzipped. Both are out of copyright. What is trained on must not contain them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const books = ['Stevenson_Treasure_1883.txt.gz', 'Haggard_She_1887.txt.gz'];
const perBook = 100;
const lengths = { shortest: 40, longest: 300 };

const folder = process.argv[2];
if (folder === undefined) throw new Error('Give the folder of the novels.');

/** Sentences of running text: paragraphs joined, cut where a full stop is followed by a capital. */
function sentencesOf(text) {
  const paragraphs = text.replace(/^\ufeff/, '').split(/\r?\n\s*\r?\n/);
  const whole = paragraphs.map((paragraph) => paragraph.replace(/\s+/g, ' ').trim());
  return whole
    .flatMap((paragraph) => paragraph.split(/(?<=[a-z][.!?])(?<!\b(?:Dr|Mr|Mrs|St)\.) (?=[A-Z])/))
    .filter(({ length }) => length >= lengths.shortest && length <= lengths.longest)
    .filter((sentence) => /^[A-Z][\x20-\x7e]*[a-z][.!?]$/.test(sentence) && !/["_[\]*]/.test(sentence));
}

/** Evenly spread over the book, so that no random generator decides. */
function spread(items, count) {
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)]);
}

const sentences = books.flatMap((book) => {
  const found = sentencesOf(gunzipSync(readFileSync(join(folder, book))).toString('utf8'));
  return spread([...new Set(found)], perBook);
});
writeFileSync(new URL('sentences.json', import.meta.url), `${JSON.stringify({ sentences }, null, 2)}\n`);
