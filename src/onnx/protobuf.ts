/**
 * Protocol buffers, written only: varints, fixed floats and length-delimited fields
 * (https://protobuf.dev/programming-guides/encoding). A message keeps its parts apart until {@link toBytes}. Gigabytes
 * of weights inside nested messages are therefore copied once.
 */

import { ConfigurationError } from '../base/errors.ts';

/** Encoded fields, in order. */
export interface Message {
  readonly parts: readonly Uint8Array[];
  readonly length: number;
}

/** Wire types. */
const VARINT = 0;
const DELIMITED = 2;
const FIXED32 = 5;

/** The fields one after another. */
export function message(...fields: readonly (Message | readonly Message[])[]): Message {
  const all = fields.flat();
  return {
    parts: all.flatMap(({ parts }) => parts),
    length: all.reduce((length, field) => length + field.length, 0),
  };
}

const single = (bytes: Uint8Array): Message => ({ parts: [bytes], length: bytes.length });

/** Seven bits a byte, the lowest first; negative numbers in two's complement of 64 bits. */
function varint(value: number): Message {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return single(Uint8Array.from(bytes));
}

const tag = (field: number, wireType: number): Message => varint((field << 3) | wireType);

/** A field of int32, int64 or an enumeration. */
export const integerField = (field: number, value: number): Message => message(tag(field, VARINT), varint(value));

export function floatField(field: number, value: number): Message {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return message(tag(field, FIXED32), single(bytes));
}

export const bytesField = (field: number, value: Uint8Array): Message => messageField(field, single(value));

export const textField = (field: number, value: string): Message => bytesField(field, new TextEncoder().encode(value));

export const messageField = (field: number, value: Message): Message =>
  message(tag(field, DELIMITED), varint(value.length), value);

/** @throws ConfigurationError where the engine has no array that long. */
export function toBytes({ parts, length }: Message): Uint8Array<ArrayBuffer> {
  const bytes = allocate(length);
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}

function allocate(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (error) {
    const message = `The file would have ${length} bytes, more than one array holds here: export a smaller model, or one graph at a time.`;
    throw new ConfigurationError(message, { cause: error });
  }
}
