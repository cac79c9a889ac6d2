// Bidirectional FAVOR+: favor_keys folds all keys of a sequence into its state, favor_queries reads the state. Features
// exist only in tiles of kRows rows.
//
// Roofline: 8·L·m·d flops a head for 16·L·d bytes, so arithmetic sets the pace. The keys reach 78 % of the multiply-add
// peak, the queries 81 % (d = 64, m = 256, AVX-512, one thread).
#include "favor-rows.h"

namespace KERNELS_NAMESPACE {

namespace {

// Sums of this many keys are kept in plain float32 before they are added to the state with compensation.
constexpr Index kFlushTiles = 8;

// With few heads, one head's features are shared out over several units: rows of the state are independent.
Index featuresPerUnit(Index states, Index numFeatures) {
  return roundUp(states >= 8 ? numFeatures : (numFeatures + 3) / 4, kTileColumns);
}

struct KeysScratch {
  Projection projection;
  KeyTile tile;
  Index capacity;
  float *u, *partial, *scale, *flushedScale;
  KeysScratch(Arena& arena, const Estimator& estimator, Index dHead, Index dValue, Index capacity)
      : projection(arena, estimator, dHead, capacity), tile(arena, dHead, dValue), capacity(capacity) {
    u = arena.floats(kRows * kTileColumns);
    partial = arena.floats(capacity * tile.valueStride());
    scale = arena.floats(capacity);
    flushedScale = arena.floats(capacity);
  }

  // Adds the tile's keys to `partial`, one panel of the unit's features at a time.
  void addTile(Index features) {
    const Estimator& estimator = projection.estimator;
    const bool ownScales = estimator.isExponential();
    const float shared = ownScales ? -kInfinity : tile.largestWhole(0, tile.count);
    const Index stride = tile.valueStride(), dValue = tile.dValue, count = tile.count;
    for (Index r = 0; r < features; r += kTileColumns) {
      const Index columns = smaller(kTileColumns, features - r);
      tile.logFeatures(projection, projection.first + r, kTileColumns, u, kTileColumns);
      Vector high[kTileVectors];
      UNROLL for (int j = 0; j < kTileVectors; j++) high[j] = splat(shared);
      for (Index i = 0; ownScales && i < count; i++)
        UNROLL for (int j = 0; j < kTileVectors; j++)
          high[j] = maximum(load(u + i * kTileColumns + j * kWidth) - splat(tile.wholeD[i]), high[j]);
      raiseScales(r, columns, high);

      float totals[kTileColumns];
      keyFeatures(estimator, tile, u, kTileColumns, scale + r, 0, count, kTileColumns, u, kTileColumns, totals, nullptr);
      float* sums = partial + r * stride;
      tileMultiply({.rows = columns, .columns = dValue, .depth = count}, transposeOf(u, kTileColumns), rowsOf(tile.values, stride),
                   {sums, stride}, Mode::add);
      for (Index j = 0; j < columns; j++) sums[j * stride + dValue] += totals[j];
    }
  }

  void raiseScales(Index r, Index columns, const Vector* high) {
    float before[kTileColumns];
    bool rises = false;
    for (int j = 0; j < kTileVectors; j++) {
      const Vector old = load(scale + r + j * kWidth), now = maximum(wholeNear(high[j]), old);
      store(before + j * kWidth, old);
      store(scale + r + j * kWidth, now);
      rises |= any(now > old);
    }
    if (!rises) return;
    const Index stride = tile.valueStride();
    for (Index j = 0; j < columns; j++)
      if (scale[r + j] > before[j]) scaleRow(partial + (r + j) * stride, tile.dValue + 1, powerOfTwo(before[j] - scale[r + j]));
  }

  void flush(Index features, float* sums, float* compensation) {
    const Index width = tile.dValue + 1, stride = tile.valueStride();
    for (Index r = 0; r < features; r++) {
      const float factor = flushedScale[r] == scale[r] ? 1 : powerOfTwo(flushedScale[r] - scale[r]);
      addCompensatedRow(partial + r * stride, sums + r * width, compensation + r * width, width, factor);
      flushedScale[r] = scale[r];
    }
    fillZero(partial, features * stride);
  }
};

struct QueriesScratch {
  Projection projection;
  QueryTile tile;
  Index stride;
  float *u, *state, *numerators, *denominators, *highest;
  int32_t *scales, *wholeHighest;
  bool scalesAreFar = false;
  QueriesScratch(Arena& arena, const Estimator& estimator, Index dHead, Index dValue)
      : projection(arena, estimator, dHead, 0), tile(arena, dHead), stride(roundUp(dValue + 1, kWidth)) {
    const Index numFeatures = estimator.numFeatures;
    u = arena.floats(projection.paddedFeatures() * kRows);
    state = arena.floats(numFeatures * stride);
    numerators = arena.floats(kRows * stride);
    denominators = arena.floats(kRows);
    highest = arena.floats(kRows);
    wholeHighest = arena.integers(kRows);
    scales = arena.integers(roundUp(numFeatures, kWidth));
  }

  void readTile(const float* floatScales, Index dValue) {
    const Estimator& estimator = projection.estimator;
    const Index numFeatures = estimator.numFeatures;
    fillValue(highest, kRows, -kInfinity);
    fillZero(denominators, kRows);
    fillZero(numerators, kRows * stride);
    for (Index r = 0; r < numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures - r);
      tile.logFeatures(projection, r, features, u + r * kRows);
      raiseHighest(estimator, u + r * kRows, floatScales + r, features, tile.columns, highest);
    }
    roundHighest(highest, tile.columns, wholeHighest);
    for (Index r = 0; r < numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures - r);
      float *block = u + r * kRows, *rows = state + r * stride;
      const QueryScales by{floatScales + r, scales + r, highest, wholeHighest, tile.isFar || scalesAreFar};
      queryFeatures<true>(estimator, block, by, features, tile.columns, block, rows + dValue, stride, denominators, nullptr);
      tileMultiply({.rows = tile.count, .columns = dValue, .depth = features}, transposeOf(block, kRows), rowsOf(rows, stride),
                   {numerators, stride}, Mode::carry);
    }
  }
};

constexpr Index kQueriesPerUnit = 512;

}  // namespace

PLAN(favor_keys) {
  const Index states = numSequences * heads, perUnit = featuresPerUnit(states, numFeatures);
  Arena arena(nullptr);
  KeysScratch scratch(arena, ESTIMATOR_VALUE, dHead, dValue, perUnit);
  return {states * ((numFeatures + perUnit - 1) / perUnit), (Index)arena.at};
}

RUN(favor_keys) {
  const Index states = numSequences * heads, perUnit = featuresPerUnit(states, numFeatures), width = dValue + 1;
  Arena arena(work.scratch);
  KeysScratch s(arena, ESTIMATOR_VALUE, dHead, dValue, perUnit);
  Index packed = -1;
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index state = unit % states, head = state % heads, block = unit / states;
    const Index feature = block * perUnit, features = smaller(perUnit, numFeatures - feature);
    if (packed != block) s.projection.pack(s.projection.estimator.unit(), feature, features);
    packed = block;
    const int32_t* sequence = sequences + state / heads * kSequenceColumns;
    const Index batch = sequence[0], end = sequence[3] + sequence[4];
    const Rows<const float> keys = rowsOf(k, layout, batch, head, heads, lengthK, dHead);
    const Rows<const float> values = rowsOf(v, layout, batch, head, heads, lengthK, dValue);
    const float* mask = keyMask ? keyMask + batch * lengthK : nullptr;
    float* stateSums = sums + (state * numFeatures + feature) * width;
    float* stateCompensation = compensation + (state * numFeatures + feature) * width;

    fillZero(stateSums, features * width);
    fillZero(stateCompensation, features * width);
    fillZero(s.partial, s.capacity * s.tile.valueStride());
    fillValue(s.scale, s.capacity, -kInfinity);
    fillValue(s.flushedScale, s.capacity, -kInfinity);
    Index pending = 0;
    for (Index next = sequence[3]; next < end;) {
      next = s.tile.gather(keys, values, mask, next, end, s.projection);
      if (s.tile.count == 0) break;
      s.addTile(features);
      if (++pending == kFlushTiles) s.flush(features, stateSums, stateCompensation), pending = 0;
    }
    if (pending > 0) s.flush(features, stateSums, stateCompensation);
    copyRow(scales + state * numFeatures + feature, s.scale, features);
  }
}

PLAN(favor_queries) {
  Arena arena(nullptr);
  QueriesScratch scratch(arena, ESTIMATOR_VALUE, dHead, dValue);
  return {numSequences * heads * ((lengthQ + kQueriesPerUnit - 1) / kQueriesPerUnit), (Index)arena.at};
}

RUN(favor_queries) {
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  QueriesScratch s(arena, ESTIMATOR_VALUE, dHead, dValue);
  s.projection.pack(s.projection.estimator.unit(), 0, 0);
  const RowRule rule{weight, stabiliser};
  const Index blocks = (lengthQ + kQueriesPerUnit - 1) / kQueriesPerUnit, width = dValue + 1;
  Index loaded = -1;
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index state = unit / blocks, head = state % heads;
    const int32_t* sequence = sequences + state / heads * kSequenceColumns;
    const Index batch = sequence[0], first = unit % blocks * kQueriesPerUnit, end = smaller(first + kQueriesPerUnit, sequence[2]);
    if (first >= end) continue;
    if (loaded != state) {
      const Index at = state * numFeatures * width;
      for (Index r = 0; r < numFeatures; r++) {
        for (Index c = 0; c < width; c++)
          s.state[r * s.stride + c] = sums[at + r * width + c] + compensation[at + r * width + c];
      }
      wholeNumbers(scales + state * numFeatures, numFeatures, s.scales);
      s.scalesAreFar = anyFar(scales + state * numFeatures, numFeatures);
      loaded = state;
    }
    const Rows<const float> queries = rowsOf(q, layout, batch, head, heads, lengthQ, dHead);
    const Rows<float> outs = rowsOf(out, layout, batch, head, heads, lengthQ, dValue);
    for (Index i = first; i < end; i += kRows) {
      s.tile.gather(queries, sequence[1] + i, smaller(kRows, end - i), s.projection);
      s.readTile(scales + state * numFeatures, dValue);
      rule.toDivisors(s.projection.estimator, {queries[sequence[1] + i], queries.stride}, dHead, s.tile.count, s.highest, s.wholeHighest,
                      s.denominators);
      writeQuotients(s.numerators, s.stride, s.denominators, s.tile.count, dValue, {outs[sequence[1] + i], outs.stride});
      copyRow(denominator + (batch * heads + head) * lengthQ + sequence[1] + i, s.denominators, s.tile.count);
    }
  }
}

}  // namespace KERNELS_NAMESPACE
