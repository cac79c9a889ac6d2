import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readWikipedia } from '../../../src/data/formats/wikipedia.ts';
import { readAll, temporaryFolder } from './support.ts';
import { zstdChunks } from './zstd-chunks.ts';

const { folder, file } = temporaryFolder();

async function read(data: string | Uint8Array) {
  const path = file('dump.xml', data);
  const skipped: string[] = [];
  const result = await readAll((bad) => readWikipedia(path, bad, { onSkip: (reason) => skipped.push(reason) }));
  return { ...result, skipped };
}

const escapeXml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const head = `<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="de">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="6" case="first-letter">Datei</namespace>
      <namespace key="14" case="first-letter">Kategorie</namespace>
    </namespaces>
  </siteinfo>
`;

function page(
  title: string,
  text: string,
  { namespace = '0', redirect = '', model = 'wikitext', older = '' } = {},
): string {
  return `  <page>
    <title>${escapeXml(title)}</title>
    <ns>${namespace}</ns>
    <id>12</id>${redirect}
${older}    <revision>
      <id>707</id>
      <contributor><username>A title &amp; a text</username></contributor>
      <comment>/* See */ &lt;text&gt;</comment>
      <model>${model}</model>
      <format>text/x-wiki</format>
      <text xml:space="preserve">${escapeXml(text)}</text>
    </revision>
  </page>
`;
}

/** Line of the `<page>` before the title. */
const lineOf = (dump: string, title: string) => dump.slice(0, dump.indexOf(title)).split('\n').length - 1;

const older = '    <revision><text>older [[text]]</text></revision>\n';

describe('readWikipedia', () => {
  test('gives articles as text, and counts what is none', async () => {
    const dump =
      head +
      page('A & "B"', "'''A''' is [[Datei:x.png|a file]] a [[link|word]]{{t}} &lt;&nbsp;\n\n[[Kategorie:A]]") +
      page('Old', '#REDIRECT [[New]]', { redirect: '\n    <redirect title="New" />' }) +
      page('Diskussion:A', 'talk', { namespace: '1' }) +
      page('Common.css', 'a { b: c }', { model: 'css' }) +
      page('Only a template', '{{t|u}}') +
      page('B', 'newer', { older }) +
      '</mediawiki>\n';
    const { records, skipped, count } = await read(dump);
    expect(records).toEqual([
      { text: 'A is a word <', id: 'A & "B"', file: `${folder}/dump.xml`, line: lineOf(dump, '<title>A') },
      { text: 'newer', id: 'B', file: `${folder}/dump.xml`, line: lineOf(dump, '<title>B<') },
    ]);
    expect(skipped).toEqual(['redirect', 'other namespace', 'no wikitext', 'no text']);
    expect(count).toBe(0);
  });

  test('articles come back, wherever chunks end', async () => {
    const text = fc.stringMatching(/^[a-zé東<&"']{0,9}[a-z東]$/).filter((value) => !/''|<[a-z]|&[a-z]/.test(value));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text)), fc.integer({ min: 1, max: 40 }), async (articles, size) => {
        const dump = `${head}${articles.map(([title, body]) => page(title, body)).join('')}</mediawiki>`;
        const { records, count, skipped } = await read(zstdChunks(dump, size));
        expect(records.map(({ id, text }) => [id, text])).toEqual(articles.map(([title, body]) => [title, body]));
        expect([count, skipped.length]).toEqual([0, 0]);
      }),
      { numRuns: 30 },
    );
  });

  test('pages before a cut are read, and the page that is cut is counted', async () => {
    const dump = head + page('A', 'first') + page('B', 'second');
    const cut = await read(dump.slice(0, -70));
    expect(cut.records.map(({ id }) => id)).toEqual(['A']);
    expect(cut.bad).toEqual([[lineOf(dump, '<title>B'), 'the file ends inside this page']]);
    const unclosed = await read(dump);
    expect(unclosed.records.map(({ id }) => id)).toEqual(['A', 'B']);
    expect(unclosed.bad).toEqual([[dump.split('\n').length, 'the file ends before </mediawiki>']]);
    await expect(read(gzipSync(dump.repeat(30)).subarray(0, 300))).rejects.toThrow('may be damaged or cut short');
  });

  test.each([['two \u0001'], ['two <b>'], ['two <b'], ['&unknown;']])(
    'a page whose XML is faulty (%j) spoils no other',
    async (fault) => {
      const faulty = page('B', 'two').replace('two', fault);
      const dump = `${head}${page('A', 'one')}${faulty}${page('C', 'three')}</mediawiki>`;
      const { records, bad } = await read(dump);
      expect(records.map(({ id }) => id)).toEqual(['A', 'C']);
      expect(bad).toEqual([[lineOf(dump, '<title>B'), expect.stringMatching(/^faulty XML \(.+\)$/)]]);
    },
  );

  test('a page without an end is counted, and the next is read', async () => {
    const dump = `${head}${page('A', 'one').replace('</page>', '')}${page('B', 'two')}</mediawiki>`;
    const { records, bad } = await read(dump);
    expect(records.map(({ id }) => id)).toEqual(['B']);
    expect(bad[0]).toEqual([lineOf(dump, '<title>A'), 'the page has no end']);
  });

  test('what is no dump is named', async () => {
    await expect(read('<html><page></page></html>')).rejects.toThrow(
      'dump.xml begins with <html>; give a MediaWiki dump',
    );
    await expect(read('')).rejects.toThrow('dump.xml is empty');
    await expect(read(Buffer.from(`${head}${page('A', '\xe9')}`, 'latin1'))).rejects.toThrow('is not UTF-8 at byte');
    await expect(readAll((bad) => readWikipedia(`${folder}/none.xml`, bad))).rejects.toThrow('does not exist');
    const plain = await read('no markup at all');
    expect([plain.records.length, plain.count]).toEqual([0, 1]);
  });
});
