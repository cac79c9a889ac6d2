import { DataError } from '../../../base/errors.ts';
import { z } from '../../../base/zod.ts';
import { classesOf, encoder, id, isFor, refuseOthers, size } from '../config-file.ts';
import { rotaryHalves } from '../tensor-forms.ts';
import {
  encoderBlocks,
  encoderConfig,
  encoderOptions,
  headDemands,
  headOptions,
  modelKind,
  poolerAndClassifier,
  specialIds,
} from './encoder-blocks.ts';
import { family, named, norm } from './family.ts';
import { languageHeadTensors, tiedOutput } from './language-head.ts';

/** Share of mask tokens in the training of every ESM-2, which its code holds as a constant. */
const MASK_RATIO = 0.15 * 0.8;

const schema = z.lazy(() =>
  z.object({
    ...encoder(),
    vocab_size: size(),
    max_position_embeddings: z._default(size(), 1026),
    emb_layer_norm_before: z.nullish(z.boolean()),
    token_dropout: z._default(z.boolean(), false),
    mask_token_id: z.nullish(id()),
    pad_token_id: z.nullish(id()),
    position_embedding_type: z._default(z.string(), 'absolute'),
  }),
);

/** ESM-2 (Lin et al. 2023): pre-norm, rotary positions, mask tokens dropped. */
export const esm = family(schema, {
  name: 'esm',
  modelTypes: ['esm'],
  prefix: 'esm.',

  configure(config, file, has) {
    if (config.position_embedding_type !== 'rotary') {
      throw new DataError(
        `${file.where} sets position_embedding_type to ${JSON.stringify(config.position_embedding_type)}, and only "rotary" is supported: choose ESM-2 instead of ESM-1.`,
      );
    }
    refuseOthers(file, {
      is_decoder: [false],
      add_cross_attention: [false],
      is_folding_model: [false],
      hidden_act: ['gelu'],
      rope_theta: [10_000],
    });
    if (config.token_dropout && typeof config.mask_token_id !== 'number') {
      throw new DataError(`${file.where} sets token_dropout but no mask_token_id: add the id of the mask token.`);
    }
    const heads = {
      languageHead: isFor(config, 'ForMaskedLM') || has('lm_head.dense.weight'),
      numClasses: classesOf(file, config, 'ForSequenceClassification'),
      pooler: has('pooler.dense.weight'),
    };
    return {
      options: {
        ...encoderOptions(config),
        ...headOptions(config, heads),
        vocabSize: config.vocab_size,
        maxLength: config.max_position_embeddings,
        positions: 'rotary',
        activation: 'gelu',
        norm: 'pre',
        embeddingNorm: config.emb_layer_norm_before ?? false,
        ...(config.token_dropout
          ? { tokenDropout: { maskToken: config.mask_token_id as number, ratio: MASK_RATIO } }
          : {}),
      },
      ids: { padding: config.pad_token_id ?? undefined },
    };
  },

  tensors(configuration) {
    const { vocabSize, dModel, numHeads, embeddingNorm } = configuration;
    return [
      named('tokens.weight', 'embeddings.word_embeddings.weight', [vocabSize, dModel], {
        copies: tiedOutput(configuration),
      }),
      ...(embeddingNorm ? norm('embeddingNorm', 'embeddings.layer_norm', dModel) : []),
      ...encoderBlocks(
        configuration,
        { attention: 'attention.self', attentionNorm: 'attention.LayerNorm', feedForwardNorm: 'LayerNorm' },
        rotaryHalves(numHeads),
      ),
      ...norm('norm', 'encoder.emb_layer_norm_after', dModel),
      ...languageHeadTensors(configuration, { hasDecoderBias: false }),
      ...poolerAndClassifier(configuration),
    ];
  },

  demands: (configuration) => [
    [configuration.positions === 'rotary', 'positions: rotary'],
    [configuration.norm === 'pre', 'norm: pre'],
    [configuration.activation === 'gelu', 'activation: gelu'],
    [configuration.tokenTypes === 0, 'tokenTypes: 0'],
    [
      !configuration.tokenDropout || configuration.tokenDropout.ratio === MASK_RATIO,
      `a tokenDropout ratio of ${MASK_RATIO}`,
    ],
    ...headDemands(configuration),
  ],

  config(configuration, ids) {
    const { tokenDropout } = configuration;
    return {
      architectures: [`Esm${modelKind(configuration)}`],
      vocab_size: configuration.vocabSize,
      ...encoderConfig(configuration),
      max_position_embeddings: configuration.maxLength,
      position_embedding_type: 'rotary',
      emb_layer_norm_before: configuration.embeddingNorm,
      token_dropout: tokenDropout !== undefined,
      ...(tokenDropout ? { mask_token_id: tokenDropout.maskToken } : {}),
      is_folding_model: false,
      tie_word_embeddings: configuration.tiedEmbeddings,
      // The library reads the padding's id even where no token is padding.
      ...specialIds({ ...ids, padding: ids.padding ?? 1 }),
    };
  },
});
