/** The kernel module over the native addon of `kernels/bindings/node.cc`. */
import type { KernelModule, TypedArray } from '../compiled/module.ts';

/** What the addon exports. Errors are thrown by `call` only. */
export interface NativeAddon {
  readonly kernels: readonly { readonly name: string; readonly numArguments: number }[];
  /** The instruction set in use: the best that the processor has, or the one `PERFORMERS_INSTRUCTION_SET` names. */
  readonly instructionSet: string;
  /** All instruction sets of the addon that the processor has, comma-separated, best first. */
  readonly instructionSets: string;
  allocate(bytes: number): number;
  free(address: number): void;
  trim(): void;
  write(address: number, data: TypedArray): void;
  read(address: number, data: TypedArray): void;
  copy(from: number, to: number, bytes: number): void;
  call(kernel: number, slots: Float64Array, numThreads: number): void;
  gemmPackedSize(n: number, k: number): number;
}

export function createNativeModule(addon: NativeAddon, numThreads: number): KernelModule {
  return {
    name: 'native',
    kernels: addon.kernels,
    instructionSet: addon.instructionSet,
    numThreads,
    allocate: addon.allocate,
    free: addon.free,
    trim: addon.trim,
    write: addon.write,
    read: addon.read,
    copy: addon.copy,
    call: (kernel, slots) => addon.call(kernel, slots, numThreads),
    gemmPackedSize: addon.gemmPackedSize,
    close: () => {},
  };
}
