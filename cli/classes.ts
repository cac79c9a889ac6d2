import { basename, dirname } from 'node:path';
import { documentParts, fileDocuments, planSplit, type SplitRule } from '../src/node.ts';

/** Classes of files: a file's class is the name of the folder that it lies in. */
export interface Classes {
  /** Sorted; a class is an index into them. */
  readonly names: readonly string[];
  /** The class of every document of each part. */
  readonly train: readonly number[];
  readonly heldOut: readonly number[];
}

/**
 * The classes of files that are split by `split`, one document each.
 *
 * @throws one sentence when all lie in folders of one name
 */
export async function folderClasses(files: readonly string[], split: SplitRule): Promise<Classes> {
  const folders = files.map((file) => basename(dirname(file)));
  const names = [...new Set(folders)].sort();
  if (names.length < 2) {
    throw new Error(
      `All files lie in a folder "${names[0]}": for classification name files of several folders, one for each class.`,
    );
  }
  const plan = await planSplit(fileDocuments(files), split);
  const classesOf = (part: 'train' | 'heldOut') =>
    documentParts(plan, part).map(({ document }) => names.indexOf(folders[document]!));
  return { names, train: classesOf('train'), heldOut: classesOf('heldOut') };
}
