import { DataError, ShapeError } from '../../base/errors.ts';
import { type OptionKind, option } from '../../base/options.ts';
import { safeParse, z } from '../../base/zod.ts';
import { nearFieldSchema } from '../configuration.ts';

const savedStateSchema = z.lazy(() => {
  /** Numbers, or their little-endian bytes in base64. */
  const numbers = z.union([z.instanceof(Float32Array), z.pipe(z.base64(), z.transform(fromBase64))]);

  const size = z.int().check(z.minimum(1));
  const common = {
    /** Tokens seen by each batch row. */
    positions: z.array(z.int().check(z.minimum(0))).check(z.minLength(1)),
    sizes: z.strictObject({ batch: size, heads: size, dHead: size, dValue: size }),
  };

  return z
    .discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('exact'),
        ...common,
        /** `[batch, position, heads, dHead]` and `[batch, position, heads, dValue]`. */
        arrays: z.strictObject({ keys: numbers, values: numbers }),
      }),
      z.strictObject({
        type: z.literal('favor'),
        ...common,
        /** `[batch, heads, numFeatures, dValue + 1]` twice, and `[batch, heads, numFeatures]`. */
        arrays: z.strictObject({ sums: numbers, compensation: numbers, scales: numbers }),
      }),
      z.strictObject({
        type: z.literal('near-field'),
        ...common,
        nearField: nearFieldSchema,
        /** Kept keys and values of each batch row. */
        rows: z.int().check(z.minimum(0)),
        /** As of `favor`, over the far keys, and `[batch, rows, heads, dHead]` and `[batch, rows, heads, dValue]`. */
        arrays: z.strictObject({
          ...{ sums: z.optional(numbers), compensation: z.optional(numbers), scales: z.optional(numbers) },
          ...{ keys: numbers, values: numbers },
        }),
      }),
    ])
    .check(
      z.refine(({ positions, sizes }) => positions.length === sizes.batch, {
        path: ['positions'],
        error: 'there must be one for each batch row',
      }),
    );
});

/** A decoding state as plain data: restore it with the attention's `restoreState`. */
export type SavedState = z.output<typeof savedStateSchema>;

/** A {@link SavedState} that `JSON.stringify` keeps whole: its arrays are base64 of their little-endian bytes. */
export type SavedStateJson = z.input<typeof savedStateSchema>;

/** A saved state in a form for `JSON.stringify`; {@link parseSavedState} and `restoreState` read it. */
export function savedStateToJson(saved: SavedState): SavedStateJson {
  const state = parseSavedState(saved);
  const arrays = Object.entries(state.arrays).map(([name, array]) => [name, toBase64(array)]);
  return { ...state, arrays: Object.fromEntries(arrays) } as SavedStateJson;
}

/**
 * Checks a saved state that comes from outside, in either form.
 *
 * @throws DataError naming what is wrong.
 */
export function parseSavedState(value: unknown): SavedState {
  const result = safeParse(savedStateSchema, value);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  const where = path.length > 0 ? ` at ${path.join('.')}` : '';
  throw new DataError(`This is no saved decoding state (${message}${where}): pass what save() gave, whole.`);
}

/** @throws ShapeError unless `array` has `length` numbers. */
export function checkArray(name: string, array: Float32Array, length: number): void {
  if (array.length === length) return;
  throw new ShapeError(
    `A saved decoding state needs ${length} numbers in ${name} but has ${array.length}: restore it with the attention that saved it.`,
  );
}

function toBase64(array: Float32Array): string {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const blockSize = 0x8000;
  let text = '';
  for (let i = 0; i < bytes.length; i += blockSize) text += String.fromCharCode(...bytes.subarray(i, i + blockSize));
  return btoa(text);
}

function fromBase64(text: string, payload: z.core.ParsePayload): Float32Array {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  if (bytes.length % 4 === 0) return new Float32Array(bytes.buffer);
  payload.issues.push({ code: 'custom', message: 'the bytes are not a whole number of floats', input: text });
  return z.NEVER;
}

export const decodingSizesKind: OptionKind = option.having('sizes of a state', {
  batch: option.countTo(2 ** 24),
  heads: option.count,
  dHead: option.count,
  dValue: option.count,
});
