// Elementary functions of vectors beyond exp, and their derivatives. NaN stays NaN.
#pragma once
#include "simd.h"

namespace KERNELS_NAMESPACE {

// 2Φ(x) = 1 + erf(x/√2). With z = |x|/√2, erf z = z·P(z²) where z is small, else 1 - exp(R(z)). For negative x the sum
// 1 - erf z is exp(R(z)) itself, so nothing cancels. Coefficients after N. Juffa's erff; error about one unit in the
// last place.
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

// σ(x) and σ′(x), neither by a difference that cancels.
static inline Vector sigmoid(Vector x, Vector& slope) {
  const Vector e = exp(-maximum(x, -x)), inverse = splat(1.0f) / (splat(1.0f) + e), other = e * inverse;
  slope = inverse * other;
  return x < Vector{} ? other : inverse;
}

// tanh: a polynomial where x is small (after S. Moshier's tanhf), else (1 - e)/(1 + e) with e = exp(-2|x|).
static inline Vector tanh(Vector x, Vector& slope) {
  const Vector size = maximum(x, -x), e = exp(splat(-2.0f) * size), inverse = splat(1.0f) / (splat(1.0f) + e);
  const Vector outer = (splat(1.0f) - e) * inverse, s = x * x;
  Vector p = splat(-5.70498872745e-3f);
  p = fma(p, s, splat(2.06390887954e-2f));
  p = fma(p, s, splat(-5.37397155531e-2f));
  p = fma(p, s, splat(1.33314422036e-1f));
  p = fma(p, s, splat(-3.33332819422e-1f));
  slope = splat(4.0f) * e * inverse * inverse;
  return size > splat(0.625f) ? (x < Vector{} ? -outer : outer) : fma(p * s, x, x);
}

// e^x over the whole range, infinity and subnormal results included. Far from 0 this is the square of e^(x/2), as exp
// stops before both ends.
static inline Vector wholeExp(Vector x) {
  const Vector root = exp(splat(0.5f) * x);
  return maximum(x, -x) > splat(87.0f) ? root * root : exp(x);
}

// Natural logarithm: exponent, and a polynomial at the mantissa in [√½, √2) (after S. Moshier's logf); -∞ at 0, NaN below.
static inline Vector log(Vector x) {
  const IntVector isSmall = x < splat(1.17549435e-38f);  // subnormal numbers are made normal first
  const IntVector bits = (IntVector)(isSmall ? x * splat(8388608.0f) : x);
  const IntVector exponent = (bits - 0x3f3504f3) >> 23;
  const Vector e = __builtin_convertvector(exponent, Vector) - (isSmall ? splat(23.0f) : Vector{});
  const Vector m = (Vector)(bits - (exponent << 23)) - splat(1.0f), s = m * m;
  Vector p = splat(7.0376836292e-2f);
  p = fma(p, m, splat(-1.1514610310e-1f));
  p = fma(p, m, splat(1.1676998740e-1f));
  p = fma(p, m, splat(-1.2420140846e-1f));
  p = fma(p, m, splat(1.4249322787e-1f));
  p = fma(p, m, splat(-1.6668057665e-1f));
  p = fma(p, m, splat(2.0000714765e-1f));
  p = fma(p, m, splat(-2.4999993993e-1f));
  p = fma(p, m, splat(3.3333331174e-1f));
  const Vector tail = fma(p * m, s, fma(e, splat(-2.12194440e-4f), splat(-0.5f) * s));
  const Vector result = fma(e, splat(0.693359375f), m + tail);
  const Vector infinity = splat(__builtin_inff());
  const Vector special = x == Vector{} ? -infinity : x == infinity ? infinity : splat(__builtin_nanf(""));
  const IntVector isOrdinary = (x > Vector{}) & (x < infinity);
  return isOrdinary ? result : special;
}

// sin x and cos x, error about 1e-7 for |x| < 8000. Beyond, the error grows, but the results stay within [-1.1, 1.1].
// π/2 is subtracted in three parts, the first two short enough for exact products. Polynomials after S. Moshier's sinf
// and cosf.
static inline Vector sinCos(Vector x, Vector& cosine) {
  const Vector quarters = roundNearest(x * splat(0.63661977236758134f));
  Vector r = fma(quarters, splat(-1.5703125f), x);
  r = fma(quarters, splat(-4.837512969970703125e-4f), r);
  r = fma(quarters, splat(-7.54978995489188216e-8f), r);
  r = clamp(r, 0.8f);
  const Vector s = r * r;
  Vector p = splat(-1.9515295891e-4f), q = splat(2.443315711809948e-5f);
  p = fma(p, s, splat(8.3321608736e-3f));
  p = fma(p, s, splat(-1.6666654611e-1f));
  p = fma(p * s, r, r);
  q = fma(q, s, splat(-1.388731625493765e-3f));
  q = fma(q, s, splat(4.166664568298827e-2f));
  q = fma(q, s * s, fma(splat(-0.5f), s, splat(1.0f)));
  const IntVector quadrant = __builtin_convertvector(clamp(quarters, 1e9f), IntVector);
  const Vector sine = (quadrant & 1) != 0 ? q : p, other = (quadrant & 1) != 0 ? p : q;
  cosine = ((quadrant + 1) & 2) != 0 ? -other : other;
  return (quadrant & 2) != 0 ? -sine : sine;
}

}  // namespace KERNELS_NAMESPACE
