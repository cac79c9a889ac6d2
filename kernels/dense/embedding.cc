// Rows of a table by index, and the adjoint.
#include "map.h"

namespace KERNELS_NAMESPACE {

PLAN(embedding) { return rowPlan(count, width); }
RUN(embedding) {
  const Index each = rowsPerUnit(width), end = smaller(work.last * each, count);
  for (Index i = work.first * each; i < end; i++)
    map(0, width, out + i * width, [](Vector a) { return a; }, table + ids[i] * width);
}

PLAN(embedding_backward) {
  return {divideUp(width, columnsPerUnit(width)), 0};
}
// Every unit walks all ids in order, so a row that occurs often gets its terms in the same order whatever the threads.
RUN(embedding_backward) {
  const Index each = columnsPerUnit(width), first = work.first * each, last = smaller(work.last * each, width);
  for (Index i = 0; i < count; i++) {
    float* row = dTable + ids[i] * width;
    map(first, last, row, [](Vector a, Vector b) { return a + b; }, static_cast<const float*>(row), dOut + i * width);
  }
}

}  // namespace KERNELS_NAMESPACE
