import { describe, expect, it } from 'vitest';
import { DataError, PerformersError } from '../../src/base/errors.ts';

describe('the message of an error', () => {
  it('stays as it is where it is one sentence', () => {
    const message = 'The file "naïve 漢字 😀.txt" is no text; give another.';
    expect(new DataError(message).message).toBe(message);
  });

  it('is on one line, whatever it quotes', () => {
    const quoted = 'a\nb\r\tc\0\x1b[31m\x7f\x85\u2028\u2029d';
    expect(new DataError(`It is ${quoted}.`).message).toBe(
      'It is a\\nb\\r\\tc\\u0000\\u001b[31m\\u007f\\u0085\\u2028\\u2029d.',
    );
  });

  it('keeps its beginning and its end where what it quotes is very long', () => {
    const { message } = new DataError(`The key ${'long '.repeat(100_000)} is unknown; remove it.`);
    expect(message.length).toBeLessThan(2100);
    expect(message).toMatch(/^The key long .* … .* is unknown; remove it\.$/);
  });

  it('comes with the name of its class and its cause', () => {
    const cause = new RangeError('inner');
    const error = new DataError('Outer.', { cause });
    expect(error).toBeInstanceOf(PerformersError);
    expect([error.name, error.cause]).toEqual(['DataError', cause]);
  });
});
