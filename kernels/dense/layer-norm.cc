// Layer normalisation over the last axis: x̂ = (x - mean)·inverseDeviation, out = gamma ∘ x̂ + beta.
#include "map.h"

namespace KERNELS_NAMESPACE {

static inline float rowScale(Index width) { return width > 0 ? 1.0f / float(width) : 0.0f; }

PLAN(layer_norm) {
  return rowPlan(rows, width);
}
RUN(layer_norm) {
  const Index each = rowsPerUnit(width), end = smaller(work.last * each, rows);
  const float share = rowScale(width);
  for (Index r = work.first * each; r < end; r++) {
    const float* row = x + r * width;
    const float center = sumOver(width, [](Vector a) { return a; }, row) * share;
    const Vector m = splat(center);
    const float variance = sumOver(width, [=](Vector a) { return (a - m) * (a - m); }, row) * share;
    const float inverse = 1.0f / __builtin_sqrtf(variance + epsilon);
    mean[r] = center;
    inverseDeviation[r] = inverse;
    const Vector s = splat(inverse);
    map(0, width, out + r * width, [=](Vector a, Vector g, Vector b) { return fma((a - m) * s, g, b); }, row, gamma, beta);
  }
}

PLAN(layer_norm_backward) {
  return rowPlan(rows, width);
}
// With e = gamma ∘ dOut: dX = inverseDeviation · (e - average(e) - x̂·average(e ∘ x̂)).
RUN(layer_norm_backward) {
  const Index each = rowsPerUnit(width), end = smaller(work.last * each, rows);
  const float share = rowScale(width);
  for (Index r = work.first * each; r < end; r++) {
    const float *row = x + r * width, *d = dOut + r * width;
    const Vector m = splat(mean[r]), s = splat(inverseDeviation[r]);
    const Vector average = splat(share * sumOver(width, [](Vector g, Vector e) { return g * e; }, gamma, d));
    const Vector slope = splat(share * sumOver(width, [=](Vector a, Vector g, Vector e) { return (a - m) * s * (g * e); }, row, gamma, d));
    map(0, width, dX + r * width,
        [=](Vector a, Vector g, Vector e) { return s * (g * e - average - (a - m) * s * slope); }, row, gamma, d);
  }
}

PLAN(layer_norm_backward_parameters) {
  return {divideUp(width, columnsPerUnit(width)), 0};
}
RUN(layer_norm_backward_parameters) {
  constexpr Index kRunRows = 32;  // rows summed in float32 before they join the float64 totals
  const Index each = columnsPerUnit(width), end = smaller(work.last * each, width);
  for (Index first = work.first * each; first < end; first += each) {
    const Index columns = smaller(each, end - first);
    double totalGamma[512] = {}, totalBeta[512] = {};
    for (Index row = 0; row < rows; row += kRunRows) {
      float gamma[512], beta[512];
      const float *runGamma = gamma, *runBeta = beta;
      __builtin_memset(gamma, 0, sizeof(float) * size_t(columns));
      __builtin_memset(beta, 0, sizeof(float) * size_t(columns));
      for (Index r = row; r < smaller(row + kRunRows, rows); r++) {
        const Vector m = splat(mean[r]), s = splat(inverseDeviation[r]);
        const float* d = dOut + r * width + first;
        map(0, columns, gamma, [=](Vector sum, Vector a, Vector e) { return fma((a - m) * s, e, sum); }, runGamma, x + r * width + first, d);
        map(0, columns, beta, [](Vector sum, Vector e) { return sum + e; }, runBeta, d);
      }
      for (Index c = 0; c < columns; c++) totalGamma[c] += double(gamma[c]);
      for (Index c = 0; c < columns; c++) totalBeta[c] += double(beta[c]);
    }
    for (Index c = 0; c < columns; c++) dGamma[first + c] = float(totalGamma[c]);
    for (Index c = 0; c < columns; c++) dBeta[first + c] = float(totalBeta[c]);
  }
}

}  // namespace KERNELS_NAMESPACE
