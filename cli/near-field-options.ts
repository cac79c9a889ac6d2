import { Option } from 'commander';
import { ConfigurationError } from '../src/entries/performers.ts';
import { wholeNumber } from './options.ts';

/** Flags of a near field, for every command that chooses an attention. */
export function nearFieldOptions(): Option[] {
  return [
    new Option(
      '--near-field <block>',
      'exact attention to keys of the own and the neighbouring block of positions, features beyond; 0: none (default: 0)',
    ).argParser(wholeNumber),
    new Option('--sinks <n>', 'first positions that are near all others, with --near-field (default: 0)').argParser(
      wholeNumber,
    ),
  ];
}

interface NearFieldFlags {
  readonly nearField?: number | undefined;
  readonly sinks?: number | undefined;
}

/** The near field that flags give. @throws ConfigurationError for sinks without a near field */
export function nearFieldOf({ nearField: block, sinks }: NearFieldFlags) {
  if (sinks !== undefined && !block) {
    throw new ConfigurationError('Sinks belong to a near field: add --near-field 64, or leave --sinks out.');
  }
  if (block === undefined) return {};
  return { nearField: block === 0 ? null : { block, ...(sinks !== undefined && { sinks }) } };
}
