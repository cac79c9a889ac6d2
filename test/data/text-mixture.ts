import { Random } from '../../src/base/random.ts';

const WORDS = (
  'the of and a to in he that his it was but as is with for all whale not this at by from him so be on ship one ' +
  "don't I'll you've we're she'd it's I'm CAN'T o'clock Ahab's naïve café über straße Ελλάδα Москва мир 東京 日本語 " +
  '北京市 한국어 नमस्ते ไทย עברית العربية Ǆ ﬁn ªº ٣٤٥ Ⅻ ½ x² H₂O 3.14159 1851 007 1,000,000 1e-5 0xFF snake_case camelCase ' +
  "http://a.b/c?d=e&f#g user@example.org C++ #tag $5.00 50% --- … “quoted” ‘single’ 'sic' 'twas '90s rock'n'roll 😀 👩‍👩‍👧 🇫🇷 e\u0301 " +
  '\u200d \ufeffbom \u0085nel \u00a0 \u2028 \u3000 \u0000 \u001b[0m <|endoftext|> <| |> < > \\ / | ` ~'
).split(' ');

const SPACES = [
  ' ',
  ' ',
  ' ',
  ' ',
  ' ',
  '  ',
  '   ',
  '\t',
  '\n',
  '\n\n',
  '\r\n',
  ' \n',
  '\n ',
  ' \t ',
  '\u00a0',
  '',
  '',
];

/** Lines that mix scripts, contractions, digits, punctuation, rare code points and runs of white space. */
export function* mixedLines(count: number, seed: number): Generator<string> {
  const random = new Random(seed);
  const pick = <T>(items: readonly T[]): T => items[random.integer(items.length)]!;
  for (let line = 0; line < count; line++) {
    let text = random.integer(4) === 0 ? pick(SPACES) : '';
    for (let n = random.integer(14); n > 0; n--) {
      text += random.integer(12) === 0 ? randomCharacter(random) : pick(WORDS);
      text += pick(SPACES);
    }
    yield text;
  }
}

/** Any Unicode scalar value, more often a small one. */
function randomCharacter(random: Random): string {
  const code = random.integer([0x80, 0x800, 0x10000, 0x110000][random.integer(4)]!);
  return code >= 0xd800 && code < 0xe000 ? '\ufffd' : String.fromCodePoint(code);
}
