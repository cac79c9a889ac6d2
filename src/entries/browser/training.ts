/** `performers/training` in a browser: training a model: whole runs, single steps, evaluation and distillation. */

// A whole run: progress, checkpoints, resuming.
export {
  parseTrainingConfiguration,
  type DistillationConfiguration,
  type Objective,
  type TrainingConfiguration,
  type TrainingOptions,
} from '../../training/configuration.ts';
export { trainingBatches, heldOutBatches, type Vocabulary } from '../../training/objective.ts';
export type { LossFunction } from '../../model/losses.ts';

// Step by step.
export { Trainer, type TrainingData } from '../../training/trainer.ts';
export { evaluate, type Evaluation } from '../../training/evaluate.ts';
export { objectiveLoss } from '../../training/objective.ts';

// Models of one's own: the optimizer alone.
export { AdamW, globalNorm, type AdamWOptions, type UpdateOptions } from '../../training/optimizer.ts';
export { learningRateAt, type LearningRateOptions, type Schedule } from '../../training/schedule.ts';

// Learning from a teacher.
export { Distillation } from '../../training/distillation.ts';
export type { TeacherErrors } from '../../training/loss-totals.ts';
