import type { AttentionConfiguration } from '../../attention/configuration.ts';
import { ConfigurationError } from '../../base/errors.ts';
import type { TransformerConfiguration } from '../../model/configuration.ts';

/** A layer's attention with its choice made: `auto` depends on lengths, which a graph leaves open. */
type LayerAttention =
  | Exclude<AttentionConfiguration, { readonly type: 'auto' | 'lsh' | 'favor' }>
  | Omit<Extract<AttentionConfiguration, { readonly type: 'favor' }>, 'redrawInterval'>;

/**
 * @param auto what an `auto` attention becomes
 * @throws ConfigurationError for LSH attention and for a near field
 */
export function layerAttention(
  { attention, exactLayers }: TransformerConfiguration,
  layer: number,
  auto: 'favor' | 'exact',
): LayerAttention {
  if (exactLayers.includes(layer)) return { type: 'exact' };
  if ('nearField' in attention && attention.nearField && !(attention.type === 'auto' && auto === 'exact')) {
    throw new ConfigurationError(
      'A near field has no ONNX graph yet: export a model with nearField null, or one whose attention auto becomes exact.',
    );
  }
  switch (attention.type) {
    case 'lsh':
      throw new ConfigurationError(
        'LSH attention sorts by hashes, which ONNX graphs of standard operators cannot: export a model with attention favor, exact or linformer.',
      );
    case 'auto': {
      if (auto === 'exact') return { type: 'exact' };
      const { type, crossover, redrawInterval, ...features } = attention;
      return { ...features, type: 'favor', normalised: true };
    }
    default:
      return attention;
  }
}
