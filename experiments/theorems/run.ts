import type { ExperimentContext } from '../experiment.ts';
import type { TheoremsConfiguration } from './configuration.ts';
import { type OrthogonalPoint, orthogonal } from './orthogonal.ts';
import { type RegularisedNumbers, regularised } from './regularised.ts';
import { type UniformNumbers, uniform } from './uniform.ts';

export interface TheoremsNumbers {
  readonly regularised: RegularisedNumbers;
  readonly orthogonal: readonly OrthogonalPoint[];
  readonly uniform: readonly UniformNumbers[];
}

/** The paper's statements that can be tested with numbers. */
export async function run(configuration: TheoremsConfiguration, context: ExperimentContext): Promise<TheoremsNumbers> {
  const part = (start: number, share: number): ExperimentContext => ({
    ...context,
    progress: (done, what) => context.progress(start + done * share, what),
  });
  return {
    regularised: await regularised(configuration, part(0, 0.05)),
    orthogonal: await orthogonal(configuration, part(0.05, 0.35)),
    uniform: await uniform(configuration, part(0.4, 0.6)),
  };
}
