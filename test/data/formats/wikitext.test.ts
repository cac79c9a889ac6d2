import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEntities } from '../../../src/data/formats/wikitext/html-entities.ts';
import { wikitextToText } from '../../../src/data/formats/wikitext/wikitext.ts';

describe('wikitextToText', () => {
  test.each<[string, string, string]>([
    ['bold, italics', "'''''a''''' ''b'' '''c''' d'e f''''g''' h", "a b c d'e f'g h"],
    ['a link, its label and its ending', '[[a]] [[a|b]] [[bus]]es [[a#b|c]] [[:Category:a]]', 'a b buses c Category:a'],
    ['the pipe trick', '[[Word (sense)|]] [[Help:Page (x)|]]', 'Word Page'],
    ['files with captions', 'a[[File:x.jpg|thumb|see [[b|c]] and [http://d e]]]f [[image:y]] [[Media:z|z]]', 'af'],
    ['categories and languages', 'a [[Category:B|sort]][[category:C]] [[fr:D]] [[zh-min-nan:E]] [[wikt:f|f]]', 'a f'],
    ['files of the wiki itself', 'a [[Datei:x.jpg|b]] [[Kategorie:C]]', 'a'],
    [
      'external links',
      '[http://a.b/c?d label of it] [https://a.b] [//a.b c] http://d.e [not a link]',
      'label of it c http://d.e [not a link]',
    ],
    ['an external link over two lines', '[http://a.b c\nd]', '[http://a.b c\nd]'],
    ['templates, nested', 'a{{b|c={{d|{{e}}}}|[[f|g]]}}h {{{i|j}}}k{{{{l}}}}m', 'ah km'],
    ['a template over lines', 'a\n{{b\n|c=d\n* e\n== f ==\n}}\ng', 'a\n\ng'],
    [
      'templates that show text',
      '{{lang|grc|ἄ}}{{ndash}}{{convert|10|km|mi|abbr=on}} {{nowrap|a b}} {{lang-de|Wort}}',
      'ἄ–10 km a b Wort',
    ],
    ['references', 'a<ref>b {{c}} [[d]]</ref> e<ref name="f" /> g<REF name=h>i</Ref >j', 'a e gj'],
    [
      'formulas, galleries, code',
      'a<math>x<y</math>b<gallery>\nFile:c|d\n</gallery>e<syntaxhighlight lang="c">[[f]]</syntaxhighlight>',
      'abe',
    ],
    ['comments', 'a<!-- b\n{{ -->c<!---->d<!-- e', 'acd'],
    ['nowiki and pre', "<nowiki>'''a''' [[b]] {{c}} &lt;</nowiki> <pre>''d''</pre>", "'''a''' [[b]] {{c}} < ''d''"],
    [
      'tags',
      '<b>a</b><br/>b <span style="c">d</span> <div\nclass="e">f</div> 1 < 2 > 0 <unknown>g</unknown>',
      'a\nb d f 1 < 2 > 0 <unknown>g</unknown>',
    ],
    ['tables, nested', 'a\n{| class="b"\n|-\n| c || d\n:{|\n| e\n|}\n| f\n|}\ng', 'a\n\ng'],
    ['a table in a template', 'a {{b|\n{|\n| c\n|}\n}} d', 'a d'],
    ['HTML tables', 'a<table><tr><td>b<table>c</table></td></tr></table>d', 'ad'],
    ['lists, rules, indents', '* a\n** b\n# c\n;d\n: e\n----\n:* f', 'a\nb\nc\nd\ne\n\nf'],
    [
      'headings',
      "== A ==\nb\n=== C <!-- x -->===\nd\n==E==\n=== F ===\n== G''h'' ==\ni\n= J =",
      'A\n\nb\n\nC\n\nd\n\nGh\n\ni',
    ],
    [
      'entities',
      '&amp;&nbsp;&eacute;&#233;&#xE9;&Omega;&hearts;&diams;&unknown;&#0;& &lt;b&gt;',
      '& éééΩ♥♦&unknown;&#0;& <b>',
    ],
    ['magic words', '__NOTOC__a __b__ c_d', 'a __b__ c_d'],
    ['what is left over', "a ({{b}}) (; c) d {{e}}, f  g ''h''", 'a (c) d, f g h'],
    ['what never closes', 'a {{b [[c|d]] {{e}} f', 'a {{b d f'],
    ['a link that never closes', 'a [[b {{c}} d\n\ne [[f|g]] h', 'a [[b d\n\ne g h'],
    ['a table that never closes', 'a\n{| b\nc', 'a\n\n{| b\nc'.replace('\n\n', '\n')],
    ['what closes but was not open', 'a }} b ]] c |} d </ref> e </table>', 'a }} b ]] c |} d e'],
    ['a template closed inside a link', '{{a|[[b}}c', 'c'],
    ['what is no link', '[[a\nb]] [[]] [[<x>]] [[a[b]]', '[[a\nb]] [[]] [[<x>]] [[a[b]]'],
  ])('%s', (_, wikitext, text) => {
    expect(wikitextToText(wikitext, { fileNamespaces: ['Datei'], categoryNamespaces: ['Kategorie'] })).toBe(text);
  });

  test('plain text stays as it is', () => {
    const word = fc.stringMatching(/^[A-Za-zé東][a-z,é東]{0,7}$/);
    const paragraph = fc.array(word, { minLength: 1, maxLength: 9 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(fc.array(paragraph, { maxLength: 5 }), (paragraphs) => {
        const text = paragraphs.join('\n\n');
        expect(wikitextToText(text)).toBe(text);
      }),
    );
  });

  /** Wikitext of nested markup, and the text that a reader sees of it. */
  const { node } = fc.letrec<{ node: [string, string]; nodes: [string, string] }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom<[string, string]>(['word', 'word'], ['é東', 'é東'], ['&lt;', '<'], ['[[Page]]', 'Page']),
      tie('nodes').map(([wiki]): [string, string] => [`{{name|${wiki}|x=${wiki}}}`, '']),
      tie('nodes').map(([wiki]): [string, string] => [`<ref name="a">${wiki}</ref>`, '']),
      tie('nodes').map(([wiki]): [string, string] => [`[[File:a.jpg|thumb|${wiki}]]`, '']),
      tie('nodes').map(([wiki]): [string, string] => [`\n{|\n| ${wiki}\n|}\n`, '\n\n']),
      tie('nodes').map(([wiki, text]): [string, string] => [`'''b ${wiki} '''`, `b ${text}`]),
      tie('nodes').map(([wiki, text]): [string, string] => [`<small>${wiki}</small>`, text]),
      tie('nodes').map(([wiki, text]): [string, string] => [`[[Page|a${wiki}]]`, `a${text}`]),
    ),
    nodes: fc
      .array(tie('node'), { maxLength: 3 })
      .map((nodes): [string, string] => [
        nodes.map(([wiki]) => wiki).join(' '),
        nodes.map(([, text]) => text).join(' '),
      ]),
  }));

  test('nested markup gives what is to be seen of it', () => {
    const visible = (text: string) =>
      text
        .split(/\s+/)
        .filter((word) => word !== '')
        .join(' ');
    fc.assert(
      fc.property(fc.array(node, { maxLength: 4 }), (nodes) => {
        // A reference ends at the first end of one, in MediaWiki too.
        const wiki = nodes.map(([wiki]) => wiki).join(' ');
        fc.pre(!/<ref[^>]*>(?:(?!<\/ref>).)*<ref/s.test(wiki));
        expect(visible(wikitextToText(wiki))).toBe(visible(nodes.map(([, text]) => text).join(' ')));
      }),
      { numRuns: 300 },
    );
  });

  test('any mixture of markup is read to its end, and no control character is left', () => {
    const token = fc.constantFrom(
      '{{',
      '}}',
      '{{{',
      '[[',
      ']]',
      '[',
      ']',
      '|',
      '{|',
      '|}',
      '\n',
      '<ref>',
      '</ref>',
      '<!--',
      '-->',
      '==',
      "'''",
      'a',
      '[http://x ',
      '<table>',
      '</table>',
      '<nowiki>',
      '</nowiki>',
      '&amp;',
      '__',
      '\u0001',
      'File:',
      ' ',
      '*',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 40 }), (tokens) => {
        const text = wikitextToText(tokens.join(''));
        expect(text).not.toContain('\u0001');
        expect(text).toBe(text.trim());
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    '{{',
    '[[',
    '[http://a ',
    '\n{|',
    '<ref>',
    '<!--',
    '<table>',
    '<a',
    '==',
    '\n==',
    '=',
    "'",
    '&',
    '{',
    '_',
    '(',
    '(;',
    '[[a|',
    '}}',
    '[[a]]',
    '{{a',
    '\n|}',
  ])('repeating %j takes time in proportion', (markup) => {
    // Quadratic time would be minutes.
    expect(wikitextToText(markup.repeat(200_000)).length).toBeLessThanOrEqual(200_000 * markup.length);
  });
});

test('nesting of any depth takes time in proportion', () => {
  for (const [open, close] of [
    ['{{nowrap|ab', '}}'],
    ['[[a|b', ']]'],
  ] as const) {
    const text = wikitextToText(open.repeat(200_000) + close.repeat(200_000));
    expect(text.length).toBeLessThan(200_000 * (open.length + close.length));
  }
});

test("decodeEntities knows HTML 5's names, also those of two characters", () => {
  expect(decodeEntities('&hearts;&Zcaron;&nvlt;&lbrace;&apos;&amp;notin;')).toBe("♥Ž<⃒{'&notin;");
});

test('decodeEntities leaves what is none', () => {
  expect(decodeEntities('a &amp; b &lt; & &x; &noti; &#128 &#x110000; &#xd800;&amp;lt;')).toBe(
    'a & b < & &x; &noti; &#128 &#x110000; &#xd800;&lt;',
  );
});
