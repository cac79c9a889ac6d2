import { checkOptions, type OptionKind, type OptionKinds, option } from '../base/options.ts';
import { randomKind } from '../base/random.ts';
import { backendKind, checkTensors, type Tensor, tensorKind } from '../tensor/tensor.ts';
import { type AttendOptions, layerSizesKind } from './types.ts';

/** Arrays of numbers, one for each batch row. */
export const rowsOfNumbers: OptionKind = option.listOf(option.numbers);

/** Ids of segments or types: a fraction or NaN would equal no other id. */
export const rowsOfIds: OptionKind = option.listOf({
  wanted: 'an array of whole numbers',
  accepts: (value) => option.numbers.accepts(value) && Array.from(value as ArrayLike<number>).every(Number.isInteger),
});

export const keyMaskKind: OptionKind = option.either(tensorKind, rowsOfNumbers);

/** The options common to every attention, for `checkOptions`. */
export const attendOptions: OptionKinds<AttendOptions> = {
  causal: option.boolean,
  offset: option.number,
  normalised: option.boolean,
  layout: option.oneOf('bhld', 'blhd'),
  keyMask: keyMaskKind,
  segments: rowsOfIds,
  keySegments: rowsOfIds,
};

/** What the constructor of an attention with drawn tensors is given, for `checkArguments`. */
export const layerArguments = {
  backend: backendKind,
  configuration: option.plain,
  sizes: layerSizesKind,
  random: randomKind,
};

/** Checks what an attention's `attend` is given, before the options are read one by one. */
export function checkAttend(
  where: string,
  inputs: { readonly queries: Tensor; readonly keys: Tensor; readonly values: Tensor },
  options: AttendOptions,
): void {
  checkTensors(where, inputs);
  checkOptions<AttendOptions>(where, options, attendOptions);
}
