import { DataError } from '../base/errors.ts';
import { parseJsonText } from '../base/json.ts';
import { checkArguments, option } from '../base/options.ts';

/** The files of a model, wherever they are. Reading a part of a large file does not read all of it. */
export interface PretrainedFiles {
  /** What error messages put in front of a name, such as the directory. */
  readonly where: string;
  /** Names, with `/` after a folder. */
  readonly names: readonly string[];
  /** Bytes of a named file. */
  size(name: string): Promise<number>;
  /**
   * A named file's bytes, in a buffer of their own.
   *
   * @param start first byte. Default 0
   * @param end one past the last. Default: the file's size
   */
  read(name: string, start?: number, end?: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Files that are in memory, as a browser has fetched them. */
export function filesInMemory(contents: ReadonlyMap<string, Uint8Array>, where = 'the model'): PretrainedFiles {
  checkArguments('filesInMemory', { contents }, { contents: option.map });
  const bytesOf = (name: string) => {
    const bytes = contents.get(name);
    if (!bytes) throw new DataError(`${where}/${name} is missing: restore it from a copy.`);
    return bytes;
  };
  return {
    where,
    names: [...contents.keys()],
    size: async (name) => bytesOf(name).length,
    // Not slice(), which a Buffer answers with a view.
    read: async (name, start, end) => new Uint8Array(bytesOf(name).subarray(start, end)),
  };
}

/** A file's path as error messages give it. */
export function pathOf(files: PretrainedFiles, name: string): string {
  return `${files.where}/${name}`;
}

/**
 * The text of a file.
 *
 * @throws DataError when it is not UTF-8
 */
export async function readText(files: PretrainedFiles, name: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await files.read(name));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new DataError(`${pathOf(files, name)} is not UTF-8 text: restore it from a copy.`, { cause: error });
  }
}

/**
 * The value that a JSON file holds.
 *
 * @throws DataError when it is not JSON
 */
export async function readJson(files: PretrainedFiles, name: string): Promise<unknown> {
  return parseJsonText(await readText(files, name), (why, cause) => {
    return new DataError(`${pathOf(files, name)} ${why}: restore it from a copy.`, { cause });
  });
}
