import { z } from 'zod';
import { ladderConfiguration } from '../ladder.ts';

const count = z.int().min(1);

export const useLiteConfiguration = z.strictObject({
  ladder: ladderConfiguration,
  /** Sentences of a batch. */
  batchSize: count,
  /** Sentences whose attention is looked into, head by head. */
  inspected: count,
});

export type UseLiteConfiguration = z.output<typeof useLiteConfiguration>;
