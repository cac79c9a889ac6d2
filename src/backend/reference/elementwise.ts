import { philox } from '../../base/philox.ts';
import type { AdamWArguments, Backend, Storage, UnaryKind } from '../types.ts';
import { floats, integers } from './storage.ts';

export function fill(x: Storage, value: number): void {
  if (x.type === 'int32') integers(x).fill(value);
  else floats(x).fill(value);
}

export function add(a: Storage, b: Storage, out: Storage): void {
  const target = floats(out);
  const left = floats(a, out.length);
  const right = floats(b, out.length);
  for (let i = 0; i < target.length; i++) target[i] = left[i] + right[i];
}

export function axpy(alpha: number, x: Storage, y: Storage): void {
  const target = floats(y);
  const source = floats(x, y.length);
  for (let i = 0; i < target.length; i++) target[i] += alpha * source[i];
}

export function scale(x: Storage, out: Storage, alpha: number): void {
  const target = floats(out);
  const source = floats(x, out.length);
  for (let i = 0; i < target.length; i++) target[i] = alpha * source[i];
}

export function scaleRows(args: Parameters<Backend['scaleRows']>[0]): void {
  const { rows, width } = args;
  const factors = floats(args.factors, Math.min(1, rows));
  const x = floats(args.x, rows * width);
  const out = floats(args.out, rows * width);
  for (let i = 0; i < rows * width; i++) {
    const factor = factors[Math.floor(i / width) % factors.length];
    out[i] = factor === 0 ? 0 : factor * x[i];
  }
}

export function peak(args: { out: Storage; iterations: number }): void {
  let x = 0;
  for (let step = 0; step < 64 && step < 8 * args.iterations; step++) x = x / 2 + 1;
  floats(args.out).fill(x);
}

/** erf(x) = 2/√π · e^(-x²) · Σ_n 2ⁿ x^(2n+1) / (2n+1)!!, a series of positive terms; |x| ≥ 6 rounds to ±1. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  if (Math.abs(x) >= 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Slope and cubic coefficient of the tanh form of GELU. */
const TANH_SLOPE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715;

function activate(kind: UnaryKind, x: number): number {
  switch (kind) {
    case 'relu':
      return Math.max(x, 0);
    case 'gelu':
      return (x * (1 + erf(x / Math.SQRT2))) / 2;
    case 'geluTanh':
      return (x * (1 + Math.tanh(TANH_SLOPE * (x + TANH_CUBIC * x ** 3)))) / 2;
    case 'tanh':
      return Math.tanh(x);
    case 'exp':
      return Math.exp(x);
    case 'log':
      return Math.log(x);
  }
}

function derivative(kind: UnaryKind, x: number): number {
  switch (kind) {
    case 'relu':
      return x > 0 ? 1 : 0;
    case 'gelu':
      return (1 + erf(x / Math.SQRT2)) / 2 + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
    case 'geluTanh': {
      const tanh = Math.tanh(TANH_SLOPE * (x + TANH_CUBIC * x ** 3));
      const inner = TANH_SLOPE * (1 + 3 * TANH_CUBIC * x * x);
      return (1 + tanh + x * (1 - tanh * tanh) * inner) / 2;
    }
    case 'tanh':
      return 1 / Math.cosh(x) ** 2;
    case 'exp':
      return Math.exp(x);
    case 'log':
      return 1 / x;
  }
}

export function activation(kind: UnaryKind, x: Storage, out: Storage): void {
  const target = floats(out);
  const source = floats(x, out.length);
  for (let i = 0; i < target.length; i++) target[i] = activate(kind, source[i]);
}

export function activationBackward(kind: UnaryKind, x: Storage, dOut: Storage, dX: Storage): void {
  const target = floats(dX);
  const source = floats(x, dX.length);
  const gradient = floats(dOut, dX.length);
  for (let i = 0; i < target.length; i++) target[i] = gradient[i] * derivative(kind, source[i]);
}

export function sumAxis(args: Parameters<Backend['sumAxis']>[0]): void {
  const { outer, length, inner, accumulate = false } = args;
  const x = floats(args.x, outer * length * inner);
  const out = floats(args.out, outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let sum = accumulate ? out[o * inner + i] : 0;
      for (let l = 0; l < length; l++) sum += x[(o * length + l) * inner + i];
      out[o * inner + i] = sum;
    }
  }
}

export async function squaredNorm(x: Storage): Promise<number> {
  return floats(x).reduce((sum, value) => sum + value * value, 0);
}

export function dropout(args: Parameters<Backend['dropout']>[0]): void {
  const out = floats(args.out);
  const x = floats(args.x, out.length);
  // The kernels take the rate as a float32: the threshold must be that number's.
  const rate = Math.fround(args.rate);
  for (let i = 0; i < out.length; i++) {
    const block = Math.floor(i / 4);
    const word = philox([block >>> 0, Math.floor(block / 2 ** 32), args.stream, 0], [args.seedLow, args.seedHigh])[
      i % 4
    ];
    out[i] = word >= rate * 2 ** 32 ? x[i] / (1 - rate) : 0;
  }
}

export function adamW(args: AdamWArguments): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = args;
  const x = floats(args.parameter);
  const gradient = floats(args.gradient, x.length);
  const first = floats(args.firstMoment, x.length);
  const second = floats(args.secondMoment, x.length);
  for (let i = 0; i < x.length; i++) {
    const g = gradientScale * gradient[i];
    first[i] = beta1 * first[i] + (1 - beta1) * g;
    second[i] = beta2 * second[i] + (1 - beta2) * g * g;
    const mean = first[i] / (1 - beta1 ** step);
    const variance = second[i] / (1 - beta2 ** step);
    x[i] -= learningRate * (mean / (Math.sqrt(variance) + epsilon) + weightDecay * x[i]);
  }
}
