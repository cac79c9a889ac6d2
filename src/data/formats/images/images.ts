import { Buffer } from 'node:buffer';
import type { Sharp } from 'sharp';
import type { Entry } from 'yauzl';
import { ConfigurationError, DataError, FileError, PlatformError } from '../../../base/errors.ts';
import { checkArguments, checkOptions, option } from '../../../base/options.ts';
import type { BadRecords } from '../records.ts';
import { badRecordsKind } from '../records.ts';
import { parseNpyHeader } from './npy.ts';
import { readZipEntry, zipEntries } from './zip.ts';

/** An image as a sequence: rows from the top, pixels from the left, red, green and blue of each. */
export interface ImageRecord {
  /** `[size, size, 3]`, row-major: `3·size²` values from 0 to 255. */
  readonly pixels: Uint8Array;
  readonly file: string;
  /** 1-based: the image's row in an array, 1 for a file of its own. */
  readonly line: number;
}

export interface ImageOptions {
  /** Width and height in pixels. Default 64: 12,288 values an image. */
  readonly size?: number;
}

const defaultSize = 64;

/** Checks and completes the options. @throws ConfigurationError unless the size is a positive integer */
function imageSize(where: string, options: ImageOptions): number {
  checkOptions<ImageOptions>(where, options, { size: option.number });
  const { size = defaultSize } = options;
  if (!Number.isInteger(size) || size < 1) throw new ConfigurationError(`size is ${size}; use a positive integer.`);
  return size;
}

/**
 * Images of an .npz file with an array `data` of unsigned bytes, each a plane of red, one of green and one of blue. The
 * shape is that of downsampled ImageNet as published (train_data_batch_1.npz, `[N, 12288]`), or `[N, 3, size, size]`.
 * Memory is that of a few images, whatever N is.
 *
 * @throws DataError if the file is damaged, cut short or holds something else; the images before stay read
 */
export async function* readNpzImages(path: string, options: ImageOptions = {}): AsyncGenerator<ImageRecord> {
  checkArguments('readNpzImages', { path }, { path: option.string });
  const size = imageSize('readNpzImages', options);
  const entry = dataEntry(await zipEntries(path), path);
  const name = `${entry.fileName} in ${path}`;
  const area = size * size;
  let pending: Buffer[] = [];
  let pendingLength = 0;
  let count: number | undefined;
  let line = 0;
  for await (const chunk of readZipEntry(path, entry)) {
    pending.push(chunk);
    pendingLength += chunk.length;
    if (count !== undefined && pendingLength < 3 * area) continue;
    let bytes = pending.length === 1 ? chunk : Buffer.concat(pending);
    if (count === undefined) {
      const header = parseNpyHeader(bytes, name);
      if (header !== undefined) {
        count = countImages(header, size, name);
        bytes = bytes.subarray(header.offset);
      }
    }
    if (count !== undefined) {
      let at = 0;
      for (; at + 3 * area <= bytes.length && line < count; at += 3 * area) {
        yield { pixels: interleave(bytes.subarray(at, at + 3 * area), area), file: path, line: ++line };
      }
      bytes = bytes.subarray(at);
    }
    pending = [bytes];
    pendingLength = bytes.length;
  }
  if (count === undefined) throw new DataError(`${name} ends inside its head; the file may be damaged or cut short.`);
  if (line < count || pendingLength > 0) {
    throw new DataError(
      `${name} holds ${line} images and ${pendingLength} bytes, not ${count}; the file may be damaged.`,
    );
  }
}

function dataEntry(entries: readonly Entry[], path: string): Entry {
  const found = entries.find(({ fileName }) => fileName === 'data.npy');
  if (found !== undefined) return found;
  const names = entries.map(({ fileName }) => fileName.replace(/\.npy$/, '')).slice(0, 8);
  throw new DataError(`${path} has no array "data" but ${names.join(', ') || 'nothing'}; give batches of images.`);
}

function countImages(header: NonNullable<ReturnType<typeof parseNpyHeader>>, size: number, name: string): number {
  const { type, shape, isFortranOrder } = header;
  const [count = 0, ...image] = shape;
  const fits = [[3 * size * size], [3, size, size]].some((form) => form.join() === image.join());
  if (type !== '|u1' || isFortranOrder || !fits) {
    throw new DataError(
      `${name} has type ${type}${isFortranOrder ? ' in Fortran order' : ''} and shape (${shape.join(', ')}); ` +
        `give unsigned bytes of shape (N, ${3 * size * size}) or (N, 3, ${size}, ${size}), or another size.`,
    );
  }
  return count;
}

/** From planes of red, green and blue to pixels. */
function interleave(planes: Uint8Array, area: number): Uint8Array {
  const pixels = new Uint8Array(3 * area);
  for (let i = 0, at = 0; i < area; i++) {
    pixels[at++] = planes[i]!;
    pixels[at++] = planes[i + area]!;
    pixels[at++] = planes[i + 2 * area]!;
  }
  return pixels;
}

/** Images decoded ahead of the one that is handed out. */
const DECODED_AHEAD = 8;

/**
 * Image files (PNG, JPEG and whatever else the package sharp reads), in the order given. They are turned as their EXIF
 * data says, composited on white, scaled to size × size whatever their proportions, as 8-bit sRGB. Files that cannot be
 * decoded are added to `bad`.
 *
 * @throws PlatformError if sharp is not installed
 */
export async function* readImageFiles(
  paths: Iterable<string> | AsyncIterable<string>,
  bad: BadRecords,
  options: ImageOptions = {},
): AsyncGenerator<ImageRecord> {
  checkArguments('readImageFiles', { paths, bad }, { paths: option.iterable, bad: badRecordsKind });
  const size = imageSize('readImageFiles', options);
  const sharp = await loadSharp();
  const ahead: { path: string; pixels: Promise<Uint8Array | Error> }[] = [];
  const next = async function* () {
    const { path, pixels } = ahead.shift()!;
    const decoded = await pixels;
    if (decoded instanceof Error) bad.add({ file: path, line: 1, reason: `not decoded: ${decoded.message}` });
    else yield { pixels: decoded, file: path, line: 1 };
  };
  for await (const path of paths) {
    checkArguments('readImageFiles', { path }, { path: option.string });
    const pixels = decode(sharp(path, { failOn: 'warning' }), size).catch((error: unknown) =>
      error instanceof Error ? error : new DataError(String(error)),
    );
    ahead.push({ path, pixels });
    if (ahead.length > DECODED_AHEAD) yield* next();
  }
  while (ahead.length > 0) yield* next();
}

async function decode(image: Sharp, size: number): Promise<Uint8Array> {
  const { data, info } = await image
    .rotate()
    .flatten({ background: '#ffffff' })
    .resize(size, size, { fit: 'fill' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new DataError(`${info.channels} channels instead of 3`);
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}

async function loadSharp(): Promise<typeof import('sharp').default> {
  try {
    const { default: sharp } = await import('sharp');
    return sharp;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new PlatformError(
      `Images need the package sharp, which cannot be loaded (${reason}); run npm install sharp.`,
      {
        cause: error,
      },
    );
  }
}

/**
 * Paths of the PNG and JPEG files in a folder and the folders below, sorted.
 *
 * @throws DataError if the folder does not exist or has no PNG or JPEG file in it
 */
export async function imagePaths(folder: string): Promise<string[]> {
  checkArguments('imagePaths', { folder }, { folder: option.string });
  const { readdir } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    throw new FileError(`${folder} is no folder that can be read; give a folder of PNG or JPEG files.`, {
      cause: error,
    });
  });
  const paths = entries
    .filter((entry) => !entry.isDirectory() && /\.(png|jpe?g)$/i.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  if (paths.length === 0) throw new FileError(`${folder} holds no PNG or JPEG file; check the folder.`);
  return paths;
}
