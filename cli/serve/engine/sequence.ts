import { sampleToken } from '../../../src/entries/internal.ts';
import type { DecodingState, FloatArray, Random } from '../../../src/entries/performers.ts';
import type { Tokenizer } from '../../../src/entries/tokenizers.ts';
import { type Piece, TextAssembler } from './text-assembler.ts';

/** Why a completion ended: the model or a stop sequence ended it, or its tokens were used up. */
export type FinishReason = 'stop' | 'length';

export interface SequenceOptions {
  /** Tokens to feed before the first is chosen. May be empty with `logits`. */
  readonly prompt: Int32Array;
  readonly maxTokens: number;
  readonly sampling: { readonly temperature: number; readonly topK: number; readonly topP: number };
  readonly random: Random;
  readonly stops: readonly string[];
  /** How many of the likeliest tokens to name for each generated one; undefined: none. */
  readonly logprobs?: number | undefined;
  /** Hand over the past once the completion ended, all its tokens fed. */
  readonly keepsPast?: boolean;
}

/** What was seen, and what is expected next. Whoever holds it disposes the states. */
export interface Past {
  readonly states: DecodingState[];
  /** Logits of the next token, `[vocabSize]`; undefined before any token. */
  readonly logits: FloatArray | undefined;
  readonly position: number;
}

/** Who waits for a sequence. */
export interface SequenceListener {
  onPiece(piece: Piece): void;
  /** The prompt was fed. The states are the sequence's own: clone what is needed. */
  onPrompt?(past: Past): void;
  /** @param past with `keepsPast`; the listener disposes it */
  onFinish(reason: FinishReason, past: Past | undefined): void;
  onError(error: unknown): void;
  /** Always the last call: the states are gone. */
  onClose(): void;
}

/**
 * One completion on its way: what to feed next, and which token the logits give. The scheduler feeds the sequence, and
 * owns the states while the sequence is in a batch.
 */
export class Sequence {
  readonly #text: TextAssembler;
  #pending: Int32Array;
  #position: number;
  #logits: FloatArray | undefined;
  #reason: FinishReason | undefined;
  #cancelled = false;
  #promptFed = false;
  #numTokens = 0;
  /** Undefined while a batch holds them. */
  states: DecodingState[] | undefined;

  constructor(
    readonly options: SequenceOptions,
    readonly tokenizer: Tokenizer,
    past: Past,
    readonly listener: SequenceListener,
  ) {
    this.#text = new TextAssembler(tokenizer, options.stops, options.logprobs);
    this.#pending = options.prompt;
    this.#position = past.position;
    this.#logits = past.logits;
    this.states = past.states;
  }

  /** Tokens to feed before anything else can happen. */
  get pending(): Int32Array {
    return this.#pending;
  }

  /** Tokens fed, by this sequence or before it. */
  get position(): number {
    return this.#position;
  }

  /** Tokens generated. */
  get numTokens(): number {
    return this.#numTokens;
  }

  /**
   * What the sequence feeds next may be fed together with others. The end of a prompt that is shown to a listener is
   * fed alone.
   */
  get canJoin(): boolean {
    return !this.isDone && this.#pending.length === 1 && (this.#promptFed || !this.listener.onPrompt);
  }

  /** Nothing is left to feed: {@link close} it. */
  get isDone(): boolean {
    return this.#cancelled || (this.#reason !== undefined && this.#pending.length === 0);
  }

  /** The past is wanted: put the states back before closing. */
  get needsStates(): boolean {
    return !this.#cancelled && this.options.keepsPast === true;
  }

  /** Generates no more tokens; the scheduler frees the states. */
  cancel(): void {
    this.#cancelled = true;
  }

  /** With an empty prompt: chooses the first token from the logits of the past. */
  start(): void {
    if (this.#pending.length === 0) this.#advance();
  }

  /**
   * The first `count` pending tokens were fed.
   *
   * @param logits what follows them
   */
  accept(count: number, logits: FloatArray): void {
    this.#position += count;
    this.#pending = this.#pending.subarray(count);
    if (this.#pending.length > 0) return;
    this.#logits = logits;
    this.#advance();
  }

  /** Tells the listener the end and gives up the states. */
  close(): void {
    const { states, listener } = this;
    this.states = undefined;
    const isKept = this.needsStates && states !== undefined;
    if (!isKept) for (const state of states ?? []) state.dispose();
    if (!this.#cancelled && this.#reason !== undefined) {
      const past = isKept ? { states, logits: this.#logits?.slice(), position: this.#position } : undefined;
      listener.onFinish(this.#reason, past);
    }
    listener.onClose();
  }

  /** Ends with an error. */
  fail(error: unknown): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.listener.onError(error);
  }

  #advance(): void {
    if (!this.#promptFed) {
      this.#promptFed = true;
      if (this.states)
        this.listener.onPrompt?.({ states: this.states, logits: this.#logits, position: this.#position });
    }
    if (this.#reason === undefined) this.#choose();
  }

  #choose(): void {
    if (this.#numTokens === this.options.maxTokens) {
      this.#finish('length', []);
      return;
    }
    // A model may have more ids than its tokenizer.
    const logits = this.#logits!.subarray(0, this.tokenizer.vocabSize);
    const token = chooseToken(logits, this.options);
    if (token === this.tokenizer.endOfText) {
      this.#finish('stop', []);
      return;
    }
    this.#numTokens++;
    const { stopped, ...piece } = this.#text.push(token, logits);
    if (piece.text !== '' || piece.logProbabilities.length > 0) this.listener.onPiece(piece);
    if (stopped) this.#finish('stop', [token], false);
    else if (this.#numTokens === this.options.maxTokens) this.#finish('length', [token]);
    else this.#pending = Int32Array.of(token);
  }

  /** @param last a token generated but not fed, which only a kept past needs */
  #finish(reason: FinishReason, last: readonly number[], hasRest = true): void {
    this.#reason = reason;
    if (hasRest) {
      const rest = this.#text.end();
      if (rest.text !== '' || rest.logProbabilities.length > 0) this.listener.onPiece(rest);
    }
    if (this.options.keepsPast) this.#pending = Int32Array.from(last);
  }
}

/** `sampleToken`, but at temperature 0 without sorting the vocabulary. */
function chooseToken(logits: FloatArray, { sampling, random }: SequenceOptions): number {
  if (sampling.temperature > 0 || !logits.every((logit) => Number.isFinite(logit)))
    return sampleToken(logits, sampling, random);
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  return best;
}
