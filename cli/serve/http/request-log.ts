import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Usage } from '../completion.ts';

/** One line for each request, once it is over; and whatever went wrong within the server. */
export class RequestLog {
  readonly #usages = new WeakMap<ServerResponse, () => Usage>();

  /** @param verbose false: only what went wrong */
  constructor(
    readonly write: (line: string) => void,
    readonly verbose: boolean,
  ) {}

  start({ method, url = '' }: IncomingMessage, outgoing: ServerResponse): void {
    if (!this.verbose) return;
    const start = performance.now();
    outgoing.once('close', () => {
      const seconds = ((performance.now() - start) / 1000).toFixed(2);
      const status = outgoing.writableFinished ? outgoing.statusCode : 'aborted';
      const usage = this.#usages.get(outgoing)?.();
      const tokens = usage ? ` ${describe(usage)}` : '';
      // Sessions are named in paths, and a name is all that protects a session.
      const path = url.replace(/\?.*/, '').replace(/(\/sessions\/).*/, '$1…');
      this.write(`${new Date().toISOString()} ${method} ${path.slice(0, 100)} ${status} ${seconds} s${tokens}`);
    });
  }

  /** What the line will say of tokens. */
  usage(outgoing: ServerResponse, usage: () => Usage): void {
    this.#usages.set(outgoing, usage);
  }

  failure(error: Error): void {
    this.write(`performers: a request failed: ${error.stack ?? error.message}`);
  }
}

function describe({ promptTokens, cachedTokens, completionTokens }: Usage): string {
  const cached = cachedTokens > 0 ? ` (${cachedTokens} cached)` : '';
  return `${promptTokens}${cached} + ${completionTokens} tokens`;
}
