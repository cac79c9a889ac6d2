/**
 * Long work shares the event loop. JavaScript has one thread, so timers, signals, requests and frames wait while a
 * function runs. Every function that can take long holds a {@link Pauses} and awaits it between pieces of work.
 */

import { checkArguments, type OptionKind, option } from './options.ts';

/** Longest stretch of work between two pauses, in milliseconds: a frame at 60 Hz has 16. */
const STRETCH = 10;

/** Options of work that can be stopped. */
export interface Stoppable {
  /** Stops the work: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** When the event loop last turned for any pause: many short calls in a row count as one stretch. */
let lastTurn = Number.NEGATIVE_INFINITY;

/** Lets timers, signals, requests and frames happen. */
export async function pause(): Promise<void> {
  await new Promise<void>((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
      return;
    }
    // Browsers delay nested timers by 4 ms, messages not at all. The order of scheduler.yield would hold timers up.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
  lastTurn = performance.now();
}

/**
 * Pauses of one piece of long work.
 *
 * ```ts
 * const pauses = new Pauses(signal);
 * for (const piece of work) {
 *   await pauses.next();
 *   compute(piece);
 * }
 * ```
 */
export class Pauses {
  /** @param signal its reason is thrown at the next pause once it has aborted */
  constructor(readonly signal?: AbortSignal | undefined) {
    checkArguments('Pauses', { signal }, { signal: option.optional(option.signal) });
  }

  /** Whether the next pause lets the event loop turn or throws: loops of very short steps spare themselves an `await`. */
  get isDue(): boolean {
    return this.signal?.aborted === true || performance.now() - lastTurn >= STRETCH;
  }

  /**
   * Lets the event loop turn if 10 ms have passed since it last did; returns at once otherwise.
   *
   * @throws the reason of the signal, if it has aborted.
   */
  async next(): Promise<void> {
    if (performance.now() - lastTurn >= STRETCH) await pause();
    this.signal?.throwIfAborted();
  }
}

/** Work in pieces: yields where the event loop may turn, and returns the result. */
export type Pieces<T> = Generator<void, T, void>;

/** The result of work in pieces, made without a pause. */
export function atOnce<T>(pieces: Pieces<T>): T {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}

/**
 * The same with the event loop turning between pieces.
 *
 * @throws the reason of the pauses' signal, if it has aborted
 */
export async function inSteps<T>(pieces: Pieces<T>, pauses: Pauses): Promise<T> {
  checkArguments('inSteps', { pieces, pauses }, { pieces: piecesKind, pauses: pausesKind });
  try {
    for (;;) {
      if (pauses.isDue) await pauses.next();
      const { done, value } = pieces.next();
      if (done) return value;
    }
  } catch (error) {
    // Ends its `finally` blocks.
    pieces.return(undefined as T);
    throw error;
  }
}

/**
 * Runs a generator that ends when its signal aborts. Nothing is thrown, as what the generator gave until then is whole.
 * A promise, whose result would be a part, rejects with the signal's reason instead.
 */
export async function* untilAborted<T>(
  signal: AbortSignal | undefined,
  values: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  try {
    yield* values;
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) throw error;
  }
}

const piecesKind = option.having('work in pieces', { next: option.function, return: option.function });

export const pausesKind: OptionKind = option.made('a Pauses', (value) => value instanceof Pauses);
