import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readListOps } from '../../../src/data/formats/listops.ts';
import type { LabelledRecord } from '../../../src/data/formats/records.ts';
import { listOpsExamples } from '../../../src/data/listops.ts';
import { readAll, temporaryFolder } from './support.ts';

const { folder, file } = temporaryFolder();
const read = (data: string | Uint8Array) =>
  readAll<LabelledRecord>((bad) => readListOps(file('basic_test.tsv', data), bad));

/** An expression as the Long Range Arena writes it: `( ( ( [MAX 4 ) 3 ) ] )`. */
function nested(text: string): string {
  const words = text.split(' ');
  let at = 0;
  const node = (): string => {
    let tree = words[at++]!;
    if (!tree.startsWith('[')) return tree;
    while (words[at] !== ']') tree = `( ${tree} ${node()} )`;
    at++;
    return `( ${tree} ] )`;
  };
  return node();
}

describe('readListOps', () => {
  test('the form of the files', () => {
    expect(nested('[MAX 4 [SM 1 2 ] 3 ]')).toBe('( ( ( ( [MAX 4 ) ( ( ( [SM 1 ) 2 ) ] ) ) 3 ) ] )');
  });

  test('reads what the Long Range Arena writes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(100),
        fc.constantFrom('\r\n', '\n'),
        fc.boolean(),
        async (seed, newline, isCompressed) => {
          const examples = [...listOpsExamples({ seed, count: 8, minLength: 3, maxLength: 90 })];
          const lines = ['Source\tTarget', ...examples.map(({ text, label }) => `${nested(text)}\t${label}`)];
          const data = lines.join(newline) + newline;
          const { records, count } = await read(isCompressed ? gzipSync(data) : data);
          expect(count).toBe(0);
          expect(records).toEqual(
            examples.map(({ text, label }, i) => ({ text, label, file: `${folder}/basic_test.tsv`, line: i + 2 })),
          );
        },
      ),
      { numRuns: 20, seed: 11 },
    );
  });

  test('counts what it cannot use and continues', async () => {
    const lines = [
      'Source\tTarget',
      '( ( ( [MAX 4 ) 3 ) ] )\t3',
      '( ( ( [MAX 4 ) 3 ) ] )\t4',
      '( ( [MAX 4 ) 3 )\t4',
      '( ( ( [FIRST 4 ) 3 ) ] )\t4',
      '3',
      '3\t10',
      '3\t3\t3',
      '',
      '\t3',
    ];
    const latin = Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), Buffer.from([0xe9]), Buffer.from('\t3\n7\t7')]);
    const { records, bad, count } = await read(latin);
    expect(records.map(({ text, label, line }) => [text, label, line])).toEqual([
      ['[MAX 4 3 ]', 4, 3],
      ['7', 7, 12],
    ]);
    expect(count).toBe(8);
    expect(bad).toEqual([
      [2, 'the target is 3 but the expression gives 4'],
      [4, 'The expression breaks off after 3 symbols'],
      [5, '"[FIRST" is no symbol of ListOps'],
      [6, 'not an expression, a tab and a digit'],
      [7, 'not an expression, a tab and a digit'],
      [8, 'not an expression, a tab and a digit'],
      [10, 'The expression breaks off after 0 symbols'],
      [11, 'not UTF-8, with a NUL byte, or longer than 16 MiB'],
    ]);
  });

  test('a line of 5 MB', async () => {
    // So many arguments that they could not be passed to a function.
    const text = `[MIN ${new Array(500_000).fill('3').join(' ')} ]`;
    const { records, count } = await read(`Source\tTarget\n${text.replaceAll(' ', '          ')}\t3\n[MIN 1 2 ]\t1\n`);
    expect([records.map(({ label, line }) => [label, line]), count]).toEqual([
      [
        [3, 2],
        [1, 3],
      ],
      0,
    ]);
    expect(records[0]!.text === text).toBe(true);
  });

  test('another file is an error in one sentence', async () => {
    await expect(read('3\t3\n')).rejects.toThrow('basic_test.tsv does not begin with "Source", a tab and "Target"');
    await expect(read('')).rejects.toThrow('basic_test.tsv is empty');
    await expect(read(gzipSync('Source\tTarget\n3\t3\n').subarray(0, 25))).rejects.toThrow('cannot be read');
  });
});
