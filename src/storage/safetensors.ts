/** What a safetensors file says before its data, and the numbers of one tensor of it. */
/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes end to end.
 *
 * Files written here carry a CRC-32 of the whole file (its own eight digits read as zeros). Any flipped bit is
 * therefore found when the file is read. Files written elsewhere have no checksum; only their structure is checked.
 */

import { crc32 } from '../base/crc32.ts';
import { DataError } from '../base/errors.ts';
import { parseJsonText } from '../base/json.ts';
import { checkArguments, type OptionKind, option } from '../base/options.ts';

/** The array that holds each element type. F16 and BF16 are read as `F32`. */
export interface TensorArrays {
  readonly F64: Float64Array;
  readonly F32: Float32Array;
  readonly I64: BigInt64Array;
  readonly U64: BigUint64Array;
  readonly I32: Int32Array;
  readonly U32: Uint32Array;
  readonly I16: Int16Array;
  readonly U16: Uint16Array;
  readonly I8: Int8Array;
  readonly U8: Uint8Array;
  readonly BOOL: Uint8Array;
}

export type TensorType = keyof TensorArrays;

/** A named array of one type; `data` has as many elements as `shape` says. */
export type TensorEntry = {
  [T in TensorType]: { readonly dtype: T; readonly shape: readonly number[]; readonly data: TensorArrays[T] };
}[TensorType];

const METADATA = '__metadata__';
const MAX_HEADER_BYTES = 100_000_000;
/** Bytes of one element. */
export const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Makes the error of a file that is damaged in the way that `why` says. */
export type Damaged = (why: string) => Error;

/** One tensor as the header describes it. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Where its bytes begin and end, counted from the first byte after the header. */
  readonly begin: number;
  readonly end: number;
}

interface SafetensorsHeader {
  readonly metadata: Record<string, string>;
  readonly entries: readonly HeaderEntry[];
}

/**
 * Bytes of the header.
 *
 * @param start the first bytes of the file, at least eight if it has them
 */
export function headerLength(start: Uint8Array, fileBytes: number, damaged: Damaged): number {
  if (fileBytes < 8) throw damaged(`it has ${fileBytes} bytes, fewer than the 8 of the header length`);
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES || length > fileBytes - 8) {
    throw damaged(`it ends before its header of ${length} bytes does, or is no safetensors file`);
  }
  return Number(length);
}

/** A header whose tensors are end to end and fill the `dataBytes` that follow it. */
export function checkedHeader(bytes: Uint8Array, dataBytes: number, damaged: Damaged): SafetensorsHeader {
  const header = parseHeader(bytes, damaged);
  let position = 0;
  for (const { name, dtype, shape, begin, end } of [...header.entries].sort(
    (a, b) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== position) throw damaged(`the data of tensor ${name} starts at ${begin}, not at ${position}`);
    // Types that are not read, such as FP8, may have any length, and are no obstacle where nothing reads them.
    const elementBytes = ELEMENT_BYTES[dtype];
    const wanted = elementBytes === undefined ? end - begin : elementCount(shape) * elementBytes;
    if (end - begin !== wanted) {
      throw damaged(`tensor ${name} takes ${end - begin} bytes, but ${dtype} [${shape}] needs ${wanted}`);
    }
    position = end;
  }
  if (position !== dataBytes) {
    throw damaged(`its header describes ${position} bytes of data, but ${dataBytes} follow`);
  }
  return header;
}

function parseHeader(bytes: Uint8Array, damaged: Damaged): SafetensorsHeader {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged('its header is not JSON');
  }
  const json = parseJsonText(text, (why) => damaged(`its header ${why}`));
  if (!isRecord(json)) throw damaged('its header is not a JSON object');
  let metadata: Record<string, string> = {};
  const entries: HeaderEntry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === METADATA) {
      if (!isRecord(value) || !Object.values(value).every((text) => typeof text === 'string')) {
        throw damaged(`its ${METADATA} is not a map of strings`);
      }
      metadata = value as Record<string, string>;
      continue;
    }
    if (!isRecord(value)) throw damaged(`its entry ${name} is not an object`);
    const { dtype, shape, data_offsets: offsets } = value;
    if (typeof dtype !== 'string') throw damaged(`tensor ${name} has no dtype`);
    if (!isIndexArray(shape) || !Number.isSafeInteger(elementCount(shape) * 8)) {
      throw damaged(`tensor ${name} has no valid shape`);
    }
    if (!isIndexArray(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
      throw damaged(`tensor ${name} has no valid data_offsets`);
    }
    entries.push({ name, dtype, shape, begin: offsets[0]!, end: offsets[1]! });
  }
  return { metadata, entries };
}

/** The numbers of a tensor. @param bytes all of a buffer, which the numbers then use */
export function decodeTensor({ name, dtype, shape }: HeaderEntry, bytes: Uint8Array<ArrayBuffer>): TensorEntry {
  const buffer = bytes.buffer;
  switch (dtype) {
    case 'F16':
      return { dtype: 'F32', shape, data: halvesToFloats(new Uint16Array(buffer)) };
    case 'BF16':
      return { dtype: 'F32', shape, data: brainFloatsToFloats(new Uint16Array(buffer)) };
    case 'F64':
      return { dtype, shape, data: new Float64Array(buffer) };
    case 'F32':
      return { dtype, shape, data: new Float32Array(buffer) };
    case 'I64':
      return { dtype, shape, data: new BigInt64Array(buffer) };
    case 'U64':
      return { dtype, shape, data: new BigUint64Array(buffer) };
    case 'I32':
      return { dtype, shape, data: new Int32Array(buffer) };
    case 'U32':
      return { dtype, shape, data: new Uint32Array(buffer) };
    case 'I16':
      return { dtype, shape, data: new Int16Array(buffer) };
    case 'U16':
      return { dtype, shape, data: new Uint16Array(buffer) };
    case 'I8':
      return { dtype, shape, data: new Int8Array(buffer) };
    case 'U8':
    case 'BOOL':
      return { dtype, shape, data: bytes };
    default:
      throw new DataError(
        `Tensor ${name} has the type ${dtype}, which is not one of ${Object.keys(ELEMENT_BYTES).join(', ')}: take weights of one of these.`,
      );
  }
}

let halves: Float32Array | undefined;

/** IEEE 754 binary16, by a table of all 65,536; exact. */
function halvesToFloats(numbers: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 1 << 16 }, (_, half) => halfToFloat(half));
  const floats = new Float32Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) floats[i] = halves[numbers[i]!]!;
  return floats;
}

/** bfloat16 is the upper half of a float32. */
function brainFloatsToFloats(numbers: Uint16Array): Float32Array {
  const words = new Uint32Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) words[i] = numbers[i]! << 16;
  return new Float32Array(words.buffer);
}

/** IEEE 754 binary16 to a number; exact. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIndexArray(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

interface SafetensorsFile {
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
 * @throws DataError when a shape and its data disagree or a name is reserved.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorEntry>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  checkArguments(
    'encodeSafetensors',
    { tensors, metadata },
    { tensors: entriesKind, metadata: option.optional(option.recordOf(option.string)) },
  );
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
 * @throws DataError naming `where` when the file is truncated, malformed, or fails its checksum.
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): SafetensorsFile {
  checkArguments('decodeSafetensors', { bytes, where }, { bytes: option.bytes, where: option.string });
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

/** Where the checksum's digits are in the file. Undefined when the header does not spell them as we do. */
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

/** Names of the arrays by type. */
const ARRAYS: { readonly [T in TensorType]: string } = {
  F64: 'Float64Array',
  F32: 'Float32Array',
  I64: 'BigInt64Array',
  U64: 'BigUint64Array',
  I32: 'Int32Array',
  U32: 'Uint32Array',
  I16: 'Int16Array',
  U16: 'Uint16Array',
  I8: 'Int8Array',
  U8: 'Uint8Array',
  BOOL: 'Uint8Array',
};

/** The tensors of a file. */
export const entriesKind: OptionKind = option.mapOf(
  option.either(
    ...Object.entries(ARRAYS).map(([dtype, array]) =>
      option.having(`a tensor ${dtype} with its shape and a ${array}`, {
        dtype: option.oneOf(dtype),
        shape: option.listOf(option.natural),
        data: option.view(array),
      }),
    ),
  ),
);
