import { ConfigurationError } from '../base/errors.ts';
import { inSteps, Pauses, type Pieces, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, type OptionKind, option } from '../base/options.ts';
import { Random, streams } from '../base/random.ts';
import { type Batch, batchKind } from '../data/batches/windows.ts';
import { Dropout } from '../model/layers/dropout.ts';
import type { HiddenLoss, LossFunction } from '../model/losses.ts';
import { type Transformer, transformerKind } from '../model/transformer.ts';
import type { TensorEntry } from '../storage/safetensors.ts';
import { entriesKind } from '../storage/safetensors.ts';
import type { CrossEntropy } from '../tensor/ops/losses.ts';
import { keep } from '../tensor/scope.ts';
import { valueAndGradientsInSteps } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { batchOptions, batchTensors, checkBatch, countTargets } from './batch-tensors.ts';
import { parseTrainingConfiguration, type TrainingConfiguration } from './configuration.ts';
import { checkTeacher, countPositions, Distillation } from './distillation.ts';
import { type BatchLoss, LossTotals, type TeacherErrors } from './loss-totals.ts';
import { checkObjective, objectiveHiddenLoss } from './objective.ts';
import { AdamW, globalNorm } from './optimizer.ts';
import { learningRateAt } from './schedule.ts';

/** Training data as a function: the same index always gives the same micro-batch. */
export interface TrainingData {
  batchAt(index: number): Batch | Promise<Batch>;
}

interface TrainerOptions {
  readonly model: Transformer;
  readonly data: TrainingData;
  readonly configuration: TrainingConfiguration;
  /** Default: that of the configuration's objective. */
  readonly loss?: LossFunction;
  /** With `distillation` in the configuration: the model that is learnt from, which stays as it is. */
  readonly teacher?: Transformer | undefined;
}

/** What one update did. */
export interface StepResult extends TeacherErrors {
  /** Completed updates, this one included. */
  readonly step: number;
  /** Mean loss of a token before the update, nats; with a teacher, weighted errors against it included. */
  readonly loss: number;
  /** Share of targets; as in `Evaluation`, of the teacher's likeliest tokens or NaN where nothing else is predicted. */
  readonly accuracy: number;
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Targets counted. */
  readonly tokens: number;
}

/**
 * Trains a model update by update. Everything that an update does is a function of the parameters, the moments, the
 * configuration and the number of updates made. A run that resumes therefore gives the losses of a run that never
 * stopped.
 */
export class Trainer {
  readonly model: Transformer;
  readonly configuration: TrainingConfiguration;
  readonly #data: TrainingData;
  /** The caller's own. */
  readonly #loss: LossFunction | undefined;
  /** That of the objective, where there is neither a loss of the caller's own nor a teacher. */
  readonly #hiddenLoss: HiddenLoss | undefined;
  /** Undefined where there is no teacher. */
  readonly distillation: Distillation | undefined;
  readonly #optimizer: AdamW;
  #step = 0;
  #position = 0;

  /** @throws ConfigurationError when the model cannot learn the configuration's objective, or not from this teacher */
  constructor(options: TrainerOptions) {
    checkArguments('Trainer', { options }, { options: option.plain });
    checkOptions<TrainerOptions>('Trainer', options, {
      model: transformerKind,
      data: dataKind,
      configuration: option.plain,
      loss: option.function,
      teacher: transformerKind,
    });
    const { model, data, loss, teacher } = options;
    checkArguments('Trainer', { model, data }, { model: transformerKind, data: dataKind });
    const configuration = parseTrainingConfiguration(options.configuration);
    if (loss && configuration.distillation) {
      throw new ConfigurationError(
        'A loss of your own and a teacher do not go together: leave "distillation" or the loss out.',
      );
    }
    if (!loss && configuration.objective.type !== 'nextToken') {
      checkObjective(configuration.objective, model.configuration);
    }
    this.model = model;
    this.configuration = configuration;
    this.#data = data;
    this.distillation = distillationOf(configuration, model, teacher);
    this.#loss = loss;
    this.#hiddenLoss = loss || this.distillation ? undefined : objectiveHiddenLoss(configuration.objective);
    const { beta1, beta2, epsilon, weightDecay } = configuration;
    this.#optimizer = new AdamW(model.parameters(), { beta1, beta2, epsilon, weightDecay });
  }

  /** Completed updates. */
  get completedSteps(): number {
    return this.#step;
  }

  /** Index of the micro-batch that comes next. */
  get dataPosition(): number {
    return this.#position;
  }

  /** Copies the optimizer's moments out. */
  async saveOptimizer(): Promise<Map<string, TensorEntry>> {
    return this.#optimizer.save();
  }

  /**
   * Continues a saved run; the model's weights are loaded separately.
   * @param where names the optimizer's file in errors
   * @throws DataError or ShapeError when the moments do not fit the model.
   */
  restore(step: number, dataPosition: number, optimizer: ReadonlyMap<string, TensorEntry>, where: string): void {
    checkArguments(
      'Trainer.restore',
      { step, dataPosition, optimizer, where },
      { step: option.natural, dataPosition: option.natural, optimizer: entriesKind, where: option.string },
    );
    this.#optimizer.load(optimizer, where, step);
    this.#step = step;
    this.#position = dataPosition;
  }

  /**
   * Makes one update. Timers and signals happen between layers of the forward pass and ops of the backward pass. With a
   * loss of the caller's own the forward pass is one step.
   *
   * @param options.signal stops it before the parameters change: its reason is thrown
   * @throws ConfigurationError when the loss or the gradient is not finite, or a token is outside the vocabulary. The
   *   parameters are then as they were.
   */
  async step(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<StepResult> {
    checkOptions<Stoppable>('Trainer.step', options, { signal: option.signal });
    const pauses = new Pauses(options.signal);
    await pauses.next();
    const { accumulate, clip } = this.configuration;
    await this.#redrawIfDue();
    const batches: Batch[] = [];
    for (let i = 0; i < accumulate; i++) {
      const batch = await this.#data.batchAt(this.#position + i);
      checkArguments('Trainer.step', { batch }, { batch: batchKind });
      batches.push(batch);
    }
    const tokens = batches.reduce((total, batch) => total + countTargets(batch), 0);
    const positions = batches.reduce((total, batch) => total + countPositions(batch), 0);
    const weights = { weight: 1 / Math.max(1, tokens), positionWeight: 1 / Math.max(1, positions) };
    const totals = new LossTotals();
    const gradients: Tensor[] = [];
    try {
      for (const [i, batch] of batches.entries()) {
        await this.#accumulate(batch, i, weights, gradients, totals, pauses);
        await pauses.next();
      }
      const { loss, hits } = totals;
      this.#checkFinite('loss', loss);
      const gradientNorm = await globalNorm(gradients, options);
      this.#checkFinite('gradient', gradientNorm);
      const { learningRate: peak, warmupSteps, steps, schedule } = this.configuration;
      const learningRate = learningRateAt({ learningRate: peak, warmupSteps, steps, schedule }, this.#step);
      const gradientScale = clip !== null && gradientNorm > clip ? clip / gradientNorm : 1;
      // Half an update would be none: no signal stops it.
      await inSteps(this.#optimizer.stepInPieces(gradients, { learningRate, gradientScale }), new Pauses());
      this.#step++;
      this.#position += accumulate;
      const accuracy = hits / Math.max(1, tokens);
      return { step: this.#step, loss, accuracy, gradientNorm, learningRate, tokens, ...totals.errors(1) };
    } finally {
      for (const gradient of gradients) gradient.dispose();
    }
  }

  /** Frees the moments; the model is the caller's. */
  dispose(): void {
    this.#optimizer.dispose();
  }

  /** Adds the gradients of one micro-batch to `gradients` (which starts empty), and its loss to `totals`. */
  async #accumulate(
    batch: Batch,
    index: number,
    weights: { readonly weight: number; readonly positionWeight: number },
    gradients: Tensor[],
    totals: LossTotals,
    pauses: Pauses,
  ): Promise<void> {
    const { model } = this;
    checkBatch(batch, model.configuration, this.configuration.objective);
    const dropout = this.#dropout(index);
    const parameters = [...this.#optimizer.parameters.values()];
    const lesson = await this.distillation?.teach(batch, { signal: pauses.signal });
    let loss: BatchLoss | undefined;
    const taskLoss = () => this.#taskLoss(batch, dropout, weights.weight);
    const losses = function* (): Pieces<Tensor[]> {
      loss = yield* lesson ? lesson.lossInPieces(model, { dropout, ...weights }) : taskLoss();
      return loss.parts.flatMap(({ weight, values }) => (weight === 0 ? [] : [values]));
    };
    try {
      const { gradients: current } = await valueAndGradientsInSteps(losses, parameters, pauses);
      if (gradients.length === 0) {
        gradients.push(...current);
      } else {
        for (const [i, gradient] of current.entries()) {
          model.backend.axpy(1, gradient.storage, gradients[i]!.storage);
          gradient.dispose();
        }
      }
      await totals.add(loss!, lesson ? undefined : batch);
    } catch (error) {
      for (const { values } of loss?.parts ?? []) values.dispose();
      loss?.correct?.dispose();
      throw error;
    } finally {
      lesson?.dispose();
    }
  }

  *#taskLoss(batch: Batch, dropout: Dropout, weight: number): Pieces<BatchLoss> {
    const { model } = this;
    const [inputs, targets] = batchTensors(model, batch);
    const options = { dropout, ...batchOptions(model, batch) };
    let made: CrossEntropy;
    if (this.#hiddenLoss) {
      const hidden = yield* model.forwardInPieces(inputs, options);
      yield;
      made = this.#hiddenLoss(model, hidden, targets, { ...options, weight });
    } else {
      made = this.#loss!(model, inputs, targets, { ...options, weight });
    }
    const { loss, correct } = made;
    return { parts: [{ name: 'task', weight: 1, values: keep(loss) }], correct: keep(correct) };
  }

  /** Masks that depend on (seed, update, micro-batch) alone. */
  #dropout(microBatch: number): Dropout {
    const random = new Random(this.configuration.seed, streams.dropout).fork(this.#step).fork(microBatch);
    return new Dropout(this.model.configuration.dropout, [random.uint32(), random.uint32()]);
  }

  async #redrawIfDue(): Promise<void> {
    const { attention } = this.model.configuration;
    const interval = 'redrawInterval' in attention ? attention.redrawInterval : 0;
    if (interval === 0 || this.#step === 0 || this.#step % interval !== 0) return;
    await inSteps(this.model.redrawInPieces(this.configuration.seed, this.#step / interval), new Pauses());
  }

  #checkFinite(what: string, value: number): void {
    if (Number.isFinite(value)) return;
    const { learningRate, clip } = this.configuration;
    const fix = clip === null ? 'set clip (0.5, say) or lower learningRate' : 'lower learningRate';
    throw new ConfigurationError(
      `The ${what} is ${value} at step ${this.#step + 1}: ${fix} (now ${learningRate}) or raise warmupSteps.`,
    );
  }
}

/** @throws ConfigurationError when configuration, model and teacher do not fit */
function distillationOf(
  { distillation, objective }: TrainingConfiguration,
  model: Transformer,
  teacher: Transformer | undefined,
): Distillation | undefined {
  if (!distillation) return undefined;
  if (!teacher)
    throw new ConfigurationError(
      'The configuration has "distillation" but no teacher was given: load one with loadTeacher.',
    );
  checkObjective(objective, model.configuration);
  checkTeacher(teacher.configuration, model.configuration, distillation);
  return new Distillation(teacher, distillation, objective);
}

export const dataKind: OptionKind = option.having('training data with a function batchAt', {
  batchAt: option.function,
});
