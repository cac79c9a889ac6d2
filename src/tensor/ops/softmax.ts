import { checkOptions, option } from '../../base/options.ts';
import { record, scopeUnlessTracked } from '../tape.ts';
import { Tensor } from '../tensor.ts';
import { axisOf, checkFloats } from './broadcasting.ts';
import { permute } from './layout.ts';

/** Along which axis weights add up to 1. */
export interface SoftmaxAxisOptions {
  /** Counted from the end where negative. Default: the last, which needs no copy. */
  readonly axis?: number | undefined;
}

function softmaxOf(where: 'softmax' | 'logSoftmax', x: Tensor, options: SoftmaxAxisOptions): Tensor {
  checkFloats(where, { x });
  checkOptions<SoftmaxAxisOptions>(where, options, { axis: option.integer });
  const last = x.shape.length - 1;
  const axis = axisOf(where, options.axis ?? -1, x.shape.length);
  if (axis === last) return lastAxis(x, where === 'logSoftmax');
  const order = [...x.shape.keys()].map((each) => (each === axis ? last : each === last ? axis : each));
  return scopeUnlessTracked([x], () => permute(lastAxis(permute(x, order), where === 'logSoftmax'), order));
}

function lastAxis(x: Tensor, log: boolean): Tensor {
  const { backend } = x;
  const width = x.shape.at(-1)!;
  const rows = { rows: width === 0 ? 0 : x.size / width, width, isLog: log };
  const out = Tensor.empty(backend, x.shape);
  backend.softmax({ ...rows, x: x.storage, out: out.storage });
  return record([x], out, (gradient) => {
    const dX = Tensor.empty(backend, x.shape);
    backend.softmaxBackward({ ...rows, out: out.storage, dOut: gradient.storage, dX: dX.storage });
    return [dX];
  });
}

/**
 * `exp(x)/Σ exp(x)` along an axis, for numbers of any size. A score of −∞ has weight 0 and gets no gradient; NaN or ∞, or
 * nothing but −∞, makes its row NaN.
 *
 * @throws ShapeError for an axis that x does not have.
 */
export function softmax(x: Tensor, options: SoftmaxAxisOptions = {}): Tensor {
  return softmaxOf('softmax', x, options);
}

/** `log softmax(x)`, without the rounding to 0 that the logarithm of small weights would meet. */
export function logSoftmax(x: Tensor, options: SoftmaxAxisOptions = {}): Tensor {
  return softmaxOf('logSoftmax', x, options);
}
