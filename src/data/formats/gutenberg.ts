/** Lines that end what Project Gutenberg puts before a book, as its files have had them over the years. */
const HEADER_ENDS = [
  /^\s*\*\*\*\s*START OF (?:THE|THIS) PROJECT GUTENBERG\b/i,
  /^\s*\*\s*END\s*\*?\s*THE SMALL PRINT\b/i,
];
const FOOTER_STARTS = [
  /^\s*\*\*\*\s*END OF (?:THE|THIS) PROJECT GUTENBERG\b/i,
  /^\s*(?:\*\*\*\s*)?End of (?:the |this )?Project Gutenberg(?:'s|’s| E-?(?:book|text)\b)/i,
];

/** Lines in which a header ends, at the latest: the longest have about 400. */
const HEADER_LINES = 1000;

/**
 * A book without Project Gutenberg's header and licence, from the line after the last `*** START OF …` (or the end of the
 * old small print) among the first 1000 lines to the line before the first `*** END OF …` after it. A text without these
 * lines stays as it is. White space around the book is removed only where something else was. Linear time.
 */
export function stripGutenberg(text: string): string {
  let start = 0;
  let end = text.length;
  let at = 0;
  for (let line = 0; line < HEADER_LINES && at < text.length; line++) {
    const next = lineAfter(text, at);
    if (isMarker(text, at, next, HEADER_ENDS)) {
      start = next;
      // The marker may run over two lines: its last has the closing asterisks.
      if (
        !text.slice(at, next).trimEnd().endsWith('*') &&
        text.slice(next, lineAfter(text, next)).trimEnd().endsWith('***')
      ) {
        start = lineAfter(text, next);
      }
    }
    at = next;
  }
  at = start;
  while (at < text.length) {
    const next = lineAfter(text, at);
    if (isMarker(text, at, next, FOOTER_STARTS)) {
      end = at;
      break;
    }
    at = next;
  }
  if (start === 0 && end === text.length) return text;
  return text.slice(start, end).trim();
}

function lineAfter(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline < 0 ? text.length : newline + 1;
}

/** Only lines that name the project are matched in full. */
function isMarker(text: string, start: number, end: number, markers: readonly RegExp[]): boolean {
  if (end - start > 400) return false;
  const line = text.slice(start, end);
  return markers.some((marker) => marker.test(line));
}
