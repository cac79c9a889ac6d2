// What the causal kernels share: a block of keys cut into chunks, each with one scale per feature, and the running state. Maps other
// than the exponential have one scale for all features: D for the map sine, 0 for the rest.
//
// Everything is counted in positions: key j is at position j, query i at position i + offset. A query sees the keys at
// positions up to its own. A position without a key counts as masked.
//
// Whatever row i uses may depend on rows <= i only, to the last bit. A chunk therefore works in the scale in force at
// its first key: c = max(running maximum before it, n of that key). Later keys of the chunk may exceed c by up to
// 2^kHeadroom, which float32 bears. The chunk ends before a key that would exceed c further. Blocks of kRows positions
// start at multiples of kRows, and chunks never cross blocks.
#pragma once
#include "favor-rows.h"

namespace KERNELS_NAMESPACE {

constexpr float kHeadroom = 30;
static_assert(kSnapshotKeys % kRows == 0);
constexpr Index kChunk = 32;   // rows of a chunk at most
constexpr Index kGroup = kWidth < 8 ? 8 : 16;  // rows in a step of the triangle below the diagonal
static_assert(kGroup % kWidth == 0 && kRows % kGroup == 0);

// Above the diagonal: row[from … end) = 0.
static inline void clear(float* row, Index from, Index end) {
  if (from < end) fillZero(row + from, end - from);
}

// The rows [first, end) of a block whose positions hold a key or a query.
struct Range {
  Index first, end;
  Range(Index from, Index to, Index block, Index count) : first(larger(from - block, 0)), end(smaller(to - block, count)) {}
  Range(Range a, Index from, Index to) : first(larger(a.first, from)), end(smaller(a.end, to)) {}
  bool isEmpty() const { return first >= end; }
};

struct CausalSequence {
  Index batch, queryStart, queryLength, keyStart, keyLength;
  Index offset;  // beyond these bounds every query sees all keys, or no key
  explicit CausalSequence(const int32_t* r)
      : batch(r[0]), queryStart(r[1]), queryLength(r[2]), keyStart(r[3]), keyLength(r[4]),
        offset(larger(-queryLength, smaller(keyLength, r[5]))) {}
  Index firstBlock() const { return offset < 0 ? -roundUp(-offset, kRows) : 0; }
  Index queriesEnd() const { return offset + queryLength; }
  Range queriesOf(Index block, Index count) const { return {offset, queriesEnd(), block, count}; }
  Range keysOf(Index block, Index count) const { return {0, keyLength, block, count}; }
};

struct CausalKeys {
  KeyTile tile;
  Estimator estimator;
  Index stride;    // padded number of features
  float* u;        // [kRows, stride] as KeyTile::logFeatures leaves it; -inf beyond numFeatures where the map is exponential
  float* start;    // [stride] the chunk's scale
  int32_t* wholeStart;  // the same as integers
  bool startIsFar = false;
  float* running;  // [stride] largest n so far, this chunk included; -inf before the first valid key

  CausalKeys(Arena& arena, const Projection& p, Index dValue)
      : tile(arena, p.dHead, dValue), estimator(p.estimator), stride(p.paddedFeatures()) {
    u = arena.floats(kRows * stride);
    start = arena.floats(stride);
    wholeStart = arena.integers(stride);
    running = arena.floats(stride);
  }

  void reset() { fillValue(running, stride, -kInfinity); }

  // Keys, values and mask count from the sequence's first key.
  void gather(Projection& p, const Rows<const float>& keys, const Rows<const float>& values, const float* mask,
              const CausalSequence& sequence, Index block, Index count) {
    const Range present = sequence.keysOf(block, count);
    tile.count = count;
    tile.isFar = false;
    for (Index i = 0; i < count; i++) {
      if (i >= present.first && i < present.end && (!mask || mask[block + i] != 0)) {
        tile.setKey(i, keys[block + i], p);
        tile.setValue(i, values[block + i]);
      } else {
        tile.setMasked(i);
      }
    }
    tile.project(p);
    tile.logFeatures(p, 0, stride, u, stride);
    for (Index i = 0; estimator.isExponential() && p.numFeatures < stride && i < count; i++)
      fillValue(u + i * stride + p.numFeatures, stride - p.numFeatures, -kInfinity);
  }

  // Only the values, where the features are known.
  void gatherValues(const Rows<const float>& values, const float* mask, const CausalSequence& sequence, Index block, Index count) {
    const Range present = sequence.keysOf(block, count);
    tile.count = count;
    for (Index i = 0; i < count; i++) {
      if (i >= present.first && i < present.end && (!mask || mask[block + i] != 0)) tile.setValue(i, values[block + i]);
      else fillZero(tile.values + i * tile.valueStride(), tile.valueStride());
    }
  }

  // A block without keys: one chunk, in the scale as it stands.
  void gatherNone() {
    copyRow(start, running, stride);
    roundStart();
  }

  // Starts the chunk at row `first`: sets its scale, brings `running` up to date and returns the row where the chunk ends.
  Index nextChunk(Index first) {
    if (!estimator.isExponential()) return nextChunkOfOneScale(first);
    const Vector whole = splat(tile.wholeD[first]);
    for (Index r = 0; r < stride; r += kWidth)
      store(start + r, maximum(wholeNear(load(u + first * stride + r) - whole), load(running + r)));
    roundStart();
    const Index limit = smaller(first + kChunk, tile.count);
    if (raise(first, limit)) return limit;
    const Index end = firstBeyondHeadroom(first, limit);
    raise(first, end);
    return end;
  }

  // K′ of rows [first, end), features [r, r + features), relative to the chunk's scale, and their sums over the rows.
  // `slopes` gets dK′/du, and is null or unused for the exponential map. Both outputs are [kRows, kFeatureBlock].
  void features(Index first, Index end, Index r, Index features, float* out, float* totals, float* slopes = nullptr) const {
    keyFeatures(estimator, tile, u + r, stride, start + r, first, end, roundUp(features, kTileColumns), out, kFeatureBlock, totals,
                slopes);
  }

 private:
  void roundStart() {
    wholeNumbers(start, stride, wholeStart);
    startIsFar = estimator.isExponential() && anyFar(start, stride);
  }
  Index nextChunkOfOneScale(Index first) {
    const float scale = tile.largestWhole(first, first + 1), from = scale > running[0] ? scale : running[0];
    const Index limit = smaller(first + kChunk, tile.count);
    Index end = first + 1;
    while (end < limit && -tile.wholeD[end] <= from + kHeadroom) end++;
    const float highest = tile.largestWhole(first, end);
    fillValue(start, stride, from);
    fillValue(running, stride, highest > from ? highest : from);
    roundStart();
    return end;
  }

  // running = largest n of rows [first, end) and before; false if a key exceeds the headroom over `start`.
  bool raise(Index first, Index end) {
    IntVector beyond = {};
    for (Index r = 0; r < stride; r += kTileColumns) {
      Vector high[kTileVectors];
      UNROLL for (int t = 0; t < kTileVectors; t++) high[t] = splat(-kInfinity);
      for (Index i = first; i < end; i++) {
        const Vector whole = splat(tile.wholeD[i]);
        UNROLL for (int t = 0; t < kTileVectors; t++) high[t] = maximum(load(u + i * stride + r + t * kWidth) - whole, high[t]);
      }
      UNROLL for (int t = 0; t < kTileVectors; t++) {
        const Vector from = load(start + r + t * kWidth);
        beyond |= high[t] > from + splat(kHeadroom);
        store(running + r + t * kWidth, maximum(wholeNear(high[t]), from));
      }
    }
    return !any(beyond);
  }

  Index firstBeyondHeadroom(Index first, Index limit) const {
    for (Index i = first + 1; i < limit; i++) {
      const Vector whole = splat(tile.wholeD[i]);
      IntVector beyond = {};
      for (Index r = 0; r < stride; r += kWidth)
        beyond |= load(u + i * stride + r) - whole > load(start + r) + splat(kHeadroom);
      if (any(beyond)) return i;
    }
    return limit;
  }

};

// Queries of a block: those at its positions, zeros at positions without a query.
static inline void gatherBlock(QueryTile& tile, const Rows<const float>& queries, const CausalSequence& sequence, Index block, Index count,
                               Projection& p, float* staging) {
  const Range present = sequence.queriesOf(block, count);
  if (present.first == 0 && present.end == count) {
    tile.gather(queries, block - sequence.offset, count, p);
    return;
  }
  fillZero(staging, count * p.dHead);
  for (Index i = present.first; i < present.end; i++) copyRow(staging + i * p.dHead, queries[block + i - sequence.offset], p.dHead);
  tile.gather({staging, p.dHead}, 0, count, p);
}

// The state of the keys before a chunk, rows padded to whole vectors: the normaliser in column dValue.
struct CausalState {
  Index numFeatures, width, stride;
  float *sums, *compensation, *scale;  // [numFeatures, stride] twice, [numFeatures]

  CausalState(Arena& arena, Index numFeatures, Index dValue)
      : numFeatures(numFeatures), width(dValue + 1), stride(roundUp(dValue + 1, kWidth)) {
    sums = arena.floats(numFeatures * stride);
    compensation = arena.floats(numFeatures * stride);
    scale = arena.floats(roundUp(numFeatures, kWidth));
  }

  void reset() {
    fillZero(sums, numFeatures * stride);
    fillZero(compensation, numFeatures * stride);
    fillValue(scale, numFeatures, -kInfinity);
  }
  // As exported, to the bit: a sequence in pieces of whole blocks gives the same state as the whole sequence.
  void import(const float* fromSums, const float* fromCompensation, const float* fromScales) {
    reset();
    copyRow(scale, fromScales, numFeatures);
    for (Index r = 0; r < numFeatures; r++) {
      copyRow(sums + r * stride, fromSums + r * width, width);
      copyRow(compensation + r * stride, fromCompensation + r * width, width);
    }
  }
  void exportTo(float* toSums, float* toCompensation, float* toScales) const {
    copyRow(toScales, scale, numFeatures);
    for (Index r = 0; r < numFeatures; r++) {
      copyRow(toSums + r * width, sums + r * stride, width);
      copyRow(toCompensation + r * width, compensation + r * stride, width);
    }
  }
  // The state in the scale `running`, row by row {sums, scale}, for the backward pass.
  void takeSnapshot(const float* running, float* snapshot) const {
    for (Index r = 0; r < numFeatures; r++, snapshot += width + 1) {
      const float factor = scale[r] == running[r] ? 1 : powerOfTwo(scale[r] - running[r]);
      for (Index c = 0; c < width; c++) snapshot[c] = sums[r * stride + c] * factor;
      snapshot[width] = running[r];
    }
  }
  void restoreSnapshot(const float* snapshot, float* running) {
    for (Index r = 0; r < numFeatures; r++, snapshot += width + 1) {
      copyRow(sums + r * stride, snapshot, width);
      scale[r] = running[r] = snapshot[width];
    }
  }
  Index snapshotSize() const { return numFeatures * (width + 1); }

  // sign -1 is for sums of queries, which shrink where sums of keys grow: scale then holds minus the keys' scale.
  void moveTo(const float* newScale, float sign = 1) {
    if (isAt(newScale, sign)) return;
    for (Index r = 0; r < numFeatures; r++) {
      const float target = sign * newScale[r];
      if (target == scale[r]) continue;
      const float factor = powerOfTwo(scale[r] - target);
      scaleRow(sums + r * stride, stride, factor);
      scaleRow(compensation + r * stride, stride, factor);
      scale[r] = target;
    }
  }
  bool isAt(const float* newScale, float sign) const {
    IntVector moved = {};
    Index r = 0;
    for (; r + kWidth <= numFeatures; r += kWidth) moved |= load(newScale + r) * splat(sign) != load(scale + r);
    for (; r < numFeatures; r++)
      if (newScale[r] * sign != scale[r]) return false;
    return !any(moved);
  }

  // += Σ_i features_i ⊗ [values_i, total] over rows [first, end). Feature r of row i is at features[i·rowStride +
  // r·featureStride]. The values are [kRows, stride]; the totals are what the last column gains. The scratch `delta`
  // [kFeatureBlock, stride] is zero beyond width.
  void add(const float* values, Index first, Index end, Index r, Index count, const float* features, Index rowStride,
           Index featureStride, const float* totals, float* delta) {
    tileMultiply({.rows = count, .columns = width - 1, .depth = end - first},
                 {features + first * rowStride, featureStride, rowStride}, rowsOf(values + first * stride, stride), {delta, stride},
                 Mode::store);
    for (Index i = 0; i < count; i++) {
      delta[i * stride + width - 1] = totals[i];
      addCompensatedRow(delta + i * stride, sums + (r + i) * stride, compensation + (r + i) * stride, stride, 1);
    }
  }
  // The same without compensation: enough for gradients.
  void addPlainly(const float* values, Index first, Index end, Index r, Index count, const float* features, Index rowStride,
                  Index featureStride, const float* totals) {
    float* rows = sums + r * stride;
    tileMultiply({.rows = count, .columns = width - 1, .depth = end - first},
                 {features + first * rowStride, featureStride, rowStride}, rowsOf(values + first * stride, stride), {rows, stride},
                 Mode::add);
    for (Index i = 0; i < count; i++) rows[i * stride + width - 1] += totals[i];
  }
};

}  // namespace KERNELS_NAMESPACE
