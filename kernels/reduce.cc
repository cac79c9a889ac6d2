// Sums over many elements: short runs in float32, their totals in float64, so that nothing drifts.
#include "map.h"

namespace KERNELS_NAMESPACE {

constexpr Index kRunLength = 1024, kRunRows = 32;

PLAN(squared_norm) { return {divideUp(count, kNormBlock), 0}; }
RUN(squared_norm) {
  for (Index block = work.first; block < work.last; block++) {
    const Index last = smaller((block + 1) * kNormBlock, count);
    double total = 0;
    for (Index i = block * kNormBlock; i < last; i += kRunLength)
      total += double(sumOver(smaller(kRunLength, last - i), [](Vector a) { return a * a; }, x + i));
    partials[block] = total;
  }
}

PLAN(column_sum) { return {divideUp(columns, columnsPerUnit(columns)), 0}; }
RUN(column_sum) {
  const Index each = columnsPerUnit(columns), end = smaller(work.last * each, columns);
  for (Index first = work.first * each; first < end; first += each) {
    const Index width = smaller(each, end - first);
    double totals[512];
    float run[512];
    for (Index c = 0; c < width; c++) totals[c] = accumulate ? double(out[first + c]) : 0.0;
    for (Index row = 0; row < rows; row += kRunRows) {
      __builtin_memset(run, 0, sizeof(float) * size_t(width));
      for (Index r = row; r < smaller(row + kRunRows, rows); r++)
        map(0, width, run, [](Vector a, Vector b) { return a + b; }, static_cast<const float*>(run), x + r * columns + first);
      for (Index c = 0; c < width; c++) totals[c] += double(run[c]);
    }
    for (Index c = 0; c < width; c++) out[first + c] = float(totals[c]);
  }
}

}  // namespace KERNELS_NAMESPACE
