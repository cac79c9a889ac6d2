/** ONNX models as bytes: the messages of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that graphs need. */
import { checkArguments, option } from '../base/options.ts';
import {
  bytesField,
  floatField,
  integerField,
  type Message,
  message,
  messageField,
  textField,
  toBytes,
} from './protobuf.ts';

/** Element types, by their number in onnx.proto. */
export const elementTypes = { float32: 1, int64: 7, bool: 9, float64: 11 } as const;
export type ElementType = keyof typeof elementTypes;

export interface OnnxTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
}

/** A whole number, a list of them, a float32 or a graph. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number } | { readonly graph: OnnxGraph };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>> | undefined;
  /** The domain of operators that are a runtime's own, such as `com.microsoft`. Default: the standard ones. */
  readonly domain?: string | undefined;
}

/** An input or output; dimensions that vary are named. Without a shape: any. */
export interface OnnxValue {
  readonly name: string;
  readonly type: ElementType;
  readonly shape?: readonly (number | string)[] | undefined;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initialisers?: ReadonlyMap<string, OnnxTensor>;
}

/** A file's own bytes, and those of the file beside it that holds its weights, if there is one. */
interface OnnxFile {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly data?: Uint8Array<ArrayBuffer>;
}

/** Version of the format, and that of the standard operators: the first with LayerNormalization. */
const IR_VERSION = 8;
const OPERATOR_SET = 17;

/** Most bytes that one protobuf message may have. */
export const MAX_MODEL_BYTES = 2 ** 31 - 1;
/** Smaller tensors stay in the model, so that shapes can be inferred without the other file. */
const LEAST_EXTERNAL_BYTES = 1024;

const ATTRIBUTE = { float: 1, int: 2, graph: 5, ints: 7 };
const EXTERNAL = 1;

const valueKind = option.having('an input or output', {
  name: option.string,
  type: option.oneOf(...Object.keys(elementTypes)),
  shape: option.optional(option.listOf(option.either(option.natural, option.string))),
});

const attributeKind = option.either(
  option.number,
  option.listOf(option.number),
  option.having('a float', { float: option.number }),
  // Read when a graph inside a graph is checked, by when there is one.
  { wanted: 'a graph', accepts: (value) => isObjectWithGraph(value) && graphKind.accepts(value.graph) },
);

const graphKind = option.having('a graph', {
  name: option.string,
  nodes: option.listOf(
    option.having('a node', {
      op: option.string,
      inputs: option.strings,
      outputs: option.strings,
      attributes: option.optional(option.recordOf(attributeKind)),
      domain: option.optional(option.string),
    }),
  ),
  inputs: option.listOf(valueKind),
  outputs: option.listOf(valueKind),
  initialisers: option.optional(
    option.mapOf(option.having('a tensor', { dims: option.listOf(option.natural), data: option.array })),
  ),
});

function isObjectWithGraph(value: unknown): value is { readonly graph: unknown } {
  return typeof value === 'object' && value !== null && 'graph' in value;
}

/**
 * The graph as a model file. Weights move to a second file, `dataName`, which the first names, where the first would have
 * more than `maxBytes`.
 *
 * @param dataName name of the file beside the model that takes weights
 */
export function encodeOnnx(graph: OnnxGraph, dataName: string, maxBytes = MAX_MODEL_BYTES): OnnxFile {
  checkArguments(
    'encodeOnnx',
    { graph, dataName, maxBytes },
    { graph: graphKind, dataName: option.string, maxBytes: option.natural },
  );
  const whole = modelMessage(graph);
  if (whole.length <= maxBytes) return { model: toBytes(whole) };
  const external = new ExternalData(dataName);
  const model = toBytes(modelMessage(graph, external));
  return { model, data: external.toBytes() };
}

class ExternalData {
  readonly #parts: Message[] = [];
  #length = 0;

  constructor(readonly location: string) {}

  /** Appends bytes and returns their place: a multiple of 4 KiB, so that a reader can map the file. */
  append(bytes: Uint8Array): number {
    const padding = -this.#length & 4095;
    const offset = this.#length + padding;
    for (const part of [new Uint8Array(padding), bytes]) this.#parts.push({ parts: [part], length: part.length });
    this.#length = offset + bytes.length;
    return offset;
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return toBytes(message(this.#parts));
  }
}

function modelMessage(graph: OnnxGraph, external?: ExternalData): Message {
  const domains = new Set(graph.nodes.flatMap(({ domain }) => domain ?? []));
  const operatorSet = (domain: string, version: number) =>
    messageField(8, message(textField(1, domain), integerField(2, version)));
  return message(
    integerField(1, IR_VERSION),
    textField(2, 'performers'),
    messageField(7, graphMessage(graph, external)),
    operatorSet('', OPERATOR_SET),
    [...domains].map((domain) => operatorSet(domain, 1)),
  );
}

function graphMessage({ name, nodes, inputs, outputs, initialisers }: OnnxGraph, external?: ExternalData): Message {
  return message(
    nodes.map((node) => messageField(1, nodeMessage(node))),
    textField(2, name),
    [...(initialisers ?? [])].map(([name, tensor]) => messageField(5, tensorMessage(name, tensor, external))),
    inputs.map((value) => messageField(11, valueMessage(value))),
    outputs.map((value) => messageField(12, valueMessage(value))),
  );
}

function nodeMessage({ op, inputs, outputs, attributes = {}, domain }: OnnxNode): Message {
  return message(
    inputs.map((name) => textField(1, name)),
    outputs.map((name) => textField(2, name)),
    // Older runtimes name what they fuse after its parts, and refuse two of one name.
    textField(3, outputs[0]),
    textField(4, op),
    Object.entries(attributes).map(([name, value]) =>
      messageField(5, message(textField(1, name), attributeMessage(value))),
    ),
    domain === undefined ? [] : textField(7, domain),
  );
}

function attributeMessage(value: OnnxAttribute): Message {
  const type = (kind: keyof typeof ATTRIBUTE) => integerField(20, ATTRIBUTE[kind]);
  if (typeof value === 'number') return message(integerField(3, value), type('int'));
  if ('float' in value) return message(floatField(2, value.float), type('float'));
  if ('graph' in value) return message(messageField(6, graphMessage(value.graph)), type('graph'));
  return message(
    value.map((i) => integerField(8, i)),
    type('ints'),
  );
}

function tensorMessage(name: string, { dims, data }: OnnxTensor, external?: ExternalData): Message {
  const type = data instanceof Float32Array ? 'float32' : data instanceof Float64Array ? 'float64' : ('int64' as const);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const head = message(
    dims.map((dim) => integerField(1, dim)),
    integerField(2, elementTypes[type]),
    textField(8, name),
  );
  if (!external || bytes.length < LEAST_EXTERNAL_BYTES) return message(head, bytesField(9, bytes));
  const where = { location: external.location, offset: external.append(bytes), length: bytes.length };
  return message(
    head,
    Object.entries(where).map(([key, value]) =>
      messageField(13, message(textField(1, key), textField(2, String(value)))),
    ),
    integerField(14, EXTERNAL),
  );
}

function valueMessage({ name, type, shape }: OnnxValue): Message {
  const dims = shape?.map((dim) => messageField(1, typeof dim === 'number' ? integerField(1, dim) : textField(2, dim)));
  const tensorType = message(integerField(1, elementTypes[type]), dims ? messageField(2, message(dims)) : []);
  return message(textField(1, name), messageField(2, message(messageField(1, tensorType))));
}
