import { batchOptions } from '../../src/entries/internal.ts';
import { scope, type Tensor, tensor } from '../../src/entries/performers.ts';
import type { Limits } from './engine/limits.ts';
import type { Scheduler } from './engine/scheduler.ts';
import type { TextModel } from './engine/text-model.ts';
import { badRequest } from './errors.ts';

/** What reads inputs: the model that is served, its limits and its turns. */
export interface InputReader {
  readonly served: TextModel;
  readonly limits: Pick<Limits, 'maxTokens'>;
  readonly scheduler: Scheduler;
}

/** @throws {ApiError} 400 when an input has more tokens than the server or the model takes */
function checkInputLengths(inputs: readonly Int32Array[], { served, limits: { maxTokens } }: InputReader): void {
  const most = Math.min(maxTokens, served.maxLength);
  const tooLong = inputs.find(({ length }) => length > most);
  if (!tooLong) return;
  const message = `An input has ${tooLong.length} tokens; the most is ${most}.`;
  throw badRequest(message, 'input', 'context_length_exceeded');
}

/**
 * Numbers that the model gives each input, and how many tokens the inputs have. Each input goes through the model alone, so its numbers do not depend on the others.
 *
 * @param read makes them of the hidden states `[1, length, dModel]`
 * @throws {ApiError} 400 when an input is too long; the signal's reason when it aborts
 */
export async function readEach(
  inputs: readonly Int32Array[],
  reader: InputReader,
  signal: AbortSignal,
  read: (hidden: Tensor, options: ReturnType<typeof batchOptions>) => Tensor,
): Promise<{ rows: ArrayLike<number>[]; numTokens: number }> {
  checkInputLengths(inputs, reader);
  const { served, scheduler } = reader;
  const { model } = served;
  const rows: ArrayLike<number>[] = [];
  for (const ids of inputs) {
    const work = async () => {
      const options = batchOptions(model, { inputs: ids, batchSize: 1, length: ids.length });
      const row = scope(() => read(model.forward(tensor(model.backend, ids, [1, ids.length]), options), options));
      try {
        return await row.data();
      } finally {
        row.dispose();
      }
    };
    rows.push(await scheduler.run(work, signal));
    signal.throwIfAborted();
  }
  return { rows, numTokens: inputs.reduce((sum, { length }) => sum + length, 0) };
}
