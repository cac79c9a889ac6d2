import { DataError } from '../../base/errors.ts';
import { checkArguments, option } from '../../base/options.ts';
import { evaluateListOps, listOpsText, parseListOps } from '../listops.ts';
import { lineBatches, NOT_TEXT } from './lines.ts';
import { type BadRecords, badRecordsKind, type LabelledRecord } from './records.ts';

/**
 * Expressions of a file of the Long Range Arena (basic_train.tsv, basic_val.tsv, basic_test.tsv), plain or compressed:
 * `Source` and `Target` columns with a tab between them. The text of a record is the expression without parentheses.
 *
 * Added to `bad` are lines that are not UTF-8, have no two columns, or are no expression. So are lines whose target is
 * another value than the expression has.
 *
 * @throws FileError or DataError, while reading, for a missing, empty or damaged file and for one without that head
 */
export async function* readListOps(path: string, bad: BadRecords): AsyncGenerator<LabelledRecord> {
  checkArguments('readListOps', { path, bad }, { path: option.string, bad: badRecordsKind });
  for await (const batch of lineBatches(path)) {
    for (const { text, line } of batch) {
      if (line === 1) {
        if (text?.split('\t').slice(0, 2).join() === 'Source,Target') continue;
        throw new DataError(
          `${path} does not begin with "Source", a tab and "Target"; give a file of the Long Range Arena.`,
        );
      }
      if (text?.trim() === '') continue;
      const result = text === undefined ? NOT_TEXT : parseLine(text);
      if (typeof result === 'string') bad.add({ file: path, line, reason: result });
      else yield { ...result, file: path, line };
    }
  }
}

function parseLine(text: string): Pick<LabelledRecord, 'text' | 'label'> | string {
  const [source = '', target = '', ...rest] = text.split('\t');
  if (!/^\d$/.test(target) || rest.length > 0) return 'not an expression, a tab and a digit';
  try {
    const symbols = parseListOps(source);
    const label = evaluateListOps(symbols);
    if (label !== Number(target)) return `the target is ${target} but the expression gives ${label}`;
    return { text: listOpsText(symbols), label };
  } catch (error) {
    return (error as Error).message.replace(/\.$/, '');
  }
}
