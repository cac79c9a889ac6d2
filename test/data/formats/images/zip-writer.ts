import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

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

/** An archive in all the forms that readers meet, the same bytes for the same parts. */
export function zip(
  parts: readonly ZipPart[],
  { isLarge = false, comment = '' }: { isLarge?: boolean; comment?: string } = {},
): Promise<Buffer> {
  const archive = new ZipFile();
  for (const { name, data, isDeflated = false, isLarge = false, hasDescriptor = false } of parts) {
    const options = { compress: isDeflated, forceZip64Format: isLarge, mtime: new Date(0), forceDosTimestamp: true };
    const bytes = Buffer.from(data);
    if (hasDescriptor) archive.addReadStream(Readable.from([bytes]), name, options);
    else archive.addBuffer(bytes, name, options);
  }
  archive.end({ forceZip64Format: isLarge, comment });
  return buffer(archive.outputStream);
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
