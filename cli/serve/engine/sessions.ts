import { ApiError, noRetry } from '../errors.ts';
import type { Past } from './sequence.ts';

interface Session {
  past: Past | undefined;
  isBusy: boolean;
  /** When it was last used, in milliseconds of a clock that does not go back. */
  usedAt: number;
}

/** A session while one request has it to itself. */
export interface SessionLease {
  /** What the session holds; undefined for a new session. The value stays the session's own. */
  readonly past: Past | undefined;
  /** Replaces what the session holds, and takes over `past`. */
  commit(past: Past): void;
  /** Lets go; without a commit the session is as it was. */
  release(): void;
}

/**
 * Decoding states by name, so that a follow-up costs only its new tokens. A request that fails or is aborted changes nothing. Bounded in
 * number and idle time.
 */
export class Sessions {
  /** In order of use. */
  readonly #sessions = new Map<string, Session>();
  readonly #timer: NodeJS.Timeout;

  /**
   * @param most sessions kept; the one used longest ago goes first
   * @param idleSeconds after which an unused one goes
   */
  constructor(
    readonly most: number,
    readonly idleSeconds: number,
  ) {
    this.#timer = setInterval(() => this.#removeIdle(), Math.min(idleSeconds * 250, 10_000)).unref();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** @throws {ApiError} 409 while another request uses it */
  lease(id: string): SessionLease {
    this.#removeIdle();
    const found = this.#sessions.get(id);
    if (found?.isBusy) throw busySession(id);
    const session: Session = found ?? { past: undefined, isBusy: true, usedAt: 0 };
    session.isBusy = true;
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    return {
      past: session.past,
      commit: (past) => {
        dispose(session.past);
        session.past = past;
      },
      release: () => {
        session.isBusy = false;
        session.usedAt = performance.now();
        if (session.past === undefined) this.#sessions.delete(id);
        this.#removeExcess();
      },
    };
  }

  /** Frees a session. @returns whether there was one. @throws {ApiError} 409 while a request uses it */
  delete(id: string): boolean {
    const session = this.#sessions.get(id);
    if (session?.isBusy) throw busySession(id);
    this.#remove(id);
    return session !== undefined;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const id of [...this.#sessions.keys()]) this.#remove(id);
  }

  #remove(id: string): void {
    dispose(this.#sessions.get(id)?.past);
    this.#sessions.delete(id);
  }

  #removeIdle(): void {
    const limit = performance.now() - 1000 * this.idleSeconds;
    for (const [id, { isBusy, usedAt }] of this.#sessions) if (!isBusy && usedAt <= limit) this.#remove(id);
  }

  #removeExcess(): void {
    for (const [id, { isBusy }] of this.#sessions) {
      if (this.#sessions.size <= this.most) return;
      if (!isBusy) this.#remove(id);
    }
  }
}

function dispose(past: Past | undefined): void {
  for (const state of past?.states ?? []) state.dispose();
}

function busySession(id: string): ApiError {
  return new ApiError(409, `Session ${id} is in use by another request: wait for its end.`, {
    param: 'session',
    code: 'session_busy',
    headers: noRetry,
  });
}
