import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../../src/entries/internal.ts';
import { loadAnyTokenizer, type Tokenizer } from '../../src/entries/tokenizers.ts';

/** A tokenizer and the text of its file. */
export interface TokenizerFile {
  readonly tokenizer: Tokenizer;
  readonly text: string;
}

/**
 * The tokenizer.json of a model's directory; undefined for models without a tokenizer, as for models of images.
 *
 * @throws DataError when the file is damaged
 */
export async function readTokenizerFile(directory: string): Promise<TokenizerFile | undefined> {
  const path = join(directory, 'tokenizer.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : { text, tokenizer: await loadAnyTokenizer(parseJson(text, path), path) };
}
