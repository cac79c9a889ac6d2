// fill, add, axpy, scale, scale_rows: limited by memory alone.
#include "map.h"

namespace KERNELS_NAMESPACE {

PLAN(fill) { return chunkPlan(count); }
RUN(fill) {
  mapChunks(work, count, x, [=]() { return splat(value); });
}

PLAN(add) { return chunkPlan(count); }
RUN(add) {
  mapChunks(work, count, out, [](Vector x, Vector y) { return x + y; }, a, b);
}

PLAN(axpy) { return chunkPlan(count); }
RUN(axpy) {
  mapChunks(work, count, y, [=](Vector a, Vector b) { return fma(splat(alpha), a, b); }, x, static_cast<const float*>(y));
}

PLAN(scale_rows) { return rowPlan(rows, width); }
RUN(scale_rows) {
  const Index each = rowsPerUnit(width), end = smaller(work.last * each, rows);
  for (Index r = work.first * each; r < end; r++) {
    const float factor = factors[r % numFactors];
    if (factor == 0.0f) map(0, width, out + r * width, []() { return Vector{}; });
    else map(0, width, out + r * width, [=](Vector a) { return splat(factor) * a; }, x + r * width);
  }
}

PLAN(scale) { return chunkPlan(count); }
RUN(scale) {
  mapChunks(work, count, out, [=](Vector a) { return splat(alpha) * a; }, x);
}

}  // namespace KERNELS_NAMESPACE
