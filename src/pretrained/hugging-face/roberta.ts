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
import { encoderBlocks, encoderConfig, headDemands, poolerAndClassifier, specialIds } from './encoder-blocks.ts';
import { type Family, named, norm, type SpecialIds } from './family.ts';
import { languageHeadTensors, tiedOutput } from './language-head.ts';
import { afterRows } from './tensor-forms.ts';

const schema = z.lazy(() =>
  z.object({
    ...encoder(),
    vocab_size: size(),
    max_position_embeddings: size(),
    type_vocab_size: size(),
    hidden_act: z._default(z.string(), 'gelu'),
    pad_token_id: z._default(id(), 1),
    bos_token_id: z.nullish(id()),
    eos_token_id: z.nullish(id()),
  }),
);

/** Positions are counted from the id of padding plus one; those before are never read. */
const offsetOf = ({ padding = 1 }: SpecialIds) => padding + 1;

/** RoBERTa (Liu et al. 2019) and XLM-R. */
export const roberta: Family = {
  name: 'roberta',
  modelTypes: ['roberta', 'xlm-roberta'],
  prefix: 'roberta.',

  configure(file, has) {
    const config = readConfig(schema, file);
    refuseOthers(file, { is_decoder: [false], add_cross_attention: [false], position_embedding_type: ['absolute'] });
    const languageHead = isFor(config, 'ForMaskedLM') || has('lm_head.dense.weight');
    // Its language head has gelu, whatever the layers have.
    if (languageHead) refuseOthers(file, { hidden_act: ['gelu'] });
    const numClasses = classesOf(file, config, 'ForSequenceClassification');
    const ids = {
      padding: config.pad_token_id,
      beginning: config.bos_token_id ?? undefined,
      end: config.eos_token_id ?? undefined,
    };
    const maxLength = config.max_position_embeddings - offsetOf(ids);
    if (maxLength < 1) {
      throw new Error(
        `${file.where} sets max_position_embeddings to ${config.max_position_embeddings}, of which ${offsetOf(ids)} come before the first token: give a model with more.`,
      );
    }
    return {
      options: {
        vocabSize: config.vocab_size,
        dModel: config.hidden_size,
        numLayers: config.num_hidden_layers,
        numHeads: config.num_attention_heads,
        dFeedForward: config.intermediate_size,
        maxLength,
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
      ids,
    };
  },

  tensors(configuration, ids) {
    const { vocabSize, dModel, maxLength, tokenTypes } = configuration;
    const offset = offsetOf(ids);
    return [
      named('tokens.weight', 'embeddings.word_embeddings.weight', [vocabSize, dModel], {
        copies: tiedOutput(configuration),
      }),
      named('positions.weight', 'embeddings.position_embeddings.weight', [maxLength + offset, dModel], {
        form: afterRows(offset),
      }),
      named('tokenTypes.weight', 'embeddings.token_type_embeddings.weight', [tokenTypes, dModel]),
      ...norm('embeddingNorm', 'embeddings.LayerNorm', dModel),
      ...encoderBlocks(configuration, {
        attention: 'attention.self',
        attentionNorm: 'attention.output.LayerNorm',
        feedForwardNorm: 'output.LayerNorm',
      }),
      ...languageHeadTensors(configuration),
      ...poolerAndClassifier(configuration),
    ];
  },

  demands: (configuration) => [
    [configuration.positions === 'learned', 'positions: learned'],
    [configuration.embeddingNorm, 'embeddingNorm: true'],
    [configuration.tokenTypes >= 1, 'tokenTypes of at least 1'],
    [!configuration.tokenDropout, 'no tokenDropout'],
    [!configuration.languageHead || configuration.activation === 'gelu', 'activation: gelu beside a language head'],
    ...headDemands(configuration),
  ],

  config(configuration, ids) {
    const { languageHead, numClasses } = configuration;
    const kind = languageHead ? 'ForMaskedLM' : numClasses === undefined ? 'Model' : 'ForSequenceClassification';
    return {
      architectures: [`Roberta${kind}`],
      vocab_size: configuration.vocabSize,
      ...encoderConfig(configuration),
      hidden_act: activationName(configuration.activation),
      max_position_embeddings: configuration.maxLength + offsetOf(ids),
      type_vocab_size: configuration.tokenTypes,
      tie_word_embeddings: configuration.tiedEmbeddings,
      ...labelsOf(numClasses),
      ...specialIds({ ...ids, padding: offsetOf(ids) - 1 }),
    };
  },
};
