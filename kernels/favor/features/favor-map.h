// The feature maps other than the exponential, which is favor-tile.h's.
#pragma once
#include "favor-estimator.h"

namespace KERNELS_NAMESPACE {

// values = φ(u)·rowFactors over [rows, columns], whole vectors: φ = sin u or f(u) + epsilon. rowFactors [rows] is nullable, and
// slopes, where not null, gets φ′(u)·rowFactors in the layout of values. values may be u.
void mapFeatures(const Estimator& estimator, const float* u, Index ldu, Index rows, Index columns, const float* rowFactors,
                 float* values, Index ldValues, float* slopes);

}  // namespace KERNELS_NAMESPACE
