// Rows of a table by index, and the adjoint.
#include "map.h"

namespace KERNELS_NAMESPACE {

Plan embedding_plan(const float*, const int32_t*, float*, Index count, Index width) { return rowPlan(count, width); }
void embedding(Work work, const float* table, const int32_t* ids, float* out, Index count, Index width) {
  const Index each = rowsPerUnit(width), end = smaller(work.last * each, count);
  for (Index i = work.first * each; i < end; i++)
    map(0, width, out + i * width, [](Vector a) { return a; }, table + ids[i] * width);
}

Plan embedding_backward_plan(const int32_t*, const float*, float*, Index, Index width) {
  return {divideUp(width, columnsPerUnit(width)), 0};
}
// Every unit walks all ids in order, so a row that occurs often gets its terms in the same order whatever the threads.
void embedding_backward(Work work, const int32_t* ids, const float* dOut, float* dTable, Index count, Index width) {
  const Index each = columnsPerUnit(width), first = work.first * each, last = smaller(work.last * each, width);
  for (Index i = 0; i < count; i++) {
    float* row = dTable + ids[i] * width;
    map(first, last, row, [](Vector a, Vector b) { return a + b; }, static_cast<const float*>(row), dOut + i * width);
  }
}

}  // namespace KERNELS_NAMESPACE
