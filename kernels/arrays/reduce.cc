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

// Of one column, units are rows of the outer axis; of more, blocks of columns in each of the outer entries.
static Index columnBlocks(Index inner) { return divideUp(inner, columnsPerUnit(inner)); }

static void sumRows(Index first, Index last, const float* x, float* out, Index length, bool accumulate) {
  for (Index row = first; row < last; row++) {
    double total = accumulate ? double(out[row]) : 0.0;
    for (Index i = 0; i < length; i += kRunLength)
      total += double(sumOver(smaller(kRunLength, length - i), [](Vector a) { return a; }, x + row * length + i));
    out[row] = float(total);
  }
}

// `width` neighbouring columns, at most 512, of rows `stride` apart.
static void sumColumns(const float* x, float* out, Index rows, Index stride, Index width, bool accumulate) {
  double totals[512];
  float run[512];
  for (Index c = 0; c < width; c++) totals[c] = accumulate ? double(out[c]) : 0.0;
  for (Index row = 0; row < rows; row += kRunRows) {
    __builtin_memset(run, 0, sizeof(float) * size_t(width));
    for (Index r = row; r < smaller(row + kRunRows, rows); r++)
      map(0, width, run, [](Vector a, Vector b) { return a + b; }, static_cast<const float*>(run), x + r * stride);
    for (Index c = 0; c < width; c++) totals[c] += double(run[c]);
  }
  for (Index c = 0; c < width; c++) out[c] = float(totals[c]);
}

PLAN(sum_axis) { return inner == 1 ? rowPlan(outer, length) : Plan{outer * columnBlocks(inner), 0}; }
RUN(sum_axis) {
  if (inner == 1) {
    const Index each = rowsPerUnit(length);
    return sumRows(work.first * each, smaller(work.last * each, outer), x, out, length, accumulate);
  }
  const Index blocks = columnBlocks(inner), each = columnsPerUnit(inner);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index entry = unit / blocks, first = unit % blocks * each;
    const Index width = smaller(each, inner - first);
    sumColumns(x + entry * length * inner + first, out + entry * inner + first, length, inner, width, accumulate);
  }
}

}  // namespace KERNELS_NAMESPACE
