import { DataError } from '../base/errors.ts';

/**
 * A regular expression that is known to compile: engines compile at the first search, and refuse what is too large then.
 *
 * @throws DataError for a text in a tokenizer that is too long to be searched for
 */
export function compileExpression(source: string, flags: string): RegExp {
  try {
    const expression = new RegExp(source, flags);
    expression.test('');
    expression.lastIndex = 0;
    return expression;
  } catch (error) {
    throw new DataError(
      `The tokenizer searches for the text ${JSON.stringify(source.slice(0, 40))} …, which is too long: give shorter tokens and patterns.`,
      { cause: error },
    );
  }
}
