import type { Random } from '../../src/base/random.ts';
import type { Files } from './files.ts';

/** One reader of what others write. */
export interface Target {
  readonly name: string;
  /** Valid inputs, which are accepted as they are; the same at every call. */
  seeds(): Promise<readonly Files[]>;
  /** A changed copy of `seed`, which follows from the generator; `other` is another seed, to take parts of. */
  mutate(random: Random, seed: Files, other: Files): Files;
  /**
   * Makes what reads inputs, once for a process. A reader resolves if the input is accepted, and throws an error of the
   * package if the input is refused.
   *
   * @param folder where the input's files are written before every call
   */
  start(folder: string): Promise<(files: Files) => Promise<void>>;
}

/** Changes one of the files, chosen by `weights`: how often a name's file is taken. */
export function mutateOne(
  random: Random,
  seed: Files,
  other: Files,
  mutations: Readonly<Record<string, (random: Random, whole: Uint8Array, other?: Uint8Array) => Uint8Array>>,
): Files {
  const candidates = Object.keys(seed).filter((name) => mutationOf(name) !== undefined);
  function mutationOf(name: string) {
    return Object.entries(mutations).find(([ending]) => name.endsWith(ending))?.[1];
  }
  const name = candidates[random.integer(candidates.length)]!;
  const changed = mutationOf(name)!(random, seed[name]!, other[name] ?? seed[name]!);
  return { ...seed, [name]: changed };
}
