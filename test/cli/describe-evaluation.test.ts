import { expect, it } from 'vitest';
import { describeEvaluation } from '../../cli/training/run.ts';

const evaluation = {
  loss: 2 * Math.LN2,
  perplexity: 4,
  bitsPerToken: 2,
  bitsPerCharacter: 0.625,
  accuracy: 0.375,
  tokens: 40,
};

it.each([
  ['nextToken', false, 0.625, 'held out: 0.625 bits/character, perplexity 4.00, next-token accuracy 37.5 %'],
  ['nextToken', false, undefined, 'held out: perplexity 4.00, next-token accuracy 37.5 %'],
  ['nextToken', true, 0.625, 'held out: 2.000 bits/dimension, perplexity 4.00, next-value accuracy 37.5 %'],
  ['maskedToken', false, undefined, 'held out: perplexity 4.00, masked-token accuracy 37.5 %'],
  ['classification', false, undefined, 'held out: class accuracy 37.5 %, perplexity 4.00'],
] as const)('%s, images: %s, bits per character: %s', (type, isImages, bitsPerCharacter, line) => {
  const objective = type === 'maskedToken' ? { type, fraction: 0.15 } : { type };
  expect(describeEvaluation({ ...evaluation, bitsPerCharacter }, objective, isImages)).toBe(line);
});
