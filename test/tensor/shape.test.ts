import { expect, test } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { ShapeError } from '../../src/base/errors.ts';
import { asShape } from '../../src/tensor/shape.ts';
import { tensor } from '../../src/tensor/tensor.ts';

test.each<[unknown, string]>([
  [[-1], 'axis 0 of the shape is -1; axis lengths are whole numbers of at least 0.'],
  [[2, -4], 'axis 1 of the shape is -4; axis lengths are whole numbers of at least 0.'],
  [[8, 0.5], 'axis 1 of the shape is 0.5; axis lengths are whole numbers of at least 0.'],
  [['2', '2'], 'axis 0 of the shape is "2"; axis lengths are whole numbers of at least 0.'],
  [[4n], 'axis 0 of the shape is 4n; axis lengths are whole numbers of at least 0.'],
  [[Number.NaN], 'axis 0 of the shape is NaN; axis lengths are whole numbers of at least 0.'],
  [new Array(2), 'axis 0 of the shape is undefined; axis lengths are whole numbers of at least 0.'],
  [4, 'the shape is 4; give an array of axis lengths, such as [2, 3].'],
  [Int32Array.of(4), 'the shape is an Int32Array; give an array of axis lengths, such as [2, 3].'],
  [[2 ** 40, 2 ** 40], `a tensor of shape [${2 ** 40}, ${2 ** 40}] has more elements than can be counted.`],
])('the shape %o is refused', (shape, why) => {
  expect(() => asShape('here', shape)).toThrow(new ShapeError(`here: ${why}`));
  expect(() => tensor(createReferenceBackend(), [1, 2, 3, 4], shape as never)).toThrow(ShapeError);
});

test('a shape does not follow the array that it was made of', () => {
  const given = [2, 0, 3];
  const shape = asShape('here', given);
  given[1] = 7;
  expect(shape).toEqual([2, 0, 3]);
  expect(Object.isFrozen(shape)).toBe(true);
});
