/**
 * Long work shares the event loop: JavaScript has one thread, so that timers, signals, requests and frames wait for as long
 * as a function keeps it. Every function that can take long holds a {@link Pauses} and awaits it between pieces of work.
 */

/** Longest stretch of work between two pauses, in milliseconds: a frame at 60 Hz has 16. */
const STRETCH = 10;

/** Lets timers, signals, requests and frames happen. */
export function pause(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
      return;
    }
    // Browsers delay nested timers by 4 ms, messages not at all.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
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
  #last = performance.now();

  /** @param signal its reason is thrown at the next pause once it has aborted */
  constructor(readonly signal?: AbortSignal | undefined) {}

  /**
   * Lets the event loop turn if 10 ms have passed since it last did; returns at once otherwise.
   *
   * @throws the reason of the signal, if it has aborted.
   */
  async next(): Promise<void> {
    if (performance.now() - this.#last >= STRETCH) {
      await pause();
      this.#last = performance.now();
    }
    this.signal?.throwIfAborted();
  }
}
