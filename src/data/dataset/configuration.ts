import { DataError } from '../../base/errors.ts';
import { safeParse, z } from '../../base/zod.ts';
import { type DatasetFormat, datasetFormats } from './data-files.ts';
import { splitSchema } from './split.ts';

/** What `openDataset` takes. */
const datasetSchema = z.lazy(() => {
  const common = {
    /** Files, globs, folders and `hf://…` names. */
    data: z.array(z.string()).check(z.minLength(1)),
    split: z.optional(splitSchema),
  };
  const fields = {
    ...common,
    text: z._default(z.string(), 'text'),
    id: z.optional(z.string()),
    group: z.optional(z.string()),
  };
  const residues = z.optional(z.string());
  return z.discriminatedUnion('format', [
    z.strictObject({
      format: z.literal('text'),
      ...common,
      documents: z._default(z.enum(['file', 'block', 'line']), 'file'),
    }),
    z.strictObject({ format: z.literal('jsonl'), ...fields }),
    z.strictObject({ format: z.literal('parquet'), ...fields }),
    z.strictObject({ format: z.literal('wikipedia'), ...common }),
    z.strictObject({ format: z.literal('pg19'), ...common }),
    z.strictObject({ format: z.literal('fasta'), ...common, residues }),
    z.strictObject({
      format: z.literal('uniprot'),
      ...common,
      residues,
      group: z._default(z.enum(['organism', 'family']), 'organism'),
    }),
    z.strictObject({
      format: z.literal('images'),
      ...common,
      /** Width and height. */
      size: z._default(z.int().check(z.minimum(1)), 64),
    }),
    z.strictObject({
      format: z.literal('labelled'),
      ...common,
      /** Columns or fields. */
      text: z._default(z.string(), 'text'),
      label: z._default(z.string(), 'label'),
      /** Names of the classes, the first for class 0. Default: labels are integers from 0. */
      classes: z.optional(z.array(z.string()).check(z.minLength(2))),
    }),
    z.strictObject({
      format: z.literal('listops'),
      ...common,
      /** Files of the Long Range Arena; without any, examples are generated: these many, from this seed. */
      data: z._default(z.array(z.string()), []),
      numTraining: z._default(z.int().check(z.minimum(1)), 96_000),
      numTest: z._default(z.int().check(z.minimum(1)), 2000),
      seed: z._default(z.int().check(z.minimum(0)), 0),
      /** For generated examples, see `ListOpsOptions`. */
      minLength: z.optional(z.int().check(z.minimum(0))),
      maxLength: z.optional(z.int().check(z.minimum(2))),
      maxDepth: z.optional(z.int().check(z.minimum(1))),
      maxArguments: z.optional(z.int().check(z.minimum(2))),
    }),
  ]);
});

/** A dataset, with all defaults. */
export type DatasetConfiguration = z.output<typeof datasetSchema>;

type Given = z.input<typeof datasetSchema>;
type WithoutFormat<T> = T extends unknown ? Omit<T, 'format'> & { readonly format?: undefined } : never;

/** A format with its own options; without a format, the names of the files say it. */
export type DatasetOptions = Given | WithoutFormat<Given>;

/** @throws ConfigurationError for a format that does not exist, and where nothing is named */
export function checkDatasetNames({ data, format }: DatasetOptions): {
  data: string[];
  format: DatasetFormat | undefined;
} {
  if (format !== undefined && !datasetFormats.includes(format)) {
    throw new DataError(
      `There is no data format ${JSON.stringify(format)}; choose among ${datasetFormats.join(', ')}.`,
    );
  }
  const least = format === 'listops' ? 0 : 1;
  if (!safeParse(z.array(z.string()).check(z.minLength(least)), data ?? []).success) {
    throw new DataError('No data is named; give files, globs, folders or hf:// names as an array of strings.');
  }
  return { data: [...(data ?? [])], format };
}

/** @throws ConfigurationError for options that the format does not have */
export function parseDatasetOptions(options: unknown): DatasetConfiguration {
  const result = safeParse(datasetSchema, options);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DataError(`The options of the data are wrong: ${[...(issue?.path ?? []), issue?.message].join(': ')}.`);
}
