import { checkArguments, option } from '../base/options.ts';
import { CharacterTokenizer } from './characters.ts';

/**
 * One token for each of the 256 values of a pixel's channel, so that images go where texts go. A value is written as
 * the character with that code, and its id is the value. There are no special tokens, since any text may occur in an
 * image. Give batches `begin: 256`, and the model 257 tokens, to have the first value predicted too.
 */
export class PixelTokenizer extends CharacterTokenizer {
  constructor() {
    // Nothing is unknown in an image; the form in which tokenizers are stored asks for a token.
    super({ tokens: Array.from({ length: 256 }, (_, value) => String.fromCharCode(value)), unknown: 255, added: [] });
  }
}

/** The values as characters, such as {@link PixelTokenizer} reads. */
export function pixelText(pixels: Uint8Array): string {
  checkArguments('pixelText', { pixels }, { pixels: option.bytes });
  let text = '';
  // As many arguments as every engine takes.
  for (let at = 0; at < pixels.length; at += 4096) {
    text += String.fromCharCode(...pixels.subarray(at, at + 4096));
  }
  return text;
}
