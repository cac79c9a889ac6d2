import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { checkJson, MAX_JSON_DEPTH, parseJsonText } from '../../src/base/json.ts';

const nested = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`;
const fault = (why: string) => new DataError(`The file is damaged (it ${why}).`);

describe('JSON from outside', () => {
  it('is read up to the depth, and refused beyond it', () => {
    expect(JSON.stringify(parseJsonText(nested(MAX_JSON_DEPTH), fault))).toBe(nested(MAX_JSON_DEPTH));
    const deeper = nested(MAX_JSON_DEPTH + 2);
    expect(() => parseJsonText(deeper, fault)).toThrow('The file is damaged (it is nested deeper than 100 levels).');
    expect(() => parseJsonText(nested(100_000), fault)).toThrow('deeper');
    expect(() => parseJsonText('{"a":1', fault)).toThrow('The file is damaged (it is not JSON).');
  });

  it('is checked as a value too, that may hold itself', () => {
    checkJson(JSON.parse(nested(MAX_JSON_DEPTH)), 'tokenizer.json');
    const own: unknown[] = [];
    own.push(own);
    expect(() => checkJson(own, 'tokenizer.json')).toThrow('tokenizer.json is nested deeper than 100 levels');
  });
});
