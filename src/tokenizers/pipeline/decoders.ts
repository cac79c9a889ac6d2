/** Decoders of the Rust library `tokenizers`: from tokens to text. */
import { z } from '../../base/zod.ts';
import { tokenToBytes } from '../byte-level/byte-level.ts';
import { fieldsOf, ofType, type Part, partsAt, patternField, regExpOf } from './part.ts';

/** From tokens to texts that make the whole when joined. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

/** @throws DataError when the part is of a type, or has a key, that is not supported */
export function readDecoder(part: Part): Decoder {
  return ofType(part, decoders)(part);
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const strictUtf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
const ignored = () => z.optional(z.boolean());

const decoders: Readonly<Record<string, (part: Part) => Decoder>> = {
  BPEDecoder(part) {
    const { suffix } = fieldsOf(part, { suffix: z.string() });
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, () => (i === tokens.length - 1 ? '' : ' ')));
  },
  ByteFallback(part) {
    fieldsOf(part, {});
    return (tokens) => {
      const texts: string[] = [];
      let bytes: number[] = [];
      const flush = () => {
        if (bytes.length > 0) texts.push(textOf(bytes));
        bytes = [];
      };
      for (const token of tokens) {
        const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
        if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
        else {
          flush();
          texts.push(token);
        }
      }
      flush();
      return texts;
    };
  },
  ByteLevel(part) {
    fieldsOf(part, { add_prefix_space: ignored(), trim_offsets: ignored(), use_regex: ignored() });
    return (tokens) => {
      const parts = tokens.map((token) => tokenToBytes(token) ?? encoder.encode(token));
      const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
      let place = 0;
      for (const one of parts) {
        bytes.set(one, place);
        place += one.length;
      }
      return [utf8.decode(bytes)];
    };
  },
  CTC(part) {
    const options = fieldsOf(part, { pad_token: z.string(), word_delimiter_token: z.string(), cleanup: z.boolean() });
    return (tokens) =>
      tokens
        .filter((token, i) => token !== tokens[i - 1])
        .map((token) => {
          const text = token.replaceAll(options.pad_token, '');
          return options.cleanup ? tidied(text).replaceAll(options.word_delimiter_token, ' ') : text;
        })
        .filter((text) => text !== '');
  },
  Fuse(part) {
    fieldsOf(part, {});
    return (tokens) => [tokens.join('')];
  },
  Metaspace(part) {
    const {
      replacement,
      prepend_scheme: scheme,
      add_prefix_space: prefix,
    } = fieldsOf(part, {
      replacement: z.string(),
      prepend_scheme: z._default(z.enum(['always', 'first', 'never']), 'always'),
      add_prefix_space: z._default(z.boolean(), true),
      split: z.optional(z.boolean()),
      str_rep: z.optional(z.string()),
    });
    const hasPrefix = prefix && scheme !== 'never';
    return (tokens) => tokens.map((token, i) => token.replaceAll(replacement, i === 0 && hasPrefix ? '' : ' '));
  },
  Replace(part) {
    const { pattern, content } = fieldsOf(part, { pattern: patternField(), content: z.string() });
    const expression = regExpOf(pattern, part);
    return (tokens) => tokens.map((token) => token.replace(expression, () => content));
  },
  Sequence(part) {
    fieldsOf(part, { decoders: z.array(z.unknown()) });
    const steps = partsAt(part, 'decoders').map(readDecoder);
    return (tokens) => steps.reduce((given, step) => step(given), tokens);
  },
  Strip(part) {
    const count = () => z.int().check(z.minimum(0));
    const { content, start, stop } = fieldsOf(part, { content: z.string(), start: count(), stop: count() });
    return (tokens) =>
      tokens.map((token) => {
        const characters = [...token];
        let first = 0;
        while (first < start && characters[first] === content) first++;
        let end = characters.length;
        while (end > first && characters.length - end < stop && characters[end - 1] === content) end--;
        return characters.slice(first, end).join('');
      });
  },
  WordPiece(part) {
    const { prefix, cleanup } = fieldsOf(part, { prefix: z.string(), cleanup: z.boolean() });
    return (tokens) =>
      tokens.map((token, i) => {
        const text = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
        return cleanup ? tidied(text) : text;
      });
  },
};

/** UTF-8, or U+FFFD for each byte of what is no UTF-8. */
function textOf(bytes: readonly number[]): string {
  try {
    return strictUtf8.decode(Uint8Array.from(bytes));
  } catch {
    return '\ufffd'.repeat(bytes.length);
  }
}

/** English without the spaces that WordPiece puts before marks. */
function tidied(text: string): string {
  return text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(' do not', " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}
