import { isUtf8 } from 'node:buffer';
import { option } from '../../base/options.ts';
import { RESIDUES } from '../../tokenizers/proteins.ts';
import { lineBlocks } from './lines.ts';
import { reader } from './reader.ts';
import type { BadRecords, DataRecord } from './records.ts';
import { GROUP_SEPARATOR } from './records.ts';
import { ResidueBuffer } from './residues.ts';

const NEWLINE = 10;
const SPACE = 32;

export interface UniProtOptions {
  /** What a record's group is: its organism, or its Pfam families, which an entry may lack. Default 'organism'. */
  readonly group?: 'organism' | 'family' | undefined;
  /** Letters that sequences may have, in either case. Default {@link RESIDUES}. */
  readonly residues?: string | undefined;
}

/** An entry; `id` is its first accession. */
export interface UniProtRecord extends DataRecord {
  /** Entry name, such as CRU4_ARATH. */
  readonly name: string;
  /** The recommended or submitted full name. */
  readonly description: string;
  /** Scientific name, with the strain if one is given; empty if the entry has no organism. */
  readonly organism: string;
  /** NCBI taxon; empty if the entry has no taxon. */
  readonly taxon: string;
  /** Accessions of Pfam families, such as PF00190. */
  readonly families: readonly string[];
}

/**
 * Entries of a UniProt flat file (.dat), plain or compressed.
 *
 * Added to `bad` are entries whose sequence is empty, has letters other than residues, or has not the length that the
 * SQ line states. Entries without ID, AC or SQ line, text between entries and lines that are not UTF-8 are added too.
 * So is an entry at which the file breaks off.
 *
 * @throws FileError or DataError, while reading, for a missing, empty or damaged file and for a directory
 */
export const readUniProt = reader<UniProtOptions, UniProtRecord>(
  'readUniProt',
  { group: option.oneOf('organism', 'family'), residues: option.string },
  async function* (path, bad, options) {
    const parser = new UniProtParser(path, bad, options);
    for await (const block of lineBlocks(path)) {
      for (const record of parser.push(block)) yield record;
    }
    parser.end();
  },
);

/** What is known of the present entry. */
interface Entry {
  readonly line: number;
  fault: string | undefined;
  name: string;
  id: string;
  description: string;
  organism: string;
  taxon: string;
  families: string[];
  /** As the SQ line states; undefined before that line. */
  statedLength: number | undefined;
}

class UniProtParser {
  #line = 0;
  #entry: Entry | undefined;
  readonly #residues: ResidueBuffer;

  constructor(
    private readonly path: string,
    private readonly bad: BadRecords,
    private readonly options: UniProtOptions,
  ) {
    this.#residues = new ResidueBuffer(options.residues ?? RESIDUES);
  }

  /** Entries that end in a block of whole lines. */
  push(block: Buffer): UniProtRecord[] {
    const records: UniProtRecord[] = [];
    for (let at = 0; at < block.length; ) {
      const newline = block.indexOf(NEWLINE, at);
      const end = newline < 0 ? block.length : newline;
      this.#line++;
      const record = this.#readLine(block, at, end);
      if (record !== undefined) records.push(record);
      at = end + 1;
    }
    return records;
  }

  end(): void {
    if (this.#entry !== undefined) this.#fail('the file ends inside the entry, before its //');
  }

  #readLine(block: Buffer, start: number, end: number): UniProtRecord | undefined {
    const isSequence = block[start] === SPACE;
    const code = isSequence ? '' : block.toString('latin1', start, Math.min(start + 2, end));
    if (code === '//') return this.#finish();
    if (code === 'ID') {
      if (this.#entry !== undefined) this.#fail('the entry does not end with //');
      this.#begin();
    } else if (this.#entry === undefined) {
      if (code.trim() === '') return undefined;
      this.#begin();
      this.#entry!.fault = 'the entry does not begin with an ID line';
    }
    const entry = this.#entry!;
    if (isSequence) {
      if (entry.statedLength !== undefined) this.#residues.append(block.subarray(start, end), 0, this.#line);
      return undefined;
    }
    if (CODES.has(code)) {
      if (!isUtf8(block.subarray(start, end))) entry.fault ??= `line ${this.#line} is not UTF-8`;
      readField(entry, code, block.toString('utf8', start + 2, end).trim());
    }
    return undefined;
  }

  #begin(): void {
    this.#residues.clear();
    this.#entry = {
      line: this.#line,
      fault: undefined,
      name: '',
      id: '',
      description: '',
      organism: '',
      taxon: '',
      families: [],
      statedLength: undefined,
    };
  }

  #finish(): UniProtRecord | undefined {
    const entry = this.#entry;
    if (entry === undefined) return undefined;
    const { line, fault, statedLength, id } = entry;
    if (fault !== undefined) return this.#fail(fault);
    if (id === '') return this.#fail('the entry has no accession (AC)');
    if (statedLength === undefined) return this.#fail('the entry has no sequence (SQ)');
    const result = this.#residues.finish();
    if ('reason' in result) return this.#fail(result.reason);
    const text = result.sequence;
    if (text.length !== statedLength) {
      return this.#fail(`the sequence has ${text.length} residues, not ${statedLength} as its SQ line states`);
    }
    this.#entry = undefined;
    const { name, description, taxon, families } = entry;
    const organism = scientificName(entry.organism);
    const group = this.options.group === 'family' ? families.join(GROUP_SEPARATOR) : organism || taxon;
    return {
      text,
      id,
      ...(group === '' ? {} : { group }),
      file: this.path,
      line,
      name,
      description,
      organism,
      taxon,
      families,
    };
  }

  #fail(reason: string): undefined {
    this.bad.add({ file: this.path, line: this.#entry!.line, reason });
    this.#entry = undefined;
  }
}

/** Codes of the lines that are read. */
const CODES = new Set(['ID', 'AC', 'DE', 'OS', 'OX', 'DR', 'SQ']);

function readField(entry: Entry, code: string, value: string): void {
  switch (code) {
    case 'ID':
      entry.name = /^\S*/.exec(value)![0];
      break;
    case 'AC':
      if (entry.id === '') entry.id = /^[^;\s]*/.exec(value)![0];
      break;
    case 'DE':
      if (entry.description === '')
        entry.description = /^(?:RecName|SubName): Full=([^;{]*)/.exec(value)?.[1]?.trim() ?? '';
      break;
    case 'OS':
      entry.organism = entry.organism === '' ? value : `${entry.organism} ${value}`;
      break;
    case 'OX':
      if (entry.taxon === '') entry.taxon = /NCBI_TaxID=(\d+)/.exec(value)?.[1] ?? '';
      break;
    case 'DR': {
      const family = /^Pfam; (\w+);/.exec(value)?.[1];
      if (family !== undefined && !entry.families.includes(family)) entry.families.push(family);
      break;
    }
    case 'SQ': {
      const length = /^SEQUENCE\s+(\d+) AA;/.exec(value)?.[1];
      if (length === undefined) entry.fault ??= 'the SQ line states no length';
      else entry.statedLength = Number(length);
    }
  }
}

/** `Takifugu rubripes (Japanese pufferfish).` becomes the name without the common names; strains and isolates stay. */
function scientificName(organism: string): string {
  const name = organism.replace(/\.$/, '');
  const common = name.search(/ \((?!strain |isolate |serotype |serogroup |subtype |biotype )/);
  return common < 0 ? name : name.slice(0, common);
}
