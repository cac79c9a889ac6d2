// ReLU and both forms of GELU with their derivatives. NaN stays NaN.
#include "map.h"

namespace KERNELS_NAMESPACE {

// 2Φ(x) = 1 + erf(x/√2). With z = |x|/√2: erf z = z·P(z²) where z is small, else 1 - exp(R(z)); for negative x the sum
// 1 - erf z is exp(R(z)) itself, so nothing cancels. Coefficients after N. Juffa's erff, error about one unit in the last place.
static inline Vector twiceNormalCdf(Vector x) {
  const Vector y = x * splat(0.70710678118654752f);
  const Vector z = minimum(splat(9.0f), maximum(y, -y)), s = z * z;
  Vector p = splat(-5.96761703e-4f);
  p = fma(p, s, splat(4.99119423e-3f));
  p = fma(p, s, splat(-2.67681349e-2f));
  p = fma(p, s, splat(1.12819925e-1f));
  p = fma(p, s, splat(-3.76125336e-1f));
  p = fma(p, s, splat(1.28379166e-1f));
  const Vector center = splat(1.0f) + fma(p, y, y);
  Vector r = fma(splat(-1.72853470e-5f), z, splat(3.83197126e-4f));
  r = fma(r, s, fma(splat(-3.88396438e-3f), z, splat(2.42546219e-2f)));
  r = fma(r, z, splat(-1.06777877e-1f));
  r = fma(r, z, splat(-6.34846687e-1f));
  r = fma(r, z, splat(-1.28717512e-1f));
  r = fma(r, z, -z);
  const Vector tail = exp(r);
  return z > splat(0.927734375f) ? (x < Vector{} ? tail : splat(2.0f) - tail) : center;
}

// tanh form: x·σ(2u) with u = √(2/π)·(x + 0.044715x³)
constexpr float kTwiceRootTwoOverPi = 1.59576912160573071f, kCubic = 0.044715f;
static inline Vector expMinusTwiceU(Vector x) {
  return exp(splat(-kTwiceRootTwoOverPi) * x * fma(splat(kCubic) * x, x, splat(1.0f)));
}
static inline Vector clamp(Vector x, float limit) { return minimum(splat(limit), maximum(splat(-limit), x)); }

static inline Vector relu(Vector x) { return maximum(Vector{}, x); }
static inline Vector gelu(Vector x) { return splat(0.5f) * x * twiceNormalCdf(x); }
static inline Vector geluTanh(Vector x) { return x / (splat(1.0f) + expMinusTwiceU(x)); }

static inline Vector reluBackward(Vector x, Vector d) { return x <= Vector{} ? Vector{} : x != x ? x : d; }
static inline Vector geluBackward(Vector x, Vector d) {
  const Vector density = splat(0.39894228040143268f) * exp(splat(-0.5f) * x * x);
  const Vector bounded = clamp(x, 100.0f);  // beyond it the density is 0, and ∞·0 would be NaN
  return d * fma(bounded, density, splat(0.5f) * twiceNormalCdf(x));
}
static inline Vector geluTanhBackward(Vector x, Vector d) {
  const Vector bounded = clamp(x, 100.0f), e = expMinusTwiceU(bounded), gate = splat(1.0f) / (splat(1.0f) + e);
  const Vector slope = splat(kTwiceRootTwoOverPi) * fma(splat(3.0f * kCubic) * bounded, bounded, splat(1.0f));
  return d * fma(bounded * slope * gate, e * gate, gate);  // e·gate = 1 - gate without cancellation
}

Plan activation_plan(Index, const float*, float*, Index count) { return chunkPlan(count); }
void activation(Work work, Index kind, const float* x, float* out, Index count) {
  if (kind == 0) mapChunks(work, count, out, [](Vector a) { return relu(a); }, x);
  else if (kind == 1) mapChunks(work, count, out, [](Vector a) { return gelu(a); }, x);
  else mapChunks(work, count, out, [](Vector a) { return geluTanh(a); }, x);
}

Plan activation_backward_plan(Index, const float*, const float*, float*, Index count) { return chunkPlan(count); }
void activation_backward(Work work, Index kind, const float* x, const float* dOut, float* dX, Index count) {
  if (kind == 0) mapChunks(work, count, dX, [](Vector a, Vector d) { return reluBackward(a, d); }, x, dOut);
  else if (kind == 1) mapChunks(work, count, dX, [](Vector a, Vector d) { return geluBackward(a, d); }, x, dOut);
  else mapChunks(work, count, dX, [](Vector a, Vector d) { return geluTanhBackward(a, d); }, x, dOut);
}

}  // namespace KERNELS_NAMESPACE
