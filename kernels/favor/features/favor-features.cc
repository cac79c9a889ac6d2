#include "favor/favor-tile.h"

namespace KERNELS_NAMESPACE {

namespace {
struct Scratch {
  Projection projection;
  KeyTile tile;
  float* u;
  Scratch(Arena& arena, const Estimator& estimator, Index dHead)
      : projection(arena, estimator, dHead, estimator.numFeatures), tile(arena, dHead, 0, 1.0), u(arena.floats(kRows * kTileColumns)) {}
};
}  // namespace

PLAN(favor_features) {
  Arena arena(nullptr);
  Scratch scratch(arena, ESTIMATOR_VALUE, dHead);
  return {batch * heads * ((length + kRows - 1) / kRows), (Index)arena.at};
}

RUN(favor_features) {
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, ESTIMATOR_VALUE, dHead);
  const Estimator& estimator = s.projection.estimator;
  s.projection.pack(1.0, 0, numFeatures);
  const Index blocks = (length + kRows - 1) / kRows;
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index head = unit / blocks, first = unit % blocks * kRows, count = smaller(kRows, length - first);
    const Rows<const float> rows = rowsOf(x, layout, head / heads, head % heads, heads, length, dHead);
    for (Index i = 0; i < count; i++) s.tile.setKey(i, rows[first + i], s.projection);
    s.tile.count = count;
    s.tile.project(s.projection);
    for (Index r = 0; r < numFeatures; r += kTileColumns) {
      s.tile.logFeatures(s.projection, r, kTileColumns, s.u, kTileColumns);
      if (!estimator.isExponential()) mapFeatures(estimator, s.u, kTileColumns, count, kTileColumns, nullptr, s.u, kTileColumns, nullptr);
      const Index columns = smaller(kTileColumns, numFeatures - r);
      for (Index i = 0; i < count; i++) {
        float *row = s.u + i * kTileColumns, *target = out + (head * length + first + i) * numFeatures + r;
        for (Index j = 0; estimator.isExponential() && j < kTileColumns; j += kWidth) store(row + j, load(row + j) - splat(s.tile.wholeD[i]));
        copyRow(target, row, columns);
      }
    }
  }
}

}  // namespace KERNELS_NAMESPACE
