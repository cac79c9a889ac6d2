/** What BERT and RoBERTa share: all but the count of positions, the names of the heads and the activation in them. */

import { z } from '../../../base/zod.ts';
import type { TransformerConfiguration, TransformerOptions } from '../../../model/configuration.ts';
import type { ConfigFile } from '../config-file.ts';
import { activationName, activationOf, encoder, refuseOthers, size } from '../config-file.ts';
import {
  type EncoderSettings,
  encoderBlocks,
  encoderConfig,
  encoderOptions,
  type Heads,
  headDemands,
  headOptions,
  modelKind,
} from './encoder-blocks.ts';
import { type Demand, type NamedTensor, named, norm } from './family.ts';

export const postNormSettings = () => ({
  ...encoder(),
  vocab_size: size(),
  max_position_embeddings: size(),
  type_vocab_size: size(),
  hidden_act: z._default(z.string(), 'gelu'),
});

interface PostNormSettings extends EncoderSettings {
  readonly tie_word_embeddings: boolean;
  readonly vocab_size: number;
  readonly type_vocab_size: number;
  readonly hidden_act: string;
}

export function postNormOptions(
  file: ConfigFile,
  config: PostNormSettings,
  heads: Heads,
  maxLength: number,
): TransformerOptions {
  refuseOthers(file, { is_decoder: [false], add_cross_attention: [false], position_embedding_type: ['absolute'] });
  return {
    ...encoderOptions(config),
    ...headOptions(config, heads),
    vocabSize: config.vocab_size,
    maxLength,
    positions: 'learned',
    activation: activationOf(file, 'hidden_act', config.hidden_act),
    norm: 'post',
    embeddingNorm: true,
    tokenTypes: config.type_vocab_size,
  };
}

/** The embeddings and the blocks. @param positions the line of the table for learned positions */
export function postNormTensors(
  configuration: TransformerConfiguration,
  tokenCopies: readonly string[],
  positions: NamedTensor,
): NamedTensor[] {
  const { vocabSize, dModel, tokenTypes } = configuration;
  return [
    named('tokens.weight', 'embeddings.word_embeddings.weight', [vocabSize, dModel], { copies: tokenCopies }),
    positions,
    named('tokenTypes.weight', 'embeddings.token_type_embeddings.weight', [tokenTypes, dModel]),
    ...norm('embeddingNorm', 'embeddings.LayerNorm', dModel),
    ...encoderBlocks(configuration, {
      attention: 'attention.self',
      attentionNorm: 'attention.output.LayerNorm',
      feedForwardNorm: 'output.LayerNorm',
    }),
  ];
}

export function postNormDemands(configuration: TransformerConfiguration): Demand[] {
  return [
    [configuration.positions === 'learned', 'positions: learned'],
    [configuration.embeddingNorm, 'embeddingNorm: true'],
    [configuration.tokenTypes >= 1, 'tokenTypes of at least 1'],
    [!configuration.tokenDropout, 'no tokenDropout'],
    ...headDemands(configuration),
  ];
}

/** @param architecture how the names of its classes start */
export function postNormConfig(configuration: TransformerConfiguration, architecture: string, maxPositions: number) {
  return {
    architectures: [architecture + modelKind(configuration)],
    vocab_size: configuration.vocabSize,
    ...encoderConfig(configuration),
    hidden_act: activationName(configuration.activation),
    max_position_embeddings: maxPositions,
    type_vocab_size: configuration.tokenTypes,
    tie_word_embeddings: configuration.tiedEmbeddings,
  };
}
