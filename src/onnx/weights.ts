import { expandProjection } from '../backend/reference/favor/projection.ts';
import type { Estimator } from '../backend/types.ts';
import { ConfigurationError } from '../base/errors.ts';
import type { Pauses } from '../base/event-loop.ts';
import type { Transformer } from '../model/transformer.ts';
import type { Graph } from './graph.ts';
import type { OnnxTensor } from './model-file.ts';

/** A model's numbers, which become initialisers of a graph under their own names where it uses them. */
export class Weights {
  readonly #tensors: Map<string, OnnxTensor>;

  private constructor(tensors: Map<string, OnnxTensor>) {
    this.#tensors = tensors;
  }

  /** Copies parameters and buffers out of a model. */
  static async of(model: Transformer, pauses: Pauses): Promise<Weights> {
    const tensors = new Map<string, OnnxTensor>();
    for (const [name, tensor] of [...model.parameters(), ...model.buffers()]) {
      await pauses.next();
      tensors.set(name, { dims: tensor.shape, data: Float32Array.from(await tensor.data()) });
    }
    return new Weights(tensors);
  }

  /** Bytes of all of them. */
  get bytes(): number {
    return [...this.#tensors.values()].reduce((total, { data }) => total + data.byteLength, 0);
  }

  use(graph: Graph, name: string): string {
    return graph.initialiser(name, this.#get(name));
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  shape(name: string): readonly number[] {
    return this.#get(name).dims;
  }

  /** A projection W `[numFeatures, dHead]` as a matrix, also one that is kept as factors. */
  useProjection(graph: Graph, name: string, estimator: Estimator, dHead: number): string {
    const { data } = this.#get(name);
    const dense = expandProjection(estimator, Float64Array.from(data as Float32Array), dHead);
    return graph.initialiser(name, { dims: [estimator.numFeatures, dHead], data: Float32Array.from(dense) });
  }

  #get(name: string): OnnxTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor)
      throw new ConfigurationError(`The model lacks the tensor ${name}, which its configuration needs: load it again.`);
    return tensor;
  }
}
