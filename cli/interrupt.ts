/** What Ctrl-C does: the first press asks a command to stop where nothing is half-written, the second ends it at once. */
import { say } from './output.ts';

/** As shells have it: 128 and the number of SIGINT. */
const interrupted = 130;

const controller = new AbortController();
let isListening = false;
let announcement: string | undefined;

/**
 * The signal that the first Ctrl-C (or SIGTERM) aborts; the second ends the process at once with exit code 130 (143).
 *
 * @param consequence what the first one leads to, said on standard error. Default: nothing is said
 */
export function interruptSignal(consequence?: string): AbortSignal {
  announcement = consequence;
  if (!isListening) {
    isListening = true;
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
  }
  return controller.signal;
}

function interrupt(_: NodeJS.Signals, number: number): void {
  if (controller.signal.aborted) process.exit(128 + number);
  controller.abort();
  if (announcement !== undefined) say(`\n${announcement}; press Ctrl-C again to stop at once.`);
}

/** Sets the exit code of a command that Ctrl-C stopped, and says what is left. Returns whether it was stopped. */
export function wasInterrupted(message?: string): boolean {
  if (!controller.signal.aborted) return false;
  process.exitCode = interrupted;
  if (message !== undefined) say(message);
  return true;
}

/** Whether `error` is what an interrupted command throws. */
export function isInterruption(error: unknown): boolean {
  return controller.signal.aborted && error === controller.signal.reason;
}
