import { Random } from '../../src/base/random.ts';
import type { Files } from './files.ts';
import { pick } from './mutate-bytes.ts';
import type { Target } from './target.ts';

export interface Drawer {
  /** The first inputs are the seeds as they are: all of them must be accepted. */
  readonly numSeeds: number;
  /** An input by its number, which follows from the seed alone. */
  draw(index: number): Files;
}

export async function createDrawer(target: Target, seed: number): Promise<Drawer> {
  const seeds = await target.seeds();
  return {
    numSeeds: seeds.length,
    draw(index) {
      if (index < seeds.length) return seeds[index]!;
      const random = new Random(seed).fork(index);
      return target.mutate(random, pick(random, seeds), pick(random, seeds));
    },
  };
}
