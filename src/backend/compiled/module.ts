/**
 * What a compiled build of `kernels/` looks like from TypeScript: memory by address and one call for every kernel. The
 * native addon and the WebAssembly files each provide one; `compiled.ts` makes a backend of either.
 */

import { PlatformError } from '../../base/errors.ts';

export type TypedArray = Float32Array | Float64Array | Int32Array;

export interface KernelModule {
  readonly name: 'native' | 'wasm';
  /** Every kernel; its index is its number for {@link call}. */
  readonly kernels: readonly { readonly name: string; readonly numArguments: number }[];
  readonly instructionSet: string;
  readonly numThreads: number;
  /** A block of at least `bytes` bytes, aligned to 64; 0 when memory is exhausted. */
  allocate(bytes: number): number;
  free(address: number): void;
  /** Gives freed blocks back to the system, where the module keeps them for later. */
  trim?(): void;
  /** Copies numbers to an address. */
  write(address: number, data: TypedArray): void;
  /** Fills `data` with the numbers at an address. */
  read(address: number, data: TypedArray): void;
  copy(from: number, to: number, bytes: number): void;
  /** Runs a kernel to its end on up to numThreads threads; `slots` holds its arguments, pointers as addresses. */
  call(kernel: number, slots: Float64Array): void;
  /** Floats that `gemm_pack` writes per batch entry. */
  gemmPackedSize(n: number, k: number): number;
  /** Ends threads; memory is gone. */
  close(): void;
}

/** The kernels of `kernels/description.mjs` and how many arguments each has. */
export const KERNEL_ARGUMENTS = {
  gemm_pack: 8,
  gemm: 16,
  gemv: 13,
  fill: 3,
  add: 4,
  axpy: 4,
  multiply: 4,
  scale_rows: 6,
  scale: 4,
  activation: 4,
  activation_backward: 5,
  column_sum: 5,
  squared_norm: 3,
  layer_norm: 9,
  layer_norm_backward: 8,
  layer_norm_backward_parameters: 8,
  embedding: 5,
  embedding_backward: 5,
  rotary: 10,
  dropout: 7,
  softmax_cross_entropy: 8,
  softmax_kl_divergence: 9,
  adamw: 13,
  softmax_attention: 17,
  softmax_attention_backward: 21,
  lsh_sort: 17,
  lsh_attention: 21,
  lsh_attention_backward: 24,
  favor_features: 15,
  favor_keys: 21,
  favor_queries: 23,
  favor_backward: 30,
  favor_causal: 29,
  favor_causal_backward: 28,
  favor_step: 21,
  peak: 3,
} as const;

export type KernelName = keyof typeof KERNEL_ARGUMENTS;

/**
 * The number of every kernel in `module`.
 * @throws if the build is not of this version's `kernels.h`.
 */
export function indexKernels(module: KernelModule): Record<KernelName, number> {
  const entries = Object.entries(KERNEL_ARGUMENTS).map(([name, numArguments]) => {
    const index = module.kernels.findIndex((kernel) => kernel.name === name);
    const found = module.kernels[index]?.numArguments;
    if (found !== numArguments) {
      const what = found === undefined ? 'is missing' : `takes ${found} arguments instead of ${numArguments}`;
      throw new PlatformError(
        `The ${module.name} kernels do not belong to this version of performers (kernel ${name} ${what}): ` +
          'rebuild them with `npm run build`.',
      );
    }
    return [name, index] as const;
  });
  return Object.fromEntries(entries) as Record<KernelName, number>;
}
