/** A Ctrl-C of one run in this process, in place of the program's, which happens once in a process. */
import type * as Interrupt from '../../../cli/interrupt.ts';

let controller = new AbortController();
/** Presses Ctrl-C. */
export const press = (): void => controller.abort();
/** For the next run, nothing is pressed. */
export const release = (): void => {
  controller = new AbortController();
};

export const interruption: typeof Interrupt = {
  interruptSignal: () => controller.signal,
  wasInterrupted: () => controller.signal.aborted,
  isInterruption: (error) => controller.signal.aborted && error === controller.signal.reason,
};
