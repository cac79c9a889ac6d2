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
  const check = (path: string, bad: BadRecords, options: Options) => {
    checkArguments(name, { path, bad }, { path: option.string, bad: badRecordsKind });
    checkOptions<Options>(name, options, kinds);
  };
  return (path, bad, options = {} as Options) => {
    const records = read(path, bad, options);
    const next = records.next.bind(records);
    let isChecked = false;
    // A generator around this one would add a seventh to the time of short lines.
    records.next = () => {
      if (isChecked) return next();
      isChecked = true;
      try {
        check(path, bad, options);
      } catch (error) {
        return records.return(undefined).then(() => Promise.reject(error));
      }
      return next();
    };
    return records;
  };
}
