import type { SoftmaxArguments, SoftmaxBackwardArguments } from '../types.ts';
import { floats } from './storage.ts';

export function softmax({ x, out, rows, width, isLog: log = false }: SoftmaxArguments): void {
  const source = floats(x, rows * width);
  const target = floats(out, rows * width);
  for (let row = 0; row < rows; row++) {
    const scores = source.slice(row * width, (row + 1) * width);
    const top = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
    const weights = scores.map((score) => Math.exp(score - top));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let i = 0; i < width; i++) {
      target[row * width + i] = log ? scores[i] - top - Math.log(sum) : weights[i] / sum;
    }
  }
}

export function softmaxBackward(args: SoftmaxBackwardArguments): void {
  const { rows, width, isLog: log = false } = args;
  const [out, dOut, dX] = [args.out, args.dOut, args.dX].map((array) => floats(array, rows * width));
  for (let start = 0; start < rows * width; start += width) {
    const values = out.slice(start, start + width);
    const gradient = dOut.slice(start, start + width);
    const weights = log ? values.map((value) => Math.exp(value)) : values;
    // A weight of 0 takes no part, whatever its gradient is.
    const total = gradient.reduce((sum, d, i) => sum + (log ? d : weights[i] === 0 ? 0 : weights[i] * d), 0);
    for (let i = 0; i < width; i++) {
      const share = weights[i] === 0 ? 0 : weights[i] * total;
      dX[start + i] = log ? gradient[i] - share : weights[i] === 0 ? 0 : weights[i] * gradient[i] - share;
    }
  }
}
