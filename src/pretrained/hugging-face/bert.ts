import type { TransformerConfiguration } from '../../models/configuration.ts';
import { z } from '../../tensor/zod.ts';
import {
  activationName,
  activationOf,
  classesOf,
  encoder,
  id,
  isFor,
  labelsOf,
  readConfig,
  refuseOthers,
  size,
} from './config-file.ts';
import { encoderBlocks, encoderConfig, headDemands, specialIds } from './encoder-blocks.ts';
import { type Family, linear, type NamedTensor, named, norm } from './family.ts';

const schema = z.lazy(() =>
  z.object({
    ...encoder(),
    vocab_size: size(),
    max_position_embeddings: size(),
    type_vocab_size: size(),
    hidden_act: z._default(z.string(), 'gelu'),
    pad_token_id: z.nullish(id()),
  }),
);

/** BERT (Devlin et al. 2019) and what was distilled from it, such as MiniLM. */
export const bert: Family = {
  name: 'bert',
  modelTypes: ['bert'],
  prefix: 'bert.',

  configure(file, has) {
    const config = readConfig(schema, file);
    refuseOthers(file, { is_decoder: [false], add_cross_attention: [false], position_embedding_type: ['absolute'] });
    const languageHead =
      isFor(config, 'ForMaskedLM', 'ForPreTraining') || has('cls.predictions.transform.dense.weight');
    const numClasses = classesOf(file, config, 'ForSequenceClassification');
    return {
      options: {
        vocabSize: config.vocab_size,
        dModel: config.hidden_size,
        numLayers: config.num_hidden_layers,
        numHeads: config.num_attention_heads,
        dFeedForward: config.intermediate_size,
        maxLength: config.max_position_embeddings,
        positions: 'learned',
        causal: false,
        activation: activationOf(file, 'hidden_act', config.hidden_act),
        dropout: config.hidden_dropout_prob,
        norm: 'post',
        layerNormEpsilon: config.layer_norm_eps,
        embeddingNorm: true,
        tokenTypes: config.type_vocab_size,
        languageHead,
        tiedEmbeddings: !languageHead || config.tie_word_embeddings,
        outputTransform: languageHead,
        outputBias: languageHead,
        pooler: numClasses !== undefined || has('pooler.dense.weight'),
        numClasses,
      },
      ids: { padding: config.pad_token_id ?? undefined },
    };
  },

  tensors(configuration) {
    const { vocabSize, dModel, maxLength, tokenTypes, pooler, numClasses } = configuration;
    return [
      named('tokens.weight', 'embeddings.word_embeddings.weight', [vocabSize, dModel], {
        copies: configuration.tiedEmbeddings ? ['cls.predictions.decoder.weight'] : [],
      }),
      named('positions.weight', 'embeddings.position_embeddings.weight', [maxLength, dModel]),
      named('tokenTypes.weight', 'embeddings.token_type_embeddings.weight', [tokenTypes, dModel]),
      ...norm('embeddingNorm', 'embeddings.LayerNorm', dModel),
      ...encoderBlocks(configuration, {
        attention: 'attention.self',
        attentionNorm: 'attention.output.LayerNorm',
        feedForwardNorm: 'output.LayerNorm',
      }),
      ...(pooler ? linear('pooler', 'pooler.dense', [dModel, dModel]) : []),
      ...languageHead(configuration),
      ...(numClasses === undefined ? [] : linear('classifier', 'classifier', [numClasses, dModel], { ofHead: true })),
    ];
  },

  demands: (configuration) => [
    [configuration.positions === 'learned', 'positions: learned'],
    [configuration.embeddingNorm, 'embeddingNorm: true'],
    [configuration.tokenTypes >= 1, 'tokenTypes of at least 1'],
    [!configuration.tokenDropout, 'no tokenDropout'],
    ...headDemands(configuration),
  ],

  config(configuration, ids) {
    const { languageHead, numClasses } = configuration;
    // A pooler beside a language head is left over there; BertForPreTraining would ask for one more head.
    const kind = languageHead ? 'ForMaskedLM' : numClasses === undefined ? 'Model' : 'ForSequenceClassification';
    return {
      architectures: [`Bert${kind}`],
      vocab_size: configuration.vocabSize,
      ...encoderConfig(configuration),
      hidden_act: activationName(configuration.activation),
      max_position_embeddings: configuration.maxLength,
      type_vocab_size: configuration.tokenTypes,
      tie_word_embeddings: configuration.tiedEmbeddings,
      ...labelsOf(numClasses),
      ...specialIds(ids),
    };
  },
};

function languageHead({ languageHead, tiedEmbeddings, vocabSize, dModel }: TransformerConfiguration): NamedTensor[] {
  if (!languageHead) return [];
  const ofHead = true;
  return [
    ...linear('outputTransform.linear', 'cls.predictions.transform.dense', [dModel, dModel], { ofHead }),
    ...norm('outputTransform.norm', 'cls.predictions.transform.LayerNorm', dModel, { ofHead }),
    named('output.bias', 'cls.predictions.bias', [vocabSize], { ofHead, copies: ['cls.predictions.decoder.bias'] }),
    ...(tiedEmbeddings
      ? []
      : [named('output.weight', 'cls.predictions.decoder.weight', [vocabSize, dModel], { ofHead })]),
  ];
}
