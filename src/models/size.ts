import type { TransformerConfiguration } from './configuration.ts';

/**
 * How many numbers the files of a Transformer hold at the least, without building it: matrices of embeddings, attention and
 * feed-forward layers, and the draws of its attention. Weights with fewer numbers belong to another configuration. O(1).
 */
export function leastNumbers(configuration: TransformerConfiguration): number {
  const { vocabSize, dModel, numLayers, dFeedForward, maxLength, positions, patches, tokenTypes } = configuration;
  const inputs = patches ? patches.channels * patches.patchSize ** 2 : vocabSize;
  const places = patches ? (patches.imageSize / patches.patchSize) ** 2 : maxLength;
  const embeddings = (inputs + tokenTypes + (positions === 'learned' ? places : 0)) * dModel;
  // Queries may serve as keys.
  const layer = 3 * dModel * dModel + 2 * dModel * dFeedForward;
  return embeddings + numLayers * layer + drawnNumbers(configuration);
}

/** Of one layer; a layer that keeps exact attention draws nothing. */
function drawnNumbers({ attention, maxLength, numLayers, exactLayers }: TransformerConfiguration): number {
  if (new Set(exactLayers).size >= numLayers) return 0;
  switch (attention.type) {
    case 'favor':
    case 'auto': {
      // The generalised map has no projection unless one is named, and two features can share a direction.
      const { projection = attention.featureMap.type === 'generalised' ? 'none' : 'orthogonal' } = attention;
      return projection === 'none' ? 0 : attention.numFeatures / 2;
    }
    case 'linformer':
      return attention.projectedLength * maxLength;
    default:
      return 0;
  }
}
