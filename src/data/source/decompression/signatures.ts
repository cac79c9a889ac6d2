/** Files that are no text, by their first bytes: each with its name and what makes text or records of it. */
import { RefusedFormat } from './refused-format.ts';

/** Bytes that suffice to know every form: a tar archive begins with a header of 512. */
export const HEAD = 512;

interface Signature {
  /** Bytes as Latin-1. */
  readonly magic: string;
  /** With its article. */
  readonly name: string;
  readonly how: (file: string) => string;
}

const run = (command: string) => (file: string) => `unpack it with "${command} ${file}" and give what comes out`;
const inspect = (how: string) => () => how;
const convert = inspect('save its contents as text, JSON lines or Parquet');

const SIGNATURES: readonly Signature[] = [
  { magic: '\xfd7zXZ\0', name: 'compressed with xz', how: run('xz -dk') },
  { magic: ']\0\0', name: 'compressed with LZMA', how: run('unlzma -k') },
  { magic: 'LZIP\x01', name: 'compressed with lzip', how: run('lzip -dk') },
  { magic: '\x04"M\x18', name: 'compressed with LZ4', how: run('lz4 -d') },
  { magic: '\x02!L\x18', name: 'compressed with LZ4', how: run('lz4 -d') },
  { magic: '\x89LZO\0', name: 'compressed with lzop', how: run('lzop -d') },
  { magic: '\xff\x06\0\0sNaPpY', name: 'compressed with Snappy', how: run('snzip -dk') },
  { magic: '\x1f\x9d', name: 'compressed with compress (.Z)', how: run('gzip -dk') },
  { magic: '\x1f\xa0', name: 'compressed with compress (.Z)', how: run('gzip -dk') },
  { magic: 'PK\x03\x04', name: 'a ZIP archive', how: run('unzip') },
  { magic: 'PK\x05\x06', name: 'a ZIP archive without files', how: convert },
  { magic: 'PK\x07\x08', name: 'a ZIP archive in parts', how: run('7z x') },
  { magic: "7z\xbc\xaf'\x1c", name: 'a 7z archive', how: run('7z x') },
  { magic: 'Rar!\x1a\x07', name: 'a RAR archive', how: run('unrar x') },
  { magic: '!<arch>\n', name: 'an ar archive (.deb, .a)', how: run('ar x') },
  { magic: 'MSCF\0\0\0\0', name: 'a cabinet archive', how: run('cabextract') },
  { magic: 'PAR1\x15', name: 'a Parquet file', how: inspect('read it with the format parquet') },
  { magic: 'ARROW1\0', name: 'an Arrow (Feather) file', how: inspect('save its table as Parquet') },
  { magic: 'FEA1\0', name: 'a Feather file', how: inspect('save its table as Parquet') },
  { magic: '\xff\xff\xff\xff', name: 'an Arrow stream', how: inspect('save its table as Parquet') },
  { magic: 'Obj\x01', name: 'an Avro file', how: convert },
  { magic: '\x89HDF\r\n\x1a\n', name: 'an HDF5 file', how: convert },
  { magic: 'SQLite format 3\0', name: 'an SQLite database', how: convert },
  { magic: '\x93NUMPY', name: 'a NumPy array', how: inspect('give .npz files of images to the format images') },
  { magic: '%PDF-', name: 'a PDF file', how: (file) => `take its text out with "pdftotext ${file}"` },
  { magic: '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', name: 'an old Office document', how: inspect('save it as plain text') },
  { magic: '{\\rtf', name: 'a rich-text (RTF) file', how: inspect('save it as plain text') },
  { magic: '\x89PNG\r\n\x1a\n', name: 'a PNG image', how: inspect('read it with the format images') },
  { magic: '\xff\xd8\xff', name: 'a JPEG image', how: inspect('read it with the format images') },
  { magic: 'GIF8', name: 'a GIF image', how: inspect('read it with the format images') },
  { magic: 'GGUF', name: 'a GGUF model', how: inspect('give data instead') },
  { magic: '\x7fELF', name: 'a program (ELF)', how: inspect('give data instead') },
  { magic: '\x1f\x8b', name: 'compressed with gzip', how: run('gzip -dk') },
  { magic: '(\xb5/\xfd', name: 'compressed with Zstandard', how: run('zstd -d') },
];

const UNICODE: readonly (readonly [magic: string, name: string])[] = [
  ['\xff\xfe\0\0', 'UTF-32LE'],
  ['\0\0\xfe\xff', 'UTF-32BE'],
  ['\xff\xfe', 'UTF-16LE'],
  ['\xfe\xff', 'UTF-16BE'],
];

/**
 * Refuses what is known to be no UTF-8 text.
 *
 * @param head the first {@link HEAD} bytes of the file, or all of it
 * @param compression what `head` was compressed with
 */
export function checkSignature(head: Uint8Array, compression?: string): void {
  const text = String.fromCharCode(...head.subarray(0, HEAD));
  if (isTar(head)) throw new RefusedFormat(`is ${inside('a tar archive', compression)}`, run('tar -xf'));
  const encoding = UNICODE.find(([magic]) => text.startsWith(magic))?.[1] ?? wideText(head);
  if (encoding !== undefined) {
    const convertWith = (file: string) => `save it as UTF-8: iconv -f ${encoding} -t UTF-8 ${file} > NEW`;
    throw new RefusedFormat(`is ${inside(`text in ${encoding}`, compression)}`, convertWith);
  }
  const found = SIGNATURES.find(({ magic }) => text.startsWith(magic));
  if (found === undefined) return;
  if (compression === undefined) throw new RefusedFormat(`is ${found.name}`, found.how);
  const first = (file: string) => `decompress ${file}, and then ${found.how('what comes out')}`;
  throw new RefusedFormat(`is ${found.name}, and compressed with ${compression} besides`, first);
}

const inside = (what: string, compression: string | undefined) =>
  compression === undefined ? what : `${what}, compressed with ${compression}`;

/** A header's checksum is the sum of its bytes, those of the checksum taken as spaces, in octal. */
function isTar(head: Uint8Array): boolean {
  if (String.fromCharCode(...head.subarray(257, 262)) === 'ustar') return true;
  if (head.length < HEAD || head[0] === 0) return false;
  const stated = Number.parseInt(String.fromCharCode(...head.subarray(148, 156)).trim(), 8);
  let sum = 0;
  for (let i = 0; i < HEAD; i++) sum += i >= 148 && i < 156 ? 32 : head[i]!;
  return sum === stated;
}

/** UTF-16 without a byte order mark: every other byte of Latin letters is 0. */
function wideText(head: Uint8Array): 'UTF-16LE' | 'UTF-16BE' | undefined {
  const pairs = head.length >> 1;
  if (pairs < 2) return undefined;
  let even = 0;
  let odd = 0;
  for (let i = 0; i + 1 < head.length; i += 2) {
    if (head[i] === 0) even++;
    if (head[i + 1] === 0) odd++;
  }
  if (even === 0 && odd > 0.7 * pairs) return 'UTF-16LE';
  return odd === 0 && even > 0.7 * pairs ? 'UTF-16BE' : undefined;
}
