import { checkArguments, checkOptions, type OptionKinds, option } from '../../base/options.ts';
import { type BadRecords, badRecordsKind, type DataRecord } from './records.ts';

/** Reads the records of a file; what cannot be used is added to `bad`. */
export type Reader<Options, Read extends DataRecord = DataRecord> = (
  path: string,
  bad: BadRecords,
  options?: Options,
) => AsyncGenerator<Read>;

/** A reader that checks its arguments when the first record is asked for. @param name for messages */
export function reader<Options extends object, Read extends DataRecord = DataRecord>(
  name: string,
  kinds: OptionKinds<Options>,
  read: (path: string, bad: BadRecords, options: Options) => AsyncGenerator<Read>,
): Reader<Options, Read> {
  return async function* (path, bad, options = {} as Options) {
    checkArguments(name, { path, bad }, { path: option.string, bad: badRecordsKind });
    checkOptions<Options>(name, options, kinds);
    yield* read(path, bad, options);
  };
}
