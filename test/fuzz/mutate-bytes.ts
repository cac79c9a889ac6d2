/** Edits of binary and line-wise files, drawn from a generator. */
import type { Random } from '../../src/base/random.ts';
import { bytes, text } from './files.ts';

export const pick = <T>(random: Random, choices: readonly T[]): T => choices[random.integer(choices.length)]!;

/** Numbers at which sizes and offsets go wrong. */
const EDGES = [0n, 1n, 2n, 7n, 0x7fn, 0xffn, 0x7fffn, 0xffffn, 1n << 20n, 0x7fffffffn, 0x80000000n, 0xffffffffn];
const WIDE_EDGES = [...EDGES, 1n << 32n, (1n << 53n) - 1n, 1n << 53n, 1n << 62n, (1n << 63n) - 1n, (1n << 64n) - 1n];

/** A place in a file: at its head or its tail more often than elsewhere, where formats keep their sizes. */
function place(random: Random, length: number): number {
  const span = Math.min(length, pick(random, [16, 64, 256, length]));
  const at = random.integer(Math.max(1, span));
  return random.integer(2) === 0 ? at : Math.max(0, length - 1 - at);
}

function splice(whole: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array {
  return Buffer.concat([whole.subarray(0, at), inserted, whole.subarray(Math.min(whole.length, at + removed))]);
}

type Edit = (random: Random, whole: Uint8Array, other: Uint8Array) => Uint8Array;

/** Another number of 2, 4 or 8 bytes at some place. */
function withNumber(random: Random, whole: Uint8Array, change: (value: bigint) => bigint): Uint8Array {
  const size = pick(random, [2, 4, 8]);
  if (whole.length < size) return whole;
  const changed = Uint8Array.from(whole);
  const at = Math.min(place(random, whole.length), whole.length - size);
  let value = 0n;
  for (let i = 0; i < size; i++) value += BigInt(changed[at + i]!) << BigInt(8 * i);
  value = change(value);
  for (let i = 0; i < size; i++) changed[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return changed;
}

const byteEdits: readonly Edit[] = [
  function flipBit(random, whole) {
    const changed = Uint8Array.from(whole);
    changed[place(random, whole.length)]! ^= 1 << random.integer(8);
    return changed;
  },
  function setByte(random, whole) {
    const changed = Uint8Array.from(whole);
    changed[place(random, whole.length)] = pick(random, [0, 1, 0x7f, 0x80, 0xff, random.integer(256)]);
    return changed;
  },
  function setNumber(random, whole) {
    return withNumber(random, whole, () => pick(random, WIDE_EDGES));
  },
  function changeNumber(random, whole) {
    return withNumber(random, whole, (value) => value + BigInt(pick(random, [1, -1, 2, -2, 16, 256, -256])));
  },
  function truncate(random, whole) {
    return whole.slice(0, random.integer(2) === 0 ? random.integer(whole.length + 1) : place(random, whole.length));
  },
  function remove(random, whole) {
    return splice(whole, place(random, whole.length), 1 + random.integer(16), new Uint8Array(0));
  },
  function insert(random, whole) {
    const inserted = Uint8Array.from({ length: 1 + random.integer(16) }, () => random.integer(256));
    return splice(whole, place(random, whole.length), 0, inserted);
  },
  function repeat(random, whole) {
    const at = place(random, whole.length);
    const part = whole.subarray(at, at + 1 + random.integer(64));
    return splice(whole, at, 0, Buffer.concat(Array.from({ length: pick(random, [1, 1, 2, 100]) }, () => part)));
  },
  function graft(random, whole, other) {
    const from = random.integer(other.length + 1);
    const part = other.subarray(from, from + pick(random, [8, 64, 1024]));
    return splice(whole, place(random, whole.length), pick(random, [0, part.length]), part);
  },
  function append(_, whole, other) {
    return Buffer.concat([whole, other]);
  },
];

const ODD_TEXT = [
  '\0',
  '\r',
  '\r\n',
  '\n\n\n',
  '\t',
  '"',
  '""',
  '\\',
  '\ufeff',
  '\u2028',
  '\u0085',
  '>',
  '<![CDATA[',
  '&#x110000;',
  '&#0;',
  '{{',
  '[[',
  '{|',
  '//',
  '{"text":',
  'NaN',
  '-1',
  '1e999',
  '99999999999999999999',
  '__proto__',
];

const lineEdits: readonly Edit[] = [
  function removeLine(random, whole) {
    return withLines(whole, (lines) => lines.splice(random.integer(lines.length), 1));
  },
  function repeatLine(random, whole) {
    return withLines(whole, (lines) => {
      const at = random.integer(lines.length);
      lines.splice(
        at,
        0,
        ...Array.from({ length: timesWithin(lines[at]!.length, pick(random, [1, 2, 300])) }, () => lines[at]!),
      );
    });
  },
  function swapLines(random, whole) {
    return withLines(whole, (lines) => {
      const [a, b] = [random.integer(lines.length), random.integer(lines.length)];
      [lines[a], lines[b]] = [lines[b]!, lines[a]!];
    });
  },
  function joinLines(random, whole) {
    return withLines(whole, (lines) => {
      const at = random.integer(lines.length);
      lines.splice(at, 2, lines.slice(at, at + 2).join(''));
    });
  },
  function insertOdd(random, whole) {
    return withLines(whole, (lines) => {
      const at = random.integer(lines.length);
      const line = lines[at]!;
      const column = random.integer(line.length + 1);
      const odd = pick(random, ODD_TEXT).repeat(pick(random, [1, 1, 2, 5000]));
      lines[at] = line.slice(0, column) + odd + line.slice(column);
    });
  },
  function lengthen(random, whole) {
    return withLines(whole, (lines) => {
      const at = random.integer(lines.length);
      lines[at] = lines[at]!.repeat(timesWithin(lines[at]!.length, pick(random, [10, 1000])));
    });
  },
];

function withLines(whole: Uint8Array, edit: (lines: string[]) => void): Uint8Array {
  const lines = text(whole).split('\n');
  edit(lines);
  return bytes(lines.join('\n'));
}

/** How often something of this length may stand in a file, at most `times`. */
function timesWithin(length: number, times: number): number {
  return Math.max(1, Math.min(times, Math.floor(MOST_BYTES / (length + 1))));
}

/** Files stay small, so that what a reader takes for them says something. */
const MOST_BYTES = 2 ** 20;

function mutate(edits: readonly Edit[], random: Random, whole: Uint8Array, other: Uint8Array): Uint8Array {
  let changed = whole;
  for (let left = pick(random, [1, 1, 2, 3, 5]); left > 0; left--) {
    const next = pick(random, edits)(random, changed, other);
    if (next.length <= MOST_BYTES) changed = next;
  }
  return changed;
}

/** One to five edits of bytes: bits, numbers at the edges, cuts, parts taken twice or from `other`. */
export function mutateBytes(random: Random, whole: Uint8Array, other: Uint8Array = whole): Uint8Array {
  return mutate(byteEdits, random, whole, other);
}

/** One to five edits of lines, at times of bytes. */
export function mutateLines(random: Random, whole: Uint8Array, other: Uint8Array = whole): Uint8Array {
  return mutate(random.integer(5) === 0 ? byteEdits : [...lineEdits, ...byteEdits.slice(-2)], random, whole, other);
}
