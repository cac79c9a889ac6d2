// From a query's sums to its row of the result.
#pragma once
#include "favor-tile.h"
#include "scalar-math.h"

namespace KERNELS_NAMESPACE {

// How rows are formed; kernels.h, "Results of FAVOR+".
struct RowRule {
  float weight, stabiliser;

  // Turns denominators [count] into what the numerators are divided by. On entry they are the sums of the rows, in
  // units of exp(normSign·D)·2^M. A row without a valid key (highest = -inf) gets 0. rows are the queries. highest and
  // M are as raiseHighest and roundHighest leave them.
  void toDivisors(const Estimator& estimator, const Rows<const float>& queries, Index dHead, Index count, const float* highest,
                  const int32_t* whole, float* denominators) const {
    if (weight == 0 && stabiliser == 0) return;
    for (Index i = 0; i < count; i++) {
      float& denominator = denominators[i];
      if (highest[i] == -kInfinity) {
        denominator = 0;
      } else if (weight > 0) {
        const int sign = estimator.normSign();
        const double exponent = -(double)whole[i] - (sign == 0 ? 0 : sign * halfNorm(queries[i], dHead, kBits));
        // clamped to normal numbers, beyond which the row is 0 or overflows in any case
        const double size = exp2Double(exponent < -200 ? -200 : exponent > 200 ? 200 : exponent) / weight;
        denominator = (float)(size < 0x1p-126 ? 0x1p-126 : size > 0x1p126 ? 0x1p126 : size);
      } else if (denominator >= -stabiliser && denominator <= stabiliser) {
        denominator += 2 * stabiliser;
      }
    }
  }
};

// out[i] = sums[i] / denominators[i]; a query without a valid key has denominator 0 and yields zeros.
static inline void writeQuotients(const float* sums, Index ldSums, const float* denominators, Index count, Index dValue,
                                  const Rows<float>& out) {
  for (Index i = 0; i < count; i++) {
    const float denominator = denominators[i], inverse = denominator == 0 ? 0 : 1 / denominator;
    float* row = out[i];
    const float* from = sums + i * ldSums;
    if (inverse == 0) {
      fillZero(row, dValue);
      continue;
    }
    Index c = 0;
    for (; c + kWidth <= dValue; c += kWidth) store(row + c, load(from + c) * splat(inverse));
    if (c < dValue) storePartial(row + c, loadPartial(from + c, (int)(dValue - c)) * splat(inverse), (int)(dValue - c));
  }
}

}  // namespace KERNELS_NAMESPACE
