import type { Backend } from '../backend/types.ts';
import { inSteps, Pauses, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import type { Transformer } from '../model/transformer.ts';
import { loadTransformer } from '../storage/load.ts';
import { readWeights } from '../storage/weights.ts';
import { backendKind } from '../tensor/tensor.ts';

/** A model to learn from. */
export interface Teacher {
  readonly model: Transformer;
  /** The directory of the model, to find it again. */
  readonly directory: string;
  /** Tells its weights from others. */
  readonly fingerprint: string;
}

/**
 * Loads a model with exact attention in all layers, whatever it was converted to or trained with. The caller disposes the
 * model.
 *
 * @param path a run's directory (its newest checkpoint is taken), a checkpoint or a model's directory
 * @throws FileError or DataError when there is no model, a file of it is damaged, or its attention has weights of its own
 */
export async function loadTeacher(backend: Backend, path: string, options: Stoppable = {}): Promise<Teacher> {
  checkArguments(
    'loadTeacher',
    { backend, path },
    {
      backend: backendKind,
      path: option.string,
    },
  );
  checkOptions<Stoppable>('loadTeacher', options, { signal: option.signal });
  const { model, directory } = await loadTransformer(backend, path, options);
  try {
    await inSteps(model.replaceAttentionInPieces({ attention: 'exact', exactLayers: [] }), new Pauses(options.signal));
    return { model, directory, fingerprint: await fingerprintOf(model, options) };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function fingerprintOf(model: Transformer, options: Stoppable): Promise<string> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  for (const [name, { shape, data }] of await readWeights(model, options)) {
    // The reference backend has the numbers of float32 files as float64.
    hash.update(`${name} ${shape}\n`).update(Float32Array.from(data as ArrayLike<number>));
  }
  return hash.digest('hex');
}
