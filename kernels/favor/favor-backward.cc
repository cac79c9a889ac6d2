// Gradients of bidirectional FAVOR+. With G_i = [dOut_i, -dOut_i·out_i] / denominator_i:
//   queries: dQ′ = G·Sᵀ, du = dQ′∘∂Q′/∂u, dQ = du·W;   dS = Q′ᵀ·G
//   keys:    dK′ = [V 1]·dSᵀ, du = dK′∘∂K′/∂u, dK = du·W ± (Σ_r dK′_r K′_r)·x̂;   dV = K′·dS
// Features are computed again, tile by tile. Scales cancel in the quotient, so no gradient flows into scales. A query's
// D cancels too where rows are divided; elsewhere dQ has the same last term as dK.
//
// Roofline: 16·L·m·d flops a head for 32·L·d bytes, so arithmetic sets the pace. Only 12 of the 16 count; the rest are
// features computed again. What counts is 63 % of the multiply-add peak (d = 64, m = 256, AVX-512, one thread).
#include "favor-gradients.h"

namespace KERNELS_NAMESPACE {

namespace {

constexpr Index kFlushTiles = 8;  // tiles of queries whose dS is summed in plain float32

struct Scratch {
  Projection projection;
  KeyTile keys;
  QueryTile queries;
  QueryGradients gradients;
  ProjectionGradient projected;
  bool divided, scalesAreFar = false;
  Index dValue, stride;
  float *u, *state, *partial, *normalisers, *sums, *compensation, *transposedSums, *scale, *highest, *block, *slopes, *gradientBlock,
      *dV, *rowSums, *queryTotals;
  int32_t *wholeScale, *wholeHighest;

  Scratch(Arena& arena, const Estimator& estimator, Index dHead, Index dValue, float weight)
      : projection(arena, estimator, dHead, estimator.numFeatures), keys(arena, dHead, dValue), queries(arena, dHead),
        gradients(arena, dValue), projected(arena, projection), divided(weight == 0), dValue(dValue),
        stride(roundUp(dValue + 1, kWidth)) {
    const Index numFeatures = estimator.numFeatures;
    const Index padded = projection.paddedFeatures();
    u = arena.floats(padded * kRows);
    state = arena.floats(numFeatures * stride);
    partial = arena.floats(numFeatures * stride);
    normalisers = arena.floats(numFeatures * kWidth);
    sums = arena.floats(numFeatures * stride);
    compensation = arena.floats(numFeatures * stride);
    transposedSums = arena.floats(roundUp(stride, kWidth) * padded);
    scale = arena.floats(padded);
    highest = arena.floats(kRows);
    wholeHighest = arena.integers(kRows);
    wholeScale = arena.integers(padded);
    block = arena.floats(kRows * kFeatureBlock);
    slopes = estimator.isExponential() ? block : arena.floats(kRows * kFeatureBlock);
    gradientBlock = arena.floats(kRows * kFeatureBlock);
    dV = arena.floats(kRows * stride);
    rowSums = arena.floats(kRows * kWidth);
    queryTotals = arena.floats(kRows);
  }

  void flush() {
    for (Index r = 0; r < projection.numFeatures; r++) {
      partial[r * stride + dValue] = sum(load(normalisers + r * kWidth));
      addCompensatedRow(partial + r * stride, sums + r * stride, compensation + r * stride, stride, 1);
    }
    fillZero(partial, projection.numFeatures * stride);
    fillZero(normalisers, projection.numFeatures * kWidth);
  }

  // What queries need of their own D: its gradient, unless it cancels.
  bool needsQueryTotals() const { return !divided && projection.estimator.normSign() != 0; }

  // dX of the tile without the term of ‖x̂‖², its factor in queryTotals, and the tile's share of dS.
  void queryTile() {
    const Estimator& estimator = projection.estimator;
    const Index numFeatures = projection.numFeatures, count = queries.count, columns = queries.columns;
    fillValue(highest, kRows, -kInfinity);
    fillZero(queryTotals, kRows);
    for (Index r = 0; r < numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures - r);
      queries.logFeatures(projection, r, features, u + r * kRows);
      raiseHighest(estimator, u + r * kRows, scale + r, features, columns, highest);
    }
    roundHighest(highest, columns, wholeHighest);
    for (Index r = 0; r < numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures - r);
      const QueryScales by{scale + r, wholeScale + r, highest, wholeHighest, queries.isFar || scalesAreFar};
      queryFeatures<false>(estimator, u + r * kRows, by, features, columns, block, nullptr, 0, nullptr, slopes);
      tileMultiply({.rows = features, .columns = columns, .depth = dValue + 1}, rowMajor(state + r * stride, stride),
                   rowsOf(gradients.transposed, kRows), {gradientBlock, kRows}, Mode::store);
      tileMultiply({.rows = features, .columns = dValue, .depth = count}, rowMajor(block, kRows), rowsOf(gradients.rows, stride),
                   {partial + r * stride, stride}, Mode::add);
      if (needsQueryTotals()) sumProducts(gradientBlock, block, features, columns, queryTotals);
      multiplyQueries(gradientBlock, block, slopes, gradients.transposed + dValue * kRows, features, columns, normalisers + r * kWidth);
      projected.add(projection, gradientBlock, 1, kRows, 0, count, r, features);
    }
    projected.finish(projection, 0, count);
  }

  // dX without the term of ‖x̂‖², its factor in rowSums, and dV [rows, dValue].
  void keyTile() {
    const Estimator& estimator = projection.estimator;
    const Index numFeatures = projection.numFeatures, count = keys.count, padded = projection.paddedFeatures();
    fillZero(rowSums, kRows * kWidth);
    for (Index r = 0; r < numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures - r), whole = roundUp(features, kTileColumns);
      keys.logFeatures(projection, r, whole, block, kFeatureBlock);
      keyFeatures(estimator, keys, block, kFeatureBlock, scale + r, 0, count, whole, block, kFeatureBlock, nullptr, slopes);
      tileMultiply({.rows = count, .columns = whole, .depth = dValue + 1}, rowMajor(keys.values, stride),
                   rowsOf(transposedSums + r, padded), {gradientBlock, kFeatureBlock}, Mode::store);
      tileMultiply({.rows = count, .columns = dValue, .depth = features}, rowMajor(block, kFeatureBlock),
                   rowsOf(sums + r * stride, stride), {dV, stride}, r == 0 ? Mode::store : Mode::carry);
      multiplyKeys(gradientBlock, block, slopes, count, features, rowSums);
      projected.add(projection, gradientBlock, kFeatureBlock, 1, 0, count, r, features);
    }
    projected.finish(projection, 0, count);
  }
};

}  // namespace

PLAN(favor_backward) {
  Arena arena(nullptr);
  Scratch scratch(arena, ESTIMATOR_VALUE, dHead, dValue, weight);
  return {numSequences * heads, (Index)arena.at};
}

RUN(favor_backward) {
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, ESTIMATOR_VALUE, dHead, dValue, weight);
  const Estimator& estimator = s.projection.estimator;
  s.projection.pack(estimator.unit(), 0, numFeatures);
  const Index width = dValue + 1, padded = s.projection.paddedFeatures(), dXStride = s.projected.stride;
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index head = unit % heads, at = unit * numFeatures;
    const int32_t* sequence = sequences + unit / heads * kSequenceColumns;
    const Index batch = sequence[0], numQueries = sequence[2], end = sequence[3] + sequence[4];
    const Rows<const float> queries = rowsOf(q, layout, batch, head, heads, lengthQ, dHead);
    const Rows<const float> outs = rowsOf(out, layout, batch, head, heads, lengthQ, dValue);
    const Rows<const float> dOuts = rowsOf(dOut, layout, batch, head, heads, lengthQ, dValue);
    const Rows<const float> keys = rowsOf(k, layout, batch, head, heads, lengthK, dHead);
    const Rows<const float> values = rowsOf(v, layout, batch, head, heads, lengthK, dValue);
    const Rows<float> dQueries = rowsOf(dQ, layout, batch, head, heads, lengthQ, dHead);
    const Rows<float> dKeys = rowsOf(dK, layout, batch, head, heads, lengthK, dHead);
    const Rows<float> dValues = rowsOf(dV, layout, batch, head, heads, lengthK, dValue);
    const float* denominators = denominator + (batch * heads + head) * lengthQ;
    const float* mask = keyMask ? keyMask + batch * lengthK : nullptr;

    fillValue(s.scale, padded, -kInfinity);
    copyRow(s.scale, scales + at, numFeatures);
    wholeNumbers(s.scale, padded, s.wholeScale);
    s.scalesAreFar = anyFar(s.scale, padded);
    for (Index r = 0; r < numFeatures; r++)
      for (Index c = 0; c < width; c++)
        s.state[r * s.stride + c] = sums[(at + r) * width + c] + compensation[(at + r) * width + c];
    fillZero(s.partial, numFeatures * s.stride);
    fillZero(s.normalisers, numFeatures * kWidth);
    fillZero(s.transposedSums, s.stride * padded);
    fillZero(s.sums, numFeatures * s.stride);
    fillZero(s.compensation, numFeatures * s.stride);

    Index pending = 0;
    for (Index i = 0; i < numQueries; i += kRows) {
      const Index first = sequence[1] + i, count = smaller(kRows, numQueries - i);
      s.queries.gather(queries, first, count, s.projection);
      s.gradients.gather(outs, dOuts, denominators, first, count, s.divided);
      s.gradients.turn(count);
      s.queryTile();
      for (Index j = 0; j < count; j++) {
        const float* dX = s.projected.dX + j * dXStride;
        if (s.needsQueryTotals()) writeGradient(dQueries[first + j], dX, queries[first + j], dHead, estimator, s.queryTotals[j]);
        else writeScaled(dQueries[first + j], dX, dHead, estimator.gradientUnit());
      }
      if (++pending == kFlushTiles) s.flush(), pending = 0;
    }
    s.flush();
    transpose(s.sums, s.stride, numFeatures, width, s.transposedSums, padded);

    for (Index next = sequence[3]; next < end;) {
      const Index from = next;
      next = s.keys.gather(keys, values, mask, next, end, s.projection);
      if (mask) {
        for (Index j = from; j < next; j++) fillZero(dKeys[j], dHead), fillZero(dValues[j], dValue);
      }
      s.keyTile();
      for (Index j = 0; j < s.keys.count; j++) {
        const Index row = s.keys.index[j];
        writeGradient(dKeys[row], s.projected.dX + j * dXStride, keys[row], dHead, estimator, sum(load(s.rowSums + j * kWidth)));
        copyRow(dValues[row], s.dV + j * s.stride, dValue);
      }
    }
  }
}

}  // namespace KERNELS_NAMESPACE
