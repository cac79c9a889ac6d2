import { DataError } from '../../../base/errors.ts';
import { safeParse, z } from '../../../base/zod.ts';
import type { TransformerConfiguration } from '../../../model/configuration.ts';
import type { ConfigFile } from '../config-file.ts';
import { bert } from './bert.ts';
import { esm } from './esm.ts';
import type { Family } from './family.ts';
import { gpt2 } from './gpt2.ts';
import { roberta } from './roberta.ts';
import { vit } from './vit.ts';

const families: readonly Family[] = [bert, roberta, gpt2, esm, vit];

const schema = z.lazy(() => z.object({ model_type: z.string() }));

/**
 * The family that config.json says.
 *
 * @throws DataError when config.json names no family, or one that is not known
 */
export function familyOfFile({ where, json }: ConfigFile): Family {
  const known = families.flatMap(({ modelTypes }) => modelTypes).join(', ');
  const config = safeParse(schema, json);
  if (!config.success) {
    throw new DataError(`${where} names no model_type: give the config.json of a model of type ${known}.`);
  }
  const { model_type: type } = config.data;
  const family = families.find(({ modelTypes }) => modelTypes.includes(type));
  if (family) return family;
  throw new DataError(
    `${where} is of the model_type ${JSON.stringify(type)}, which is not supported: give one of ${known}.`,
  );
}

/**
 * The family that a model of ours can be written as.
 *
 * @throws DataError that says what keeps it from its nearest family
 */
export function familyOfModel(configuration: TransformerConfiguration): Family {
  const family = nearest(configuration);
  const demands = [[!configuration.reversible, 'reversible: false'] as const, ...family.demands(configuration)];
  const unmet = demands.find(([holds]) => !holds);
  if (!unmet) return family;
  throw new DataError(
    `This model has no counterpart in the library transformers: ${family.modelTypes[0]}, which is nearest, has ${unmet[1]}; export it in another format.`,
  );
}

function nearest({ patches, causal, positions, norm, tokenTypes }: TransformerConfiguration): Family {
  if (patches) return vit;
  if (causal) return gpt2;
  if (positions === 'rotary' || norm === 'pre') return esm;
  return tokenTypes === 1 ? roberta : bert;
}
