import type { ServerResponse } from 'node:http';
import { ApiError, noRetry } from '../errors.ts';

/** Seconds in which a client that reads slowly may take what was written before its time ended. */
const lingering = 2;

/**
 * Aborts when the client went away, the request took too long, or the server ends now.
 *
 * @param seconds that the request may take
 * @param ending the server's own signal
 */
export function requestSignal(outgoing: ServerResponse, seconds: number, ending: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const giveUp = (reason: ApiError) => {
    controller.abort(reason);
    // An answer on its way is cut short. A client that does not read even that is disconnected.
    setTimeout(() => outgoing.destroy(), 1000 * lingering).unref();
  };
  const onEnding = () => giveUp(ending.reason);
  const timer = setTimeout(() => {
    giveUp(
      new ApiError(503, `The request took longer than the ${seconds} s allowed.`, {
        code: 'request_timeout',
        headers: noRetry,
      }),
    );
  }, 1000 * seconds);
  ending.addEventListener('abort', onEnding, { once: true });
  outgoing.once('close', () => {
    clearTimeout(timer);
    ending.removeEventListener('abort', onEnding);
    if (!outgoing.writableFinished) controller.abort(new ApiError(499, 'The client closed the connection.'));
  });
  if (ending.aborted) onEnding();
  return controller.signal;
}
