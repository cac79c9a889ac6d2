/** A target with every fault that fuzzing looks for, on demand: what the first byte says. For the tests of the harness. */
import { DataError } from '../../../src/entries/performers.ts';
import type { Target } from '../target.ts';

const FILE = 'fault';

const faults: Readonly<Record<string, () => unknown>> = {
  a: () => undefined,
  r: () => {
    throw new DataError('This is refused: give another.');
  },
  t: () => (undefined as unknown as { x: number }).x,
  s: () => {
    throw new DataError('two\nlines');
  },
  u: () => void Promise.reject(new Error('nobody waits for this')),
  h: () => {
    for (;;);
  },
  w: () => new Promise(() => {}),
  m: () => Buffer.alloc(300 * 2 ** 20, 1).length,
  v: () => new Float64Array(2 ** 27).length,
  k: () => process.kill(process.pid, 'SIGSEGV'),
};

export const faultNames = Object.keys(faults);

export const faultsTarget: Target = {
  name: 'faults',
  seeds: async () => [{ [FILE]: Uint8Array.of(0x61) }],
  mutate: (random) => ({ [FILE]: Buffer.from(faultNames[random.integer(faultNames.length)]!) }),
  start: async () => async (files) => {
    await faults[String.fromCharCode(files[FILE]![0]!)]!();
  },
};
