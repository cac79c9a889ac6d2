import { ConfigurationError } from '../base/errors.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';

/**
 * How the learning rate decays after warm-up, as a factor of the peak. The last step reaches `finalFraction` (default
 * 0.1 for cosine, 0 for linear).
 */
export type Schedule =
  | { readonly kind: 'constant' }
  | { readonly kind: 'cosine'; readonly finalFraction?: number | undefined }
  | { readonly kind: 'linear'; readonly finalFraction?: number | undefined };

/** What {@link learningRateAt} needs of a training configuration. */
export interface LearningRateOptions {
  /** Peak learning rate. */
  readonly learningRate: number;
  /** Updates over which the rate rises linearly from `learningRate / warmupSteps` to the peak. Default 0. */
  readonly warmupSteps?: number | undefined;
  /** Updates in all. */
  readonly steps: number;
  /** Default constant. */
  readonly schedule?: Schedule | undefined;
}

/**
 * Learning rate of the update that follows `step` completed ones (`step` counts from 0).
 *
 * @throws ConfigurationError for unknown options and schedules.
 */
export function learningRateAt(options: LearningRateOptions, step: number): number {
  checkArguments('learningRateAt', { options, step }, { options: option.object, step: option.natural });
  checkOptions<LearningRateOptions>('learningRateAt', options, {
    ...{ learningRate: option.number, warmupSteps: option.natural, steps: option.natural, schedule: option.object },
  });
  const { learningRate, warmupSteps = 0, steps, schedule = { kind: 'constant' } } = options;
  checkArguments('learningRateAt', { learningRate, steps }, { learningRate: option.number, steps: option.natural });
  checkOptions<{ kind: string; finalFraction?: number }>('learningRateAt: schedule', schedule, {
    ...{ kind: option.oneOf('constant', 'cosine', 'linear'), finalFraction: option.number },
  });
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - 1 - warmupSteps));
  return learningRate * decayAt(schedule, progress);
}

function decayAt(schedule: Schedule, progress: number): number {
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'cosine': {
      const { finalFraction = 0.1 } = schedule;
      return finalFraction + ((1 - finalFraction) * (1 + Math.cos(Math.PI * progress))) / 2;
    }
    case 'linear':
      return 1 - (1 - (schedule.finalFraction ?? 0)) * progress;
    default:
      throw new ConfigurationError('learningRateAt: the schedule has no kind; choose constant, cosine or linear.');
  }
}
