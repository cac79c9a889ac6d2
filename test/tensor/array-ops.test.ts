/** Values of the ops on arrays against plain loops over nested indices, on every backend, and their adjoints against central differences. */
import { afterAll, describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { ConfigurationError, DataError, LifetimeError, ShapeError } from '../../src/base/errors.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { ops } from '../../src/tensor/ops/index.ts';
import { scope } from '../../src/tensor/scope.ts';
import { type Shape, sizeOf } from '../../src/tensor/shape.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { compiledBackends } from '../backend/available.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';

const reference = createReferenceBackend();
const compiled = await Promise.all(compiledBackends.map((name) => createBackend({ backend: name })));
afterAll(() => {
  for (const each of compiled) each.close();
});
const backends = [reference, ...compiled];
const random = (shape: number[], seed: number) => randomTensor(reference, shape, seed);
/** Weighs each element differently, so that gradients cannot cancel or be mixed up. */
const weighed = (x: Tensor) => ops.multiply(x, random([...x.shape], 99));

/** Every index of a shape, row-major. */
function indices(shape: Shape): number[][] {
  return Array.from({ length: sizeOf(shape) }, (_, element) => {
    const index: number[] = [];
    let rest = element;
    for (const length of shape.toReversed()) {
      index.unshift(rest % length);
      rest = Math.floor(rest / length);
    }
    return index;
  });
}

/** An array of numbers that are looked up by index; missing axes and those of length 1 are repeated. */
class Numbers {
  readonly data: Float64Array;
  constructor(
    readonly shape: Shape,
    at: (index: number[]) => number,
  ) {
    this.data = Float64Array.from(indices(shape).map(at));
  }
  at(index: readonly number[]): number {
    const own = index.slice(index.length - this.shape.length);
    return this.data[this.shape.reduce((place, length, axis) => place * length + (length === 1 ? 0 : own[axis]), 0)];
  }
}

const numbers = (shape: Shape, seed = 1) =>
  new Numbers(shape, (index) => Math.sin(seed + index.reduce((a, i) => a * 7 + i, 1)) + 1.5);

/** What an op gives on every backend for some arrays, against an array of expected numbers. */
async function expectValues(inputs: Numbers[], op: (...tensors: Tensor[]) => Tensor, expected: Numbers, digits = 5) {
  for (const backend of backends) {
    const out = scope(() => op(...inputs.map(({ data, shape }) => tensor(backend, data, shape))));
    expect(out.shape).toEqual(expected.shape);
    const found = await out.data();
    expected.data.forEach((value, i) => {
      if (Number.isFinite(value))
        expect(found[i], `${backend.name}, element ${i}`).toBeCloseTo(value, backend === reference ? 12 : digits);
      else expect(found[i], `${backend.name}, element ${i}`).toBe(value);
    });
    out.dispose();
  }
}

const pairs: [Shape, Shape, Shape][] = [
  [
    [3, 5],
    [3, 5],
    [3, 5],
  ],
  [[3, 5], [5], [3, 5]],
  [[3, 1], [5], [3, 5]],
  [
    [2, 1, 7],
    [3, 1],
    [2, 3, 7],
  ],
  [[], [2, 3], [2, 3]],
  [[2, 0, 3], [3], [2, 0, 3]],
  [
    [2, 3, 1, 5, 1, 7],
    [3, 2, 1, 11, 1],
    [2, 3, 2, 5, 11, 7],
  ],
];
const arithmetic = {
  add: { op: ops.add, of: (a: number, b: number) => a + b },
  subtract: { op: ops.subtract, of: (a: number, b: number) => a - b },
  multiply: { op: ops.multiply, of: (a: number, b: number) => a * b },
  divide: { op: ops.divide, of: (a: number, b: number) => a / b },
};

describe('arithmetic', () => {
  for (const [name, { op, of }] of Object.entries(arithmetic)) {
    it(`${name} broadcasts`, async () => {
      for (const [a, b, shape] of pairs) {
        const [left, right] = [numbers(a, 1), numbers(b, 2)];
        await expectValues([left, right], op, new Numbers(shape, (index) => of(left.at(index), right.at(index))));
        await expectValues([right, left], op, new Numbers(shape, (index) => of(right.at(index), left.at(index))));
      }
    });
    it(`${name} has the gradients of its repeated elements`, async () => {
      const [a, b, c] = [random([2, 1, 5], 1), random([3, 1], 2), random([2, 3, 5], 3)];
      const shifted = (x: Tensor) => (name === 'divide' ? ops.exp(x) : x);
      await expectGradients(() => weighed(op(a, shifted(b))), { a, b });
      await expectGradients(() => weighed(op(c, shifted(c))), name === 'subtract' || name === 'divide' ? {} : { c });
      await expectGradients(() => weighed(op(c, shifted(a))), { c, a });
      const scalar = random([], 4);
      await expectGradients(() => weighed(op(shifted(scalar), shifted(c))), { scalar, c });
    });
  }

  it('where chooses, and what is not chosen has no effect', async () => {
    const [condition, a, b] = [new Numbers([3, 1], ([i]) => i - 1), numbers([5], 1), numbers([3, 5], 2)];
    const expected = new Numbers([3, 5], (index) => (condition.at(index) !== 0 ? a.at(index) : b.at(index)));
    await expectValues([condition, a, b], ops.where, expected);
    for (const backend of backends) {
      const chosen = tensor(backend, [1, 0, Number.NaN], [3]);
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const [x, y] = [tensor(backend, [1, bad, 3], [3]), tensor(backend, [bad, 5, bad], [3])];
        const { value, gradients } = valueAndGradients(() => ops.where(chosen, ops.multiply(x, x), ops.exp(y)), [x, y]);
        expect([...(await value.data())].map((each) => each.toFixed(3))).toEqual(['1.000', '148.413', '9.000']);
        expect([...(await gradients[0].data())].map((each, i) => (i === 1 ? 0 : each))).toEqual([2, 0, 6]);
      }
    }
    const [x, y] = [random([2, 1, 5], 1), random([3, 1], 2)];
    const mask = tensor(reference, Float64Array.of(1, 0, 1, 1, 0), [5]);
    await expectGradients(() => weighed(ops.where(mask, x, y)), { x, y });
  });

  it('exp and log, with their ends', async () => {
    const [zero, inf, nan] = [0, Number.POSITIVE_INFINITY, Number.NaN];
    await expectValues(
      [new Numbers([3], ([i]) => [zero, -inf, inf][i])],
      ops.exp,
      new Numbers([3], ([i]) => [1, 0, inf][i]),
    );
    await expectValues(
      [new Numbers([4], ([i]) => [1, zero, inf, -1][i])],
      ops.log,
      new Numbers([4], ([i]) => [0, -inf, inf, nan][i]),
    );
    const x = random([3, 5], 1);
    await expectGradients(() => weighed(ops.log(ops.add(ops.exp(x), ops.exp(ops.scale(x, -0.5))))), { x });
  });

  it('refuses what does not fit, by name', () => {
    const [a, b, ids] = [random([2, 3], 1), random([2], 2), tensor(reference, [1, 2], [2], 'int32')];
    expect(() => ops.add(a, b)).toThrow(
      new ShapeError(
        'add: shapes [2, 3] and [2] do not broadcast: aligned at their last axes, lengths must be equal or 1.',
      ),
    );
    expect(() => ops.where(a, b, a)).toThrow(ShapeError);
    expect(() => ops.multiply(ids, b)).toThrow(
      new DataError('multiply: a holds int32 where floats are wanted; make it of a Float32Array.'),
    );
    expect(() => ops.divide(a, compiled.length > 0 ? tensor(compiled[0], [1], [1]) : (1 as never))).toThrow(
      compiled.length > 0 ? LifetimeError : DataError,
    );
    expect(() => ops.scale(a, '2' as never)).toThrow(ConfigurationError);
    // Nine axes of which none can be one with its neighbour.
    const alternating = (first: number) =>
      random(
        Array.from({ length: 9 }, (_, axis) => (axis % 2 === first ? 2 : 1)),
        1,
      );
    expect(() => ops.add(alternating(0), alternating(1))).toThrow('9 axes are walked differently, more than 8');
  });
});

describe('layout', () => {
  it('permute, slice, concatenate, broadcastTo and reshape move numbers', async () => {
    const x = numbers([2, 3, 5, 7]);
    const order = [2, 0, 3, 1];
    await expectValues(
      [x],
      (t) => ops.permute(t, order),
      new Numbers([5, 2, 7, 3], ([c, a, d, b]) => x.at([a, b, c, d])),
    );
    await expectValues(
      [x],
      (t) => ops.permute(t, [-2, 0, -1, 1]),
      new Numbers([5, 2, 7, 3], ([c, a, d, b]) => x.at([a, b, c, d])),
    );
    const matrix = numbers([131, 137]);
    await expectValues([matrix], (t) => ops.permute(t), new Numbers([137, 131], ([j, i]) => matrix.at([i, j])));
    await expectValues(
      [x],
      (t) => ops.slice(t, 2, 1, 4),
      new Numbers([2, 3, 3, 7], ([a, b, c, d]) => x.at([a, b, c + 1, d])),
    );
    await expectValues(
      [x],
      (t) => ops.slice(t, -1, -2),
      new Numbers([2, 3, 5, 2], ([a, b, c, d]) => x.at([a, b, c, d + 5])),
    );
    await expectValues([x], (t) => ops.slice(t, 0, 2, 2), new Numbers([0, 3, 5, 7], () => 0));
    const [y, none] = [numbers([2, 2, 5, 7], 5), numbers([2, 0, 5, 7])];
    const joined = new Numbers([2, 5, 5, 7], ([a, b, c, d]) => (b < 2 ? y.at([a, b, c, d]) : x.at([a, b - 2, c, d])));
    await expectValues([y, none, x], (...all) => ops.concatenate(all, 1), joined);
    const row = numbers([3, 1]);
    await expectValues([row], (t) => ops.broadcastTo(t, [2, 3, 5]), new Numbers([2, 3, 5], (index) => row.at(index)));
    await expectValues([row], (t) => ops.broadcastTo(t, [3, 0]), new Numbers([3, 0], () => 0));
  });

  it('have adjoints', async () => {
    const [x, y] = [random([2, 3, 5], 1), random([2, 2, 5], 2)];
    await expectGradients(() => weighed(ops.permute(x, [2, 0, 1])), { x });
    await expectGradients(() => weighed(ops.concatenate([x, y, x], 1)), { x, y });
    await expectGradients(() => weighed(ops.add(ops.slice(x, 1, 0, 2), ops.slice(x, 1, 1))), { x });
    const row = random([3, 1], 3);
    await expectGradients(() => weighed(ops.broadcastTo(row, [2, 3, 5])), { row });
  });

  it('take token ids too', async () => {
    for (const backend of backends) {
      const ids = tensor(backend, [1, 2, 3, 4, 5, 6], [2, 3], 'int32');
      const next = ops.slice(ids, 1, 1);
      expect([next.type, ...(await ops.concatenate([next, next], 1).data())]).toEqual([
        'int32',
        2,
        3,
        2,
        3,
        5,
        6,
        5,
        6,
      ]);
      expect([...(await ops.permute(ids).data())]).toEqual([1, 4, 2, 5, 3, 6]);
    }
  });

  it('refuse what does not fit, by name', () => {
    const x = random([2, 3], 1);
    const bad: [() => unknown, string][] = [
      [() => ops.permute(x, [0]), 'permute: the axes are an Array; give each of the 2 axes of x once.'],
      [() => ops.permute(x, [0, 0]), 'permute: axis 0 is named twice; give every axis of x once.'],
      [() => ops.permute(x, [0, 2]), 'permute: axis 2 is not one of 2: give a whole number from -2 to 1.'],
      [() => ops.slice(x, 1, 2, 4), 'slice: places 2 to 4 are not in axis 1 of [2, 3], which has 3.'],
      [
        () => ops.slice(x, 1, Symbol.iterator as never),
        'slice: places a symbol to 3 are not in axis 1 of [2, 3], which has 3.',
      ],
      [() => ops.slice(x, 1, 2, 1), 'slice: places 2 to 1 are not in axis 1 of [2, 3], which has 3.'],
      [
        () => ops.concatenate([x, random([3, 2], 1)]),
        'concatenate: tensors[1] is float32 [3, 2], which does not fit float32 [2, 3] along axis 0.',
      ],
      [() => ops.concatenate([]), 'concatenate: the tensors are an Array; give an array of at least one.'],
      [
        () => ops.broadcastTo(x, [2, 4]),
        'broadcastTo: shapes [2, 3] and [2, 4] do not broadcast: aligned at their last axes, lengths must be equal or 1.',
      ],
      [() => ops.broadcastTo(random([4, 3], 1), [1, 3]), 'broadcastTo: shape [4, 3] does not broadcast to [1, 3].'],
    ];
    for (const [call, message] of bad) expect(call).toThrow(new ShapeError(message));
  });
});

describe('sums', () => {
  const cases: [axes: number[] | undefined, kept: number[]][] = [
    [undefined, [1, 1, 1, 1]],
    [[], [2, 3, 5, 7]],
    [[-1], [2, 3, 5, 1]],
    [[0], [1, 3, 5, 7]],
    [
      [1, 2],
      [2, 1, 1, 7],
    ],
    [
      [3, 0],
      [1, 3, 5, 1],
    ],
    [
      [0, 2],
      [1, 3, 1, 7],
    ],
  ];
  it('sum and mean over given axes', async () => {
    const x = numbers([2, 3, 5, 7]);
    for (const [axes, kept] of cases) {
      const total = new Numbers(kept, () => 0);
      for (const index of indices(x.shape)) {
        const place = kept.reduce((at, length, axis) => at * length + (length === 1 ? 0 : index[axis]), 0);
        total.data[place] += x.at(index);
      }
      const share = sizeOf(x.shape) / sizeOf(kept);
      const isSummed = (axis: number) => axes === undefined || axes.includes(axis) || axes.includes(axis - 4);
      const shape = kept.filter((_, axis) => !isSummed(axis));
      const lower = new Numbers(shape, () => 0);
      lower.data.set(total.data);
      await expectValues([x], (t) => ops.sum(t, { axes, keepDims: true }), total, 4);
      await expectValues([x], (t) => ops.sum(t, { axes }), lower, 4);
      lower.data.set(total.data.map((value) => value / share));
      await expectValues([x], (t) => ops.mean(t, { axes }), lower);
    }
  });

  it('over nothing are 0 and NaN', async () => {
    const none = numbers([3, 0]);
    await expectValues([none], (t) => ops.sum(t, { axes: [1] }), new Numbers([3], () => 0));
    await expectValues([none], (t) => ops.mean(t, { axes: [1] }), new Numbers([3], () => Number.NaN));
    await expectValues([none], (t) => ops.sum(t, { axes: [0] }), new Numbers([0], () => 0));
  });

  it('have adjoints', async () => {
    const x = random([2, 3, 5], 1);
    await expectGradients(() => weighed(ops.sum(x, { axes: [0, 2] })), { x });
    await expectGradients(() => weighed(ops.mean(x, { axes: [1], keepDims: true })), { x });
    await expectGradients(() => ops.mean(x), { x });
    const weights = random([2, 3], 2);
    await expectGradients(() => weighed(ops.weightedSum(x, weights)), { x });
  });

  it('refuse unknown options and axes', () => {
    const x = random([2, 3], 1);
    expect(() => ops.sum(x, { axis: 1 } as never)).toThrow(
      new ConfigurationError('Unknown key "axis" in the options of sum: did you mean "axes"?'),
    );
    expect(() => ops.mean(x, { keepDim: true } as never)).toThrow(ConfigurationError);
    expect(() => ops.sum(x, { axes: [2] })).toThrow(ShapeError);
    expect(() => ops.sum(x, { axes: [1, -1] })).toThrow('sum: axis 1 is named twice');
  });
});

describe('softmax', () => {
  const x = numbers([3, 5, 7]);
  const sumAlong = (axis: number, index: number[]) =>
    Array.from({ length: x.shape[axis] }, (_, i) => Math.exp(x.at(index.with(axis, i)))).reduce((a, b) => a + b);
  for (const axis of [2, 1, 0]) {
    it(`softmax and logSoftmax along axis ${axis}`, async () => {
      const weights = new Numbers(x.shape, (index) => Math.exp(x.at(index)) / sumAlong(axis, index));
      const logs = new Numbers(x.shape, (index) => x.at(index) - Math.log(sumAlong(axis, index)));
      await expectValues([x], (t) => ops.softmax(t, { axis }), weights);
      await expectValues([x], (t) => ops.logSoftmax(t, { axis: axis - 3 }), logs);
      const y = random([3, 5, 2], 1);
      await expectGradients(() => weighed(ops.softmax(y, { axis })), { y });
      await expectGradients(() => weighed(ops.logSoftmax(y, { axis })), { y });
    });
  }

  it('leaves out scores of −∞, in values and gradients', async () => {
    for (const backend of backends) {
      const graded = async (op: typeof ops.softmax, row: number[], seed: number[]) => {
        const [x, weights] = [row, seed].map((data) => tensor(backend, data, [data.length]));
        const { value, gradients } = valueAndGradients(() => op(x), [x], weights);
        return [[...(await value.data())], [...(await gradients[0].data())]];
      };
      for (const op of [ops.softmax, ops.logSoftmax]) {
        const whole = await graded(op, [1, Number.NEGATIVE_INFINITY, 2, 0.5], [1, 0, 3, -1]);
        const part = await graded(op, [1, 2, 0.5], [1, 3, -1]);
        for (const [i, without] of whole.map((row) => row.toSpliced(1, 1)).entries()) {
          for (const [place, value] of without.entries()) expect(value).toBeCloseTo(part[i][place], 5);
        }
      }
      // A weight of 0 takes no part, whatever its gradient is.
      const row = [1, Number.NEGATIVE_INFINITY, 2, 0.5];
      const expected = await graded(ops.softmax, row, [1, 0, 3, -1]);
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(await graded(ops.softmax, row, [1, bad, 3, -1])).toEqual(expected);
      }
    }
  });

  it('refuses unknown options and axes', () => {
    expect(() => ops.softmax(random([3], 1), { dim: 0 } as never)).toThrow(ConfigurationError);
    expect(() => ops.softmax(random([3], 1), { axis: 1 })).toThrow(ShapeError);
    expect(() => ops.logSoftmax(random([], 1))).toThrow(ShapeError);
  });
});

describe('matmul', () => {
  const cases: [Shape, Shape][] = [
    [
      [2, 3],
      [3, 5],
    ],
    [
      [7, 2, 3],
      [3, 5],
    ],
    [
      [2, 3],
      [7, 3, 5],
    ],
    [
      [7, 2, 3],
      [7, 3, 5],
    ],
    [
      [7, 1, 2, 3],
      [11, 3, 5],
    ],
    [
      [1, 2, 3],
      [7, 3, 5],
    ],
    [
      [0, 2, 3],
      [3, 5],
    ],
    [
      [2, 0],
      [0, 5],
    ],
  ];
  const flip = (shape: Shape) => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];
  for (const [shapeA, shapeB] of cases) {
    it(`[${shapeA}] × [${shapeB}], as they are and transposed`, async () => {
      for (const [transposeA, transposeB] of [
        [false, false],
        [true, false],
        [false, true],
        [true, true],
      ]) {
        const a = numbers(transposeA ? flip(shapeA) : shapeA, 1);
        const b = numbers(transposeB ? flip(shapeB) : shapeB, 2);
        const [m, k] = shapeA.slice(-2);
        const n = shapeB.at(-1)!;
        const longer = shapeA.length > shapeB.length ? shapeA : shapeB;
        const batch = longer.slice(0, -2).map((length, axis) => {
          const [one, other] = [shapeA, shapeB].map((shape) => shape[axis - longer.length + shape.length] ?? 1);
          return axis < longer.length - 2 ? (one === 1 ? other : one) : length;
        });
        const at = (x: Numbers, outer: number[], row: number, column: number, flipped: boolean) =>
          x.at([...outer, ...(flipped ? [column, row] : [row, column])]);
        const expected = new Numbers([...batch, m, n], (index) => {
          const outer = index.slice(0, -2);
          let sum = 0;
          for (let i = 0; i < k; i++) {
            sum += at(a, outer, index.at(-2)!, i, transposeA) * at(b, outer, i, index.at(-1)!, transposeB);
          }
          return sum;
        });
        await expectValues([a, b], (x, y) => ops.matmul(x, y, { transposeA, transposeB }), expected, 4);
        if (sizeOf(expected.shape) === 0 || k === 0) continue;
        const [x, y] = [random([...a.shape], 1), random([...b.shape], 2)];
        await expectGradients(() => weighed(ops.matmul(x, y, { transposeA, transposeB })), { x, y }, { samples: 7 });
      }
    });
  }

  it('refuses what does not fit, by name', () => {
    const [a, b] = [random([2, 3], 1), random([5, 3], 2)];
    expect(() => ops.matmul(a, b)).toThrow(
      new ShapeError('matmul: shapes [2, 3] and [5, 3] do not fit: give […, m, k] and […, k, n].'),
    );
    expect(() => ops.matmul(a, b, { transposeA: true, transposeB: true })).toThrow(
      'with a and b transposed, do not fit',
    );
    expect(() => ops.matmul(random([3], 1), b)).toThrow(ShapeError);
    expect(() => ops.matmul(random([2, 2, 3], 1), random([3, 3, 5], 1))).toThrow(ShapeError);
    expect(() => ops.matmul(a, b, { transposeb: true } as never)).toThrow('did you mean "transposeB"?');
  });
});

describe('losses', () => {
  it('crossEntropy leaves the logits as they are', async () => {
    for (const backend of backends) {
      const logits = tensor(backend, [1, 2, 3, 0, 0, 0, 5, 1, 1], [3, 3]);
      const targets = tensor(backend, [2, -1, 1], [3], 'int32');
      const { value, gradients } = valueAndGradients(() => ops.crossEntropy(logits, targets), [logits]);
      const row = (scores: number[]) =>
        scores.map((score) => Math.exp(score) / scores.reduce((sum, each) => sum + Math.exp(each), 0));
      const [first, last] = [row([1, 2, 3]), row([5, 1, 1])];
      const expected = [-Math.log(first[2]), 0, -Math.log(last[1])];
      for (const [i, loss] of (await value.data()).entries()) expect(loss).toBeCloseTo(expected[i], 5);
      const slopes = [first[0], first[1], first[2] - 1, 0, 0, 0, last[0], last[1] - 1, last[2]];
      for (const [i, slope] of (await gradients[0].data()).entries()) expect(slope).toBeCloseTo(slopes[i], 5);
      expect([...(await logits.data())]).toEqual([1, 2, 3, 0, 0, 0, 5, 1, 1]);
    }
    const x = random([2, 3, 5], 1);
    const targets = tensor(reference, [0, 4, 2, -1, 3, 1], [2, 3], 'int32');
    await expectGradients(() => weighed(ops.crossEntropy(x, targets)), { x });
    await expectGradients(() => ops.mean(ops.crossEntropy(x, targets)), { x });
  });

  it('squaredError has gradients of both, and keeps leading axes', async () => {
    const [x, y] = [random([2, 3, 5], 1), random([2, 3, 5], 2)];
    await expectGradients(() => weighed(ops.squaredError(x, y, 0.3)), { x, y });
    await expectGradients(() => ops.squaredError(x, y), { x, y });
    expect(ops.squaredError(x, y).shape).toEqual([2, 3]);
  });

  it('refuse what does not fit, by name', () => {
    const [logits, floats] = [random([2, 3], 1), random([2], 1)];
    expect(() => ops.crossEntropy(logits, floats)).toThrow(DataError);
    expect(() => ops.crossEntropy(logits, tensor(reference, [1], [1], 'int32'))).toThrow(ShapeError);
    expect(() => ops.crossEntropy(logits, tensor(reference, [1, 3], [2], 'int32'))).toThrow(
      'target 3 at position 1 is not one of the 3 classes',
    );
    expect(() => ops.squaredError(logits, floats)).toThrow(ShapeError);
  });
});

describe('memory', () => {
  it('every op frees what it makes on the way', () => {
    const x = random([3, 5], 1);
    const target = tensor(reference, [0, 1, 2], [3], 'int32');
    const calls: (() => Tensor)[] = [
      () => ops.add(x, random([5], 1)),
      () => ops.divide(x, x),
      () => ops.where(x, x, x),
      () => ops.sum(x, { axes: [0] }),
      () => ops.mean(x),
      () => ops.softmax(x, { axis: 0 }),
      () => ops.matmul(x, x, { transposeB: true }),
      () => ops.crossEntropy(x, target),
      () => ops.squaredError(x, x),
      () => ops.concatenate([x, x]),
    ];
    const made: number[] = [];
    for (const call of calls) {
      const before = reference.bytesAllocated;
      const out = call();
      made.push(reference.bytesAllocated - before - 8 * out.size);
      const graded = reference.bytesAllocated;
      const { value, gradients } = valueAndGradients(call, [x]);
      for (const each of [value, ...gradients]) each.dispose();
      expect(reference.bytesAllocated).toBe(graded);
    }
    // add made another tensor, outside of the op.
    expect(made).toEqual([40, ...new Array(calls.length - 1).fill(0)]);
  });
});

describe('strides at the door', () => {
  it('refuse what would leave an array, or make elements of the result meet', async () => {
    for (const backend of backends) {
      const [x, out] = [backend.upload(new Float32Array(6).fill(2)), backend.upload(new Float32Array(6))];
      const copy = (rows: number[][], count = 6) => {
        const layout = backend.upload(Int32Array.from(rows.flat()));
        return () => backend.stridedCopy({ x, out, layout, numAxes: rows.length, count });
      };
      const bad: [() => void, string][] = [
        [copy([[6, 1, 0]]), 'stridedCopy: strides of out make axes overlap; give every element a place of its own.'],
        [
          copy([
            [2, 3, 2],
            [3, 1, 1],
          ]),
          'stridedCopy: strides of out make axes overlap; give every element a place of its own.',
        ],
        [copy([[6, 1, -1]]), 'stridedCopy: layout has the row [6, 1, -1]; give lengths and strides of at least 0.'],
        [copy([[6, 1, 1]], 7), 'stridedCopy: count is 7 where the lengths of layout make 6.'],
        [copy([[6, 2, 1]]), 'stridedCopy: x has 6 elements of float32 where 11 of float32 are needed.'],
        [copy([[6, 1, 2]]), 'stridedCopy: out has 6 elements of float32 where 11 of float32 are needed.'],
      ];
      for (const [call, message] of bad) expect(call).toThrow(message);
      expect([...(await backend.read(out))]).toEqual([0, 0, 0, 0, 0, 0]);
      // Axes of length 1 and of none meet nobody.
      copy([
        [1, 0, 0],
        [6, 1, 1],
      ])();
      copy(
        [
          [0, 0, 0],
          [6, 1, 1],
        ],
        0,
      )();
      expect([...(await backend.read(out))]).toEqual([2, 2, 2, 2, 2, 2]);
    }
  });
});
