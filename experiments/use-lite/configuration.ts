import { z } from 'zod';
import { ladderSchema } from '../ladder.ts';

const count = z.int().min(1);

export const useLiteSchema = z.strictObject({
  ladder: ladderSchema,
  /** Sentences of a batch. */
  batchSize: count,
  /** Sentences whose attention is looked into, head by head. */
  inspected: count,
});

export type UseLiteConfiguration = z.output<typeof useLiteSchema>;
