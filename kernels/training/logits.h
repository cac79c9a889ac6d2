// What the losses over rows of logits share: the largest of a row, and sums of its exponentials.
#pragma once
#include "map.h"

namespace KERNELS_NAMESPACE {

constexpr Index kSumRun = 1024;  // terms summed in float32 before they join a float64 total

static inline float largestOf(const float* x, Index count) {
  Vector best[4];
  for (auto& b : best) b = splat(-__builtin_inff());
  Index i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth)
    UNROLL for (int j = 0; j < 4; j++) best[j] = maximum(load(x + i + j * kWidth), best[j]);
  for (; i + kWidth <= count; i += kWidth) best[0] = maximum(load(x + i), best[0]);
  float top = largest(maximum(maximum(best[0], best[1]), maximum(best[2], best[3])));
  for (; i < count; i++) top = x[i] > top ? x[i] : top;
  return top;
}

// Σ f(inputs[i]…), in float64 over runs of float32 sums.
template <class F, class... P> static inline double longSum(Index count, F f, const P*... inputs) {
  double total = 0;
  for (Index i = 0; i < count; i += kSumRun) total += double(sumOver(smaller(kSumRun, count - i), f, (inputs + i)...));
  return total;
}

static inline bool contains(const float* x, Index count, float value) {
  return sumOver(count, [=](Vector a) { return a == splat(value) ? splat(1.0f) : Vector{}; }, x) > 0;
}

// Whether x[place] is the first of the largest, top being their value.
static inline bool isArgmax(const float* x, Index place, float top) { return x[place] == top && !contains(x, place, top); }

}  // namespace KERNELS_NAMESPACE
