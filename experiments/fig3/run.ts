import { freemem } from 'node:os';
import { Random } from '../../src/entries/performers.ts';
import { type ExperimentContext, pause } from '../experiment.ts';
import { median } from '../results/statistics.ts';
import type { Fig3Configuration, ModelSizes } from './configuration.ts';
import {
  type AttentionName,
  attentions,
  type Closeness,
  type Cost,
  type Cross,
  type Curve,
  closeness,
  crossAt,
  fitSlopes,
  type Pass,
  type Point,
  passes,
  predict,
} from './curve.ts';
import { Subject } from './subject.ts';

export interface Fig3Numbers {
  readonly curves: readonly Curve[];
  readonly closeness: readonly Closeness[];
}

/** A curve while it is measured. */
interface Line {
  readonly attention: AttentionName;
  readonly pass: Pass;
  readonly points: Point[];
  cross?: Cross;
}

/** Figure 3: time and memory of a pass against the length. */
export async function run(configuration: Fig3Configuration, context: ExperimentContext): Promise<Fig3Numbers> {
  const { models, minLength, timeLimit, memoryLimit } = configuration;
  const limits = { seconds: timeLimit, bytes: Math.min(memoryLimit * 2 ** 30, 0.9 * freemem()) };
  // Roughly what the time grows with.
  const work = (model: ModelSizes, length: number) => model.dModel * length;
  const total = models.flatMap((model) => lengthsOf(model, minLength).map((length) => work(model, length)));
  const sum = total.reduce((a, b) => a + b, 0);
  const curves: Curve[] = [];
  let done = 0;
  for (const model of models) {
    const measured = attentions.filter((name) => !(configuration.causal && name === 'linformer'));
    const lines = measured.flatMap((attention) => passes.map((pass): Line => ({ attention, pass, points: [] })));
    const subjects = new Map<AttentionName, Subject>();
    try {
      for (const length of lengthsOf(model, minLength)) {
        context.progress(done / sum, `${model.name}, L = ${length}`);
        await pause(context.signal);
        for (const name of measured) {
          const isOpen = lines.some((line) => line.attention === name && !line.cross);
          if (subjects.has(name) && !(name === 'linformer' && isOpen)) continue;
          // Linformer's parameters grow with the length: a model for each.
          subjects.get(name)?.close();
          const longest = name === 'linformer' ? length : model.maxLength;
          subjects.set(name, await Subject.open(context.backend, model, name, configuration, longest));
        }
        await measureLength(lines, subjects, length, limits, configuration, context.signal);
        done += work(model, length);
      }
    } finally {
      for (const subject of subjects.values()) subject.close();
    }
    curves.push(...lines.map((line) => ({ model: model.name, ...line, slopes: fitSlopes(line.points) })));
  }
  return {
    curves,
    closeness: models.flatMap(({ name }) => passes.map((pass) => closeness(curves, name, pass))),
  };
}

export function lengthsOf({ maxLength }: ModelSizes, minLength: number): number[] {
  const count = Math.floor(Math.log2(maxLength / minLength)) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => minLength * 2 ** i);
}

/** Adds a point, or a cross, to every line that has not ended. */
async function measureLength(
  lines: readonly Line[],
  subjects: ReadonlyMap<AttentionName, Subject>,
  length: number,
  limits: Cost,
  configuration: Fig3Configuration,
  signal: AbortSignal,
): Promise<void> {
  for (const pass of passes) {
    const open = lines.filter((line) => {
      if (line.pass !== pass || line.cross) return false;
      line.cross = crossAt(line.points, length, limits);
      return !line.cross;
    });
    // Attentions take turns, unless together they need too much memory.
    const bytes = open.reduce((sum, { points }) => sum + (predict(points, length).bytes ?? 0), 0);
    const groups = bytes <= limits.bytes / 2 ? [open] : open.map((line) => [line]);
    for (const group of groups) await takeTurns(group, subjects, length, configuration, signal);
  }
}

/** Rounds of one pass each, the first to warm up. */
async function takeTurns(
  lines: readonly Line[],
  subjects: ReadonlyMap<AttentionName, Subject>,
  length: number,
  { rounds, secondsPerPoint, vocabSize, seed }: Fig3Configuration,
  signal: AbortSignal,
): Promise<void> {
  const random = new Random(seed);
  const [ids, targets] = [1, 2].map(() => Int32Array.from({ length }, () => random.integer(vocabSize)));
  const measured = lines.map((line) => ({
    line,
    subject: subjects.get(line.attention) as Subject,
    seconds: [] as number[],
    bytes: 0,
  }));
  for (let round = 0; round <= rounds; round++) {
    for (const each of measured) {
      const { line, subject, seconds } = each;
      if (line.cross || seconds.reduce((sum, value) => sum + value, 0) > secondsPerPoint) continue;
      await pause(signal);
      try {
        const cost = await subject.run(line.pass, ids, targets);
        seconds.push(cost.seconds);
        each.bytes = cost.bytes;
      } catch (error) {
        if (!isOutOfMemory(error)) throw error;
        line.cross = { length, reason: 'memory', ...predict(line.points, length) };
      }
    }
  }
  for (const { line, subject, seconds, bytes } of measured) {
    subject.trim();
    // What was run only once is all there is.
    const timed = seconds.length > 1 ? seconds.slice(1) : seconds;
    if (!line.cross) line.points.push({ length, seconds: median(timed), bytes });
  }
}

/** As the backends, or the engine for an array of its own, say it. */
function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && /cannot allocate|allocation failed/i.test(error.message);
}
