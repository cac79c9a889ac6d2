import { batchOptions } from '../../src/entries/internal.ts';
import { scope, type Tensor, tensor } from '../../src/entries/performers.ts';
import type { Limits } from './engine/limits.ts';
import type { Scheduler } from './engine/scheduler.ts';
import type { TextModel } from './engine/text-model.ts';
import { badRequest } from './errors.ts';

/** @throws {ApiError} 400 when an input has more tokens than the server or the model takes */
export function checkInputLengths(
  inputs: readonly Int32Array[],
  served: TextModel,
  { maxTokens }: Pick<Limits, 'maxTokens'>,
): void {
  const most = Math.min(maxTokens, served.maxLength);
  const tooLong = inputs.find(({ length }) => length > most);
  if (!tooLong) return;
  const message = `An input has ${tooLong.length} tokens; the most is ${most}.`;
  throw badRequest(message, 'input', 'context_length_exceeded');
}

/**
 * Numbers that the model gives each input. Each goes through the model alone, so its numbers do not depend on the others.
 *
 * @param read makes them of the hidden states `[1, length, dModel]`
 * @throws the signal's reason when it aborts
 */
export async function readEach(
  inputs: readonly Int32Array[],
  { model }: TextModel,
  scheduler: Scheduler,
  signal: AbortSignal,
  read: (hidden: Tensor, options: ReturnType<typeof batchOptions>) => Tensor,
): Promise<ArrayLike<number>[]> {
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
  return rows;
}
