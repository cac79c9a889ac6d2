/**
 * The safetensors format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes end to end.
 *
 * Files written here carry a CRC-32 of the whole file (its own eight digits read as zeros), so that any flipped bit is
 * found when the file is read; files written elsewhere have none and are checked for structure only.
 */

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

export interface SafetensorsFile {
  readonly tensors: Map<string, TensorEntry>;
  /** Strings stored under `__metadata__`, without the checksum. */
  readonly metadata: Readonly<Record<string, string>>;
}

const METADATA = '__metadata__';
const CHECKSUM = 'performers.checksum';
const CHECKSUM_PATTERN = /"performers\.checksum":"crc32:([0-9a-f]{8})"/;
const MAX_HEADER_BYTES = 100_000_000;
const PREFIX = 'crc32:';
const ZERO_DIGITS = '00000000';
const BYTES: Readonly<Record<string, number>> = {
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

/**
 * Encodes `tensors` (kept in their order) and `metadata` as a safetensors file with a checksum.
 * @throws when a shape and its data disagree or a name is reserved.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorEntry>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  // Widest elements first, so that every tensor is aligned within the data.
  const layout = [...tensors].sort(([, a], [, b]) => BYTES[b.dtype]! - BYTES[a.dtype]!);
  const offsets = new Map<string, [number, number]>();
  let dataBytes = 0;
  for (const [name, { dtype, shape, data }] of layout) {
    if (name === METADATA) throw new Error(`A tensor cannot be called ${METADATA}: the format reserves that name.`);
    if (elementCount(shape) !== data.length) {
      throw new Error(`Tensor ${name} has ${data.length} elements but shape [${shape}]: make them agree.`);
    }
    offsets.set(name, [dataBytes, dataBytes + data.length * BYTES[dtype]!]);
    dataBytes += data.length * BYTES[dtype]!;
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
    throw new Error('Too many tensors for one safetensors file: write several files.');
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
  const damaged = (why: string): Error =>
    new Error(`${where} is damaged (${why}): restore it from a copy or use an earlier checkpoint.`);
  if (bytes.length < 8) throw damaged(`it has ${bytes.length} bytes, fewer than the 8 of the header length`);
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES || headerBytes > bytes.length - 8) {
    throw damaged(`it ends before its header of ${headerBytes} bytes does, or is no safetensors file`);
  }
  const header = parseHeader(bytes.subarray(8, 8 + headerBytes), damaged);
  const { [CHECKSUM]: checksum, ...metadata } = header.metadata;
  const data = bytes.subarray(8 + headerBytes);
  const tensors = new Map<string, TensorEntry>();
  let end = 0;
  for (const { name, dtype, shape, begin, end: last } of [...header.entries].sort(
    (a, b) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== end) throw damaged(`the data of tensor ${name} starts at ${begin}, not at ${end}`);
    const count = elementCount(shape);
    if (last - begin !== count * BYTES[dtype]!) {
      throw damaged(
        `tensor ${name} takes ${last - begin} bytes, but ${dtype} [${shape}] needs ${count * BYTES[dtype]!}`,
      );
    }
    end = last;
  }
  if (end !== data.length) throw damaged(`its header describes ${end} bytes of data, but ${data.length} follow`);
  if (checksum !== undefined) {
    const position = checksumPosition(bytes, headerBytes);
    const actual = position === undefined ? undefined : checksumOf(bytes, position);
    if (checksum !== actual) throw damaged('its checksum does not match');
  }
  for (const { name, dtype, shape, begin, end: last } of header.entries) {
    tensors.set(name, decodeTensor(dtype, shape, new Uint8Array(data.subarray(begin, last))));
  }
  return { tensors, metadata };
}

interface HeaderEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function parseHeader(
  bytes: Uint8Array,
  damaged: (why: string) => Error,
): { metadata: Record<string, string>; entries: HeaderEntry[] } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw damaged('its header is not JSON');
  }
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
    if (!Object.hasOwn(BYTES, dtype)) {
      throw damaged(`tensor ${name} has the type ${dtype}, which is none of ${Object.keys(BYTES).join(', ')}`);
    }
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

function decodeTensor(dtype: string, shape: readonly number[], bytes: Uint8Array<ArrayBuffer>): TensorEntry {
  const buffer = bytes.buffer;
  switch (dtype) {
    case 'F16':
      return { dtype: 'F32', shape, data: Float32Array.from(new Uint16Array(buffer), halfToFloat) };
    case 'BF16':
      return {
        dtype: 'F32',
        shape,
        data: new Float32Array(Uint32Array.from(new Uint16Array(buffer), (x) => x << 16).buffer),
      };
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
      throw new Error(`Unsupported element type ${dtype}.`);
  }
}

/** IEEE 754 binary16 to a number; exact. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
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

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIndexArray(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** Eight bytes a step: table t maps a byte to its remainder t bytes further on. */
const CRC_TABLES: readonly Uint32Array[] = (() => {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let t = 0; t < 8; t++) {
      for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
      tables[t]![byte] = remainder;
    }
  }
  return tables;
})();

/** CRC-32 (IEEE 802.3, as in zip and PNG), unsigned; `previous` is that of the bytes before these. */
export function crc32(bytes: Uint8Array, previous = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = CRC_TABLES as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  let crc = ~previous;
  let i = 0;
  for (; i + 8 <= bytes.length; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t7[crc & 255]! ^
      t6[(crc >>> 8) & 255]! ^
      t5[(crc >>> 16) & 255]! ^
      t4[crc >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}
