/** A directory of a model in Hugging Face's layout; Node only. */

import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import type { PretrainedFiles } from './files.ts';

/**
 * The files of a directory and of the folders in it, such as 1_Pooling. Links are followed: a cache of the hub is made of
 * them.
 *
 * @throws DataError when there is no such directory
 */
export async function directoryFiles(path: string): Promise<PretrainedFiles> {
  checkArguments('directoryFiles', { path }, { path: option.string });
  const information = await stat(path).catch(() => undefined);
  if (!information?.isDirectory()) {
    throw new DataError(`${path} is no directory: name one that holds a model in Hugging Face's layout.`);
  }
  const names = await filesIn(path, '', 1);
  const known = new Set(names);
  const pathTo = (name: string) => {
    if (!known.has(name)) throw new DataError(`${path}/${name} is missing: restore it from a copy.`);
    return join(path, name);
  };
  return {
    where: path,
    names,
    size: async (name) => (await stat(pathTo(name))).size,
    async read(name, start = 0, end) {
      const file = await open(pathTo(name));
      try {
        const bytes = new Uint8Array((end ?? (await file.stat()).size) - start);
        let length = 0;
        while (length < bytes.length) {
          const { bytesRead } = await file.read(
            bytes,
            length,
            Math.min(bytes.length - length, 1 << 30),
            start + length,
          );
          if (bytesRead === 0) return bytes.slice(0, length);
          length += bytesRead;
        }
        return bytes;
      } finally {
        await file.close();
      }
    },
  };
}

async function filesIn(path: string, prefix: string, depth: number): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await readdir(join(path, prefix))).sort()) {
    const relative = prefix + name;
    const information = await stat(join(path, relative)).catch(() => undefined);
    if (information?.isFile()) found.push(relative);
    else if (information?.isDirectory() && depth > 0) found.push(...(await filesIn(path, `${relative}/`, depth - 1)));
  }
  return found;
}
