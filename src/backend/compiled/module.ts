/**
 * What a compiled build of `kernels/` looks like from TypeScript: memory by address and one call for every kernel. The
 * native addon and the WebAssembly files each provide a module; `compiled/backend.ts` makes a backend of either.
 */

import { PlatformError } from '../../base/errors.ts';
import { KERNEL_ARGUMENTS, type KernelName, TRAINING_KERNELS } from './kernel-calls.ts';

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

/** Kernels that every build has all of, or, of those for training, none. */
const forTraining: ReadonlySet<string> = new Set(TRAINING_KERNELS);

/**
 * The number of every kernel in `module`; kernels for training may be missing, where they have no number.
 * @throws PlatformError if the build is not of this version's `kernels/description.mjs`.
 */
export function indexKernels(module: KernelModule): Partial<Record<KernelName, number>> {
  const isWhole = module.kernels.some(({ name }) => forTraining.has(name));
  const entries = Object.entries(KERNEL_ARGUMENTS).map(([name, numArguments]) => {
    const index = module.kernels.findIndex((kernel) => kernel.name === name);
    const found = module.kernels[index]?.numArguments;
    if (found === undefined && !isWhole && forTraining.has(name)) return [name, undefined] as const;
    if (found !== numArguments) {
      const what = found === undefined ? 'is missing' : `takes ${found} arguments instead of ${numArguments}`;
      throw new PlatformError(
        `The ${module.name} kernels do not belong to this version of performers (kernel ${name} ${what}): ` +
          'install performers again; in a checkout, run `npm run build`.',
      );
    }
    return [name, index] as const;
  });
  return Object.fromEntries(entries);
}
