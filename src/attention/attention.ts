import type { Backend } from '../backend/types.ts';
import type { Random } from '../tensor/random.ts';
import type { AttentionConfiguration } from './configuration.ts';
import { ExactAttention } from './exact.ts';
import { FavorAttention } from './favor.ts';
import type { Attention } from './types.ts';

/** The one place that turns a configuration value into an attention: add a new kind here. */
export function createAttention(
  backend: Backend,
  configuration: AttentionConfiguration,
  dHead: number,
  random: Random,
): Attention {
  switch (configuration.type) {
    case 'exact':
      return new ExactAttention(backend);
    case 'favor':
      return new FavorAttention(backend, configuration, dHead, random);
  }
}
