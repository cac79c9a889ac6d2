import { checkArguments, type OptionKind, option } from '../../base/options.ts';

/** One text, sequence or image of a data file, as a reader hands it out. */
export interface DataRecord {
  /** The text: a document, or a sequence of residues. */
  readonly text: string;
  /** Name within the file, such as an accession or a title. Default: undefined. */
  readonly id?: string;
  /** What the record belongs to, such as a family or an organism, for splits by group. Default: nothing. */
  readonly group?: string;
  /** For messages: the file it came from. */
  readonly file: string;
  /** For messages: 1-based line (of a table: row) at which it starts. */
  readonly line: number;
}

/** Stands between groups where a record belongs to several. */
export const GROUP_SEPARATOR = ';';

/** A text and its class. */
export interface LabelledRecord extends DataRecord {
  /** From 0. */
  readonly label: number;
}

/**
 * Longest record of a file, a line among them: 16 MiB. A longer record cannot be used, so that memory stays bounded
 * whatever a file decompresses to. Texts that are one document each are streams and may have any length.
 */
export const MAX_RECORD_BYTES = 2 ** 24;

/** A record that cannot be used. */
export interface BadRecord {
  readonly file: string;
  /** 1-based line (of a table: row) at which the record starts. */
  readonly line: number;
  /** What is wrong with it. */
  readonly reason: string;
}

/** The bad records that are remembered; beyond them only the number is. */
const numExamples = 10;

/** Counts what readers could not use, so that nothing is dropped in silence. */
export class BadRecords {
  readonly #examples: BadRecord[] = [];
  #count = 0;

  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is BadRecords {
    return typeof value === 'object' && value !== null && #count in value;
  }

  /** What was known of others: their number, and the first of them. */
  static of(count: number, examples: readonly BadRecord[]): BadRecords {
    checkArguments('BadRecords.of', { count, examples }, { count: option.natural, examples: option.list });
    const records = new BadRecords();
    records.#count = count;
    records.#examples.push(...examples);
    return records;
  }

  /** Number of bad records. */
  get count(): number {
    return this.#count;
  }

  /** The first ten. */
  get examples(): readonly BadRecord[] {
    return this.#examples;
  }

  add(record: BadRecord): void {
    checkArguments('BadRecords.add', { record }, { record: option.object });
    this.#count++;
    if (this.#examples.length < numExamples) this.#examples.push(record);
  }

  /** One line for each example and one for the rest; empty without bad records. */
  describe(): string {
    const lines = this.#examples.map(({ file, line, reason }) => `${file}:${line}: ${reason}`);
    const rest = this.#count - lines.length;
    return (rest > 0 ? [...lines, `… and ${rest} more records that cannot be used`] : lines).join('\n');
  }
}

/** What reading the data left out. */
export interface ReadingReport {
  readonly bad: BadRecords;
  /** Number of records that were left out though nothing is wrong with them, by reason. */
  readonly skipped: Map<string, number>;
  /** What was done otherwise than asked for, because of the data, in one sentence each. */
  readonly notes?: readonly string[];
}

export const badRecordsKind: OptionKind = option.made('a BadRecords', BadRecords.is);
