import { ConfigurationError } from '../base/errors.ts';
import type { TransformerConfiguration } from './configuration.ts';
import type { EncoderDecoderConfiguration } from './encoder-decoder-configuration.ts';

/**
 * The least count of numbers that the files of a Transformer hold, without building the model. Counted are the matrices
 * of embeddings, attention and feed-forward layers, and the draws of its attention. Weights with fewer numbers belong
 * to another configuration. O(1).
 */
export function leastNumbers(configuration: TransformerConfiguration): number {
  const { vocabSize, dModel, numLayers, dFeedForward, maxLength, positions, patches, tokenTypes } = configuration;
  const { numClasses = 0 } = configuration;
  const inputs = patches ? patches.channels * patches.patchSize ** 2 : vocabSize;
  const numPositions = patches ? (patches.imageSize / patches.patchSize) ** 2 : maxLength;
  const embeddings = (inputs + tokenTypes + (positions === 'learned' ? numPositions : 0) + numClasses) * dModel;
  // Queries may serve as keys.
  const layer = 3 * dModel * dModel + 2 * dModel * dFeedForward;
  return embeddings + numLayers * layer + drawnNumbers(configuration);
}

/** Of one layer; a layer that keeps exact attention draws nothing. */
function drawnNumbers(configuration: TransformerConfiguration): number {
  const { attention, maxLength, numLayers, exactLayers, dModel, numHeads } = configuration;
  if (new Set(exactLayers).size >= numLayers) return 0;
  switch (attention.type) {
    case 'favor':
    case 'auto': {
      // The generalised map has no projection unless one is named, and two features can share a direction.
      const { projection = attention.featureMap.type === 'generalised' ? 'none' : 'orthogonal' } = attention;
      return projection === 'none' ? 0 : Math.ceil(attention.numFeatures / 2);
    }
    case 'linformer':
      return attention.projectedLength * maxLength;
    case 'lsh':
      return (attention.numHashes * attention.maxBuckets * dModel) / numHeads / 2;
    default:
      return 0;
  }
}

/** Numbers of a model at most: beyond it no machine that this package runs on holds the weights. */
const MOST_NUMBERS = 2 ** 33;

/** @throws ConfigurationError for sizes that no memory is large enough for, such as a damaged file may state */
export function checkBuildable(configuration: TransformerConfiguration): void {
  checkNumbers(leastNumbers(configuration));
}

/** The same for an encoder–decoder: its embeddings, and the matrices of its layers. */
export function checkPairBuildable(configuration: EncoderDecoderConfiguration): void {
  const { sourceVocabSize, targetVocabSize, dModel, numEncoderLayers, numDecoderLayers, dFeedForward } = configuration;
  const feedForward = 2 * dModel * dFeedForward;
  const encoder = numEncoderLayers * (3 * dModel * dModel + feedForward);
  // A layer of the decoder attends twice.
  const decoder = numDecoderLayers * (6 * dModel * dModel + feedForward);
  checkNumbers((sourceVocabSize + targetVocabSize) * dModel + encoder + decoder);
}

function checkNumbers(least: number): void {
  if (least <= MOST_NUMBERS) return;
  throw new ConfigurationError(
    `A model of these sizes has ${least.toPrecision(3)} numbers or more, and ${MOST_NUMBERS} is the most: lower vocabSize, maxLength, dModel, dFeedForward or the number of layers.`,
  );
}
