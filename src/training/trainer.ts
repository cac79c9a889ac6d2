import type { Batch } from '../data/windows.ts';
import type { Transformer } from '../models/transformer.ts';
import { Dropout } from '../nn/dropout.ts';
import type { TensorEntry } from '../pretrained/safetensors.ts';
import { Random, streams } from '../tensor/random.ts';
import { keep } from '../tensor/scope.ts';
import { valueAndGradients } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { TrainingConfiguration } from './configuration.ts';
import { batchOptions, batchTensors, breathe, checkBatch, countTargets, takeSum } from './evaluate.ts';
import { checkObjective, type LossFunction, objectiveLoss } from './objective.ts';
import { AdamW, globalNorm } from './optimizer.ts';
import { learningRateAt } from './schedule.ts';

/** Training data as a function: the same index always gives the same micro-batch. */
export interface TrainingData {
  batchAt(index: number): Batch | Promise<Batch>;
}

export interface TrainerOptions {
  readonly model: Transformer;
  readonly data: TrainingData;
  readonly configuration: TrainingConfiguration;
  /** Default: that of the configuration's objective. */
  readonly loss?: LossFunction;
}

/** What one update did. */
export interface StepResult {
  /** Completed updates, this one included. */
  readonly step: number;
  /** Mean loss of a token before the update, nats. */
  readonly loss: number;
  readonly accuracy: number;
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Targets counted. */
  readonly tokens: number;
}

/**
 * Trains a model update by update. Everything that an update does is a function of the parameters, the moments, the
 * configuration and the number of updates made, so a run that resumes gives the losses of one that never stopped.
 */
export class Trainer {
  readonly model: Transformer;
  readonly configuration: TrainingConfiguration;
  readonly #data: TrainingData;
  readonly #loss: LossFunction;
  readonly #optimizer: AdamW;
  #step = 0;
  #position = 0;

  /** @throws one sentence when the model cannot learn the configuration's objective */
  constructor({ model, data, configuration, loss }: TrainerOptions) {
    if (!loss && configuration.objective.type !== 'nextToken') {
      checkObjective(configuration.objective, model.configuration);
    }
    this.model = model;
    this.configuration = configuration;
    this.#data = data;
    this.#loss = loss ?? objectiveLoss(configuration.objective);
    this.#optimizer = new AdamW(model.parameters(), configuration);
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
  saveOptimizer(): Promise<Map<string, TensorEntry>> {
    return this.#optimizer.save();
  }

  /**
   * Continues a saved run; the model's weights are loaded separately.
   * @param where names the optimizer's file in errors
   * @throws one sentence when the moments do not fit the model.
   */
  restore(step: number, dataPosition: number, optimizer: ReadonlyMap<string, TensorEntry>, where: string): void {
    this.#optimizer.load(optimizer, where);
    this.#step = step;
    this.#position = dataPosition;
  }

  /**
   * Makes one update.
   * @throws one sentence when the loss or the gradient is not finite, or a token lies outside the vocabulary; the
   *   parameters are then as they were.
   */
  async step(): Promise<StepResult> {
    const { accumulate, clip } = this.configuration;
    this.#redrawIfDue();
    const batches: Batch[] = [];
    for (let i = 0; i < accumulate; i++) batches.push(await this.#data.batchAt(this.#position + i));
    const tokens = batches.reduce((total, batch) => total + countTargets(batch), 0);
    const gradients: Tensor[] = [];
    try {
      let loss = 0;
      let hits = 0;
      for (const [i, batch] of batches.entries()) {
        const result = await this.#accumulate(batch, i, 1 / Math.max(1, tokens), gradients);
        loss += result.loss;
        hits += result.hits;
      }
      this.#checkFinite('loss', loss);
      const gradientNorm = await globalNorm(gradients);
      this.#checkFinite('gradient', gradientNorm);
      const learningRate = learningRateAt(this.configuration, this.#step);
      const gradientScale = clip !== null && gradientNorm > clip ? clip / gradientNorm : 1;
      this.#step++;
      this.#position += accumulate;
      this.#optimizer.update(gradients, { step: this.#step, learningRate, gradientScale });
      const accuracy = hits / Math.max(1, tokens);
      return { step: this.#step, loss, accuracy, gradientNorm, learningRate, tokens };
    } finally {
      for (const gradient of gradients) gradient.dispose();
      await breathe();
    }
  }

  /** Frees the moments; the model is the caller's. */
  dispose(): void {
    this.#optimizer.dispose();
  }

  /** Adds the gradients of one micro-batch to `gradients` (which starts empty). */
  async #accumulate(
    batch: Batch,
    index: number,
    weight: number,
    gradients: Tensor[],
  ): Promise<{ loss: number; hits: number }> {
    const { model } = this;
    checkBatch(batch, model.configuration, this.configuration.objective);
    const dropout = this.#dropout(index);
    let correct: Tensor | undefined;
    const parameters = [...this.#optimizer.parameters.values()];
    const { value, gradients: current } = valueAndGradients(() => {
      const [inputs, targets] = batchTensors(model, batch);
      const result = this.#loss(model, inputs, targets, { dropout, weight, ...batchOptions(model, batch) });
      correct = keep(result.correct);
      return result.loss;
    }, parameters);
    if (gradients.length === 0) {
      gradients.push(...current);
    } else {
      for (const [i, gradient] of current.entries()) {
        model.backend.axpy(1, gradient.storage, gradients[i]!.storage);
        gradient.dispose();
      }
    }
    return { loss: await takeSum(value), hits: correct ? await takeSum(correct, batch.targets) : 0 };
  }

  /** Masks that depend on (seed, update, micro-batch) alone. */
  #dropout(microBatch: number): Dropout {
    const random = new Random(this.configuration.seed, streams.dropout).fork(this.#step).fork(microBatch);
    return new Dropout(this.model.configuration.dropout, [random.uint32(), random.uint32()]);
  }

  #redrawIfDue(): void {
    const { attention } = this.model.configuration;
    const interval = 'redrawInterval' in attention ? attention.redrawInterval : 0;
    if (interval === 0 || this.#step === 0 || this.#step % interval !== 0) return;
    this.model.redraw(this.configuration.seed, this.#step / interval);
  }

  #checkFinite(what: string, value: number): void {
    if (Number.isFinite(value)) return;
    const { learningRate, clip } = this.configuration;
    const mend = clip === null ? 'set clip (0.5, say) or lower learningRate' : 'lower learningRate';
    throw new Error(
      `The ${what} is ${value} at step ${this.#step + 1}: ${mend} (now ${learningRate}) or raise warmupSteps.`,
    );
  }
}
