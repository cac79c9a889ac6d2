import { ConfigurationError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';
import type { Tokenizer } from '../tokenizers/tokenizer.ts';

/**
 * Checks that a model has a row for every token. Special tokens may go beyond, as in the library transformers: a model
 * that is fed a special token like that refuses it.
 *
 * @param where names the tokenizer in errors
 * @throws ConfigurationError when ordinary tokens go beyond the model's table
 */
export function checkTokenizer(
  tokenizer: Pick<Tokenizer, 'vocabSize' | 'specials'>,
  configuration: Pick<TransformerConfiguration, 'vocabSize' | 'patches'>,
  where: string,
): void {
  checkArguments(
    'checkTokenizer',
    { tokenizer, configuration, where },
    {
      tokenizer: option.having('a tokenizer', { vocabSize: option.natural, specials: option.mapOf(option.natural) }),
      configuration: option.having('a configuration of a model', { vocabSize: option.natural }),
      where: option.string,
    },
  );
  const { vocabSize, specials } = tokenizer;
  if (configuration.patches) return;
  const rows = configuration.vocabSize;
  const beyond = [...specials.values()].filter((id) => id >= rows).length;
  if (vocabSize - rows <= beyond) return;
  throw new ConfigurationError(
    `${where} has ${vocabSize} tokens but the model only ${rows}: use the tokenizer that the model was trained with.`,
  );
}
