import { decodeHTMLStrict } from 'entities';

const ENTITY = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));/y;

/**
 * The character reference at `at`, such as `&eacute;`, `&#233;` or `&#xE9;`: its characters and its length. Undefined
 * where there is no reference. Names are those of HTML 5.
 */
export function entityAt(text: string, at: number): { characters: string; length: number } | undefined {
  ENTITY.lastIndex = at;
  const match = ENTITY.exec(text);
  if (match === null) return undefined;
  const [whole, decimal, hexadecimal, name] = match;
  const characters = name === undefined ? fromCode(Number(decimal ?? `0x${hexadecimal}`)) : decodeHTMLStrict(whole);
  // The package leaves a name that HTML does not know as the text has it.
  return characters === undefined || characters === whole ? undefined : { characters, length: whole.length };
}

/** Characters that XML may hold. HTML's rule for others, a replacement character, would put noise into texts. */
function fromCode(code: number): string | undefined {
  const isLegal =
    code === 9 || code === 10 || code === 13 || (code >= 32 && code < 0xd800) || (code > 0xdfff && code < 0x110000);
  return isLegal ? String.fromCodePoint(code) : undefined;
}

/** `text` with its character references decoded; unknown references stay. */
export function decodeEntities(text: string): string {
  let result = '';
  let start = 0;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) {
    const entity = entityAt(text, at);
    if (entity === undefined) continue;
    result += text.slice(start, at) + entity.characters;
    start = at + entity.length;
    at = start - 1;
  }
  return result + text.slice(start);
}
