/** `performers/inspect`: looking inside: rows of attention, errors of an estimate, and what the paper proves about them. */

// What a model attends to.
export {
  attentionRows,
  topKeys,
  type AttentionRows,
  type InspectOptions,
  type WeightedKey,
} from '../attention/inspect/attention-rows.ts';

// How far an estimate is from exact attention.
export {
  approximationReport,
  formatReport,
  type ReportOptions,
  type ApproximationError,
  type HeadReport,
  type ApproximationReport,
} from '../attention/inspect/report.ts';
export {
  smallestNumFeatures,
  type FeatureError,
  type FeatureSearch,
  type FeatureSearchOptions,
} from '../attention/inspect/num-features.ts';
export { crossoverLength } from '../attention/crossover.ts';

// The kernels and variances of the paper in closed form.
export {
  softmaxKernel,
  regularisedSoftmaxKernel,
  expectedKernel,
  meanSquaredError,
  orthogonalGain,
  pairOf,
  pairAtAngle,
  type Pair,
  type EstimatorDescription,
} from '../features/closed-forms.ts';
export { measureP, optimalA } from '../features/maps/favor-plus-plus.ts';
export type { MeasureOptions } from '../attention/inspect/output-error.ts';
