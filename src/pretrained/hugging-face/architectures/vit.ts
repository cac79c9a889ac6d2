import { z } from '../../../base/zod.ts';
import { numPatches } from '../../../model/layers/patch-embedding.ts';
import { activationName, activationOf, classesOf, encoder, refuseOthers, size } from '../config-file.ts';
import { reshaped } from '../tensor-forms.ts';
import { encoderBlocks, encoderConfig, encoderOptions } from './encoder-blocks.ts';
import { family, linear, named, norm } from './family.ts';

const schema = z.lazy(() =>
  z.object({
    ...encoder(),
    image_size: size(),
    patch_size: size(),
    num_channels: z._default(size(), 3),
    hidden_act: z._default(z.string(), 'gelu'),
  }),
);

/** ViT (Dosovitskiy et al. 2021). */
export const vit = family(schema, {
  name: 'vit',
  modelTypes: ['vit'],
  prefix: 'vit.',

  configure(config, file, has) {
    refuseOthers(file, { qkv_bias: [true], pooler_act: ['tanh'] });
    const numClasses = classesOf(file, config, 'ForImageClassification');
    return {
      options: {
        ...encoderOptions(config),
        vocabSize: 0,
        patches: { imageSize: config.image_size, patchSize: config.patch_size, channels: config.num_channels },
        maxLength: 1 + Math.floor(config.image_size / config.patch_size) ** 2,
        positions: 'learned',
        activation: activationOf(file, 'hidden_act', config.hidden_act),
        norm: 'pre',
        languageHead: false,
        pooler: numClasses === undefined && has('pooler.dense.weight'),
        pooling: 'first',
        numClasses,
      },
      ids: {},
    };
  },

  tensors(configuration) {
    const { dModel, pooler, numClasses } = configuration;
    const sizes = configuration.patches!;
    const { patchSize, channels } = sizes;
    const length = 1 + numPatches(sizes);
    const projection = 'embeddings.patch_embeddings.projection';
    return [
      named('patches.weight', `${projection}.weight`, [dModel, channels, patchSize, patchSize], {
        form: reshaped([dModel, channels * patchSize ** 2]),
      }),
      named('patches.bias', `${projection}.bias`, [dModel]),
      named('classToken.weight', 'embeddings.cls_token', [1, 1, dModel], { form: reshaped([1, dModel]) }),
      named('positions.weight', 'embeddings.position_embeddings', [1, length, dModel], {
        form: reshaped([length, dModel]),
      }),
      ...encoderBlocks(configuration, {
        attention: 'attention.attention',
        attentionNorm: 'layernorm_before',
        feedForwardNorm: 'layernorm_after',
      }),
      ...norm('norm', 'layernorm', dModel),
      ...(pooler ? linear('pooler', 'pooler.dense', [dModel, dModel]) : []),
      ...(numClasses === undefined ? [] : linear('classifier', 'classifier', [numClasses, dModel], { ofHead: true })),
    ];
  },

  demands: (configuration) => [
    [configuration.norm === 'pre', 'norm: pre'],
    [!configuration.embeddingNorm, 'embeddingNorm: false'],
    [configuration.numClasses === undefined || !configuration.pooler, 'no pooler before its classification head'],
    [
      configuration.numClasses === undefined || configuration.pooling === 'first',
      'pooling: first before its classification head',
    ],
  ],

  config(configuration) {
    const { imageSize, patchSize, channels } = configuration.patches!;
    return {
      architectures: [configuration.numClasses === undefined ? 'ViTModel' : 'ViTForImageClassification'],
      ...encoderConfig(configuration),
      hidden_act: activationName(configuration.activation),
      image_size: imageSize,
      patch_size: patchSize,
      num_channels: channels,
      qkv_bias: true,
    };
  },
});
