import { z } from '../../../base/zod.ts';
import type { TransformerConfiguration } from '../../../model/configuration.ts';
import { classesOf, id, isFor } from '../config-file.ts';
import { specialIds } from './encoder-blocks.ts';
import { family, linear, type NamedTensor, named, norm } from './family.ts';
import { outputBias } from './language-head.ts';
import {
  postNormConfig,
  postNormDemands,
  postNormOptions,
  postNormSettings,
  postNormTensors,
} from './post-norm-encoder.ts';

const schema = z.lazy(() => z.object({ ...postNormSettings(), pad_token_id: z.nullish(id()) }));

/** BERT (Devlin et al. 2019) and what was distilled from it, such as MiniLM. */
export const bert = family(schema, {
  name: 'bert',
  modelTypes: ['bert'],
  prefix: 'bert.',

  configure(config, file, has) {
    const heads = {
      languageHead: isFor(config, 'ForMaskedLM', 'ForPreTraining') || has('cls.predictions.transform.dense.weight'),
      numClasses: classesOf(file, config, 'ForSequenceClassification'),
      pooler: has('pooler.dense.weight'),
    };
    return {
      options: postNormOptions(file, config, heads, config.max_position_embeddings),
      ids: { padding: config.pad_token_id ?? undefined },
    };
  },

  tensors(configuration) {
    const { dModel, maxLength, pooler, numClasses, tiedEmbeddings } = configuration;
    const positions = named('positions.weight', 'embeddings.position_embeddings.weight', [maxLength, dModel]);
    return [
      ...postNormTensors(configuration, tiedEmbeddings ? ['cls.predictions.decoder.weight'] : [], positions),
      ...(pooler ? linear('pooler', 'pooler.dense', [dModel, dModel]) : []),
      ...languageHead(configuration),
      ...(numClasses === undefined ? [] : linear('classifier', 'classifier', [numClasses, dModel], { ofHead: true })),
    ];
  },

  demands: postNormDemands,

  // A pooler beside a language head is left over there; BertForPreTraining would ask for one more head.
  config: (configuration, ids) => ({
    ...postNormConfig(configuration, 'Bert', configuration.maxLength),
    ...specialIds(ids),
  }),
});

function languageHead({ languageHead, tiedEmbeddings, vocabSize, dModel }: TransformerConfiguration): NamedTensor[] {
  if (!languageHead) return [];
  const ofHead = true;
  return [
    ...linear('outputTransform.linear', 'cls.predictions.transform.dense', [dModel, dModel], { ofHead }),
    ...norm('outputTransform.norm', 'cls.predictions.transform.LayerNorm', dModel, { ofHead }),
    outputBias('cls.predictions.bias', 'cls.predictions.decoder.bias', vocabSize, tiedEmbeddings),
    ...(tiedEmbeddings
      ? []
      : [named('output.weight', 'cls.predictions.decoder.weight', [vocabSize, dModel], { ofHead })]),
  ];
}
