import { ConfigurationError } from '../base/errors.ts';
import { Pauses } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import type { Batch } from '../data/batches/windows.ts';
import type { HiddenLoss, LossFunction } from '../model/losses.ts';
import type { Transformer } from '../model/transformer.ts';
import { transformerKind } from '../model/transformer.ts';
import { keep, scope, scopeInSteps } from '../tensor/scope.ts';
import { batchOptions, batchTensors, checkBatch, countTargets } from './batch-tensors.ts';
import type { Objective } from './configuration.ts';
import { countPositions, type Distillation } from './distillation.ts';
import { type BatchLoss, LossTotals, type TeacherErrors } from './loss-totals.ts';
import { objectiveHiddenLoss } from './objective.ts';

export interface Evaluation extends TeacherErrors {
  /**
   * Mean negative log-likelihood of a target (a token, or the class of a sequence), nats. With the objective
   * distillation this is the weighted errors against the teacher, and perplexity and bits say nothing.
   */
  readonly loss: number;
  /** exp(loss). */
  readonly perplexity: number;
  /** loss/ln 2; of images, whose tokens are values of pixels, the bits per dimension. */
  readonly bitsPerToken: number;
  /** Bits per character of text; undefined when the number of characters was not given. */
  readonly bitsPerCharacter: number | undefined;
  /**
   * Share of targets that were the most likely token or class. With the objective distillation, share of tokens most
   * likely to the teacher too; NaN for models without a language head.
   */
  readonly accuracy: number;
  /** Targets counted. */
  readonly tokens: number;
}

/**
 * Evaluates a model without dropout on all of `batches`. The event loop may turn between the model's layers, and its teacher's;
 * with a loss of the caller's own, between batches.
 *
 * @param options.characters number of characters that the counted targets stand for
 * @param options.objective what the batches ask for. Default: the next token.
 * @param options.loss Default: that of the objective.
 * @param options.teacher measures errors against it too, of every position. Its objective is then that of the batches.
 * @param options.signal stops it at the next layer or batch: its reason is thrown
 * @throws ConfigurationError when no target counts or a token is outside the vocabulary.
 */
export async function evaluate(
  model: Transformer,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  options: {
    readonly characters?: number | undefined;
    readonly objective?: Objective | undefined;
    readonly loss?: LossFunction | undefined;
    readonly teacher?: Distillation | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Evaluation> {
  checkArguments(
    'evaluate',
    { model, batches },
    {
      model: transformerKind,
      batches: option.iterable,
    },
  );
  checkOptions<typeof options>('evaluate', options, {
    characters: option.number,
    objective: option.object,
    loss: option.function,
    teacher: option.object,
    signal: option.signal,
  });
  const { teacher } = options;
  const objective = teacher?.objective ?? options.objective ?? { type: 'nextToken' };
  const hiddenLoss = teacher || options.loss ? undefined : objectiveHiddenLoss(objective);
  const totals = new LossTotals();
  let tokens = 0;
  let positions = 0;
  const pauses = new Pauses(options.signal);
  await pauses.next();
  for await (const batch of batches) {
    checkBatch(batch, model.configuration, objective);
    if (options.loss && !teacher) await totals.add(taskLoss(model, batch, options.loss), batch);
    else if (hiddenLoss) await totals.add(await taskLossInSteps(model, batch, hiddenLoss, pauses), batch);
    else {
      const lesson = await teacher!.teach(batch, { signal: options.signal });
      try {
        await totals.add(await scopeInSteps(lesson.lossInPieces(model), pauses));
      } finally {
        lesson.dispose();
      }
      positions += countPositions(batch);
    }
    tokens += countTargets(batch);
    await pauses.next();
  }
  if (tokens === 0)
    throw new ConfigurationError('There is nothing to evaluate on: give held-out data of at least two tokens.');
  const nats = objective.type === 'distillation' ? totals.loss : totals.task;
  const loss = nats / tokens;
  const characters = options.characters;
  return {
    loss,
    perplexity: Math.exp(loss),
    bitsPerToken: loss / Math.LN2,
    bitsPerCharacter: characters === undefined ? undefined : nats / Math.LN2 / characters,
    accuracy: totals.hits / tokens,
    tokens,
    ...totals.errors(1 / Math.max(1, positions)),
  };
}

function taskLoss(model: Transformer, batch: Batch, lossFunction: LossFunction): BatchLoss {
  return scope(() => {
    const [inputs, targets] = batchTensors(model, batch);
    const { loss, correct } = lossFunction(model, inputs, targets, batchOptions(model, batch));
    return { parts: [{ name: 'task', weight: 1, values: keep(loss) }], correct: keep(correct) };
  });
}

/** The same, with pauses between the layers. */
async function taskLossInSteps(
  model: Transformer,
  batch: Batch,
  lossOf: HiddenLoss,
  pauses: Pauses,
): Promise<BatchLoss> {
  const given = batchTensors(model, batch);
  const [inputs, targets] = given;
  const options = batchOptions(model, batch);
  try {
    const hidden = await model.forwardInSteps(inputs, options, pauses);
    try {
      await pauses.next();
      return scope(() => {
        const { loss, correct } = lossOf(model, hidden, targets, options);
        return { parts: [{ name: 'task', weight: 1, values: keep(loss) }], correct: keep(correct) };
      });
    } finally {
      hidden.dispose();
    }
  } finally {
    for (const tensor of given) tensor.dispose();
  }
}
