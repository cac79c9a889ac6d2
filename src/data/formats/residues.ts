import { Buffer } from 'node:buffer';
import { ConfigurationError } from '../../base/errors.ts';
import { MAX_RECORD_BYTES } from './records.ts';

/** What {@link residueTable} gives for a byte that is no residue. */
const ILLEGAL = 0;
const BLANK = 1;
const LINE_END = 2;

/** For every byte its upper-case residue, {@link BLANK}, {@link LINE_END}, `*` or {@link ILLEGAL}. */
function residueTable(residues: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const letter of residues) {
    table[letter.charCodeAt(0)] = letter.toUpperCase().charCodeAt(0);
    table[letter.toLowerCase().charCodeAt(0)] = letter.toUpperCase().charCodeAt(0);
  }
  for (const blank of ' \t\r') table[blank.charCodeAt(0)] = BLANK;
  table['\n'.charCodeAt(0)] = LINE_END;
  table[TERMINATOR] = TERMINATOR;
  return table;
}

/** `*`, which may end a sequence. */
const TERMINATOR = 42;

/** Gathers the letters of one sequence; reused from one to the next. */
export class ResidueBuffer {
  #letters = new Uint8Array(1 << 16);
  #length = 0;
  #fault: string | undefined;
  readonly #table: Uint8Array;
  readonly #residues: string;

  /** @param residues legal letters, such as those of `ProteinTokenizer` @throws ConfigurationError if one is no ASCII letter */
  constructor(residues: string) {
    if (!/^[A-Za-z]+$/.test(residues)) {
      throw new ConfigurationError(
        `residues is ${JSON.stringify(residues)}; give the letters that sequences may have, as A to Z.`,
      );
    }
    this.#residues = residues;
    this.#table = residueTable(residues);
  }

  /** Whether nothing but white space has come so far. */
  get isBlank(): boolean {
    return this.#length === 0 && this.#fault === undefined;
  }

  clear(): void {
    this.#length = 0;
    this.#fault = undefined;
  }

  /**
   * Appends the letters of `bytes` from `start` on, up to a line that begins with `stop`.
   *
   * @param stop byte; default: undefined
   * @param stop byte; default: none
   * @returns where it stopped, the number of bytes if nowhere, and the line there
   */
  append(bytes: Uint8Array, start: number, line: number, stop = -1): { end: number; line: number } {
    const needed = this.#length + bytes.length - start;
    if (needed > this.#letters.length) {
      const larger = new Uint8Array(Math.max(needed, Math.min(2 * needed, MAX_RECORD_BYTES)));
      larger.set(this.#letters.subarray(0, this.#length));
      this.#letters = larger;
    }
    const table = this.#table;
    const letters = this.#letters;
    let length = this.#length;
    let at = start;
    for (; at < bytes.length; at++) {
      const code = table[bytes[at]!]!;
      if (code > LINE_END) {
        letters[length++] = code;
      } else if (code === LINE_END) {
        line++;
        if (bytes[at + 1] === stop) {
          at++;
          break;
        }
      } else if (code === ILLEGAL) {
        this.#fault ??= `${describeByte(bytes[at]!)} on line ${line} is not one of the residues ${this.#residues}`;
      }
    }
    if (length > MAX_RECORD_BYTES) {
      this.#fault ??= 'the sequence is longer than 16 MiB';
      // The letters are not needed any more.
      length = 0;
    }
    this.#length = length;
    return { end: at, line };
  }

  /** The sequence without its terminator, or what is wrong with it. */
  finish(): { sequence: string } | { reason: string } {
    if (this.#fault !== undefined) return { reason: this.#fault };
    let letters = this.#letters.subarray(0, this.#length);
    if (letters.at(-1) === TERMINATOR) letters = letters.subarray(0, -1);
    if (letters.includes(TERMINATOR)) return { reason: 'a terminator (*) stands inside the sequence' };
    if (letters.length === 0) return { reason: 'the sequence is empty' };
    return { sequence: Buffer.from(letters.buffer, 0, letters.length).toString('latin1') };
  }
}

function describeByte(byte: number): string {
  if (byte === 0) return 'a NUL byte, or a line longer than 16 MiB,';
  return byte > 32 && byte < 127 ? JSON.stringify(String.fromCharCode(byte)) : `byte ${byte}`;
}
