// The feature maps other than the exponential map, which is in favor-tile.h.
#pragma once
#include "favor-estimator.h"

namespace KERNELS_NAMESPACE {

// values = φ(u)·rowFactors over [rows, columns], whole vectors: φ = sin u or f(u) + epsilon. The factors [rows] are
// nullable. `slopes`, if not null, get φ′(u)·rowFactors in the layout of values. The output may be u.
void mapFeatures(const Estimator& estimator, const float* u, Index ldu, Index rows, Index columns, const float* rowFactors,
                 float* values, Index ldValues, float* slopes);

}  // namespace KERNELS_NAMESPACE
