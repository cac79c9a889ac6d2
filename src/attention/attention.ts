import type { Backend } from '../backend/types.ts';
import { checkArguments, option } from '../base/options.ts';
import type { Random } from '../base/random.ts';
import { randomKind } from '../base/random.ts';
import { backendKind } from '../tensor/tensor.ts';
import { AutoAttention } from './auto.ts';
import type { AttentionConfiguration } from './configuration.ts';
import { ExactAttention } from './exact.ts';
import { LinformerAttention } from './linformer.ts';
import { LshAttention } from './lsh.ts';
import { createFavor } from './near-field.ts';
import type { Attention, AttentionLayerSizes } from './types.ts';
import { layerSizesKind } from './types.ts';

/**
 * The one place that turns a configuration value into an attention: add a new kind here. The caller disposes it.
 *
 * @param configuration from `attentionSchema.parse`
 * @param random determines the features
 * @throws when the features do not fit dHead.
 */
export function createAttention(
  backend: Backend,
  configuration: AttentionConfiguration,
  sizes: AttentionLayerSizes,
  random: Random,
): Attention {
  checkArguments(
    'createAttention',
    { backend, configuration, sizes, random },
    {
      backend: backendKind,
      configuration: option.plain,
      sizes: layerSizesKind,
      random: randomKind,
    },
  );
  switch (configuration.type) {
    case 'exact':
      return new ExactAttention(backend);
    case 'favor':
      return createFavor(backend, configuration, sizes, random);
    case 'auto':
      return new AutoAttention(backend, configuration, sizes, random);
    case 'lsh':
      return new LshAttention(backend, configuration, sizes, random);
    case 'linformer':
      return new LinformerAttention(backend, configuration, sizes, random);
  }
}
