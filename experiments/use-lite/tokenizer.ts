import { z } from 'zod';

/**
 * `vocab.json`: pieces with their log-probabilities; the first six stand for nothing in a text. The seven pieces with a
 * colon have lost theirs, and the runtime adds nothing for them.
 */
export const vocabularyFile = z.array(z.tuple([z.string(), z.number().nullable()])).min(1);

const RESERVED = 6;
/** Id of what no piece covers. */
const UNKNOWN = 0;

/**
 * USE-lite's tokenizer: the likeliest way to write a text in pieces (Kudo 2018), `▁` standing for spaces and the start.
 * As in its own runtime, of equally likely ways the way with the shorter last piece wins. A character that no piece
 * begins with is unknown at no cost, and runs of unknown characters are one token.
 */
export class UseLiteTokenizer {
  readonly #pieces = new Map<string, { readonly id: number; readonly score: number }>();
  readonly #longest: number;

  constructor(vocabulary: z.output<typeof vocabularyFile>) {
    for (const [id, [piece, score]] of vocabulary.entries())
      if (id >= RESERVED) this.#pieces.set(piece, { id, score: score ?? 0 });
    this.#longest = vocabulary.reduce((longest, [piece]) => Math.max(longest, [...piece].length), 1);
  }

  encode(text: string): Int32Array {
    const normalised = text.normalize('NFKC');
    const symbols = normalised.length === 0 ? [] : [...`▁${normalised.replace(/ /g, '▁')}`];
    // For each end: the best score so far, and the last piece with which it is reached. 0 = not reached yet.
    const best = new Float64Array(symbols.length + 1);
    const last = Array.from({ length: symbols.length + 1 }, () => ({ id: UNKNOWN, length: 1 }));
    for (let start = 0; start < symbols.length; start++) {
      let covered = false;
      const reach = (length: number, id: number, score: number) => {
        const end = start + length;
        if (best[end] !== 0 && score < best[end]) return;
        best[end] = score;
        last[end] = { id, length };
      };
      for (let length = 1; length <= Math.min(this.#longest, symbols.length - start); length++) {
        const piece = this.#pieces.get(symbols.slice(start, start + length).join(''));
        if (!piece) continue;
        covered = true;
        reach(length, piece.id, best[start] + piece.score);
      }
      if (!covered) reach(1, UNKNOWN, best[start]);
    }
    const ids: number[] = [];
    for (let end = symbols.length; end > 0; end -= last[end].length) {
      const { id } = last[end];
      if (id !== UNKNOWN || ids.at(-1) !== UNKNOWN) ids.push(id);
    }
    return Int32Array.from(ids.reverse());
  }
}
