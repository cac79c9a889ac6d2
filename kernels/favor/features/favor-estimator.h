// The arguments of an estimator in one value, and what a feature map implies for scales and units.
#pragma once
#include "favor/favor.h"

namespace KERNELS_NAMESPACE {

struct Estimator {
  const float *projection, *bias;
  Index numFeatures;
  ProjectionForm form;
  Index factors, directions;
  FeatureMapKind map;
  float epsilon;

  bool isDense() const { return form == ProjectionForm::dense; }
  // Features in log space with a scale each. The other maps share one scale: f(u)·2^(n - c), where n is D in bits for the
  // map sine and 0 for the rest.
  bool isExponential() const { return map == FeatureMapKind::exponential; }
  // The share of D in the logarithm of every feature.
  int normSign() const { return map == FeatureMapKind::exponential ? -1 : map == FeatureMapKind::sine ? 1 : 0; }
  // What W x̂ + b is multiplied by on the way in: exponents are in bits.
  double unit() const { return isExponential() ? kBits : 1.0; }
  // Turns a gradient in log φ, back through W in that unit, into one in x.
  float gradientUnit() const { return isExponential() ? kLn2 : 1.0f; }
};

#define ESTIMATOR_VALUE Estimator{projection, bias, numFeatures, form, factors, directions, map, epsilon}

}  // namespace KERNELS_NAMESPACE
