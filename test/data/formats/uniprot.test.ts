import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readUniProt, type UniProtOptions, type UniProtRecord } from '../../../src/data/formats/uniprot.ts';
import { readAll, temporaryFolder } from './support.ts';

const { folder, file } = temporaryFolder();
const RESIDUES = 'ACDEFGHIKLMNPQRSTVWYBOUXZ';

async function read(data: string | Uint8Array, options?: UniProtOptions) {
  const path = file('some.dat', data);
  return readAll<UniProtRecord>((bad) => readUniProt(path, bad, options));
}

/** The lines of an entry as UniProt writes them. */
function entry(fields: {
  name?: string;
  accession?: string;
  organism?: string[];
  families?: string[];
  sequence: string;
  stated?: number;
}): string[] {
  const { name = 'SOME_THING', accession = 'P00001', organism = ['Homo sapiens (Human).'], sequence } = fields;
  const blocks = (sequence.match(/.{1,10}/g) ?? []).map((block) => `${block} `);
  const rows: string[] = [];
  for (let i = 0; i < blocks.length; i += 6)
    rows.push(
      `     ${blocks
        .slice(i, i + 6)
        .join('')
        .trimEnd()}`,
    );
  return [
    `ID   ${name.padEnd(24)}Unreviewed;       ${sequence.length} AA.`,
    `AC   ${accession}; Q99999;`,
    'AC   Q77777;',
    'DT   01-JAN-1998, integrated into UniProtKB/TrEMBL.',
    'DE   RecName: Full=Some protein {ECO:0000255};',
    'DE            Short=SP;',
    'DE   AltName: Full=Other name;',
    ...organism.map((line) => `OS   ${line}`),
    'OC   Eukaryota; Metazoa.',
    'OX   NCBI_TaxID=9606 {ECO:0000312};',
    'RX   PubMed=1; DOI=10.1/x;',
    'CC   -!- SIMILARITY: ID and // in the middle, SQ   SEQUENCE   7 AA;',
    ...(fields.families ?? []).map((family) => `DR   Pfam; ${family}; Name; 1.`),
    'DR   InterPro; IPR000001; Kringle.',
    `SQ   SEQUENCE   ${fields.stated ?? sequence.length} AA;  49500 MW;  7CA7DE79E73EEE26 CRC64;`,
    ...rows,
    '//',
  ];
}

describe('readUniProt', () => {
  test('gives back what was written', async () => {
    const fields = fc.record({
      name: fc.stringMatching(/^[A-Z0-9]{1,5}_[A-Z]{2,5}$/),
      accession: fc.stringMatching(/^[A-Z][0-9][A-Z0-9]{3}[0-9]$/),
      families: fc.uniqueArray(fc.stringMatching(/^PF[0-9]{5}$/), { maxLength: 4 }),
      sequence: fc.string({ unit: fc.constantFrom(...RESIDUES), minLength: 1, maxLength: 200 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fields, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('\n', '\r\n'),
        fc.constantFrom('organism' as const, 'family' as const),
        fc.boolean(),
        async (entries, newline, group, isCompressed) => {
          const lines: string[] = [];
          const expected = entries.map(({ name, accession, families, sequence }) => {
            const line = lines.length + 1;
            lines.push(...entry({ name, accession, families, sequence }));
            return {
              text: sequence,
              id: accession,
              ...(group === 'organism' ? { group: 'Homo sapiens' } : {}),
              ...(group === 'family' && families.length > 0 ? { group: families.join(';') } : {}),
              file: `${folder}/some.dat`,
              line,
              name,
              description: 'Some protein',
              organism: 'Homo sapiens',
              taxon: '9606',
              families,
            };
          });
          const text = lines.join(newline) + newline;
          const { records, count } = await read(isCompressed ? gzipSync(text) : text, { group });
          expect(records).toEqual(expected);
          expect(count).toBe(0);
        },
      ),
      { numRuns: 40, seed: 2 },
    );
  });

  test.each([
    [['Takifugu rubripes (Japanese pufferfish) (Fugu rubripes).'], 'Takifugu rubripes'],
    [['Escherichia coli (strain K12).'], 'Escherichia coli (strain K12)'],
    [['Rous sarcoma virus (strain', 'Prague C) (RSV-PrC).'], 'Rous sarcoma virus (strain Prague C)'],
    [['Influenza A virus (isolate A/1/x).'], 'Influenza A virus (isolate A/1/x)'],
  ])('organism %s', async (organism, expected) => {
    const { records } = await read(entry({ organism, sequence: 'ACDE' }).join('\n'));
    expect(records.map((record) => [record.organism, record.group])).toEqual([[expected, expected]]);
  });

  test('counts what it cannot use, by the line where the entry starts, and continues', async () => {
    const good = entry({ sequence: 'ACDEF', accession: 'A0A000' });
    const without = (code: string) => good.filter((line) => !line.startsWith(code));
    const parts = [
      ['junk', ...good.slice(1)],
      good,
      entry({ sequence: 'ACDEFG', stated: 7 }),
      entry({ sequence: 'AC-EFG' }),
      entry({ sequence: '' }),
      without('AC'),
      without('SQ'),
      without('ID'),
      good.slice(0, -1),
      [...good, ''],
      good.map((line) => (line.startsWith('SQ') ? 'SQ   SEQUENCE' : line)),
      good.slice(0, -2),
    ];
    const starts = parts.map((_, i) => parts.slice(0, i).flat().length + 1);
    const { records, bad, count } = await read(parts.flat().join('\n'));
    expect(records.map(({ id, line }) => [id, line])).toEqual([
      ['A0A000', starts[1]],
      ['A0A000', starts[9]],
    ]);
    expect(count).toBe(10);
    expect(bad).toEqual([
      [starts[0], 'the entry does not begin with an ID line'],
      [starts[2], 'the sequence has 6 residues, not 7 as its SQ line states'],
      [starts[3], `"-" on line ${starts[3]! + 14} is not one of the residues ${RESIDUES}`],
      [starts[4], 'the sequence is empty'],
      [starts[5], 'the entry has no accession (AC)'],
      [starts[6], 'the entry has no sequence (SQ)'],
      [starts[7], 'the entry does not begin with an ID line'],
      [starts[8], 'the entry does not end with //'],
      [starts[10], 'the SQ line states no length'],
      [starts[11], 'the file ends inside the entry, before its //'],
    ]);
  });

  test('a sequence line of 5 MB, across the chunks of a file', async () => {
    const sequence = Array.from({ length: 5_000_003 }, (_, i) => RESIDUES[(i * 11) % 25]!).join('');
    const lines = entry({ sequence: 'A', stated: sequence.length });
    lines[lines.length - 2] = `     ${sequence}`;
    const text = [...lines, ...entry({ sequence: 'ACD', accession: 'Q1' })].join('\n');
    const { records, count } = await read(text);
    expect([records.length, count]).toEqual([2, 0]);
    expect(records[0]!.text === sequence).toBe(true);
    expect([records[1]!.id, records[1]!.text, records[1]!.line]).toEqual(['Q1', 'ACD', lines.length + 1]);
  });

  test('lines that are not UTF-8 spoil their own entry only, and those that are not read spoil none', async () => {
    const latin = (from: string, to: string) =>
      Buffer.from(entry({ sequence: 'ACD' }).join('\n').replace(from, to).concat('\n'), 'latin1');
    const { records, bad } = await read(Buffer.concat([latin('Homo', 'Hömo'), latin('SIMILARITY', 'SÏMILARITY')]));
    expect(records.map(({ line }) => line)).toEqual([17]);
    expect(bad).toEqual([[1, 'line 8 is not UTF-8']]);
  });

  test('a file cut short or empty is an error in one sentence', async () => {
    const whole = gzipSync(entry({ sequence: 'ACDEFGHIK'.repeat(50) }).join('\n'));
    await expect(read(whole.subarray(0, whole.length - 20))).rejects.toThrow(/some\.dat cannot be read/);
    await expect(read('')).rejects.toThrow('some.dat is empty; give a file with records.');
  });
});
