import { vi } from 'vitest';

let time = 0;

/**
 * Every look at the clock finds it so many milliseconds later, so that pauses do not depend on the machine. Never goes back,
 * also from one file of tests to the next, as files may share the module that remembers the last pause.
 */
export function slowClock(milliseconds: number) {
  time = Math.max(time, performance.now()) + 1000;
  return vi.spyOn(performance, 'now').mockImplementation(() => (time += milliseconds));
}

/** What `work` gives, and how often it let the event loop turn where every piece takes long. */
export async function countTurns<T>(work: () => Promise<T>): Promise<[result: T, turns: number]> {
  const clock = slowClock(100);
  const turns = vi.spyOn(globalThis, 'setImmediate');
  try {
    return [await work(), turns.mock.calls.length];
  } finally {
    turns.mockRestore();
    clock.mockRestore();
  }
}

/** How often the event loop turns until `work` has settled. */
export async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work;
  isOver = true;
  return turns;
}
