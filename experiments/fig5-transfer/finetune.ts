import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type TokenSplit, trainingSequences } from '../../src/entries/data.ts';
import { findCheckpoint, restoreModel } from '../../src/entries/internal.ts';
import type { Transformer, TransformerOptions } from '../../src/entries/performers.ts';
import { createPretrained } from '../../src/entries/pretrained.ts';
import {
  loadCheckpoint,
  parseTrainingConfiguration,
  type RunEvent,
  type Teacher,
  train,
} from '../../src/entries/training.ts';
import { compareEmbeddings } from '../embeddings.ts';
import type { ExperimentContext } from '../experiment.ts';
import type { Fig5TransferConfiguration } from './configuration.ts';
import { embedSentences, type SentenceEncoder } from './minilm.ts';

const point = z.strictObject({
  step: z.int(),
  /** Of training alone. */
  seconds: z.number(),
  /** What all processor cores together worked for it: does not depend on what else the machine does. */
  coreSeconds: z.number(),
  meanCosine: z.number(),
  worstCosine: z.number(),
  spearman: z.number(),
});

/** The model after some updates, against exact attention. */
export type CurvePoint = z.output<typeof point>;

export interface Finetuned {
  readonly curve: readonly CurvePoint[];
  /** The finetuned model with other directions than those that it learnt with. */
  readonly otherDirections: Pick<CurvePoint, 'meanCosine' | 'spearman'>;
}

export interface FinetuneData {
  readonly encoder: SentenceEncoder;
  readonly text: TokenSplit;
  /** Ids of the compared sentences, and their embeddings with exact attention. */
  readonly sentences: readonly Int32Array[];
  readonly exact: readonly Float64Array[];
}

/**
 * Finetunes the converted model to give what exact attention gives, layer by layer and at the end. Follows the
 * embeddings of sentences that the model never sees. Continues from the last checkpoint in `context.directory` after an
 * interruption.
 */
export async function finetune(
  data: FinetuneData,
  configuration: Fig5TransferConfiguration,
  context: ExperimentContext,
): Promise<Finetuned> {
  const { backend, directory } = context;
  const { encoder, text } = data;
  const { attention, training, batchSize } = configuration;
  const run = join(directory, `finetuned-${fingerprint([encoder.folder, attention, training, text.length])}`);
  const { model, resume } = await begin(data, configuration, run, context);
  const teacher: Teacher = {
    model: createPretrained(backend, encoder.pretrained),
    directory: encoder.folder,
    fingerprint: fingerprint([encoder.folder]),
  };
  try {
    const curvePath = join(run, 'curve.json');
    const curve = await storedCurve(curvePath, resume?.checkpoint.training.step ?? 0);
    let { seconds, coreSeconds } = curve.at(-1) ?? { seconds: 0, coreSeconds: 0 };
    const measure = async (step: number) => {
      const found = await embedSentences(model, data.sentences, batchSize);
      curve.push({ step, seconds, coreSeconds, ...compareEmbeddings(found, data.exact) });
      await writeFile(curvePath, JSON.stringify(curve));
    };
    await mkdir(run, { recursive: true });
    if (curve.length === 0) await measure(0);
    let cores = process.cpuUsage();
    const events = train({
      out: run,
      model,
      teacher,
      data: trainingSequences(text, {
        ...{ batchSize: training.batchSize, length: training.length, seed: training.seed },
        ...{ packing: 'pack', targets: 'itself' },
      }),
      dataFingerprint: fingerprint([text.length, text.documents.length]),
      configuration: trainingOptions(configuration),
      resume,
      signal: context.signal,
    });
    for await (const event of events) {
      const { user, system } = process.cpuUsage(cores);
      cores = process.cpuUsage();
      if (event.kind !== 'step') continue;
      seconds += event.seconds;
      coreSeconds += (user + system) / 1e6;
      context.progress(event.step / training.steps, describe(event, curve));
      if (event.step % training.evaluateEvery === 0 || event.step === training.steps) {
        await measure(event.step);
        cores = process.cpuUsage();
      }
    }
    context.signal.throwIfAborted();
    model.redraw(training.seed + 1, 1);
    const others = compareEmbeddings(await embedSentences(model, data.sentences, batchSize), data.exact);
    return {
      curve,
      otherDirections: { meanCosine: others.meanCosine, spearman: others.spearman },
    };
  } finally {
    teacher.model.dispose();
    model.dispose();
  }
}

function describe({ loss }: Extract<RunEvent, { kind: 'step' }>, curve: readonly CurvePoint[]): string {
  const { meanCosine, spearman } = curve[curve.length - 1];
  return `finetuning, loss ${loss.toFixed(3)}, cosine ${meanCosine.toFixed(3)}, Spearman ${spearman.toFixed(3)}`;
}

function trainingOptions({ training }: Fig5TransferConfiguration) {
  const { steps, batchSize, length, learningRate, warmupSteps, attentionWeight, hiddenWeight, evaluateEvery, seed } =
    training;
  return parseTrainingConfiguration({
    ...{ steps, batchSize, length, learningRate, warmupSteps, seed },
    objective: { type: 'distillation' },
    distillation: { attentionWeight, hiddenWeight },
    schedule: { kind: 'cosine', finalFraction: 0 },
    weightDecay: 0,
    beta2: 0.999,
    clip: 1,
    evaluateEvery: 0,
    checkpointEvery: evaluateEvery,
    keepCheckpoints: 1,
  });
}

/** The converted model, or that of the newest checkpoint with what its run needs. */
async function begin(
  { encoder }: FinetuneData,
  { attention, training }: Fig5TransferConfiguration,
  run: string,
  { backend }: ExperimentContext,
): Promise<{ model: Transformer; resume: Parameters<typeof train>[0]['resume'] }> {
  const newest = await findCheckpoint(run).catch(() => undefined);
  if (newest === undefined) {
    const choice = attention as TransformerOptions['attention'];
    const configuration = { ...encoder.pretrained.configuration, dropout: 0 };
    const options = { attention: choice, seed: training.seed };
    return { model: createPretrained(backend, { ...encoder.pretrained, configuration }, options), resume: undefined };
  }
  const checkpoint = await loadCheckpoint(newest);
  return { model: restoreModel(backend, checkpoint, newest), resume: { checkpoint, directory: newest } };
}

/** Points of the curve up to a checkpoint: one may have been measured before a stop that no checkpoint followed. */
async function storedCurve(path: string, step: number): Promise<CurvePoint[]> {
  const text = await readFile(path, 'utf8').catch(() => '[]');
  return z
    .array(point)
    .parse(JSON.parse(text))
    .filter((each) => each.step <= step);
}

const fingerprint = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12);
