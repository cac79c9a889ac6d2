import type { z } from '../../../base/zod.ts';
import type { TransformerConfiguration, TransformerOptions } from '../../../model/configuration.ts';
import type { SpecialIds } from '../../../tokenizers/tokenizer.ts';
import { type ConfigFile, readConfig } from '../config-file.ts';
import { type Shape, same, type TensorForm } from '../tensor-forms.ts';

export type FamilyName = 'bert' | 'roberta' | 'gpt2' | 'esm' | 'vit';

/** Parameters of ours and the tensor that holds their numbers in a file. */
export interface NamedTensor {
  /** Names of parameters, which the tensor holds one after another along their first axis. */
  readonly ours: readonly string[];
  /** Name in the file; without the prefix of the bare model. */
  readonly theirs: string;
  /** Shape in the file. */
  readonly shape: Shape;
  readonly form: TensorForm;
  /** Other names under which files hold the same numbers once more, or instead. */
  readonly copies: readonly string[];
  /** The name whose numbers are taken where the copies differ; without a name here they must agree. */
  readonly decides: string | undefined;
  /** Whether files that are written have the copies too. */
  readonly writesCopies: boolean;
  /** Belongs to a head: its name never has the prefix. */
  readonly ofHead: boolean;
}

/** What an architecture of the library transformers has in common with ours, both ways. */
export interface Family {
  readonly name: FamilyName;
  /** Values of config.json's `model_type`; the first is written. */
  readonly modelTypes: readonly [string, ...string[]];
  /** Starts the names of the bare model's tensors in files of models with a head. */
  readonly prefix: string;
  /**
   * Our configuration, without the attention, and the ids of special tokens.
   *
   * @param has whether the file has a tensor of this name (without the prefix)
   * @throws DataError about a setting that is missing, not valid or not supported
   */
  configure(config: ConfigFile, has: (name: string) => boolean): { options: TransformerOptions; ids: SpecialIds };
  /** The table of names. `ids` says which tokens have special roles. */
  tensors(configuration: TransformerConfiguration, ids: SpecialIds): NamedTensor[];
  /** What the architecture asks of a configuration besides what chose it; `false` is followed by why it does not fit. */
  demands(configuration: TransformerConfiguration): readonly Demand[];
  /** config.json of a model that fits. */
  config(configuration: TransformerConfiguration, ids: SpecialIds): Record<string, unknown>;
}

/** A family whose config.json `schema` reads. */
export function family<S extends z.core.$ZodType>(
  schema: S,
  {
    configure,
    ...rest
  }: Omit<Family, 'configure'> & {
    configure(config: z.output<S>, ...given: Parameters<Family['configure']>): ReturnType<Family['configure']>;
  },
): Family {
  return { ...rest, configure: (file, has) => configure(readConfig(schema, file), file, has) };
}

/** Whether something holds, and what to say if not. */
export type Demand = readonly [holds: boolean, wanted: string];

interface TensorOptions {
  readonly form?: TensorForm;
  readonly copies?: readonly string[];
  readonly decides?: string;
  readonly writesCopies?: boolean;
  readonly ofHead?: boolean;
}

/** One line of a table. */
export function named(
  ours: string | readonly string[],
  theirs: string,
  shape: Shape,
  { form = same, copies = [], decides, writesCopies = false, ofHead = false }: TensorOptions = {},
): NamedTensor {
  const list = typeof ours === 'string' ? [ours] : ours;
  return { ours: list, theirs, shape, form, copies, decides, writesCopies, ofHead };
}

/** Weight `[dOut, dIn]` and bias of a linear layer. */
export function linear(ours: string, theirs: string, [dOut, dIn]: Shape, options?: TensorOptions): NamedTensor[] {
  return [
    named(`${ours}.weight`, `${theirs}.weight`, [dOut!, dIn!], options),
    named(`${ours}.bias`, `${theirs}.bias`, [dOut!], options),
  ];
}

/** Gain and bias of a LayerNorm. */
export function norm(ours: string, theirs: string, width: number, options?: TensorOptions): NamedTensor[] {
  return [
    named(`${ours}.weight`, `${theirs}.weight`, [width], options),
    named(`${ours}.bias`, `${theirs}.bias`, [width], options),
  ];
}
