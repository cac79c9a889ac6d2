/** `performers/onnx`: models as ONNX graphs. */

// Models as ONNX graphs.
export {
  exportOnnx,
  onnxGraphKinds,
  type OnnxExport,
  type OnnxExportOptions,
  type OnnxGraphKind,
} from '../onnx/export.ts';
export { sequenceOutputs, type SequenceOutput } from '../onnx/sequence-graph.ts';
export { encodeOnnx, type OnnxGraph, type OnnxNode, type OnnxTensor } from '../onnx/model-file.ts';
export { onnxCompanions } from '../onnx/companion-files.ts';
export type { StateTensor } from '../onnx/step-graph.ts';
