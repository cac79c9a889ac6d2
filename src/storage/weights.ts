/** Between a model's named tensors and those of a safetensors file. */

import type { FloatArray } from '../backend/types.ts';
import { DataError, ShapeError } from '../base/errors.ts';
import { Pauses, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';
import { leastNumbers } from '../model/size.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { entriesKind, type TensorEntry } from './safetensors.ts';

/** A model as the parts that a file must hold. */
interface StoredModel {
  /** Trained parameters by name. */
  parameters(): Map<string, Tensor>;
  /** Untrained tensors that belong in a file, such as projections. */
  buffers(): Map<string, Tensor>;
}

/**
 * Copies parameters and buffers out: F32, or F64 from the reference backend.
 *
 * @param options.signal stops the work: its reason is thrown
 */
export async function readWeights(model: StoredModel, options: Stoppable = {}): Promise<Map<string, TensorEntry>> {
  checkArguments('readWeights', { model }, { model: storedModelKind });
  checkOptions<Stoppable>('readWeights', options, { signal: option.signal });
  const pauses = new Pauses(options.signal);
  const entries = new Map<string, TensorEntry>();
  for (const [name, tensor] of new Map([...model.parameters(), ...model.buffers()])) {
    await pauses.next();
    entries.set(name, floatEntry(tensor.shape, await tensor.data()));
  }
  return entries;
}

/**
 * Copies a file's tensors into a model.
 * @param where names the file in errors
 * @throws DataError or ShapeError when a tensor is missing, unknown, or of another shape or type; the model is then unchanged.
 */
export function loadWeights(model: StoredModel, entries: ReadonlyMap<string, TensorEntry>, where: string): void {
  checkArguments(
    'loadWeights',
    { model, entries, where },
    { model: storedModelKind, entries: entriesKind, where: option.string },
  );
  const targets = new Map([...model.parameters(), ...model.buffers()]);
  const found = checkEntries(new Map([...targets].map(([name, { shape }]) => [name, shape])), entries, where);
  for (const [name, { backend, storage }] of targets) backend.write(storage, found.get(name)!);
}

/**
 * Compares a model's sizes with its weights before anything of these sizes is built: a damaged size may ask for any memory.
 * @param shapes of the tensors that there are
 * @throws ShapeError when a model of this configuration has more numbers
 */
export function checkModelSize(
  configuration: TransformerConfiguration,
  shapes: Iterable<readonly number[]>,
  where: string,
): void {
  let found = 0;
  for (const shape of shapes) found += shape.reduce((product, size) => product * size, 1);
  const least = leastNumbers(configuration);
  if (least <= found) return;
  throw new ShapeError(
    `${where} holds ${found} numbers, fewer than the ${least} that its config.json asks for: use the config.json that was written with it.`,
  );
}

/** An F32 or F64 entry, whichever `data` is. */
export function floatEntry(shape: readonly number[], data: FloatArray): TensorEntry {
  return data instanceof Float64Array ? { dtype: 'F64', shape, data } : { dtype: 'F32', shape, data };
}

/**
 * The numbers of exactly the tensors that `shapes` names.
 * @throws DataError or ShapeError when a tensor is missing, unknown, or of another shape or type.
 */
export function checkEntries(
  shapes: ReadonlyMap<string, readonly number[]>,
  entries: ReadonlyMap<string, TensorEntry>,
  where: string,
): Map<string, FloatArray> {
  const fix = 'use the config.json that was written with it';
  for (const name of entries.keys()) {
    if (!shapes.has(name))
      throw new DataError(`${where} holds the tensor ${name}, which this model does not have: ${fix}.`);
  }
  const found = new Map<string, FloatArray>();
  for (const [name, shape] of shapes) {
    const entry = entries.get(name);
    if (!entry) throw new DataError(`${where} lacks the tensor ${name}: ${fix}.`);
    if (entry.shape.length !== shape.length || entry.shape.some((size, axis) => size !== shape[axis])) {
      throw new ShapeError(`Tensor ${name} in ${where} has shape [${entry.shape}] where [${shape}] is needed: ${fix}.`);
    }
    if (entry.dtype !== 'F32' && entry.dtype !== 'F64') {
      throw new DataError(`Tensor ${name} in ${where} has type ${entry.dtype} where F32 is needed: ${fix}.`);
    }
    found.set(name, entry.data);
  }
  return found;
}

const storedModelKind = option.having('a model', { parameters: option.function, buffers: option.function });
