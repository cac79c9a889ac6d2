import { basename, dirname } from 'node:path';
import type { DatasetConfiguration } from './configuration.ts';

/**
 * Names of the classes of a dataset's documents. For text files that are one document each, they are the folders that
 * the files are in, sorted. Undefined for files of one folder, and where only the labels say how many classes exist.
 */
export function classNames(
  configuration: DatasetConfiguration,
  files: readonly string[],
): readonly string[] | undefined {
  switch (configuration.format) {
    case 'text': {
      const folders = configuration.documents === 'file' ? [...new Set(files.map(folderOf))].sort() : [];
      return folders.length > 1 ? folders : undefined;
    }
    case 'labelled':
      return configuration.classes;
    case 'listops':
      return Array.from({ length: 10 }, (_, value) => `${value}`);
    default:
      return undefined;
  }
}

/** Name of the folder that a file is in. */
export const folderOf = (file: string): string => basename(dirname(file));
