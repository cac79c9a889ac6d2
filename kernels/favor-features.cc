#include "favor-tile.h"

namespace KERNELS_NAMESPACE {

namespace {
struct Scratch {
  Projection projection;
  KeyTile tile;
  float* u;
  Scratch(Arena& arena, const float* bias, Index dHead, Index numFeatures)
      : projection(arena, bias, dHead, numFeatures), tile(arena, dHead, 0, 1.0), u(arena.floats(kRows * kTileColumns)) {}
};
}  // namespace

Plan favor_features_plan(const float*, const float*, const float* bias, Index numFeatures, Index, Index, Index, Index, float, float*,
                         Index batch, Index heads, Index length, Index dHead, Index) {
  Arena arena(nullptr);
  Scratch scratch(arena, bias, dHead, numFeatures);
  return {batch * heads * ((length + kRows - 1) / kRows), (Index)arena.at};
}

void favor_features(Work work, const float* x, ESTIMATOR, float* out, Index batch, Index heads, Index length, Index dHead,
                    Index layout) {
  (void)batch, (void)form, (void)factors, (void)directions, (void)map, (void)epsilon;
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, bias, dHead, numFeatures);
  s.projection.pack(projection, bias, 1.0, 0, numFeatures);
  const Index blocks = (length + kRows - 1) / kRows;
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index head = unit / blocks, first = unit % blocks * kRows, count = smaller(kRows, length - first);
    const Rows<const float> rows = rowsOf(x, layout, head / heads, head % heads, heads, length, dHead);
    for (Index i = 0; i < count; i++) s.tile.setKey(i, rows[first + i], s.projection.hasBias);
    s.tile.count = count;
    for (Index r = 0; r < numFeatures; r += kTileColumns) {
      s.tile.logFeatures(s.projection, s.projection.panels + r * s.projection.keyDepth(), kTileColumns, s.u, kTileColumns);
      const Index columns = smaller(kTileColumns, numFeatures - r);
      for (Index i = 0; i < count; i++) {
        float *row = s.u + i * kTileColumns, *target = out + (head * length + first + i) * numFeatures + r;
        for (Index j = 0; j < kTileColumns; j += kWidth) store(row + j, load(row + j) - splat(s.tile.wholeD[i]));
        copyRow(target, row, columns);
      }
    }
  }
}

}  // namespace KERNELS_NAMESPACE
