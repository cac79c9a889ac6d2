// Softmax and its logarithm of rows, with their gradients. A weight of exactly 0, such as that of a score of -∞, takes no part in gradients.
#include "training/logits.h"
#include "scalar-math.h"

namespace KERNELS_NAMESPACE {

PLAN(softmax) { return rowPlan(rows, width); }
RUN(softmax) {
  const Index each = rowsPerUnit(width), end = smaller(work.last * each, rows);
  for (Index r = work.first * each; r < end; r++) {
    const float* row = x + r * width;
    float* result = out + r * width;
    const Vector top = splat(largestOf(row, width));
    const auto term = [=](Vector a) { return exp(a - top); };
    if (isLog) {
      const Vector logSum = splat(float(log2Double(longSum(width, term, row)) * 0.69314718055994530942));
      map(0, width, result, [=](Vector a) { return (a - top) - logSum; }, row);
      continue;
    }
    map(0, width, result, term, row);
    const double total = longSum(width, [](Vector a) { return a; }, static_cast<const float*>(result));
    const Vector factor = splat(float(1.0 / total));
    map(0, width, result, [=](Vector a) { return a * factor; }, static_cast<const float*>(result));
  }
}

PLAN(softmax_backward) { return rowPlan(rows, width); }
RUN(softmax_backward) {
  const Index each = rowsPerUnit(width), end = smaller(work.last * each, rows);
  for (Index r = work.first * each; r < end; r++) {
    const float *y = out + r * width, *d = dOut + r * width;
    if (isLog) {
      const Vector total = splat(float(longSum(width, [](Vector a) { return a; }, d)));
      map(0, width, dX + r * width, [=](Vector a, Vector b) {
        const Vector weight = exp(a);
        return weight == Vector{} ? b : b - weight * total;
      }, y, d);
      continue;
    }
    const Vector total = splat(float(longSum(width, [](Vector a, Vector b) { return a == Vector{} ? Vector{} : a * b; }, y, d)));
    map(0, width, dX + r * width, [=](Vector a, Vector b) { return a == Vector{} ? Vector{} : a * (b - total); }, y, d);
  }
}

}  // namespace KERNELS_NAMESPACE
