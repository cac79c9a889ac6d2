import type { DecodingState, Random } from '../../src/entries/performers.ts';
import { EventQueue } from './engine/event-queue.ts';
import type { Scheduler } from './engine/scheduler.ts';
import {
  type FinishReason,
  type Past,
  Sequence,
  type SequenceListener,
  type SequenceOptions,
} from './engine/sequence.ts';
import type { SessionLease } from './engine/sessions.ts';
import type { Piece } from './engine/text-assembler.ts';
import type { TextModel } from './engine/text-model.ts';

/** What happened to choice `index`: a piece of its text, or its end. */
export interface CompletionEvent {
  readonly index: number;
  readonly piece?: Piece;
  readonly finishReason?: FinishReason;
}

export interface Usage {
  readonly promptTokens: number;
  /** How many of these a session held already. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

export interface CompletionPlan {
  readonly prompts: readonly Int32Array[];
  /** Choices for each prompt. */
  readonly n: number;
  readonly options: Omit<SequenceOptions, 'prompt' | 'random' | 'keepsPast'>;
  /** What choice `choice` of a prompt is drawn from. */
  readonly random: (choice: number) => Random;
  readonly lease: SessionLease | undefined;
}

/** A completion that is being generated: all choices of all prompts of one request. */
export class Completion implements AsyncIterable<CompletionEvent> {
  readonly #events = new EventQueue<CompletionEvent>();
  readonly #sequences: Sequence[] = [];
  readonly #closed: () => void;
  #unfinished: number;
  #open = 0;
  /** Resolves once nothing of it is held any more, but for the session. */
  readonly done: Promise<void>;

  /** @param signal ends it early: the reader then gets its reason */
  constructor(
    readonly served: TextModel,
    readonly scheduler: Scheduler,
    readonly plan: CompletionPlan,
    signal: AbortSignal,
  ) {
    let closed = () => {};
    this.done = new Promise((resolve) => {
      closed = resolve;
    });
    const stop = () => this.cancel(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    this.#closed = () => {
      signal.removeEventListener('abort', stop);
      closed();
    };
    this.#unfinished = plan.prompts.length * plan.n;
    for (const prompt of plan.prompts.keys()) this.#startPrompt(prompt);
  }

  /** In the order of events; ends when every choice ended. @throws what went wrong, or the signal's reason */
  [Symbol.asyncIterator](): AsyncIterator<CompletionEvent> {
    return this.#events[Symbol.asyncIterator]();
  }

  get usage(): Usage {
    const { prompts, lease } = this.plan;
    const cachedTokens = lease?.past?.position ?? 0;
    const promptTokens = prompts.reduce((sum, { length }) => sum + length, cachedTokens);
    const completionTokens = this.#sequences.reduce((sum, { numTokens }) => sum + numTokens, 0);
    return { promptTokens, cachedTokens, completionTokens };
  }

  /** Ends all choices and frees what they hold. */
  cancel(reason: unknown): void {
    for (const sequence of this.#sequences) sequence.cancel();
    this.#events.end(reason);
  }

  #startPrompt(prompt: number): void {
    const { prompts, n, lease } = this.plan;
    const { model } = this.served;
    const held = lease?.past;
    const past: Past = {
      states: held ? cloned(held.states) : model.createStates(),
      logits: held?.logits,
      position: held?.position ?? 0,
    };
    const first = prompt * n;
    // The prompt is fed once; the other choices continue from copies of what it left.
    const onPrompt = ({ states, ...seen }: Past) => {
      for (let choice = 1; choice < n; choice++) {
        this.#add(first + choice, new Int32Array(), { ...seen, states: cloned(states) });
      }
    };
    this.#add(first, prompts[prompt], past, n > 1 ? onPrompt : undefined);
  }

  #add(index: number, prompt: Int32Array, past: Past, onPrompt?: (past: Past) => void): void {
    const { n, options, random, lease } = this.plan;
    const listener: SequenceListener = {
      onPiece: (piece) => this.#events.push({ index, piece }),
      onPrompt,
      onFinish: (finishReason, finalPast) => {
        if (finalPast) lease?.commit(finalPast);
        this.#events.push({ index, finishReason });
        if (--this.#unfinished === 0) this.#events.end();
      },
      onError: (error) => this.cancel(error),
      onClose: () => {
        if (--this.#open === 0) this.#closed();
      },
    };
    const sequenceOptions = { ...options, prompt, random: random(index % n), keepsPast: lease !== undefined };
    const sequence = new Sequence(sequenceOptions, this.served.tokenizer, past, listener);
    this.#open++;
    this.#sequences.push(sequence);
    this.scheduler.add(sequence);
  }
}

function cloned(states: readonly DecodingState[]): DecodingState[] {
  return states.map((state) => state.clone());
}
