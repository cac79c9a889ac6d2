/** `performers/layers`: what models of one's own are made of. */

// A model is a class that holds layers and tensors.
export { Module, type Layer } from '../model/layers/layer.ts';
export { Linear } from '../model/layers/linear.ts';
export { Embedding } from '../model/layers/embedding.ts';
export { LayerNorm, type LayerNormOptions } from '../model/layers/layer-norm.ts';
export { Dropout } from '../model/layers/dropout.ts';

// What a Transformer is made of.
export {
  MultiHeadAttention,
  type MultiHeadAttentionSizes,
  type SelfAttendOptions,
} from '../model/layers/multi-head-attention.ts';
export { FeedForward, type FeedForwardSizes } from '../model/layers/feed-forward.ts';
export { Block, type BlockLayers, type NormPlace } from '../model/layers/block.ts';

// Weights: how they start, to a file and back.
export { readWeights, loadWeights } from '../storage/weights.ts';
export type { InitialWeights, ResidualWeights } from '../model/layers/layer.ts';
