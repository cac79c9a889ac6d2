import { Buffer } from 'node:buffer';
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipPart {
  readonly name: string;
  readonly data: Uint8Array;
  /** Default: stored. */
  readonly isDeflated?: boolean;
  /** Sizes in the extra field of 64 bits, as NumPy writes them. */
  readonly isLarge?: boolean;
  /** Sizes only after the data, as writers to a pipe do. */
  readonly hasDescriptor?: boolean;
}

/** An archive by the book (APPNOTE.TXT), in all the forms that readers meet. */
export function zip(parts: readonly ZipPart[], options: { isLarge?: boolean; comment?: string } = {}): Buffer {
  const body: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const part of parts) {
    const name = Buffer.from(part.name);
    const packed = part.isDeflated ? deflateRawSync(part.data) : Buffer.from(part.data);
    const checksum = crc32(part.data);
    const extra = part.isLarge ? extra64(part.data.length, packed.length, offset) : Buffer.alloc(0);
    const sizes = part.isLarge ? [0xffffffff, 0xffffffff] : [packed.length, part.data.length];
    const flags = part.hasDescriptor ? 8 : 0;
    const common = [u16(45), u16(flags), u16(part.isDeflated ? 8 : 0), u32(0)];
    const known = part.hasDescriptor ? [u32(0), u32(0), u32(0)] : [u32(checksum), ...sizes.map(u32)];
    const local = Buffer.concat([
      u32(0x04034b50),
      ...common,
      ...known,
      u16(name.length),
      u16(5),
      name,
      Buffer.from([0x99, 0x99, 1, 0, 42]),
      packed,
      ...(part.hasDescriptor ? [u32(0x08074b50), u32(checksum), u32(packed.length), u32(part.data.length)] : []),
    ]);
    directory.push(
      Buffer.concat([
        ...[u32(0x02014b50), u16(45), ...common, u32(checksum), ...sizes.map(u32)],
        ...[u16(name.length), u16(extra.length), u16(3), u16(0), u16(0), u32(0)],
        ...[u32(part.isLarge ? 0xffffffff : offset), name, extra, Buffer.from('why')],
      ]),
    );
    body.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const comment = Buffer.from(options.comment ?? '');
  const end64 = Buffer.concat([
    ...[u32(0x06064b50), u64(44), u16(45), u16(45), u32(0), u32(0)],
    ...[u64(parts.length), u64(parts.length), u64(central.length), u64(offset)],
    ...[u32(0x07064b50), u32(0), u64(offset + central.length), u32(1)],
  ]);
  const places = options.isLarge
    ? [u16(0xffff), u16(0xffff), u32(0xffffffff), u32(0xffffffff)]
    : [u16(parts.length), u16(parts.length), u32(central.length), u32(offset)];
  const end = [u32(0x06054b50), u16(0), u16(0), ...places, u16(comment.length), comment];
  return Buffer.concat([...body, central, ...(options.isLarge ? [end64] : []), ...end]);
}

function extra64(size: number, packed: number, offset: number): Buffer {
  // Another field comes first, as it may.
  return Buffer.concat([u16(0x7075), u16(2), u16(1), u16(1), u16(24), u64(size), u64(packed), u64(offset)]);
}

function u16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16LE(value);
  return buffer;
}

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function u64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

/** An .npy file by the book, with a head padded to 64 bytes as NumPy pads it. */
export function npy(shape: readonly number[], data: Uint8Array, version = 1): Buffer {
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const start = version === 1 ? 10 : 12;
  const length = Math.ceil((start + text.length + 1) / 64) * 64 - start;
  const head = Buffer.alloc(start);
  head.write('\x93NUMPY', 'latin1');
  head[6] = version;
  if (version === 1) head.writeUInt16LE(length, 8);
  else head.writeUInt32LE(length, 8);
  return Buffer.concat([head, Buffer.from(`${text.padEnd(length - 1)}\n`), data]);
}
