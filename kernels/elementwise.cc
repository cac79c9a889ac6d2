// fill, add, axpy, multiply, scale, scale_rows: limited by memory alone.
#include "map.h"

namespace KERNELS_NAMESPACE {

Plan fill_plan(float*, Index count, float) { return chunkPlan(count); }
void fill(Work work, float* x, Index count, float value) {
  mapChunks(work, count, x, [=]() { return splat(value); });
}

Plan add_plan(const float*, const float*, float*, Index count) { return chunkPlan(count); }
void add(Work work, const float* a, const float* b, float* out, Index count) {
  mapChunks(work, count, out, [](Vector x, Vector y) { return x + y; }, a, b);
}

Plan axpy_plan(float, const float*, float*, Index count) { return chunkPlan(count); }
void axpy(Work work, float alpha, const float* x, float* y, Index count) {
  mapChunks(work, count, y, [=](Vector a, Vector b) { return fma(splat(alpha), a, b); }, x, static_cast<const float*>(y));
}

Plan multiply_plan(const float*, const float*, float*, Index count) { return chunkPlan(count); }
void multiply(Work work, const float* a, const float* b, float* out, Index count) {
  mapChunks(work, count, out, [](Vector x, Vector y) { return x * y; }, a, b);
}

Plan scale_rows_plan(const float*, const float*, float*, Index rows, Index width, Index) { return rowPlan(rows, width); }
void scale_rows(Work work, const float* x, const float* factors, float* out, Index rows, Index width, Index numFactors) {
  const Index each = rowsPerUnit(width), end = smaller(work.last * each, rows);
  for (Index r = work.first * each; r < end; r++) {
    const float factor = factors[r % numFactors];
    if (factor == 0.0f) map(0, width, out + r * width, []() { return Vector{}; });
    else map(0, width, out + r * width, [=](Vector a) { return splat(factor) * a; }, x + r * width);
  }
}

Plan scale_plan(const float*, float*, Index count, float) { return chunkPlan(count); }
void scale(Work work, const float* x, float* out, Index count, float alpha) {
  mapChunks(work, count, out, [=](Vector a) { return splat(alpha) * a; }, x);
}

}  // namespace KERNELS_NAMESPACE
