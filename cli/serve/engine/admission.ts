import { ApiError, badRequest, noRetry } from '../errors.ts';

interface Waiting {
  readonly places: number;
  readonly enter: () => void;
}

/** Lets requests in as long as there are places, keeps a few waiting in order of arrival, and turns others away. */
export class Admission {
  readonly #waiting: Waiting[] = [];
  readonly #idle: (() => void)[] = [];
  #taken = 0;
  #stopping = false;

  /**
   * @param places sequences at work at once
   * @param queue requests that may wait
   */
  constructor(
    readonly places: number,
    readonly queue: number,
  ) {}

  /** Sequences at work. */
  get active(): number {
    return this.#taken;
  }

  /** Requests that wait. */
  get queued(): number {
    return this.#waiting.length;
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  /** From now on new requests get 503. */
  stop(): void {
    this.#stopping = true;
  }

  /**
   * Waits for `count` places.
   *
   * @returns gives the places back
   * @throws {ApiError} when there can never be so many, too many wait, or the server is stopping; the signal's reason when it aborts
   */
  async enter(count: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#stopping) throw stoppingError();
    if (count > this.places) {
      throw badRequest(
        `This request asks for ${count} completions; the server makes at most ${this.places} at once.`,
        'n',
      );
    }
    if (this.#waiting.length > 0 || this.#taken + count > this.places) {
      if (this.#waiting.length >= this.queue) throw busyError();
      await this.#wait(count, signal);
    } else {
      this.#taken += count;
    }
    let isIn = true;
    return () => {
      if (isIn) this.#leave(count);
      isIn = false;
    };
  }

  /** Resolves once nothing is at work or waiting. */
  idle(): Promise<void> {
    return this.#taken + this.#waiting.length === 0
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#idle.push(resolve);
        });
  }

  #wait(places: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.#admit();
        reject(signal.reason);
      };
      const waiting: Waiting = {
        places,
        enter: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #leave(places: number): void {
    this.#taken -= places;
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#taken + this.#waiting[0].places <= this.places) {
      const next = this.#waiting.shift()!;
      this.#taken += next.places;
      next.enter();
    }
    if (this.#taken + this.#waiting.length === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function busyError(): ApiError {
  return new ApiError(429, 'The server is busy and its queue is full: try again in a second.', {
    code: 'rate_limit_exceeded',
    headers: { 'retry-after': '1' },
  });
}

export function stoppingError(): ApiError {
  return new ApiError(503, 'The server is shutting down and takes no new requests.', {
    code: 'shutting_down',
    headers: { ...noRetry, connection: 'close' },
  });
}
