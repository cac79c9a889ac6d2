import { type DatasetOptions, isHubName, openDataset } from '../../src/entries/data.ts';
import { ConfigurationError } from '../../src/entries/performers.ts';

interface FieldFlags {
  readonly textField?: string | undefined;
  readonly labelField?: string | undefined;
}

type FormatWith<Key extends string> = NonNullable<
  Extract<DatasetOptions, { readonly [key in Key]?: unknown }>['format']
>;

/** The formats whose records have fields, and the keys of a dataset that name them. */
const fields = {
  '--text-field': { key: 'text', formats: ['jsonl', 'parquet', 'labelled'] satisfies FormatWith<'text'>[] },
  '--label-field': { key: 'label', formats: ['labelled'] satisfies FormatWith<'label'>[] },
} as const;

/** @throws ConfigurationError when flags name a field that the format of the data, given or told by its files, does not have */
export async function checkFieldFlags(
  { textField, labelField }: FieldFlags,
  dataset: object & { readonly data?: readonly string[]; readonly format?: unknown },
): Promise<void> {
  const given = { '--text-field': textField, '--label-field': labelField };
  for (const flag of ['--text-field', '--label-field'] as const) {
    const formats: readonly string[] = fields[flag].formats;
    if (given[flag] === undefined) continue;
    const format = await formatOf(dataset);
    if (format === undefined || formats.includes(format)) continue;
    throw new ConfigurationError(
      `${flag} names a field of format ${formats.join(', ')}, and this data is of format ${format}: leave it out.`,
    );
  }
}

/** Undefined where the files would have to be fetched. */
async function formatOf(dataset: Parameters<typeof checkFieldFlags>[1]): Promise<string | undefined> {
  const { data = [], format } = dataset;
  if (format !== undefined) return String(format);
  return data.some(isHubName) ? undefined : (await openDataset({ data: [...data] })).format;
}
