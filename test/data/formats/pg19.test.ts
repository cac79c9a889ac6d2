import { mkdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { stripGutenberg } from '../../../src/data/formats/gutenberg.ts';
import { readPg19 } from '../../../src/data/formats/pg19.ts';
import { readAll, temporaryFolder } from './support.ts';

const { folder, file } = temporaryFolder();

describe('stripGutenberg', () => {
  const book = 'CHAPTER I.\n\nCall me Ishmael.\n\n  THE END';
  test.each<[string, string]>([
    [
      'the present form',
      `The Project Gutenberg eBook of X\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\n${book}\n\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\n\nlicence`,
    ],
    [
      'an older form',
      `Title: X\n\n***START OF THIS PROJECT GUTENBERG EBOOK X***\n\n\n${book}\n\n\nEnd of the Project Gutenberg EBook of X, by Y\n\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nlicence`,
    ],
    [
      'a marker over two lines',
      `Title\n*** START OF THIS PROJECT GUTENBERG EBOOK A VERY LONG\nTITLE INDEED ***\n${book}\nEnd of Project Gutenberg's X\n`,
    ],
    [
      'the small print',
      `Etext #10\n\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n${book}\n\nEnd of The Project Gutenberg Etext of X\n`,
    ],
    [
      'both headers',
      `*END THE SMALL PRINT! FOR PUBLIC DOMAIN\n\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n${book}\n`,
    ],
    [
      'the small print at the end',
      `${book}\n\n***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\nWhy is this here?\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n`,
    ],
    [
      'a header, and the small print after the footer',
      `*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n${book}\nEnd of the Project Gutenberg Etext\n**START**THE SMALL PRINT!\nWhy?\n*END THE SMALL PRINT!`,
    ],
    ['the small print at the end without its start', `${book}\n\n*END*THE SMALL PRINT!*END*\n\n`],
    [
      'the small print at the end and a footer after it',
      `${book}\n**START**THE SMALL PRINT!\nWhy?\n*END*THE SMALL PRINT!*END*\nEnd of Project Gutenberg's X`,
    ],
    ['no header', `${book}\n*** END OF THE PROJECT GUTENBERG EBOOK X ***`],
  ])('%s', (_, text) => expect(stripGutenberg(text)).toBe(book));

  test('a text without markers stays as it is', () => {
    for (const text of [
      ` \n${book}\n `,
      '',
      'He read of Project Gutenberg.\nThe end of Project Gutenberg was near.\n',
    ]) {
      expect(stripGutenberg(text)).toBe(text);
    }
  });
});

describe('readPg19', () => {
  const header = '*** START OF THE PROJECT GUTENBERG EBOOK X ***\n';

  test('books of all parts, with the titles of metadata.csv; those that cannot be used are counted', async () => {
    for (const part of ['train', 'validation', 'test']) mkdirSync(`${folder}/${part}`);
    file('metadata.csv', '\ufeff10,"Moby ""Dick"", or",1851,http://a\r\n11,Emma,1815,http://b\r\nbroken row\r\n');
    file('train/10.txt', `\ufeffhead\r\n${header}one\r\n\r\ntwo\r\n`);
    file('train/12.txt.gz', gzipSync('three'));
    file('validation/11.txt', 'four');
    file('test/13.txt', Buffer.from('\xe9', 'latin1'));
    file('test/14.txt', `${header}\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\n`);
    file('test/15.txt', '');
    file('test/notes.md', 'no book');
    const bad = await readAll((bad) => readPg19(folder, bad));
    expect(bad.records).toEqual([
      { text: 'one\n\ntwo', id: 'Moby "Dick", or', file: `${folder}/train/10.txt`, line: 1 },
      { text: 'three', id: '12', file: `${folder}/train/12.txt.gz`, line: 1 },
      { text: 'four', id: 'Emma', file: `${folder}/validation/11.txt`, line: 1 },
    ]);
    expect(bad.bad).toEqual([
      [3, '1 columns where there should be id, title, year and url'],
      [1, expect.stringContaining('13.txt is not UTF-8 at byte 0')],
      [1, 'there is no text besides header and licence'],
      [1, expect.stringContaining('15.txt is empty')],
    ]);
  });

  test('a folder without books, and none at all, is named', async () => {
    mkdirSync(`${folder}/none`);
    await expect(readAll((bad) => readPg19(`${folder}/none`, bad))).rejects.toThrow('There is no .txt file in');
    await expect(readAll((bad) => readPg19(`${folder}/no`, bad))).rejects.toThrow('no is no folder');
    await expect(readAll((bad) => readPg19(`${folder}/test/13.txt`, bad))).rejects.toThrow('13.txt is no folder');
  });
});
