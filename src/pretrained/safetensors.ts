/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes end to end.
 *
 * Files written here carry a CRC-32 of the whole file (its own eight digits read as zeros), so that any flipped bit is
 * found when the file is read; files written elsewhere have none and are checked for structure only.
 */

import { DataError } from '../base/errors.ts';
import { crc32 } from './crc32.ts';
import {
  checkedHeader,
  type Damaged,
  decodeTensor,
  ELEMENT_BYTES,
  elementCount,
  headerLength,
  MAX_HEADER_BYTES,
  METADATA,
  type TensorEntry,
} from './safetensors-header.ts';

export type { TensorArrays, TensorEntry, TensorType } from './safetensors-header.ts';

export interface SafetensorsFile {
  readonly tensors: Map<string, TensorEntry>;
  /** Strings stored under `__metadata__`, without the checksum. */
  readonly metadata: Readonly<Record<string, string>>;
}

const CHECKSUM = 'performers.checksum';
const CHECKSUM_PATTERN = /"performers\.checksum":"crc32:([0-9a-f]{8})"/;
const PREFIX = 'crc32:';
const ZERO_DIGITS = '00000000';

/**
 * Encodes `tensors` (kept in their order) and `metadata` as a safetensors file with a checksum.
 * @throws when a shape and its data disagree or a name is reserved.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorEntry>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  // Widest elements first, so that every tensor is aligned within the data.
  const layout = [...tensors].sort(([, a], [, b]) => ELEMENT_BYTES[b.dtype]! - ELEMENT_BYTES[a.dtype]!);
  const offsets = new Map<string, [number, number]>();
  let dataBytes = 0;
  for (const [name, { dtype, shape, data }] of layout) {
    if (name === METADATA) throw new DataError(`A tensor cannot be called ${METADATA}: the format reserves that name.`);
    if (elementCount(shape) !== data.length) {
      throw new DataError(`Tensor ${name} has ${data.length} elements but shape [${shape}]: make them agree.`);
    }
    offsets.set(name, [dataBytes, dataBytes + data.length * ELEMENT_BYTES[dtype]!]);
    dataBytes += data.length * ELEMENT_BYTES[dtype]!;
  }
  const header = JSON.stringify(
    Object.fromEntries([
      [METADATA, { ...metadata, [CHECKSUM]: PREFIX + ZERO_DIGITS }],
      ...[...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape, data_offsets: offsets.get(name) }]),
    ]),
  );
  const unpadded = new TextEncoder().encode(header);
  const headerBytes = Math.ceil(unpadded.length / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES)
    throw new DataError('Too many tensors for one safetensors file: write several files.');
  const file = new Uint8Array(8 + headerBytes + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, 8, 8 + headerBytes);
  file.set(unpadded, 8);
  for (const [name, { data }] of layout) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 8 + headerBytes + offsets.get(name)![0]);
  }
  const position = checksumPosition(file, headerBytes)!;
  file.set(new TextEncoder().encode(checksumOf(file, position).slice(PREFIX.length)), position);
  return file;
}

/**
 * Decodes a whole safetensors file.
 * @param where names the file in errors
 * @throws one sentence naming `where` when the file is truncated, malformed, or fails its checksum.
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): SafetensorsFile {
  const damaged: Damaged = (why) =>
    new DataError(`${where} is damaged (${why}): restore it from a copy or use an earlier checkpoint.`);
  const headerBytes = headerLength(bytes, bytes.length, damaged);
  const data = bytes.subarray(8 + headerBytes);
  const header = checkedHeader(bytes.subarray(8, 8 + headerBytes), data.length, damaged);
  const { [CHECKSUM]: checksum, ...metadata } = header.metadata;
  const tensors = new Map<string, TensorEntry>();
  if (checksum !== undefined) {
    const position = checksumPosition(bytes, headerBytes);
    const actual = position === undefined ? undefined : checksumOf(bytes, position);
    if (checksum !== actual) throw damaged('its checksum does not match');
  }
  for (const entry of header.entries) {
    tensors.set(entry.name, decodeTensor(entry, new Uint8Array(data.subarray(entry.begin, entry.end))));
  }
  return { tensors, metadata };
}

/** Where the checksum's digits lie in the file; undefined when the header does not spell them as we do. */
function checksumPosition(file: Uint8Array, headerBytes: number): number | undefined {
  // Latin-1 keeps one character per byte, so that the match's index is a byte offset.
  const text = new TextDecoder('latin1').decode(file.subarray(8, 8 + headerBytes));
  const match = CHECKSUM_PATTERN.exec(text);
  return match ? 8 + match.index + match[0].length - 9 : undefined;
}

/** Checksum of the file as it would be with zeros for the eight digits at `position`. */
function checksumOf(file: Uint8Array, position: number): string {
  let crc = crc32(file.subarray(0, position));
  crc = crc32(new TextEncoder().encode(ZERO_DIGITS), crc);
  crc = crc32(file.subarray(position + 8), crc);
  return PREFIX + crc.toString(16).padStart(8, '0');
}
