/** What one client may ask of the server, so that none can take all of it. */
export interface Limits {
  /** Prompt and completion of one request, in tokens; with a session, its past counts where it takes memory. */
  readonly maxTokens: number;
  /** Bytes of a request's body. */
  readonly maxBody: number;
  /** Sequences generated at once: a request with n = 3 counts for three, one for embeddings for one. */
  readonly concurrency: number;
  /** Requests that may wait for their turn. */
  readonly queue: number;
  /** Seconds for one request, waiting included. */
  readonly timeout: number;
  /** Seconds in which a request must have arrived whole. */
  readonly receiveTimeout: number;
  /** Sessions kept; the one used longest ago goes first. */
  readonly sessions: number;
  /** Seconds after which an unused session is dropped. */
  readonly sessionIdle: number;
}

export const defaultLimits: Limits = {
  maxTokens: 4096,
  maxBody: 2 ** 20,
  concurrency: 64,
  queue: 256,
  timeout: 120,
  receiveTimeout: 30,
  sessions: 64,
  sessionIdle: 600,
};
