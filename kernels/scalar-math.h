// Float64 functions that a freestanding build has no library for, good to about 1e-15.
#pragma once
#include <stdint.h>

namespace KERNELS_NAMESPACE {

// log2 x for normal x > 0 (infinity and NaN as they are): exponent, and the series of artanh at the mantissa in [√½, √2).
static inline double log2Double(double x) {
  if (!(x < __builtin_inf())) return x;
  uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const uint64_t rootHalf = 0x3fe6a09e667f3bcdull;  // bits of √½
  const int64_t exponent = int64_t(bits - rootHalf) >> 52;
  bits -= uint64_t(exponent) << 52;
  double m;
  __builtin_memcpy(&m, &bits, sizeof m);
  const double s = (m - 1) / (m + 1), t = s * s;
  double series = 0;
  for (int i = 21; i >= 1; i -= 2) series = series * t + 1.0 / i;
  return double(exponent) + 2.88539008177792681472 * s * series;
}

// 2^x for |x| < 1000: Taylor series of e^(f ln 2), |f| <= 1/2.
static inline double exp2Double(double x) {
  const double n = __builtin_floor(x + 0.5), f = (x - n) * 0.69314718055994530942;
  double p = 1;
  for (int i = 14; i >= 1; i--) p = 1 + p * f / i;
  const uint64_t bits = uint64_t(int64_t(n) + 1023) << 52;
  double power;
  __builtin_memcpy(&power, &bits, sizeof power);
  return p * power;
}

// sin and cos of 2π·turns.
static inline void sinCosTurns(double turns, double& sine, double& cosine) {
  const double quarters = __builtin_floor(4 * turns + 0.5);
  const double r = (turns - 0.25 * quarters) * 6.28318530717958647693, t = r * r;  // |r| <= π/4
  double s = 1.0 / 355687428096000.0, c = 1.0 / 20922789888000.0;
  s = s * t - 1.0 / 1307674368000.0;
  s = s * t + 1.0 / 6227020800.0;
  s = s * t - 1.0 / 39916800.0;
  s = s * t + 1.0 / 362880.0;
  s = s * t - 1.0 / 5040.0;
  s = s * t + 1.0 / 120.0;
  s = s * t - 1.0 / 6.0;
  s = (s * t + 1) * r;
  c = c * t - 1.0 / 87178291200.0;
  c = c * t + 1.0 / 479001600.0;
  c = c * t - 1.0 / 3628800.0;
  c = c * t + 1.0 / 40320.0;
  c = c * t - 1.0 / 720.0;
  c = c * t + 1.0 / 24.0;
  c = c * t - 0.5;
  c = c * t + 1;
  const double fourth = quarters * 0.25;
  const int quadrant = int(4 * (fourth - __builtin_floor(fourth)));
  const double sinPart = quadrant & 1 ? c : s, cosPart = quadrant & 1 ? s : c;
  sine = quadrant & 2 ? -sinPart : sinPart;
  cosine = (quadrant + 1) & 2 ? -cosPart : cosPart;
}

}  // namespace KERNELS_NAMESPACE
