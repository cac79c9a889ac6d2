import type { Backend } from '../../backend/types.ts';
import { DataError } from '../../base/errors.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { transformerConfigurationKind } from '../../model/configuration.ts';
import { type AttentionChoice, Transformer } from '../../model/transformer.ts';
import { entriesKind } from '../../storage/safetensors.ts';
import { checkEntries } from '../../storage/weights.ts';
import { backendKind } from '../../tensor/tensor.ts';
import type { Pretrained } from './read.ts';

export interface CreateOptions extends AttentionChoice {
  /** Determines the projections of FAVOR+. Default 0. */
  readonly seed?: number | undefined;
}

/**
 * A model with pretrained weights under an attention of choice.
 *
 * @param options.attention default exact, which computes what the original does
 * @throws ConfigurationError when the choice is not valid, DataError for an attention whose weights no pretrained model has:
 *   LSH, Linformer with learned projections
 */
export function createPretrained(
  backend: Backend,
  pretrained: Pick<Pretrained, 'configuration' | 'weights'>,
  choice: CreateOptions = {},
): Transformer {
  checkArguments(
    'createPretrained',
    { backend, pretrained, choice },
    {
      backend: backendKind,
      pretrained: pretrainedKind,
      choice: option.object,
    },
  );
  checkOptions<CreateOptions>('createPretrained', choice, {
    attention: option.either(option.string, option.object),
    exactLayers: option.array,
    seed: option.number,
  });
  const { configuration, weights } = pretrained;
  const { attention = configuration.attention, exactLayers = configuration.exactLayers, seed = 0 } = choice;
  const options = { ...configuration, attention, exactLayers };
  const model = new Transformer(backend, options, seed, { initialise: false });
  try {
    const parameters = model.parameters();
    if (parameters.size !== weights.size) {
      throw new DataError(
        'LSH attention and learned Linformer projections have weights that a pretrained model lacks: choose favor, exact or auto.',
      );
    }
    const shapes = new Map([...parameters].map(([name, { shape }]) => [name, shape]));
    const found = checkEntries(shapes, weights, 'The pretrained model');
    for (const [name, { storage }] of parameters) backend.write(storage, found.get(name)!);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

const pretrainedKind = option.having('what readHuggingFace() gives', {
  configuration: transformerConfigurationKind,
  weights: entriesKind,
});
