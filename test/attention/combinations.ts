import { activations, type FeatureMapConfiguration } from '../../src/features/configuration.ts';
import { type ProjectionKind, projectionKinds } from '../../src/features/projection.ts';

export interface Combination {
  readonly name: string;
  readonly featureMap: FeatureMapConfiguration;
  readonly projection: ProjectionKind;
}

const softmaxMaps: FeatureMapConfiguration[] = [
  { type: 'positive' },
  { type: 'hyperbolic' },
  { type: 'smreg' },
  { type: 'trigonometric', stabiliser: 0 },
  { type: 'favor++', p: 1.3 },
];
const generalisedMaps: FeatureMapConfiguration[] = activations.map((activation) => {
  // An epsilon that keeps rows of features which may all vanish away from 0/0.
  return { type: 'generalised', activation, epsilon: 0.3, stabiliser: 0, scaleInputs: true };
});
/** Every map over every projection, without a stabiliser, which the quadratic form has not. */
export const combinations: readonly Combination[] = [
  ...softmaxMaps.flatMap((featureMap) =>
    projectionKinds
      .filter((projection) => projection !== 'none')
      .map((projection) => ({ name: `${featureMap.type} over ${projection}`, featureMap, projection })),
  ),
  ...generalisedMaps.flatMap((featureMap) =>
    projectionKinds.map((projection) => ({
      name: `${featureMap.type === 'generalised' && featureMap.activation} over ${projection}`,
      featureMap,
      projection,
    })),
  ),
];
