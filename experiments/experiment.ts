import type { z } from 'zod';
import { pause as nextTurn, parseConfiguration } from '../src/entries/internal.ts';
import { type Backend, type FloatArray, scope, type Tensor } from '../src/entries/performers.ts';

/** What an experiment runs on and whom it tells. */
export interface ExperimentContext {
  readonly backend: Backend;
  /** Where a long experiment keeps what lets it continue after an interruption. */
  readonly directory: string;
  /** Told how much is done, 0 to 1, and what is being done. */
  readonly progress: (done: number, what: string) => void;
  /** Ends the experiment with an AbortError at its next pause. */
  readonly signal: AbortSignal;
}

/** A figure of the paper: numbers from a configuration, a drawing and tables from the numbers. */
export interface Experiment<Configuration, Numbers> {
  readonly name: string;
  readonly title: string;
  readonly schema: z.ZodType<Configuration>;
  /** `config.json` of its folder, not yet validated. */
  readonly configuration: unknown;
  /** What `--quick` changes: seconds instead of minutes, with wider intervals. */
  readonly quick: Partial<Configuration>;
  run(configuration: Configuration, context: ExperimentContext): Promise<Numbers>;
  /** SVG. */
  draw(numbers: Numbers, configuration: Configuration): string;
  /** Markdown: what was measured, for the gallery page. */
  tabulate(numbers: Numbers, configuration: Configuration): string;
}

/** What one run of an experiment yields. */
export interface Outcome {
  readonly configuration: unknown;
  readonly numbers: unknown;
}

interface ExperimentOverrides {
  /** Default: `config.json` of the experiment's folder. */
  readonly configuration?: unknown;
  readonly quick?: boolean | undefined;
}

/** An experiment whose types the caller need not know. */
export interface AnyExperiment {
  readonly name: string;
  readonly title: string;
  /** The settings that `perform` would use. @throws one sentence when the configuration is not valid. */
  resolve(overrides: ExperimentOverrides): unknown;
  /** @throws one sentence when the configuration is not valid. */
  perform(overrides: ExperimentOverrides, context: ExperimentContext): Promise<Outcome>;
  /** The SVG of a stored result. */
  draw(numbers: unknown, configuration: unknown): string;
  /** The Markdown of a stored result. */
  tabulate(numbers: unknown, configuration: unknown): string;
}

export function defineExperiment<Configuration, Numbers>(
  experiment: Experiment<Configuration, Numbers>,
): AnyExperiment {
  const { name, title, schema } = experiment;
  const resolve = ({ configuration = experiment.configuration, quick = false }: ExperimentOverrides): Configuration => {
    const value = quick ? { ...(configuration as object), ...experiment.quick } : configuration;
    return parseConfiguration(schema, value, `the configuration of ${name}`);
  };
  return {
    name,
    title,
    resolve,
    async perform(overrides, context) {
      const parsed = resolve(overrides);
      const numbers = await experiment.run(parsed, context);
      context.signal.throwIfAborted();
      return { configuration: parsed, numbers };
    },
    draw: (numbers, configuration) => experiment.draw(numbers as Numbers, schema.parse(configuration)),
    tabulate: (numbers, configuration) => experiment.tabulate(numbers as Numbers, schema.parse(configuration)),
  };
}

/** Lets signals and timers through, and stops here if the experiment was told to. */
export async function pause(signal: AbortSignal): Promise<void> {
  await nextTurn();
  signal.throwIfAborted();
}

/** The numbers of a tensor, which is freed with all that was made for it. */
export async function numbersOf(make: () => Tensor): Promise<FloatArray> {
  const out = scope(make);
  try {
    return await out.data();
  } finally {
    out.dispose();
  }
}
