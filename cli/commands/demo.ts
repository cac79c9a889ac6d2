import { join } from 'node:path';
import { Command } from 'commander';
import pico from 'picocolors';
import { mobyDickPath } from '../../experiments/sources/moby-dick.ts';
import { datasetText, orderKModel, type PartName, trainingWindows } from '../../src/entries/data.ts';
import { brotliBitsPerCharacter, commandLine, parseConfiguration } from '../../src/entries/internal.ts';
import { type Backend, createBackend, streamText } from '../../src/entries/performers.ts';
import { type Evaluation, evaluate, Trainer } from '../../src/entries/training.ts';
import { type Mode, type PlannedFlags, planned } from '../command.ts';
import { interruptSignal, wasInterrupted } from '../interrupt.ts';
import { positiveInteger, positiveNumber } from '../options.ts';
import { formatCount, formatSeconds, formatTable, printJson, say } from '../output.ts';
import { type RunConfiguration, runSchema } from '../training/configuration.ts';
import { finishRun, hasCheckpoint, heldOutData, type Run, readRun, resumeRun, startRun } from '../training/run.ts';

interface DemoFlags extends PlannedFlags {
  out: string;
  minutes: number;
  steps?: number;
}

const performerOf = ({ out }: DemoFlags) => join(out, 'performer');

const modes: readonly Mode<DemoFlags>[] = [
  {
    name: 'A demonstration that continues, with the steps it was started with,',
    when: (flags) => hasCheckpoint(performerOf(flags)),
    refuses: ['minutes', 'steps'],
    advice: 'leave them out, or choose another --out',
  },
  { name: 'demo --steps', when: ({ steps }) => steps !== undefined, refuses: ['minutes'] },
];

interface Contestant {
  readonly label: string;
  readonly evaluation: Evaluation;
  readonly tokens: number;
  readonly tokensPerSecond: number | undefined;
}

const prompt = 'Call me Ishmael.';

/** The one model of the demonstration; `attention` is all that differs between its two trainings. */
const configuration: RunConfiguration = parseConfiguration(
  runSchema,
  {
    split: { by: 'tail', fraction: 0.1 },
    tokenizer: { type: 'bpe', vocabSize: 1024 },
    model: { dModel: 192, numLayers: 4, numHeads: 3, dFeedForward: 768, positions: 'rotary', dropout: 0 },
    training: {
      batchSize: 1,
      length: 4096,
      learningRate: 4e-3,
      schedule: { kind: 'cosine', finalFraction: 0.05 },
      evaluateEvery: 500,
      checkpointEvery: 250,
      seed: 1,
    },
  },
  'the configuration of the demonstration',
);

export function demoCommand(): Command {
  const command = new Command('demo')
    .description('Train a Performer on Moby-Dick, beside the same model with exact attention, and sample from it.')
    .option(
      '--out <dir>',
      'directory of the two runs; an interrupted demonstration continues from there',
      'runs/moby-dick',
    )
    .option('--minutes <n>', 'time for the training of each of the two models', positiveNumber, 3)
    .option('--steps <n>', 'updates of each training, instead of --minutes: equal tokens', positiveInteger);
  return planned<DemoFlags>(command, { modes }, (flags) => ({
    resolve: () => resolved(flags),
    perform: () => demo(flags),
  }));
}

async function resolved(flags: DemoFlags): Promise<object> {
  const { out, steps, minutes } = flags;
  const { from: _, ...settings } = configuration;
  const models = Object.fromEntries((['favor', 'exact'] as const).map((kind) => [kind, attentionOf(kind)]));
  if (await hasCheckpoint(performerOf(flags))) {
    const { directory, configuration: resumed } = await readRun(performerOf(flags));
    return { out, resume: directory, minutes: null, ...settings, training: resumed.training, attention: models };
  }
  // Without --steps, as many as the time allows.
  const training = {
    ...settings.training,
    steps: steps ?? null,
    warmupSteps: steps === undefined ? null : warmupOf(steps),
  };
  return {
    ...{ out, resume: null, minutes: steps === undefined ? minutes : null },
    ...{ ...settings, data: [mobyDickPath()], training, attention: models },
  };
}

// A few minutes are too short to recover from new features.
const attentionOf = (type: 'favor' | 'exact') =>
  type === 'favor' ? { type, numFeatures: 128, redrawInterval: 0, nearField: { block: 64 } } : { type };

/** Exact attention learns slowly after a warm-up of fewer than 60 steps. */
const warmupOf = (steps: number) => Math.min(Math.ceil(steps / 2), Math.max(60, Math.ceil(steps / 20)));

async function demo(flags: DemoFlags): Promise<void> {
  const signal = interruptSignal();
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    say(pico.bold('A Performer learns to write like Moby-Dick') + pico.dim(`  (${backend.description})`));
    const performer = await openRun(backend, performerOf(flags), 'favor', signal, (run) =>
      chooseSteps(run, flags, signal),
    );
    const results = [await contend(performer, 'Performer', signal)];
    const runs = [performer];
    if (!signal.aborted) {
      const exact = await openRun(backend, join(flags.out, 'exact'), 'exact', signal, (run) =>
        chooseSteps(run, flags, signal),
      );
      runs.push(exact);
      results.push(await contend(exact, 'exact attention', signal));
    }
    if (signal.aborted) {
      process.exitCode = 130;
      say(`Saved in ${flags.out}. Continue with:\n  npm start`);
      return;
    }
    await report(performer, results, flags, signal);
    await reading(runs, signal);
    await sample(performer, flags, signal);
  } finally {
    backend.close();
  }
}

/** Opens the run in `out` where it stopped, or starts it with as many steps as `choose` says. */
async function openRun(
  backend: Backend,
  out: string,
  attention: 'favor' | 'exact',
  signal: AbortSignal,
  choose: (run: Run) => Promise<number>,
): Promise<Run> {
  if (await hasCheckpoint(out)) return resumeRun(backend, out, {}, { signal });
  const model = { ...configuration.model, attention: attentionOf(attention) };
  const run = await startRun(backend, { ...configuration, data: [mobyDickPath()], model }, out, { signal });
  const steps = await choose(run).catch((error) => {
    run.lock.release();
    throw error;
  });
  const training = { ...configuration.training, steps, warmupSteps: warmupOf(steps) };
  return { ...run, configuration: { ...run.configuration, training } };
}

/** The number of updates that fill the time, measured on a few that are then forgotten. */
async function chooseSteps(run: Run, { minutes, steps }: DemoFlags, signal: AbortSignal): Promise<number> {
  if (steps !== undefined) return steps;
  say(pico.dim('Measuring a few updates, to fill the time …'));
  const { training } = run.configuration;
  const { batchSize, length, seed } = training;
  const trainer = new Trainer({
    model: run.model,
    data: trainingWindows(run.corpus.store.train, { batchSize, length, seed }),
    configuration: { ...training, learningRate: Number.MIN_VALUE, weightDecay: 0 },
  });
  await trainer.step({ signal });
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  let trials = 0;
  // Updates are measured for some seconds, because a few alone may fall in a moment when the machine is quiet or busy.
  for (; trials < 3 || seconds() < minutes * 4; trials++) await trainer.step({ signal });
  const secondsPerStep = seconds() / trials;
  trainer.dispose();
  return Math.max(20, Math.round((minutes * 60) / secondsPerStep / 10) * 10);
}

async function contend(run: Run, label: string, signal: AbortSignal): Promise<Contestant> {
  const { training } = run.configuration;
  const { train } = run.corpus.store;
  const tokens = training.steps * training.batchSize * training.length;
  say(
    `\n${pico.bold(label)}: ${formatCount(run.model.numParameters)} parameters, ${formatCount(training.steps)} steps of ` +
      `${training.batchSize} × ${training.length} tokens (${(tokens / train.length).toFixed(1)} times through the text)`,
  );
  interruptSignal('Saving after this step');
  const result = await finishRun(run, label, signal);
  interruptSignal();
  const { heldOut } = run.corpus.store;
  const { batches, characters } = heldOutData(heldOut, training, run.corpus.tokenizer);
  const evaluation = result.evaluation ?? (await evaluate(run.model, batches(), { characters, signal }));
  const tokensPerSecond = result.seconds > 0 ? result.tokens / result.seconds : undefined;
  if (result.seconds > 0) say(pico.dim(`  ${formatSeconds(result.seconds)}; saved as ${result.checkpoint}`));
  return { label, evaluation, tokens, tokensPerSecond };
}

async function report(
  run: Run,
  contestants: readonly Contestant[],
  flags: DemoFlags,
  signal: AbortSignal,
): Promise<void> {
  const { dataset, store } = run.corpus;
  const textOf = async (part: PartName) => {
    let text = '';
    for await (const piece of datasetText(dataset, part, { signal })) text += piece;
    return text;
  };
  const train = await textOf('train');
  const heldOut = await textOf('heldOut');
  const brotli = await brotliBitsPerCharacter(train, heldOut, { signal });
  const baselines: [string, number][] = [
    ['brotli, quality 11, having seen the training text', brotli.givenTrain],
    ['order-3 model of bytes', orderKModel(train, heldOut, 3)],
  ];
  const rows = [
    ...baselines.map(([label, bits]) => [label, bits.toFixed(3), '', '', '']),
    ...contestants.map(({ label, evaluation, tokens, tokensPerSecond }) => [
      label,
      (evaluation.bitsPerCharacter ?? Number.NaN).toFixed(3),
      evaluation.perplexity.toFixed(2),
      formatCount(tokens),
      tokensPerSecond === undefined ? '' : formatCount(tokensPerSecond),
    ]),
  ];
  say(
    `\nThe last tenth of the book, ${formatCount(store.heldOut.characters)} characters that none of them has seen:\n`,
  );
  say(formatTable([['', 'bits/character', 'perplexity of a token', 'tokens', 'tokens/s trained'], ...rows]));
  if (flags.json) {
    const json = contestants.map(({ label, evaluation, tokens, tokensPerSecond }) => ({
      ...{ label, ...evaluation, tokens, tokensPerSecond },
    }));
    printJson({
      steps: run.configuration.training.steps,
      heldOutCharacters: store.heldOut.characters,
      baselines: Object.fromEntries(baselines),
      models: json,
    });
  }
}

const lengths = [512, 2048, 8192, 32768];
/** A pass that takes longer is measured once. */
const secondsOfReading = 1;

/** Tokens a second that each model reads in one go, measured now; what they were trained on does not matter. */
async function reading(runs: readonly Run[], signal: AbortSignal): Promise<void> {
  say(`\n${pico.bold('Reading one long text')}, tokens a second, measured now:\n`);
  const measured = lengths.filter((length) => length < runs[0].corpus.store.train.length);
  const rows: string[][] = [];
  for (const [i, { model, corpus }] of runs.entries()) {
    const row = [i === 0 ? 'Performer' : 'exact attention'];
    rows.push(row);
    for (const length of measured) {
      const data = trainingWindows(corpus.store.train, { batchSize: 1, length, seed: 1 });
      const batch = await data.batchAt(0);
      const start = performance.now();
      let passes = 0;
      while (performance.now() - start < secondsOfReading * 1000 && !signal.aborted) {
        await evaluate(model, [batch], { signal });
        passes++;
      }
      row.push(formatCount((passes * length * 1000) / (performance.now() - start)));
    }
  }
  say(formatTable([['text of', ...measured.map((length) => `${formatCount(length)} tokens`)], ...rows]));
}

async function sample(run: Run, flags: DemoFlags, signal: AbortSignal): Promise<void> {
  say(`\n${pico.bold('The Performer continues')}, token by token, its memory of constant size:\n`);
  const out = flags.json ? process.stderr : process.stdout;
  out.write(pico.bold(prompt));
  const options = { maxTokens: 200, temperature: 0.8, topP: 0.95, seed: 1, signal };
  for await (const text of streamText(run.model, run.corpus.tokenizer, prompt, options)) out.write(text);
  out.write('\n');
  if (wasInterrupted()) return;
  say(
    pico.dim(
      `\nMore:  ${commandLine()} generate --model ${join(flags.out, 'performer')} --prompt "The whale" --tokens 300\n` +
        `Your own text:  ${commandLine()} train --data "books/*.txt" --out runs/mine`,
    ),
  );
}
