/**
 * ONNX models as bytes, for graphs of a handful of nodes: the few messages of onnx.proto that such a graph needs, in protobuf's wire
 * format (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
 */

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** `com.microsoft` for operators that are onnxruntime's own. */
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** A whole number, a list of them, or a float32. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

export interface OnnxTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  /** Shapes of the float32 inputs. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  readonly constants?: Readonly<Record<string, OnnxTensor>>;
}

const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;

/** The graph as a model of operator set 17, intermediate representation 8. */
export function onnxModel({ nodes, inputs, outputs, constants = {} }: OnnxGraph): Uint8Array {
  const graph = message(
    ...nodes.map((node) => field(1, nodeProto(node))),
    field(2, text('graph')),
    ...Object.entries(constants).map(([name, tensor]) => field(5, tensorProto(name, tensor))),
    ...Object.entries(inputs).map(([name, dims]) => field(11, valueInfo(name, dims))),
    ...Object.entries(outputs).map(([name, dims]) => field(12, valueInfo(name, dims))),
  );
  const operatorSet = (domain: string, version: number) =>
    field(8, message(field(1, text(domain)), integer(2, version)));
  return message(integer(1, 8), field(7, graph), operatorSet('', 17), operatorSet('com.microsoft', 1));
}

function nodeProto({ op, inputs, outputs, domain = '', attributes = {} }: OnnxNode): Uint8Array {
  return message(
    ...inputs.map((name) => field(1, text(name))),
    ...outputs.map((name) => field(2, text(name))),
    field(4, text(op)),
    ...Object.entries(attributes).map(([name, value]) => field(5, message(field(1, text(name)), attribute(value)))),
    field(7, text(domain)),
  );
}

function attribute(value: OnnxAttribute): Uint8Array {
  if (typeof value === 'number') return message(integer(3, value), integer(20, ATTRIBUTE_INT));
  if ('float' in value) return message(float(2, value.float), integer(20, ATTRIBUTE_FLOAT));
  return message(...value.map((i) => integer(8, i)), integer(20, ATTRIBUTE_INTS));
}

function tensorProto(name: string, { dims, data }: OnnxTensor): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const type = data instanceof Float32Array ? FLOAT : INT64;
  return message(...dims.map((dim) => integer(1, dim)), integer(2, type), field(8, text(name)), field(9, bytes));
}

function valueInfo(name: string, dims: readonly number[]): Uint8Array {
  const shape = message(...dims.map((dim) => field(1, message(integer(1, dim)))));
  const tensorType = message(integer(1, FLOAT), field(2, shape));
  return message(field(1, text(name)), field(2, message(field(1, tensorType))));
}

function message(...fields: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((length, part) => length + part.length, 0));
  let position = 0;
  for (const part of fields) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}

/** A field of bytes, text or a message. */
const field = (number: number, value: Uint8Array) => message(varint((number << 3) | 2), varint(value.length), value);

const integer = (number: number, value: number) => message(varint(number << 3), varint(value));

function float(number: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return message(varint((number << 3) | 5), bytes);
}

const text = (value: string) => new TextEncoder().encode(value);

/** Seven bits a byte, the lowest first; negative numbers in two's complement of 64 bits. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}
