/** All that the package exports, for tests that go through its exports. */
export * from '../src/entries/data.ts';
export * from '../src/entries/inspect.ts';
export * from '../src/entries/internal.ts';
export * from '../src/entries/layers.ts';
export * from '../src/entries/onnx.ts';
export * from '../src/entries/performers.ts';
export * from '../src/entries/pretrained.ts';
export * from '../src/entries/tokenizers.ts';
export * from '../src/entries/training.ts';
