import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFastaHeader, readFasta } from '../../../src/data/formats/fasta.ts';
import { readAll, temporaryFolder } from './support.ts';

const { folder, file } = temporaryFolder();
const RESIDUES = 'ACDEFGHIKLMNPQRSTVWYBOUXZ';

async function read(data: string | Uint8Array, options?: { residues?: string }, name = 'some.fasta') {
  const path = file(name, data);
  return readAll((bad) => readFasta(path, bad, options));
}

describe('parseFastaHeader', () => {
  test.each([
    [
      'sp|Q8AWH3|SX17A_XENTR Transcription factor Sox-17-alpha OS=Xenopus tropicalis OX=8364 GN=sox17a PE=2 SV=1',
      { id: 'Q8AWH3', description: 'Transcription factor Sox-17-alpha', organism: 'Xenopus tropicalis', taxon: '8364' },
    ],
    [
      'tr|M4KW32|M4KW32_BACIU ABC (ATP-binding) OS=Bacillus subtilis (strain 168) PE=4 SV=1 Split=0 ',
      { id: 'M4KW32', description: 'ABC (ATP-binding)', organism: 'Bacillus subtilis (strain 168)', taxon: undefined },
    ],
    [
      'UniRef50_A0A009 Glucosyltransferase n=12 Tax=Escherichia coli TaxID=562 RepID=A0A009_ECOLX',
      { id: 'UniRef50_A0A009', description: 'Glucosyltransferase', organism: 'Escherichia coli', taxon: '562' },
    ],
    ['tr|X|Y OS=Homo sapiens', { id: 'X', description: '', organism: 'Homo sapiens', taxon: undefined }],
    [
      'gi|5524211 cytochrome b',
      { id: 'gi|5524211', description: 'cytochrome b', organism: undefined, taxon: undefined },
    ],
    ['sp|broken', { id: 'sp|broken', description: '', organism: undefined, taxon: undefined }],
    ['  ', { id: undefined, description: '', organism: undefined, taxon: undefined }],
  ])('%s', (header, expected) => expect(parseFastaHeader(header)).toEqual(expected));
});

describe('readFasta', () => {
  const word = fc.stringMatching(/^[A-Za-z0-9_.-]{1,8}$/);
  const record = fc.record({
    id: word,
    organism: fc.option(fc.stringMatching(/^[A-Z][a-zé]{2,8} [a-z]{2,8}$/), { nil: undefined }),
    letters: fc.array(fc.constantFrom(...RESIDUES, ...RESIDUES.toLowerCase()), { minLength: 1, maxLength: 90 }),
    width: fc.integer({ min: 1, max: 70 }),
    isTerminated: fc.boolean(),
  });

  test('gives back what was written, however the lines are broken', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 12 }),
        fc.constantFrom('\n', '\r\n', ' \n', '\n\n'),
        fc.boolean(),
        fc.boolean(),
        async (records, newline, endsWithNewline, isCompressed) => {
          const lines: string[] = [];
          const expected = records.map(({ id, organism, letters, width, isTerminated }) => {
            const line = lines.length * (newline === '\n\n' ? 2 : 1) + 1;
            lines.push(organism === undefined ? `>${id} something` : `>${id} something OS=${organism} PE=1`);
            const sequence = letters.join('') + (isTerminated ? '*' : '');
            for (let i = 0; i < sequence.length; i += width) lines.push(sequence.slice(i, i + width));
            return { id, group: organism, text: letters.join('').toUpperCase(), line };
          });
          const text = lines.join(newline) + (endsWithNewline ? newline : '');
          const { records: found, count } = await read(isCompressed ? gzipSync(text) : text);
          expect(found.map(({ id, group, text, line }) => ({ id, group, text, line }))).toEqual(expected);
          expect(count).toBe(0);
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  test('reads lines of 5 MB and records that straddle the chunks of a file', async () => {
    const letters = (length: number, step: number) =>
      Array.from({ length }, (_, i) => RESIDUES[(i * step + (i >> 7)) % RESIDUES.length]!).join('');
    const huge = letters(5_000_011, 7);
    const sequences = [huge, ...Array.from({ length: 4000 }, (_, i) => letters(1 + ((i * 37) % 700), i + 1)), huge];
    const wrap = (sequence: string) => sequence.replace(/.{61}/g, '$&\n');
    const text = sequences.map((s, i) => `>r${i}\n${i % 2 === 1 ? s : wrap(s)}\n`).join('');
    const { records, count } = await read(text);
    expect(count).toBe(0);
    expect(records.length).toBe(sequences.length);
    expect(records.every((r, i) => r.text === sequences[i] && r.id === `r${i}`)).toBe(true);
    const lines = text.split('\n');
    expect(records.every((r, i) => lines[r.line - 1] === `>r${i}`)).toBe(true);
  });

  test('counts what it cannot use, by line, and continues', async () => {
    const text = [
      '\ufeff', // 1
      'text before the first header', // 2
      '>gap', // 3
      'ACD', // 4
      'A-C', // 5
      '>good OS=Homo sapiens', // 6
      'mkv*', // 7
      '>empty', // 8
      '', // 9
      '>stop', // 10
      'AC*DE', // 11
      '>digit', // 12
      'AC1', // 13
      '>bytes', // 14
      'AC\u0001', // 15
      '>only a terminator', // 16
      '*', // 17
      '>last', // 18
    ].join('\n');
    const { records, bad, count } = await read(text);
    expect(records).toEqual([
      { id: 'good', group: 'Homo sapiens', text: 'MKV', file: `${folder}/some.fasta`, line: 6 },
    ]);
    expect(count).toBe(8);
    const wrong = `is not one of the residues ${RESIDUES}`;
    expect(bad).toEqual([
      [1, 'there is text before the first header (>)'],
      [3, `"-" on line 5 ${wrong}`],
      [8, 'the sequence is empty'],
      [10, 'a terminator (*) stands inside the sequence'],
      [12, `"1" on line 13 ${wrong}`],
      [14, `byte 1 on line 15 ${wrong}`],
      [16, 'the sequence is empty'],
      [18, 'the sequence is empty'],
    ]);
  });

  test('a header that is not UTF-8 spoils its own record only', async () => {
    const data = Buffer.concat([Buffer.from('>a caf'), Buffer.from([0xe9]), Buffer.from('\nAC\n>b café\nDE\n')]);
    const { records, bad } = await read(data);
    expect(records.map(({ id, text }) => [id, text])).toEqual([['b', 'DE']]);
    expect(bad).toEqual([[1, 'the header is not UTF-8']]);
    const noise = await read(Uint8Array.from({ length: 3000 }, (_, i) => 128 + ((i * 7) % 128)));
    expect([noise.records.length, noise.bad]).toEqual([0, [[1, 'there is text before the first header (>)']]]);
  });

  test('a byte order mark is no text', async () => {
    const { records, count } = await read('\ufeff>a\nAC\n');
    expect([records.map(({ id, line }) => [id, line]), count]).toEqual([[['a', 1]], 0]);
  });

  test('the taxon is the group where no organism is named', async () => {
    const { records } = await read('>a x OX=9606 PE=1\nAC\n>b OS=Homo sapiens OX=9606\nAC\n>c\nAC\n');
    expect(records.map(({ group }) => group)).toEqual(['9606', 'Homo sapiens', undefined]);
  });

  test('blank lines before the first header are no text', async () => {
    const { records, count } = await read('\r\n \n\n>a\nAC');
    expect([records.map(({ line }) => line), count]).toEqual([[4], 0]);
  });

  test('other letters by option', async () => {
    const { records, bad } = await read('>dna\nacgt\n>protein\nMKV\n', { residues: 'ACGT' });
    expect(records.map(({ text }) => text)).toEqual(['ACGT']);
    expect(bad).toEqual([[3, '"M" on line 4 is not one of the residues ACGT']]);
    await expect(read('>a\nA', { residues: 'A-' })).rejects.toThrow('residues is "A-"; give the letters');
  });

  test('a file cut short or empty is an error in one sentence', async () => {
    // Residues without a pattern, so that the compressed form is long.
    let state = 1;
    const next = () => {
      state = (state * 48271) % 2147483647;
      return RESIDUES[state % RESIDUES.length];
    };
    const whole = gzipSync(`>a\n${Array.from({ length: 9000 }, next).join('')}\n`);
    await expect(read(whole.subarray(0, whole.length / 2))).rejects.toThrow(
      /some\.fasta cannot be read \([^\n]+\) beyond byte \d+ of its decompressed content; the file may be damaged or cut short\.$/,
    );
    await expect(read('')).rejects.toThrow('some.fasta is empty; give a file with records.');
    await expect(readAll((bad) => readFasta(`${folder}/none.fasta`, bad))).rejects.toThrow('none.fasta does not exist');
  });
});

describe('nucleotides', () => {
  const dna = `>chr1\n${'ACGTTGCANNGATTACA'.repeat(20)}\n>chr2\nacgtacgtacgttgca\n`;

  test.each([
    ['DNA', dna],
    ['a short piece', '>primer\nACGTACGTACGT\n'],
    ['RNA', `>r\n${'ACGUUGCA'.repeat(9)}`],
    ['DNA of which some letters are not certain', `>c\n${'ACGTTGCAGATTACARYACG'.repeat(9)}`],
  ])('%s is refused', async (_, data) => {
    await expect(read(data, undefined, 'some.fa')).rejects.toThrow(
      `${folder}/some.fa holds nucleotides (DNA or RNA), not proteins; ` +
        'translate them into proteins, or set the option residues to "ACGTUN" to take them as they are.',
    );
  });

  test('residues that are named allow them', async () => {
    const { records } = await read(dna, { residues: 'ACGTUN' });
    expect(records.map(({ text }) => text.length)).toEqual([340, 16]);
  });

  test('a record of them among proteins is counted; short peptides stay', async () => {
    const protein = 'MKVLAWERTYHIPASDFGHKLCVNMQ'.repeat(20);
    const proteins = Array.from({ length: 21 }, (_, i) => `>p${i}\n${protein}\n`).join('');
    const { records, bad } = await read(`${proteins}${dna}>gag\nGAGAGAGAGAGA\n`);
    expect(records.map(({ id }) => id).slice(-2)).toEqual(['p20', 'gag']);
    expect(bad).toEqual([43, 45].map((line) => [line, 'nucleotides (DNA or RNA) among proteins']));
  });

  test.each(['ACGTACGT', 'GGCATTAC', 'ACGUUGCAAN', 'ACGTTGCARYACGTTGCACGT'])(
    'a primer among proteins, %s, is named by its line',
    async (primer) => {
      const { records, bad } = await read(`>p\nMKVLAWERTYHIPASDFGHKLCVNMQ\n>primer\n${primer}\n>q\nMKVLAWERTY\n`);
      expect(records.map(({ id }) => id)).toEqual(['p', 'q']);
      expect(bad).toEqual([[3, 'nucleotides (DNA or RNA) among proteins']]);
    },
  );

  test('a record of them at the start of a file of proteins is counted', async () => {
    const { records, bad } = await read(
      `>a\nMKVLAWERTYHIPASDFGHKLCVNMQ\n>b\n${'ACGT'.repeat(8)}\n>c\nMKVLAWERTYHIPASDF\n`,
    );
    expect(records.map(({ id }) => id)).toEqual(['a', 'c']);
    expect(bad).toEqual([[3, 'nucleotides (DNA or RNA) among proteins']]);
  });
});
