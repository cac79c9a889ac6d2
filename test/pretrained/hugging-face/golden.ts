import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Pretrained, type ReadOptions, readHuggingFace } from '../../../src/pretrained/hugging-face/read.ts';
import { directoryFiles } from '../../../src/storage/directory-files.ts';
import { decodeSafetensors, type TensorEntry } from '../../../src/storage/safetensors.ts';

/** The path of a folder or file that generate.py has written. */
export function goldenPath(name: string): string {
  return fileURLToPath(new URL(`../../golden/transformers/${name}`, import.meta.url));
}

export async function readGolden(name: string, options?: ReadOptions): Promise<Pretrained> {
  return readHuggingFace(await directoryFiles(goldenPath(name)), options);
}

/** All tensors of a golden file. */
export function goldenTensors(path: string): Map<string, TensorEntry> {
  return decodeSafetensors(readFileSync(goldenPath(path)), path).tensors;
}

/** The contents of a golden folder, which a test may then spoil. */
export function goldenContents(name: string, ...files: readonly string[]): Map<string, Uint8Array> {
  return new Map(files.map((file) => [file, new Uint8Array(readFileSync(goldenPath(`${name}/${file}`)))]));
}

export const text = (value: string) => new TextEncoder().encode(value);
export const json = (value: unknown) => text(JSON.stringify(value));
export const parsed = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
