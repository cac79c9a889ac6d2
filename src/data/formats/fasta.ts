import { isUtf8 } from 'node:buffer';
import { DataError } from '../../base/errors.ts';
import { checkArguments, option } from '../../base/options.ts';
import { RESIDUES } from '../../tokenizers/proteins.ts';
import { lineBlocks } from './lines.ts';
import { reader } from './reader.ts';
import type { BadRecords, DataRecord } from './records.ts';
import { ResidueBuffer } from './residues.ts';

const HEADER = '>'.charCodeAt(0);
const NEWLINE = 10;
const NOT_UTF8 = Symbol('not UTF-8');

/** Letters of DNA and RNA, N for any of them. About a quarter of the letters of proteins are these. */
const NUCLEOTIDES = 'ACGTUN';
/** The share of these letters from which sequences are not proteins. */
const NUCLEOTIDE_SHARE = 0.9;
/** Letters of a file that decide. */
const FIRST_LETTERS = 10_000;
const FEWEST_LETTERS = 12;
/** Letters of a record that decide. A piece of a protein consists of these letters, all four among them, once in a million times. */
const RECORD_LETTERS = 8;

export interface FastaOptions {
  /** Letters that sequences may have, in either case. Default {@link RESIDUES}, and nucleotides are refused. */
  readonly residues?: string | undefined;
}

/** What a header line says. */
export interface FastaHeader {
  /** The accession of `sp|P12345|NAME` and `tr|…`, else the first word; undefined for an empty header. */
  readonly id: string | undefined;
  /** What follows the first word, up to the first `KEY=…`. */
  readonly description: string;
  /** Organism: UniProt's `OS=` or UniRef's `Tax=`. */
  readonly organism: string | undefined;
  /** NCBI taxon: UniProt's `OX=` or UniRef's `TaxID=`. */
  readonly taxon: string | undefined;
}

/** Reads the header of a FASTA record, without its `>`. */
export function parseFastaHeader(header: string): FastaHeader {
  checkArguments('parseFastaHeader', { header }, { header: option.string });
  const text = header.trim();
  const wordEnd = text.search(/\s|$/);
  const key = text.search(/\s[A-Za-z]+=/);
  const description = text.slice(wordEnd, key < 0 ? undefined : Math.max(key, wordEnd)).trim();
  return { id: idOf(text), description, organism: organismOf(text), taxon: taxonOf(text) };
}

// Strings are searched rather than matched: expressions took half of the time of reading a file.

function idOf(header: string): string | undefined {
  const space = header.search(/\s/);
  const word = space < 0 ? header : header.slice(0, space);
  if (word.startsWith('sp|') || word.startsWith('tr|')) {
    const end = word.indexOf('|', 3);
    return end > 3 ? word.slice(3, end) : word;
  }
  return word === '' ? undefined : word;
}

const organismOf = (header: string) => fieldOf(header, ' OS=') ?? fieldOf(header, ' Tax=');
const taxonOf = (header: string) => fieldOf(header, ' OX=') ?? fieldOf(header, ' TaxID=');

/** What follows `key`, up to the next word that has a `=`. */
function fieldOf(header: string, key: string): string | undefined {
  const found = header.indexOf(key);
  if (found < 0) return undefined;
  const start = found + key.length;
  const equals = header.indexOf('=', start);
  const end = equals < 0 ? header.length : header.lastIndexOf(' ', equals);
  const value = header.slice(start, Math.max(start, end)).trim();
  return value === '' ? undefined : value;
}

/**
 * Protein sequences of a FASTA file, plain or compressed. Sequences may run over several lines and may end with `*`;
 * letters become upper case. The group of a record is its organism, or its taxon where only that is given.
 *
 * Added to `bad` are sequences that are empty or have other letters (gaps among them), headers that are not UTF-8, and
 * text before any header. Nucleotides among proteins are added too: at least 8 letters, of which 9 in 10 are
 * nucleotides. All four kinds must occur.
 *
 * @throws DataError, while reading, for an empty or damaged file, and FileError for a missing file or a directory
 * @throws DataError for nucleotides (DNA or RNA), whose letters are residues too; `options.residues` allows them
 */
export const readFasta = reader<FastaOptions>(
  'readFasta',
  { residues: option.string },
  async function* (path, bad, options) {
    const records = parse(path, bad, options.residues ?? RESIDUES);
    if (options.residues !== undefined) yield* records;
    else yield* withoutNucleotides(records, path, bad);
  },
);

async function* parse(path: string, bad: BadRecords, residues: string): AsyncGenerator<DataRecord> {
  const parser = new FastaParser(path, bad, residues);
  for await (const block of lineBlocks(path)) {
    for (const record of parser.push(block)) yield record;
  }
  const last = parser.end();
  if (last !== undefined) yield last;
}

/** The first 10,000 letters decide about a file. Records of a file of proteins are looked at one by one. */
async function* withoutNucleotides(
  records: AsyncIterable<DataRecord>,
  path: string,
  bad: BadRecords,
): AsyncGenerator<DataRecord> {
  let first: DataRecord[] | undefined = [];
  let letters = 0;
  let nucleotides = 0;
  const isProtein = ({ text, line }: DataRecord) => {
    if (!isNucleotides(text)) return true;
    bad.add({ file: path, line, reason: 'nucleotides (DNA or RNA) among proteins' });
    return false;
  };
  const decide = () => {
    if (letters >= FEWEST_LETTERS && nucleotides >= NUCLEOTIDE_SHARE * letters) {
      throw new DataError(
        `${path} holds nucleotides (DNA or RNA), not proteins; ` +
          `translate them into proteins, or set the option residues to ${JSON.stringify(NUCLEOTIDES)} to take them as they are.`,
      );
    }
    const decided = first ?? [];
    first = undefined;
    return decided.filter(isProtein);
  };
  for await (const record of records) {
    const { text } = record;
    if (first !== undefined) {
      first.push(record);
      letters += text.length;
      nucleotides += countNucleotides(text);
      if (letters >= FIRST_LETTERS) yield* decide();
    } else if (isProtein(record)) yield record;
  }
  if (first !== undefined) yield* decide();
}

/** Long stretches of a few letters are found in proteins, too. */
const isNucleotides = (sequence: string) =>
  sequence.length >= RECORD_LETTERS &&
  countNucleotides(sequence) >= NUCLEOTIDE_SHARE * sequence.length &&
  /A/.test(sequence) &&
  /C/.test(sequence) &&
  /G/.test(sequence) &&
  /[TU]/.test(sequence);

const IS_NUCLEOTIDE = Uint8Array.from({ length: 128 }, (_, code) =>
  NUCLEOTIDES.includes(String.fromCharCode(code)) ? 1 : 0,
);

function countNucleotides(sequence: string): number {
  let count = 0;
  for (let i = 0; i < sequence.length; i++) count += IS_NUCLEOTIDE[sequence.charCodeAt(i)]!;
  return count;
}

class FastaParser {
  /** The line that comes next, and the line of the present record's header. */
  #line = 1;
  #headerLine = 1;
  /** The present record's header; undefined before the first. */
  #header: string | typeof NOT_UTF8 | undefined;
  readonly #residues: ResidueBuffer;

  constructor(
    private readonly path: string,
    private readonly bad: BadRecords,
    residues: string,
  ) {
    this.#residues = new ResidueBuffer(residues);
  }

  /** Records that end in a block of whole lines. */
  push(block: Buffer): DataRecord[] {
    const records: DataRecord[] = [];
    let at = 0;
    while (at < block.length) {
      if (block[at] === HEADER) {
        const record = this.end();
        if (record !== undefined) records.push(record);
        const newline = block.indexOf(NEWLINE, at);
        const end = newline < 0 ? block.length : newline;
        this.#headerLine = this.#line++;
        this.#header = isUtf8(block.subarray(at + 1, end)) ? block.toString('utf8', at + 1, end).trim() : NOT_UTF8;
        at = end + 1;
      } else {
        const { end, line } = this.#residues.append(block, at, this.#line, HEADER);
        at = end;
        this.#line = line;
      }
    }
    return records;
  }

  /** The present record, if it can be used. */
  end(): DataRecord | undefined {
    const residues = this.#residues;
    const isBlank = residues.isBlank;
    const result = residues.finish();
    residues.clear();
    if (this.#header === undefined)
      return isBlank ? undefined : this.#fail('there is text before the first header (>)');
    if (this.#header === NOT_UTF8) return this.#fail('the header is not UTF-8');
    if ('reason' in result) return this.#fail(result.reason);
    const id = idOf(this.#header);
    const group = organismOf(this.#header) ?? taxonOf(this.#header);
    return {
      text: result.sequence,
      ...(id === undefined ? {} : { id }),
      ...(group === undefined ? {} : { group }),
      file: this.path,
      line: this.#headerLine,
    };
  }

  #fail(reason: string): undefined {
    this.bad.add({ file: this.path, line: this.#headerLine, reason });
  }
}
