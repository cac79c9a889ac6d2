import { DataError } from '../base/errors.ts';
import { loadForeignTokenizer } from './hugging-face-tokenizer.ts';
import { loadTokenizer } from './load-own-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

/**
 * Makes a tokenizer from the parsed contents of any tokenizer.json: by `loadTokenizer` where the form is one of this
 * package, else by `loadForeignTokenizer`.
 *
 * @param name what error messages call the source, such as its path
 * @throws DataError if the file is not valid or of a form that neither knows
 */
export async function loadAnyTokenizer(json: unknown, name = 'tokenizer.json'): Promise<Tokenizer> {
  try {
    return loadTokenizer(json, name);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return loadForeignTokenizer(json, name);
  }
}
