import { transformerPresets } from '../../src/entries/performers.ts';
import type { BenchmarkCase } from '../case.ts';
import type { TrainingSize } from '../peers/peer.ts';
import { trainingProblem, trainingTask } from '../peers/tasks.ts';
import { flopsOf, labelOf, prepareSteps, trainingStep } from './training-step.ts';

/** What `@genai-fi/nanogpt` does in seconds: it keeps every L × L array of exact attention. */
const size: TrainingSize = { ...transformerPresets.compact, batchSize: 1, length: 512 };

/** The training step at a size that other engines for JavaScript reach. */
export const trainingStepCompact: BenchmarkCase = {
  name: 'training-step-compact',
  description: 'preset compact (4 layers, d = 256, d_ff = 1024), 1 × 512 tokens, causal; counted as training-step',
  on: ['native', 'wasm'],
  check: trainingStep.check,
  prepare: (backend) => prepareSteps(backend, [size]),
  peerTasks: () => [
    trainingTask(
      { label: `exact, L=${size.length}`, against: labelOf('exact', size.length), flops: flopsOf(size, 'exact') },
      trainingProblem(size, 1e-3),
    ),
  ],
};
