import type { Backend, TransformerOptions } from '../../src/entries/performers.ts';
import type { Trainer } from '../../src/entries/training.ts';
import type { TrainingSize } from '../peers/peer.ts';
import { createTrainer, NUM_FEATURES } from './training-step.ts';

/** The sizes of one layer; the depth is what varies. */
export const layerSize: Omit<TrainingSize, 'numLayers'> = {
  dModel: 256,
  numHeads: 4,
  dFeedForward: 1024,
  vocabSize: 256,
  batchSize: 1,
  length: 1024,
};

/** What becomes of the activations. */
export const variants = {
  kept: {},
  reversible: { reversible: true },
  'reversible, 8 chunks': { reversible: true, feedForwardChunks: 8 },
} as const satisfies Record<string, Partial<TransformerOptions>>;
export type Variant = keyof typeof variants;

export function createDeepTrainer(backend: Backend, numLayers: number, variant: Variant): Trainer {
  return createTrainer(backend, { ...layerSize, numLayers }, 'favor', NUM_FEATURES, variants[variant]);
}

/** What a process that trains has held. */
export interface StepMemory {
  /** Most bytes of the backend's blocks. */
  readonly held: number;
  readonly numParameters: number;
}
