import { type OptionKinds, option } from '../base/options.ts';
import { tensorKind } from '../tensor/tensor.ts';
import type { AttendOptions } from './types.ts';

/** The options common to every attention, for `checkOptions`. */
export const attendOptions: OptionKinds<AttendOptions> = {
  causal: option.boolean,
  offset: option.number,
  normalised: option.boolean,
  layout: option.oneOf('bhld', 'blhd'),
  keyMask: option.either(tensorKind, option.array),
  segments: option.array,
  keySegments: option.array,
};
