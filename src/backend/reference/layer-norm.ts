import type { Backend } from '../types.ts';
import { floats } from './storage.ts';

export function layerNorm(args: Parameters<Backend['layerNorm']>[0]): void {
  const { rows, width, epsilon } = args;
  const x = floats(args.x, rows * width);
  const gamma = floats(args.gamma, width);
  const beta = floats(args.beta, width);
  const out = floats(args.out, rows * width);
  const mean = floats(args.mean, rows);
  const inverseDeviation = floats(args.inverseDeviation, rows);
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    let sum = 0;
    for (let i = 0; i < width; i++) sum += x[start + i];
    mean[row] = sum / width;
    let squares = 0;
    for (let i = 0; i < width; i++) squares += (x[start + i] - mean[row]) ** 2;
    inverseDeviation[row] = 1 / Math.sqrt(squares / width + epsilon);
    for (let i = 0; i < width; i++) {
      out[start + i] = (x[start + i] - mean[row]) * inverseDeviation[row] * gamma[i] + beta[i];
    }
  }
}

/** With x̂ the normalised row and g = dOut ∘ gamma: dX = (g − mean(g) − x̂ · mean(g ∘ x̂)) / deviation. */
export function layerNormBackward(args: Parameters<Backend['layerNormBackward']>[0]): void {
  const { rows, width } = args;
  const x = floats(args.x, rows * width);
  const gamma = floats(args.gamma, width);
  const mean = floats(args.mean, rows);
  const inverseDeviation = floats(args.inverseDeviation, rows);
  const dOut = floats(args.dOut, rows * width);
  const dX = floats(args.dX, rows * width);
  const dGamma = floats(args.dGamma, width).fill(0, 0, width);
  const dBeta = floats(args.dBeta, width).fill(0, 0, width);
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    const normalised = (i: number) => (x[start + i] - mean[row]) * inverseDeviation[row];
    let sum = 0;
    let product = 0;
    for (let i = 0; i < width; i++) {
      const gradient = dOut[start + i];
      dGamma[i] += gradient * normalised(i);
      dBeta[i] += gradient;
      sum += gradient * gamma[i];
      product += gradient * gamma[i] * normalised(i);
    }
    for (let i = 0; i < width; i++) {
      const centred = dOut[start + i] * gamma[i] - sum / width - (normalised(i) * product) / width;
      dX[start + i] = centred * inverseDeviation[row];
    }
  }
}
