// Causal FAVOR+ in chunks: the quadratic form over features inside a chunk, the state of the keys before it for the rest.
#include "favor-causal.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Scratch {
  Projection projection;
  CausalKeys keys;
  CausalState state;
  QueryTile queries;
  Index dValue, stride;
  float *u, *keyBlock, *queryBlock, *totals, *delta, *scores, *numerators, *denominators, *highest;
  int32_t* wholeHighest;

  Scratch(Arena& arena, const float* bias, Index dHead, Index dValue, Index numFeatures)
      : projection(arena, bias, dHead, numFeatures), keys(arena, projection, dValue), state(arena, numFeatures, dValue),
        queries(arena, dHead), dValue(dValue), stride(roundUp(dValue + 1, kWidth)) {
    u = arena.floats(projection.paddedFeatures() * kRows);
    keyBlock = arena.floats(kRows * kFeatureBlock);
    queryBlock = arena.floats(kFeatureBlock * kRows);
    totals = arena.floats(kFeatureBlock);
    delta = arena.floats(kFeatureBlock * stride);
    scores = arena.floats(kRows * kRows);
    numerators = arena.floats(kRows * stride);
    denominators = arena.floats(kRows);
    highest = arena.floats(kRows);
    wholeHighest = arena.integers(kRows);
  }

  void gatherQueries(const Rows<const float>& rows, Index first, Index count) {
    queries.gather(rows, first, count, projection);
    for (Index r = 0; r < projection.numFeatures; r += kFeatureBlock)
      queries.logFeatures(projection, r, smaller(kFeatureBlock, projection.numFeatures - r), u + r * kRows);
  }

  // Rows [first, end) of the block: reads the state before them and, with `update`, adds their keys to it.
  void chunk(Index first, Index end, bool update) {
    const Index numFeatures = projection.numFeatures, keep = first / kWidth * kWidth;
    const Index columns = roundUp(end, kWidth) - keep;  // the queries' columns [keep, keep + columns)
    state.moveTo(keys.start);
    fillValue(highest, kRows, -kInfinity);
    fillZero(denominators, kRows);
    fillZero(numerators, kRows * stride);
    for (Index r = 0; r < numFeatures; r += kFeatureBlock)
      raiseHighest(u + r * kRows + keep, keys.start + r, smaller(kFeatureBlock, numFeatures - r), columns, highest + keep);
    roundHighest(highest + keep, columns, wholeHighest + keep);

    for (Index r = 0; r < numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures - r);
      float* rows = state.sums + r * stride;
      queryFeatures<true>(u + r * kRows + keep, keys.wholeStart + r, wholeHighest + keep, features, columns, queryBlock + keep, rows + dValue,
                    stride, denominators + keep);
      tileMultiply(end - first, dValue, features, queryBlock + first, 1, kRows, rows, stride, numerators + first * stride, stride,
                   Mode::carry);
      keys.features(first, end, r, features, keys.start, keyBlock, totals);
      for (Index g = first; g < end; g += kGroup) {
        const Index from = g / kWidth * kWidth;
        tileMultiply(smaller(kGroup, end - g), keep + columns - from, features, keyBlock + g * kFeatureBlock, kFeatureBlock, 1,
                     queryBlock + from, kRows, scores + g * kRows + from, kRows, r == 0 ? Mode::store : Mode::carry);
      }
      if (update) state.add(keys.tile.values, first, end, r, features, keyBlock, kFeatureBlock, 1, totals, delta);
    }

    // scores[j, i] = K′_j · Q′_i for keys j <= queries i, zero above the diagonal.
    for (Index j = first; j < end; j++) {
      const Index from = (first + (j - first) / kGroup * kGroup) / kWidth * kWidth;
      float* row = scores + j * kRows;
      for (Index i = from; i < j; i++) row[i] = 0;
      for (Index i = from; i < keep + columns; i += kWidth) store(denominators + i, load(denominators + i) + load(row + i));
    }
    for (Index g = first; g < end; g += kGroup) {
      const Index rows = smaller(kGroup, end - g);
      tileMultiply(rows, dValue, g + rows - first, scores + first * kRows + g, 1, kRows, keys.tile.values + first * stride, stride,
                   numerators + g * stride, stride, Mode::carry);
    }
  }
};

}  // namespace

Plan favor_causal_plan(const float*, const float*, const float*, const float*, const int32_t*,
                       const float*, const float* bias, Index numFeatures, Index, Index, Index, Index, float, float*,
                       float*, float*, float*, float*, Index numRuns, Index heads, Index, Index, Index dHead, Index dValue, Index,
                       Index, float, float) {
  Arena arena(nullptr);
  Scratch scratch(arena, bias, dHead, dValue, numFeatures);
  return {numRuns * heads, (Index)arena.at};
}

void favor_causal(Work work, const float* q, const float* k, const float* v, const float* keyMask, const int32_t* runs,
                  ESTIMATOR, float* sums, float* compensation, float* scales, float* out, float* denominator, Index numRuns,
                  Index heads, Index lengthQ, Index lengthK, Index dHead, Index dValue, Index layout, Index updateState,
                  float weight, float stabiliser) {
  (void)numRuns, (void)form, (void)factors, (void)directions, (void)map, (void)epsilon, (void)weight, (void)stabiliser;
  const Index length = lengthQ;
  (void)lengthK;
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, bias, dHead, dValue, numFeatures);
  s.projection.pack(projection, bias, kBits, 0, numFeatures);
  fillZero(s.delta, kFeatureBlock * s.stride);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index head = unit % heads, at = unit * numFeatures * (dValue + 1);
    const int32_t* run = runs + unit / heads * 6;
    const Index batch = run[0], runLength = run[2];
    const Rows<const float> queries = rowsOf(q, layout, batch, head, heads, length, dHead);
    const Rows<const float> keys = rowsOf(k, layout, batch, head, heads, length, dHead);
    const Rows<const float> values = rowsOf(v, layout, batch, head, heads, length, dValue);
    const Rows<float> outs = rowsOf(out, layout, batch, head, heads, length, dValue);
    float* denominators = denominator + (batch * heads + head) * length + run[1];

    s.keys.reset();
    if (sums) {
      s.state.import(sums + at, compensation + at, scales + unit * numFeatures);
      copyRow(s.keys.running, s.state.scale, numFeatures);
    } else {
      s.state.reset();
    }
    for (Index block = 0; block < runLength; block += kRows) {
      const Index count = smaller(kRows, runLength - block);
      s.keys.gather(s.projection, keys, values, keyMask ? keyMask + batch * length : nullptr, run[3] + block, count);
      s.gatherQueries(queries, run[1] + block, count);
      for (Index first = 0; first < count;) {
        const Index end = s.keys.nextChunk(first);
        s.chunk(first, end, updateState || block + end < runLength);
        writeQuotients(s.numerators + first * s.stride, s.stride, s.denominators + first, end - first, dValue,
                       {outs[run[1] + block + first], outs.stride});
        copyRow(denominators + block + first, s.denominators + first, end - first);
        first = end;
      }
    }
    if (sums && updateState) {
      s.state.moveTo(s.keys.running);
      s.state.exportTo(sums + at, compensation + at, scales + unit * numFeatures);
    }
  }
}

}  // namespace KERNELS_NAMESPACE
