import type { Backend } from '../../backend/types.ts';
import { embedding } from '../../tensor/ops/embedding.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { checkInitial, checkSizes, type InitialWeights, Module, normalParameter } from './layer.ts';

/** GPT-2's initial deviation. */
const initialDeviation = 0.02;

/** A table of vectors that ids look up. Starts as N(0, deviation²), by default with GPT-2's deviation 0.02. */
export class Embedding extends Module {
  /** `[numRows, width]` */
  readonly weight: Tensor;

  constructor(backend: Backend, numRows: number, width: number, initial: InitialWeights) {
    super();
    checkInitial('Embedding', backend, initial);
    checkSizes('Embedding', { numRows, width });
    const { random, deviation = initialDeviation } = initial;
    this.weight = normalParameter(backend, [numRows, width], deviation, random);
  }

  /**
   * @param ids int32 `[…]`, each below numRows
   * @returns `[…, width]`
   * @throws DataError that names an id beyond the table and its position.
   */
  forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids);
  }
}
