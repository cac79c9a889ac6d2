/** Normalizers of the Rust library `tokenizers`: what becomes of a text before it is split. */
import { z } from '../../base/zod.ts';
import { BYTE_TO_CHARACTER } from '../byte-level/byte-level.ts';
import { fieldsOf, ofType, type Part, partsAt, patternField, regExpOf } from './part.ts';
import { precompiledNormalizer } from './precompiled-normalizer.ts';

export type Normalizer = (text: string) => string;

/** @throws DataError when the part is of a type, or has a key, that is not supported */
export function readNormalizer(part: Part): Normalizer {
  return ofType(part, normalizers)(part);
}

const normalizers: Readonly<Record<string, (part: Part) => Normalizer>> = {
  BertNormalizer(part) {
    const options = fieldsOf(part, {
      clean_text: z._default(z.boolean(), true),
      handle_chinese_chars: z._default(z.boolean(), true),
      strip_accents: z.nullish(z.boolean()),
      lowercase: z._default(z.boolean(), true),
    });
    const steps: Normalizer[] = [];
    if (options.clean_text) steps.push(cleaned);
    if (options.handle_chinese_chars) steps.push((text) => text.replace(CHINESE, ' $& '));
    if (options.strip_accents ?? options.lowercase) steps.push((text) => text.normalize('NFD').replace(/\p{Mn}/gu, ''));
    if (options.lowercase) steps.push(lowercased);
    return chained(steps);
  },
  ByteLevel: (part) => {
    fieldsOf(part, {});
    return byteLevelOf;
  },
  Lowercase: (part) => {
    fieldsOf(part, {});
    return lowercased;
  },
  NFC: unicodeForm('NFC'),
  NFD: unicodeForm('NFD'),
  NFKC: unicodeForm('NFKC'),
  NFKD: unicodeForm('NFKD'),
  Nmt: (part) => {
    fieldsOf(part, {});
    return (text) => text.replace(NMT_REMOVED, '').replace(NMT_SPACE, ' ');
  },
  Precompiled: (part) =>
    precompiledNormalizer(fieldsOf(part, { precompiled_charsmap: z.string() }).precompiled_charsmap, part.where),
  Prepend(part) {
    const { prepend } = fieldsOf(part, { prepend: z.string() });
    return (text) => (text === '' ? text : prepend + text);
  },
  Replace(part) {
    const { pattern, content } = fieldsOf(part, { pattern: patternField(), content: z.string() });
    const expression = regExpOf(pattern, part);
    return (text) => text.replace(expression, () => content);
  },
  Sequence(part) {
    fieldsOf(part, { normalizers: z.array(z.unknown()) });
    return chained(partsAt(part, 'normalizers').map(readNormalizer));
  },
  Strip(part) {
    const { strip_left: left, strip_right: right } = fieldsOf(part, {
      strip_left: z.boolean(),
      strip_right: z.boolean(),
    });
    return (text) => {
      const rest = left ? text.replace(/^\p{White_Space}+/u, '') : text;
      return right ? rest.replace(/(?<!\p{White_Space})\p{White_Space}+$/u, '') : rest;
    };
  },
  StripAccents: (part) => {
    fieldsOf(part, {});
    return (text) => text.replace(/\p{M}/gu, '');
  },
};

function unicodeForm(form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD') {
  return (part: Part): Normalizer => {
    fieldsOf(part, {});
    return (text) => text.normalize(form);
  };
}

function chained(steps: readonly Normalizer[]): Normalizer {
  return (text) => steps.reduce((given, step) => step(given), text);
}

const CONTROL = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\ufffd]/gu;
const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const NMT_REMOVED = /(?![\t\n\f\r\x80-\x8e\x90-\x9e]|\0)\p{Cc}/gu;
const NMT_SPACE = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

const cleaned: Normalizer = (text) => text.replace(CONTROL, '').replace(/\p{White_Space}/gu, ' ');

/** Character by character, so that a sigma at the end of a word becomes as others do. */
const lowercased: Normalizer = (text) =>
  text.replace(/\p{Changes_When_Lowercased}/gu, (character) => character.toLowerCase());

const encoder = new TextEncoder();

/** Bytes in GPT-2's alphabet. */
export function byteLevelOf(text: string): string {
  let written = '';
  for (const byte of encoder.encode(text)) written += BYTE_TO_CHARACTER[byte];
  return written;
}
