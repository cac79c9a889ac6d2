import { activation, add, divide, exp, log, multiply, scale, subtract, where } from './elementwise.ts';
import { embedding } from './embedding.ts';
import { layerNorm } from './layer-norm.ts';
import { broadcastTo, concatenate, permute, reshape, slice } from './layout.ts';
import { linear } from './linear.ts';
import { crossEntropy, squaredError } from './losses.ts';
import { matmul } from './matmul.ts';
import { mean, sum, weightedSum } from './reduce.ts';
import { logSoftmax, softmax } from './softmax.ts';

export type { MatmulOptions } from './matmul.ts';
export type { ReduceOptions } from './reduce.ts';
export type { SoftmaxAxisOptions } from './softmax.ts';

/**
 * What models and losses are made of: each function records its adjoint on the tape of {@link valueAndGradients}. Tensors are not
 * changed; results are new tensors, freed by the scope they were made in.
 */
// An object, as a namespace would bring the bundler's helper for namespaces into every page, and the helper needs Node.
export const ops = {
  add,
  subtract,
  multiply,
  divide,
  scale,
  exp,
  log,
  where,
  matmul,
  linear,
  reshape,
  permute,
  slice,
  concatenate,
  broadcastTo,
  sum,
  mean,
  weightedSum,
  softmax,
  logSoftmax,
  activation,
  layerNorm,
  embedding,
  crossEntropy,
  squaredError,
};
