import { batchKind, rowsKind } from '../data/batches/windows.ts';
import { transformerKind } from '../model/transformer.ts';
/** Batches on a backend, and numbers off it. */

import { ConfigurationError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import type { Batch } from '../data/batches/windows.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';
import { checkIds, type ForwardOptions, type Transformer } from '../model/transformer.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import type { Objective } from './configuration.ts';

/** Inputs `[batchSize, length]` and targets `[batchSize, length or 1]` on the model's backend. */
export function batchTensors(model: Transformer, batch: Batch): [inputs: Tensor, targets: Tensor] {
  const { inputs, targets, batchSize, length } = batch;
  return [
    tensor(model.backend, inputs, [batchSize, length]),
    tensor(model.backend, targets, [batchSize, targets.length / batchSize]),
  ];
}

/** What a forward pass needs to know of a batch besides its inputs. */
export function batchOptions(
  model: Transformer,
  batch: Pick<Batch, 'inputs' | 'segments' | 'batchSize' | 'length'>,
): Pick<ForwardOptions, 'segments' | 'maskedTokens'> {
  checkArguments(
    'batchOptions',
    { model, batch },
    {
      model: transformerKind,
      batch: rowsKind,
    },
  );
  const { configuration } = model;
  const { inputs, segments, batchSize, length } = batch;
  const { tokenDropout } = configuration;
  const maskedTokens =
    tokenDropout &&
    Array.from({ length: batchSize }, (_, row) =>
      inputs.subarray(row * length, (row + 1) * length).map((id) => (id === tokenDropout.maskToken ? 1 : 0)),
    );
  return { segments, maskedTokens };
}

/** @throws ConfigurationError when a token is outside the vocabulary, or a class is not one of the model's. */
export function checkBatch(batch: Batch, model: TransformerConfiguration, objective: Objective): void {
  checkArguments('evaluation or training', { batch }, { batch: batchKind });
  const { inputs, targets } = batch;
  checkArguments('evaluation or training', { inputs, targets }, { inputs: option.numbers, targets: option.numbers });
  const { vocabSize, numClasses = 0 } = model;
  checkIds(inputs, vocabSize);
  const isClass = objective.type === 'classification';
  const end = isClass ? numClasses : vocabSize;
  const beyond = targets.find((target) => target >= end);
  if (beyond === undefined) return;
  if (isClass)
    throw new ConfigurationError(
      `Class ${beyond} is not one of the model's ${numClasses}; raise numClasses, or fix the data.`,
    );
  checkIds([beyond], vocabSize);
}

/** Number of targets that count. */
export function countTargets({ targets }: Batch): number {
  let count = 0;
  for (const target of targets) if (target >= 0) count++;
  return count;
}

/** Sum of a tensor's elements in float64, where `targets` (if given) are not negative; disposes the tensor. */
export async function takeSum(values: Tensor, targets?: Int32Array): Promise<number> {
  try {
    const data = await values.data();
    let sum = 0;
    for (let i = 0; i < data.length; i++) if (!targets || targets[i]! >= 0) sum += data[i]!;
    return sum;
  } finally {
    values.dispose();
  }
}
