import { batchKind } from '../data/batches/windows.ts';
import { transformerConfigurationKind } from '../model/configuration.ts';
import { transformerKind } from '../model/transformer.ts';
/**
 * Learning from a teacher (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"; attention as in Sun et
 * al. 2020, "MobileBERT"). A model with estimated attention learns what the same model with exact attention gives,
 * layer by layer and at its end. That says more than a next token does, so the model recovers in fewer updates.
 */

import { ConfigurationError } from '../base/errors.ts';
import { atOnce, Pauses, type Pieces, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import type { Batch } from '../data/batches/windows.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';
import type { Dropout } from '../model/layers/dropout.ts';
import type { AttentionObserver } from '../model/layers/multi-head-attention.ts';
import { validPositions } from '../model/layers/pooling.ts';
import type { Transformer } from '../model/transformer.ts';
import { embedding } from '../tensor/ops/embedding.ts';
import { reshape } from '../tensor/ops/layout.ts';
import { softmaxCrossEntropy, softmaxKlDivergence, squaredError } from '../tensor/ops/losses.ts';
import { keep, scopeInSteps } from '../tensor/scope.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { batchOptions } from './batch-tensors.ts';
import type { DistillationConfiguration, Objective } from './configuration.ts';
import type { BatchLoss, LossPart } from './loss-totals.ts';

/** What a model may have that its teacher need not have, or have otherwise. */
const ownKeys: ReadonlySet<string> = new Set<keyof TransformerConfiguration>([
  'attention',
  'exactLayers',
  'dropout',
  'maxLength',
  'reversible',
  'feedForwardChunks',
  'numClasses',
  'pooling',
]);

/** @throws ConfigurationError when the teacher's layers and the student's do not correspond, or cannot be compared */
export function checkTeacher(
  teacher: TransformerConfiguration,
  student: TransformerConfiguration,
  options: DistillationConfiguration,
): void {
  checkArguments(
    'checkTeacher',
    { teacher, student, options },
    {
      teacher: transformerConfigurationKind,
      student: transformerConfigurationKind,
      options: option.plain,
    },
  );
  const { attentionWeight, logitsWeight, hiddenWeight } = options;
  const written = (model: TransformerConfiguration, key: string) => JSON.stringify(model[key as keyof typeof model]);
  for (const key of Object.keys({ ...student, ...teacher })) {
    if (ownKeys.has(key) || written(student, key) === written(teacher, key)) continue;
    throw new ConfigurationError(
      `The teacher has ${key} ${written(teacher, key)} where the model has ${written(student, key)}: a teacher is the same model with exact attention.`,
    );
  }
  if (attentionWeight + (student.languageHead ? logitsWeight : hiddenWeight) === 0) {
    const last = student.languageHead ? 'logitsWeight' : 'hiddenWeight';
    throw new ConfigurationError(
      `Nothing would be learnt from the teacher: raise attentionWeight or ${last}, or leave distillation out.`,
    );
  }
  if (student.reversible && attentionWeight > 0) {
    throw new ConfigurationError('The attention of reversible layers cannot be taught: set attentionWeight: 0.');
  }
  if (student.patches)
    throw new ConfigurationError('A model of images cannot be taught on text: take a model of tokens.');
}

/** A teacher and what is to be learnt from it. The teacher stays its owner's, and stays as it is. */
export class Distillation {
  constructor(
    readonly teacher: Transformer,
    readonly configuration: DistillationConfiguration,
    readonly objective: Objective,
  ) {
    checkArguments(
      'Distillation',
      { teacher, configuration, objective },
      {
        teacher: transformerKind,
        configuration: option.object,
        objective: option.object,
      },
    );
  }

  /**
   * What the teacher gives for a batch, without dropout. The event loop may turn between its layers. The caller disposes it.
   *
   * @param options.signal stops it at the next layer: its reason is thrown
   */
  async teach(batch: Batch, options: Stoppable = {}): Promise<Lesson> {
    checkArguments('Distillation.teach', { batch }, { batch: batchKind });
    checkOptions<Stoppable>('Distillation.teach', options, { signal: option.signal });
    const pauses = new Pauses(options.signal);
    const { teacher, configuration } = this;
    const { backend } = teacher;
    const { attentionWeight, logitsWeight, hiddenWeight } = configuration;
    const kept = validRows(batch);
    const made: Tensor[] = [];
    try {
      const attention: Tensor[] = [];
      const observe: AttentionObserver = ({ outputs }) => {
        attention.push(keep(outputs.view()));
        made.push(attention.at(-1)!);
      };
      const forward = function* (): Pieces<Tensor | undefined> {
        const inputs = tensor(backend, batch.inputs, [batch.batchSize, batch.length]);
        const options = { ...batchOptions(teacher, batch), observe: attentionWeight > 0 ? observe : undefined };
        const rows = takeRows(yield* teacher.forwardInPieces(inputs, options), kept);
        yield;
        if (teacher.configuration.languageHead) return logitsWeight > 0 ? teacher.logits(rows) : undefined;
        return hiddenWeight > 0 ? rows : undefined;
      };
      const result = await scopeInSteps(forward(), pauses);
      if (result) made.push(result);
      // Positions that are padding hold zeros in what attention gives.
      const count = countPositions(batch);
      const meanSquare = async ({ storage, size }: Tensor) =>
        (await backend.squaredNorm(storage)) / Math.max(1, (size / (batch.batchSize * batch.length)) * count);
      const sizes: number[] = [];
      for (const outputs of attention) {
        await pauses.next();
        sizes.push(await meanSquare(outputs));
      }
      const resultSize = result && (await backend.squaredNorm(result.storage)) / Math.max(1, result.size);
      return new Lesson(this, batch, kept, {
        attention: attention.map((outputs, layer) => ({ outputs, meanSquare: sizes[layer] })),
        result: result && { outputs: result, meanSquare: resultSize! },
      });
    } catch (error) {
      for (const each of made) each.dispose();
      throw error;
    }
  }
}

interface Taught {
  readonly outputs: Tensor;
  /** Of its elements, padding left out. */
  readonly meanSquare: number;
}

interface LessonOptions {
  readonly dropout?: Dropout | undefined;
  readonly weight?: number | undefined;
  readonly positionWeight?: number | undefined;
}

/** One batch as the teacher sees it. */
class Lesson {
  constructor(
    private readonly distillation: Distillation,
    private readonly batch: Batch,
    private readonly kept: Int32Array | undefined,
    private readonly taught: { readonly attention: readonly Taught[]; readonly result: Taught | undefined },
  ) {}

  /**
   * What the student gives for the batch, held against the teacher's and the batch's targets. Call this once, as logits
   * of the lesson are overwritten. The caller disposes the parts.
   *
   * @param options.weight multiplies the loss of each target, such as 1/(number of targets). Default 1.
   * @param options.positionWeight multiplies the errors of each position, such as 1/(number of positions). Default 1.
   */
  loss(student: Transformer, options: LessonOptions = {}): BatchLoss {
    return atOnce(this.lossInPieces(student, options));
  }

  /** As {@link loss}, in pieces of a layer. */
  *lossInPieces(student: Transformer, options: LessonOptions = {}): Pieces<BatchLoss> {
    const parts: LossPart[] = [];
    let isWhole = false;
    try {
      const correct = yield* this.#measure(student, options, parts);
      isWhole = true;
      return { parts, correct };
    } finally {
      if (!isWhole) for (const { values } of parts) values.dispose();
    }
  }

  /** Adds the parts of the loss. @returns `correct` of {@link BatchLoss} */
  *#measure(
    student: Transformer,
    { dropout, weight = 1, positionWeight = 1 }: LessonOptions,
    parts: LossPart[],
  ): Pieces<Tensor | undefined> {
    const { batch, kept, taught } = this;
    const { configuration, objective } = this.distillation;
    const { numLayers, dModel, languageHead } = student.configuration;
    const add = (name: LossPart['name'], partWeight: number, measure: (weight: number) => Tensor) => {
      parts.push({ name, weight: partWeight, values: keep(measure(partWeight === 0 ? 1 : partWeight)) });
    };
    const relative = ({ outputs, meanSquare }: Taught, given: Tensor, partWeight: number) =>
      squaredError(given, outputs, (partWeight * positionWeight) / (dModel * (meanSquare || 1)));
    let layer = 0;
    const observe: AttentionObserver = ({ outputs }) => {
      const lesson = taught.attention[layer++];
      add('attention', configuration.attentionWeight / numLayers, (each) => relative(lesson, outputs, each));
    };
    const inputs = tensor(student.backend, batch.inputs, [batch.batchSize, batch.length]);
    const hidden = yield* student.forwardInPieces(inputs, {
      ...batchOptions(student, batch),
      ...(dropout && { dropout }),
      observe: taught.attention.length > 0 ? observe : undefined,
    });
    yield;
    const rows = takeRows(hidden, kept);
    const { result } = taught;
    if (!languageHead) {
      if (result) add('hidden', configuration.hiddenWeight, (each) => relative(result, rows, each));
      return undefined;
    }
    const hasTask = objective.type !== 'distillation';
    if (!result && !hasTask) return undefined;
    const logits = student.logits(rows);
    yield;
    let correct: Tensor | undefined;
    if (result) {
      add('logits', configuration.logitsWeight, (each) => {
        const divergence = softmaxKlDivergence(logits, result.outputs, 1, each * positionWeight);
        correct = divergence.correct;
        return divergence.loss;
      });
    }
    if (hasTask) {
      // Last, as it may overwrite the logits.
      const ids = kept ? kept.map((row) => batch.targets[row]) : batch.targets;
      const targets = tensor(student.backend, ids, [ids.length]);
      add('task', configuration.taskWeight, (each) => {
        const entropy = softmaxCrossEntropy(logits, targets, each * weight);
        correct = entropy.correct;
        return entropy.loss;
      });
    }
    return correct && keep(correct);
  }

  dispose(): void {
    for (const { outputs } of this.taught.attention) outputs.dispose();
    this.taught.result?.outputs.dispose();
  }
}

/** Positions that hold tokens, as rows of the whole batch; undefined where all do. */
function validRows({ segments, batchSize, length }: Batch): Int32Array | undefined {
  if (!segments) return undefined;
  return Int32Array.from(
    validPositions({ segments }, batchSize, length).flatMap((positions, row) => positions.map((i) => row * length + i)),
  );
}

/** Number of positions that hold tokens. */
export function countPositions(batch: Batch): number {
  return validRows(batch)?.length ?? batch.batchSize * batch.length;
}

/** `[batch, length, width]` → the rows kept, `[kept, width]`. */
function takeRows(x: Tensor, kept: Int32Array | undefined): Tensor {
  const width = x.shape.at(-1)!;
  const rows = reshape(x, [x.size / width, width]);
  return kept ? embedding(rows, tensor(x.backend, kept, [kept.length])) : rows;
}
