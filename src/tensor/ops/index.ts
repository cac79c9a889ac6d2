/**
 * What models and losses are made of: each function records its adjoint on the tape of {@link valueAndGradients}. Tensors are not
 * changed; results are new tensors, freed by the scope they were made in.
 */

export { activation, add, divide, exp, log, multiply, scale, subtract, where } from './elementwise.ts';
export { embedding } from './embedding.ts';
export { layerNorm } from './layer-norm.ts';
export { broadcastTo, concatenate, permute, reshape, slice } from './layout.ts';
export { linear } from './linear.ts';
export { crossEntropy, squaredError } from './losses.ts';
export { type MatmulOptions, matmul } from './matmul.ts';
export { mean, type ReduceOptions, sum, weightedSum } from './reduce.ts';
export { logSoftmax, type SoftmaxAxisOptions, softmax } from './softmax.ts';
