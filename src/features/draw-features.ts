import { ConfigurationError } from '../base/errors.ts';
import type { Pauses } from '../base/event-loop.ts';
import type { Random } from '../base/random.ts';
import type { FeatureConfiguration } from './configuration.ts';
import type { Features } from './features.ts';
import { favorPlusPlusMap } from './maps/favor-plus-plus.ts';
import { generalisedMap } from './maps/generalised.ts';
import { hyperbolicMap } from './maps/hyperbolic.ts';
import { positiveMap } from './maps/positive.ts';
import { smregMap } from './maps/smreg.ts';
import { trigonometricMap } from './maps/trigonometric.ts';
import { drawProjection, drawProjectionInSteps, type ProjectionOptions } from './projection.ts';
import type { Projection } from './projections/projection.ts';

/**
 * Draws the features of a configuration for heads of width dHead, from `random` alone.
 *
 * @returns `numFeatures` features; dHead if there is no projection
 * @throws ConfigurationError when the configuration does not fit dHead, or its parts do not fit each other.
 */
export function drawFeatures(configuration: FeatureConfiguration, dHead: number, random: Random): Features {
  return featuresOver(drawProjection(projectionOf(configuration, dHead), random), configuration);
}

/** As {@link drawFeatures}, but the event loop may turn between blocks of directions. */
export async function drawFeaturesInSteps(
  configuration: FeatureConfiguration,
  dHead: number,
  random: Random,
  pauses: Pauses,
): Promise<Features> {
  return featuresOver(await drawProjectionInSteps(projectionOf(configuration, dHead), random, pauses), configuration);
}

function projectionOf(configuration: FeatureConfiguration, dHead: number): ProjectionOptions {
  const { featureMap, numFeatures } = configuration;
  const kind = configuration.projection ?? (featureMap.type === 'generalised' ? 'none' : 'orthogonal');
  const norms = configuration.norms ?? (featureMap.type === 'smreg' ? 'regularised' : 'gaussian');
  checkCombination(configuration, kind === 'none');
  const directions = isPaired(featureMap.type) ? numFeatures / 2 : numFeatures;
  return { kind, directions, dHead, norms };
}

function featuresOver(projection: Projection, { featureMap }: FeatureConfiguration): Features {
  switch (featureMap.type) {
    case 'positive':
      return positiveMap(projection);
    case 'hyperbolic':
      return hyperbolicMap(projection);
    case 'smreg':
      return smregMap(projection);
    case 'trigonometric':
      return trigonometricMap(projection, featureMap.stabiliser);
    case 'favor++':
      return favorPlusPlusMap(projection, featureMap.p);
    case 'generalised':
      return generalisedMap(projection, featureMap);
  }
}

/** Two features from each direction. */
function isPaired(type: FeatureConfiguration['featureMap']['type']): boolean {
  return type === 'hyperbolic' || type === 'trigonometric';
}

function checkCombination({ featureMap, numFeatures, norms }: FeatureConfiguration, unprojected: boolean): void {
  const { type } = featureMap;
  if (isPaired(type) && numFeatures % 2 !== 0) {
    throw new ConfigurationError(`${type} features come in pairs; give an even numFeatures instead of ${numFeatures}.`);
  }
  if (unprojected && type !== 'generalised') {
    throw new ConfigurationError(`${type} features need random directions; give a projection other than none.`);
  }
  if (unprojected && norms) {
    throw new ConfigurationError(
      `norms ${norms} needs random directions; leave norms out, or give a projection other than none.`,
    );
  }
  const needed = { smreg: 'regularised', 'favor++': 'gaussian' }[type as string];
  if (needed && norms && norms !== needed) {
    throw new ConfigurationError(
      `${type} features are defined by ${needed} norms; leave norms out instead of giving ${norms}.`,
    );
  }
}
