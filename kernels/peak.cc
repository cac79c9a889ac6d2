// The multiply-add peak that shares of peak refer to: twelve independent chains. Twelve chains hide the latency of a
// fused multiply-add on every processor we know, and leave room for the operands in sixteen registers.
#include "kernels.h"
#include "simd.h"

namespace KERNELS_NAMESPACE {

namespace {
constexpr int kChains = 12, kLanesPerIteration = 1536, kSteps = kLanesPerIteration / (kChains * kWidth);
}

PLAN(peak) { return {units, 0}; }

RUN(peak) {
  for (Index unit = work.first; unit < work.last; unit++) {
    Vector chain[kChains];
#pragma GCC unroll 12
    // The starting values are distinct, or a compiler would compute one chain. No value is 2, where x/2 + 1 = x and the
    // compiler would leave that chain out.
    for (int i = 0; i < kChains; i++) chain[i] = splat(float(i + 3));
    const Vector half = splat(0.5f), one = splat(1.0f);
    for (Index step = 0; step < iterations * kSteps; step++) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; i++) chain[i] = fma(chain[i], half, one);
    }
    float total = 0;
    for (int i = 0; i < kChains; i++) total += chain[i][0];
    out[unit] = total / kChains;
  }
}

}  // namespace KERNELS_NAMESPACE
