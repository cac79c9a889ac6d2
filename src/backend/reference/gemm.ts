import type { GemmArguments } from '../types.ts';
import { floats } from './storage.ts';

export function gemm(args: GemmArguments): void {
  const { m, n, k, transposeA = false, transposeB = false, batch = 1, alpha = 1, accumulate = false } = args;
  const { lda = transposeA ? m : k, ldb = transposeB ? k : n, ldc = n } = args;
  const { strideA = (transposeA ? k : m) * lda, strideB = (transposeB ? n : k) * ldb, strideC = m * ldc } = args;
  const a = floats(args.a);
  const b = floats(args.b);
  const c = floats(args.c);
  const bias = args.bias ? floats(args.bias, n) : undefined;
  for (let i = 0; i < batch; i++) {
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0;
        for (let inner = 0; inner < k; inner++) {
          const left = a[i * strideA + (transposeA ? inner * lda + row : row * lda + inner)];
          const right = b[i * strideB + (transposeB ? column * ldb + inner : inner * ldb + column)];
          sum += left * right;
        }
        const at = i * strideC + row * ldc + column;
        c[at] = alpha * sum + (bias ? bias[column] : 0) + (accumulate ? c[at] : 0);
      }
    }
  }
}
