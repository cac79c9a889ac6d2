import { DataError } from '../../../base/errors.ts';
import { z } from '../../../base/zod.ts';
import type { SpecialIds } from '../../../tokenizers/tokenizer.ts';
import { classesOf, id, isFor, refuseOthers } from '../config-file.ts';
import { afterRows } from '../tensor-forms.ts';
import { poolerAndClassifier, specialIds } from './encoder-blocks.ts';
import { family, named } from './family.ts';
import { languageHeadTensors, tiedOutput } from './language-head.ts';
import {
  postNormConfig,
  postNormDemands,
  postNormOptions,
  postNormSettings,
  postNormTensors,
} from './post-norm-encoder.ts';

const schema = z.lazy(() =>
  z.object({
    ...postNormSettings(),
    pad_token_id: z._default(id(), 1),
    bos_token_id: z.nullish(id()),
    eos_token_id: z.nullish(id()),
  }),
);

/** Positions are counted from the id of padding plus one; those before are never read. */
const offsetOf = ({ padding = 1 }: SpecialIds) => padding + 1;

/** RoBERTa (Liu et al. 2019) and XLM-R. */
export const roberta = family(schema, {
  name: 'roberta',
  modelTypes: ['roberta', 'xlm-roberta'],
  prefix: 'roberta.',

  configure(config, file, has) {
    const ids = {
      padding: config.pad_token_id,
      beginning: config.bos_token_id ?? undefined,
      end: config.eos_token_id ?? undefined,
    };
    const heads = {
      languageHead: isFor(config, 'ForMaskedLM') || has('lm_head.dense.weight'),
      numClasses: classesOf(file, config, 'ForSequenceClassification'),
      pooler: has('pooler.dense.weight'),
    };
    // Its language head has gelu, whatever the layers have.
    if (heads.languageHead) refuseOthers(file, { hidden_act: ['gelu'] });
    const maxLength = config.max_position_embeddings - offsetOf(ids);
    if (maxLength < 1) {
      throw new DataError(
        `${file.where} sets max_position_embeddings to ${config.max_position_embeddings}, of which ${offsetOf(ids)} come before the first token: give a model with more.`,
      );
    }
    return { options: postNormOptions(file, config, heads, maxLength), ids };
  },

  tensors(configuration, ids) {
    const { dModel, maxLength } = configuration;
    const offset = offsetOf(ids);
    const shape = [maxLength + offset, dModel];
    const positions = named('positions.weight', 'embeddings.position_embeddings.weight', shape, {
      form: afterRows(offset),
    });
    return [
      ...postNormTensors(configuration, tiedOutput(configuration), positions),
      ...languageHeadTensors(configuration, { hasDecoderBias: true }),
      ...poolerAndClassifier(configuration),
    ];
  },

  demands: (configuration) => [
    ...postNormDemands(configuration),
    [!configuration.languageHead || configuration.activation === 'gelu', 'activation: gelu beside a language head'],
  ],

  config(configuration, ids) {
    const offset = offsetOf(ids);
    return {
      ...postNormConfig(configuration, 'Roberta', configuration.maxLength + offset),
      ...specialIds({ ...ids, padding: offset - 1 }),
    };
  },
});
