import type { Tokenizer, TokenStream } from '../../../src/entries/tokenizers.ts';
import { logProbabilities, type TokenLogProbability } from './log-probabilities.ts';
import { StopSequences } from './stop-sequences.ts';

/** Text of a completion that is certain, with what was asked about its tokens. */
export interface Piece {
  readonly text: string;
  readonly logProbabilities: readonly TokenLogProbability[];
}

/** Turns generated tokens into pieces of text: whole characters, without any part of a stop sequence. */
export class TextAssembler {
  readonly #stream: TokenStream;
  readonly #stops: StopSequences;
  /** Log-probabilities of tokens whose text is not given out yet. */
  #entries: TokenLogProbability[] = [];
  /** Characters decoded, and given out. */
  #decoded = 0;
  #given = 0;

  /** @param top how many of the likeliest tokens to name for each; undefined: no log-probabilities */
  constructor(
    readonly tokenizer: Tokenizer,
    stops: readonly string[],
    readonly top: number | undefined,
  ) {
    this.#stream = tokenizer.decodeStream();
    this.#stops = new StopSequences(stops);
  }

  /** @param logits those that `token` was chosen from */
  push(token: number, logits: ArrayLike<number>): Piece & { stopped: boolean } {
    if (this.top !== undefined) {
      this.#entries.push(logProbabilities(logits, token, this.top, this.tokenizer, this.#decoded));
    }
    const text = this.#stream.push(token);
    this.#decoded += text.length;
    const { stopped, ...found } = this.#stops.push(text);
    return { ...this.#give(found.text), stopped };
  }

  /** What was held back. */
  end(): Piece {
    const rest = this.#stops.push(this.#stream.end());
    const text = rest.stopped ? rest.text : rest.text + this.#stops.end();
    const { logProbabilities } = this.#give(text);
    return { text, logProbabilities: [...logProbabilities, ...(rest.stopped ? [] : this.#entries.splice(0))] };
  }

  #give(text: string): Piece {
    this.#given += text.length;
    const whole = this.#entries.findIndex(({ offset }) => offset >= this.#given);
    return { text, logProbabilities: this.#entries.splice(0, whole < 0 ? this.#entries.length : whole) };
  }
}
