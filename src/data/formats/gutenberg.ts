import { checkArguments, option } from '../../base/options.ts';

/** Lines that end what Project Gutenberg puts before a book, as its files have had them over the years. */
const BOOK_STARTS = [/^\s*\*\*\*\s*START OF (?:THE|THIS) PROJECT GUTENBERG\b/i];
/** The old licence, which is before the book in most files, and after it in some. */
const SMALL_PRINT_STARTS = [/^\s*\*+\s*START\s*\**\s*THE SMALL PRINT\b/i];
const SMALL_PRINT_ENDS = [/^\s*\*\s*END\s*\*?\s*THE SMALL PRINT\b/i];
const FOOTER_STARTS = [
  /^\s*\*\*\*\s*END OF (?:THE|THIS) PROJECT GUTENBERG\b/i,
  /^\s*(?:\*\*\*\s*)?End of (?:the |this )?Project Gutenberg(?:'s|’s| E-?(?:book|text)\b)/i,
];

/** Lines in which a header ends, at the latest: the longest have about 400. */
const HEADER_LINES = 1000;

/** Characters that a book has at least. */
const SHORTEST_BOOK = 100;

/**
 * A book without Project Gutenberg's header and licence. The book starts after the last `*** START OF …` among the
 * first 1000 lines, or after the end of the old small print. The first `*** END OF …` after that ends the book, or the
 * old small print where nothing follows that. A text without these lines stays as it is. White space around the book is
 * removed only where something else was. Linear time.
 */
export function stripGutenberg(text: string): string {
  checkArguments('stripGutenberg', { text }, { text: option.string });
  let start = 0;
  let end = text.length;
  let smallPrint: number | undefined;
  for (let line = 0, at = 0; line < HEADER_LINES && at < text.length; line++) {
    const next = lineAfter(text, at);
    if (isMarker(text, at, next, SMALL_PRINT_STARTS)) smallPrint = at;
    const isSmallPrintEnd = isMarker(text, at, next, SMALL_PRINT_ENDS);
    if (isSmallPrintEnd && isLast(text.slice(start, smallPrint ?? at), text, next)) {
      end = smallPrint ?? at;
      break;
    }
    if (isSmallPrintEnd || isMarker(text, at, next, BOOK_STARTS)) start = afterMarker(text, at, next);
    at = next;
  }
  end = Math.min(end, footerOf(text, start));
  if (start === 0 && end === text.length) return text;
  return text.slice(start, end).trim();
}

/** Where the footer starts, from `at` on; the end of the text if nowhere. */
function footerOf(text: string, start: number): number {
  for (let at = start; at < text.length; ) {
    const next = lineAfter(text, at);
    if (isMarker(text, at, next, FOOTER_STARTS)) return at;
    at = next;
  }
  return text.length;
}

/** Whether small print that ends at `at` is the end of the file: the book is before it, and not after it. */
function isLast(before: string, text: string, at: number): boolean {
  if (text.length - at > 100 * SHORTEST_BOOK) return false;
  const after = text.slice(at, footerOf(text, at)).trim();
  const book = before.trim();
  return after === '' ? book !== '' : after.length < SHORTEST_BOOK && book.length >= SHORTEST_BOOK;
}

/** A marker may run over two lines: its last has the closing asterisks. */
function afterMarker(text: string, at: number, next: number): number {
  const following = lineAfter(text, next);
  const isOpen = !text.slice(at, next).trimEnd().endsWith('*') && text.slice(next, following).trimEnd().endsWith('***');
  return isOpen ? following : next;
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
