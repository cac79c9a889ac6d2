/**
 * How the learning rate decays after warm-up, as a factor of the peak; `finalFraction` (default 0.1 for cosine, 0 for
 * linear) is reached at the last step.
 */
export type Schedule =
  | { readonly kind: 'constant' }
  | { readonly kind: 'cosine'; readonly finalFraction: number }
  | { readonly kind: 'linear'; readonly finalFraction: number };

/** What {@link learningRateAt} needs of a training configuration. */
export interface LearningRateConfiguration {
  /** Peak learning rate. */
  readonly learningRate: number;
  /** Updates over which the rate rises linearly from `learningRate / warmupSteps` to the peak. */
  readonly warmupSteps: number;
  /** Updates in all. */
  readonly steps: number;
  readonly schedule: Schedule;
}

/** Learning rate of the update that follows `step` completed ones (`step` counts from 0). */
export function learningRateAt(configuration: LearningRateConfiguration, step: number): number {
  const { learningRate, warmupSteps, steps, schedule } = configuration;
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - 1 - warmupSteps));
  return learningRate * decayAt(schedule, progress);
}

function decayAt(schedule: Schedule, progress: number): number {
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'cosine':
      return schedule.finalFraction + ((1 - schedule.finalFraction) * (1 + Math.cos(Math.PI * progress))) / 2;
    case 'linear':
      return 1 - (1 - schedule.finalFraction) * progress;
  }
}
