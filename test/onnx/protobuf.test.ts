import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/onnx/graph.ts';
import { encodeOnnx } from '../../src/onnx/model-file.ts';
import {
  bytesField,
  floatField,
  integerField,
  type Message,
  messageField,
  textField,
  toBytes,
} from '../../src/onnx/protobuf.ts';

const hex = (field: Message) => Buffer.from(toBytes(field)).toString('hex');

it('names every node of a graph, as onnxruntime 1.21 needs', () => {
  const graph = new Graph();
  const x = graph.add('Relu', ['x']);
  graph.choose(
    'c',
    (inner) => [inner.add('Abs', [x])],
    () => [x],
  );
  const text = new TextDecoder('latin1').decode(encodeOnnx(graph.finish('g', [], []), 'data').model);
  // Field 3, of bytes: the tag 0x1a, the length, the name.
  for (const name of ['Relu_0', 'Abs_1']) {
    expect(text).toContain(`${String.fromCharCode(0x1a, name.length)}${name}`);
  }
});

describe('protocol buffers', () => {
  // The first three are the examples of protobuf.dev/programming-guides/encoding.
  it.each([
    ['150', integerField(1, 150), '089601'],
    ['testing', textField(2, 'testing'), '120774657374696e67'],
    ['a message', messageField(3, integerField(1, 150)), '1a03089601'],
    ['0', integerField(1, 0), '0800'],
    ['−1', integerField(1, -1), '08ffffffffffffffffff01'],
    ['2⁵³ − 1', integerField(1, Number.MAX_SAFE_INTEGER), '08ffffffffffffff0f'],
    ['a field number above 15', integerField(20, 7), 'a00107'],
    ['a float', floatField(2, 1.5), '150000c03f'],
    ['200 bytes', bytesField(9, new Uint8Array(200)), `4ac801${'00'.repeat(200)}`],
    ['letters beyond ASCII', textField(1, 'é'), '0a02c3a9'],
  ])('%s', (_, field, expected) => {
    expect(hex(field)).toBe(expected);
  });

  it('says in one sentence that no array is that long', () => {
    expect(() => toBytes({ parts: [], length: 2 ** 52 })).toThrow(
      /^The file would have 4503599627370496 bytes, more than one array holds here: export a smaller model, or one graph at a time\.$/,
    );
  });
});
