import { Buffer } from 'node:buffer';
import { DataError } from '../../../base/errors.ts';

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');

/** What the head of a NumPy array file (.npy) says. */
interface NpyHeader {
  /** NumPy's name of the type, such as `|u1` or `<i8`. */
  readonly type: string;
  readonly shape: readonly number[];
  /** Whether the first index runs fastest. */
  readonly isFortranOrder: boolean;
  /** Where the values start. */
  readonly offset: number;
}

/**
 * Reads the head of an .npy file, versions 1 to 3.
 *
 * @param bytes the beginning of the file, or as much of it as there is yet
 * @returns undefined if it takes more bytes to tell
 * @throws DataError if this is no .npy file or holds pickled objects
 */
export function parseNpyHeader(bytes: Buffer, name: string): NpyHeader | undefined {
  const start = bytes.subarray(0, MAGIC.length);
  if (!start.equals(MAGIC.subarray(0, start.length))) throw noArray(name, 'its first bytes are others');
  if (bytes.length < 12) return undefined;
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw noArray(name, `version ${version} is not 1, 2 or 3`);
  const offset = version === 1 ? 10 + bytes.readUInt16LE(8) : 12 + bytes.readUInt32LE(8);
  if (offset > 1 << 20) throw noArray(name, 'its head is longer than 1 MiB');
  if (bytes.length < offset) return undefined;
  const head = bytes.toString('utf8', version === 1 ? 10 : 12, offset);
  // A Python dictionary, whose keys NumPy sorts.
  const type = /'descr'\s*:\s*'([^']*)'/.exec(head)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(head)?.[1];
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(head)?.[1];
  if (type === undefined || order === undefined || shape === undefined) {
    throw noArray(name, 'its head is not a type, an order and a shape');
  }
  if (type.includes('O')) {
    throw new DataError(`${name} holds pickled Python objects, which are not read; save arrays of numbers.`);
  }
  const sizes = shape.match(/\d+/g) ?? [];
  return { type, shape: sizes.map(Number), isFortranOrder: order === 'True', offset };
}

const noArray = (name: string, reason: string) =>
  new DataError(`${name} is no NumPy array (${reason}); give what numpy.save or numpy.savez writes.`);
