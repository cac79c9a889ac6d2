import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { Random } from '../../src/base/random.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';

export const backend = createReferenceBackend();

/** Few and unequal sizes, so that no two are confused. */
export const tinySizes = { vocabSize: 11, dModel: 6, numLayers: 3, numHeads: 2, dFeedForward: 7, maxLength: 13 };

/** A Transformer whose parameters are all drawn, those that start as ones and zeros too. */
export function drawnTransformer(options: TransformerOptions): Transformer {
  const made = new Transformer(backend, options, 3, { initialise: false });
  return drawParameters(made);
}

/** Larger parameters than the initial ones, so that attention is far from uniform and every gradient counts. */
export function drawParameters<Model extends Pick<Transformer, 'parameters'>>(model: Model): Model {
  const random = new Random(17);
  for (const { storage, size } of model.parameters().values()) {
    backend.write(
      storage,
      Float64Array.from({ length: size }, () => 0.5 * random.normal()),
    );
  }
  return model;
}

/** Token ids, `[batch, length]` */
export const ids = (values: readonly number[], batch = 1) =>
  tensor(backend, Int32Array.from(values), [batch, values.length / batch]);

/** The numbers of a tensor, which is freed with all that was made for it. */
export async function numbers(make: () => Tensor): Promise<number[]> {
  const result = scope(make);
  const data = Array.from(await result.data());
  result.dispose();
  return data;
}
