import type { FloatArray } from '../../backend/types.ts';

/** Mean and covariance of vectors, summed in float64. */
export class HeadMoments {
  #count = 0;
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;

  constructor(readonly width: number) {
    this.#sum = new Float64Array(width);
    this.#squares = new Float64Array(width * width);
  }

  /** Adds the vector that starts at `start` of `data`. */
  add(data: FloatArray, start: number): void {
    const { width } = this;
    this.#count++;
    for (let i = 0; i < width; i++) {
      const x = data[start + i];
      this.#sum[i] += x;
      for (let j = 0; j < width; j++) this.#squares[i * width + j] += x * data[start + j];
    }
  }

  get mean(): Float64Array {
    return this.#sum.map((sum) => sum / this.#count);
  }

  /** Mean of x·xᵀ, row-major. */
  get secondMoment(): Float64Array {
    return this.#squares.map((sum) => sum / this.#count);
  }

  /** Mean of (x − mean)·(x − mean)ᵀ, row-major. */
  get covariance(): Float64Array {
    const { mean, width } = this;
    return this.secondMoment.map((value, at) => value - mean[Math.floor(at / width)] * mean[at % width]);
  }
}
