import { ConfigurationError } from '../base/errors.ts';
import type { Pauses } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import type { Random } from '../base/random.ts';
import { randomKind } from '../base/random.ts';
import { gaussianProjection } from './projections/gaussian.ts';
import { givensProjection } from './projections/givens.ts';
import { hadamardProjection } from './projections/hadamard.ts';
import { noProjection } from './projections/none.ts';
import { orthogonalProjection } from './projections/orthogonal.ts';
import {
  denseProjection,
  type NormKind,
  normKinds,
  type Projection,
  type ProjectionSizes,
} from './projections/projection.ts';
import { simplexProjection } from './projections/simplex.ts';

/** Kinds of projection: how the rows of W are drawn together, or none. */
export const projectionKinds = ['orthogonal', 'gaussian', 'givens', 'hadamard', 'simplex', 'none'] as const;
export type ProjectionKind = (typeof projectionKinds)[number];

const projections: Record<ProjectionKind, (sizes: ProjectionSizes, random: Random) => Projection> = {
  orthogonal: orthogonalProjection,
  gaussian: gaussianProjection,
  givens: givensProjection,
  hadamard: hadamardProjection,
  simplex: simplexProjection,
  none: ({ dHead }) => noProjection(dHead),
};

/** Kind and sizes of a projection. */
export interface ProjectionOptions {
  readonly kind: ProjectionKind;
  /** Rows of W; dHead, whatever is given here, for the kind `none`. */
  readonly directions: number;
  readonly dHead: number;
  /** Lengths of the rows. Default: gaussian. */
  readonly norms?: NormKind | undefined;
}

/** Most numbers of a projection: 1 GiB as float32. */
const MOST_NUMBERS = 2 ** 28;

/**
 * Draws the rows W `[directions, dHead]` from `random` alone: the same on every backend, and independent of the data.
 *
 * @throws ConfigurationError when directions or dHead is not a positive integer, or W has more than 2^28 numbers.
 */
export function drawProjection(options: ProjectionOptions, random: Random): Projection {
  checkArguments('drawProjection', { options, random }, { options: option.plain, random: randomKind });
  checkOptions<ProjectionOptions>('drawProjection', options, {
    kind: option.oneOf(...projectionKinds),
    directions: option.number,
    dHead: option.number,
    norms: option.oneOf(...normKinds),
  });
  const { kind, directions, dHead, norms = 'gaussian' } = options;
  checkArguments('drawProjection', { kind }, { kind: option.oneOf(...projectionKinds) });
  for (const [name, value] of Object.entries({ directions, dHead })) {
    if (!Number.isInteger(value) || value < 1)
      throw new ConfigurationError(`${name} must be a positive integer; got ${value}.`);
  }
  if (directions * dHead > MOST_NUMBERS) {
    throw new ConfigurationError(
      `A projection of ${directions} directions for heads of ${dHead} is too large: use fewer features, as ${MOST_NUMBERS} numbers are the limit.`,
    );
  }
  return projections[kind]({ directions, dHead, norms }, random);
}

/** As {@link drawProjection}, but the event loop may turn between blocks of dHead rows, where a kind draws one after another. */
export async function drawProjectionInSteps(
  options: ProjectionOptions,
  random: Random,
  pauses: Pauses,
): Promise<Projection> {
  const { kind, directions, dHead } = options;
  const isLarge = directions > dHead && directions * dHead <= MOST_NUMBERS;
  if (!isLarge || (kind !== 'orthogonal' && kind !== 'simplex')) return drawProjection(options, random);
  const values = new Float64Array(directions * dHead);
  for (let start = 0; start < directions; start += dHead) {
    await pauses.next();
    const block = drawProjection({ ...options, directions: Math.min(dHead, directions - start) }, random);
    values.set(block.values, start * dHead);
  }
  return denseProjection(values, dHead);
}
