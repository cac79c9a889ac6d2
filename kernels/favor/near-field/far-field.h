// The far field by features, block after block: what both passes share. A sweep goes over the blocks of a sequence, forwards
// or, for the far keys after a query, backwards. Step t first adds the keys of step t - 2 to the state. The queries of
// step t then read the state, so a later key has no way to an earlier row.
//
// All queries of a step see the same far keys, so the scale of a feature can be the largest so far. No quadratic form
// over features is needed, as in the chunks of favor-causal.h.
#pragma once
#include "favor/favor-causal.h"

namespace KERNELS_NAMESPACE {

#define FAR_ESTIMATOR Estimator{projection, bias, numFeatures, form, factors, directions, FeatureMapKind::exponential, 0}

// Positions and blocks are counted from the sequence's first key.
struct FarSequence {
  Index batch, queryStart, queryLength, keyStart, keyLength;
  Index block, sinks, keySteps;
  bool reverse;
  Index offset;  // beyond these bounds nothing that a query sees changes

  FarSequence(const int32_t* r, Index block, Index sinks, bool reverse)
      : batch(r[0]), queryStart(r[1]), queryLength(r[2]), keyStart(r[3]), keyLength(r[4]), block(block), sinks(sinks),
        keySteps((keyLength + block - 1) / block), reverse(reverse),
        offset(larger(-queryLength - 2 * block, smaller(keyLength + 2 * block, r[5]))) {}

  Index floorOf(Index x) const { return x >= 0 ? x / block : -((-x + block - 1) / block); }
  // Steps and blocks: the same function goes both ways.
  Index turned(Index number) const { return reverse ? keySteps - 1 - number : number; }
  // The steps of queries. Before step 2 no key is far.
  Index firstStep() const { return reverse ? turned(floorOf(offset + queryLength - 1)) : floorOf(offset); }
  Index endStep() const {
    return queryLength == 0 ? firstStep() : 1 + (reverse ? turned(floorOf(offset)) : floorOf(offset + queryLength - 1));
  }
  Stretch queriesOf(Index step) const {
    const Index start = turned(step) * block - offset;
    return {larger(0, start), smaller(queryLength, start + block)};
  }
  // Sinks are near.
  Stretch keysOf(Index step) const {
    const Index start = turned(step) * block;
    return {larger(sinks, start), smaller(keyLength, start + block)};
  }
  // Key steps that are far from the position, in a forward sweep.
  Index keyStepsBefore(Index position) const { return larger(0, smaller(keySteps, floorOf(position) - 1)); }
};

// Steps between two snapshots of the state.
static inline Index stepsOfSegment(Index block) { return larger(1, kSnapshotKeys / block); }
static inline Index snapshotsOf(Index lengthQ, Index lengthK, Index block) {
  return (lengthQ + lengthK) / (block * stepsOfSegment(block)) + 4;
}

// Keys of a step, tile by tile, and the largest log-feature so far.
struct FarKeys {
  KeyTile tile;
  Index stride;    // padded number of features
  float* u;        // [kRows, stride] as KeyTile::logFeatures leaves it; -inf beyond numFeatures
  float* running;  // [stride] the scale of every feature; -inf before the first valid key
  int32_t* wholeRunning;
  bool runningIsFar = false;

  FarKeys(Arena& arena, const Projection& p, Index dValue) : tile(arena, p.dHead, dValue), stride(p.paddedFeatures()) {
    u = arena.floats(kRows * stride);
    running = arena.floats(stride);
    wholeRunning = arena.integers(stride);
  }

  void reset() {
    fillValue(running, stride, -kInfinity);
    roundRunning();
  }
  // Takes over the scales of a state.
  void startFrom(const CausalState& state) {
    reset();
    copyRow(running, state.scale, state.numFeatures);
    roundRunning();
  }
  // The valid keys of the tile that starts at key `next`, with their values; raises the scales. Returns where the next
  // tile starts.
  Index gather(Projection& p, const Rows<const float>& keys, const Rows<const float>& values, const float* mask, Index next, Index end) {
    next = tile.gather(keys, values, mask, next, end, p);
    if (tile.count == 0) return next;
    tile.logFeatures(p, 0, stride, u, stride);
    for (Index i = 0; p.numFeatures < stride && i < tile.count; i++)
      fillValue(u + i * stride + p.numFeatures, stride - p.numFeatures, -kInfinity);
    for (Index r = 0; r < stride; r += kTileColumns) {
      Vector high[kTileVectors];
      UNROLL for (int t = 0; t < kTileVectors; t++) high[t] = splat(-kInfinity);
      for (Index i = 0; i < tile.count; i++)
        UNROLL for (int t = 0; t < kTileVectors; t++)
          high[t] = maximum(load(u + i * stride + r + t * kWidth) - splat(tile.wholeD[i]), high[t]);
      UNROLL for (int t = 0; t < kTileVectors; t++)
        store(running + r + t * kWidth, maximum(wholeNear(high[t]), load(running + r + t * kWidth)));
    }
    roundRunning();
    return next;
  }
  // K′ of the tile, features [r, r + features), and their sums over the keys. Both outputs are [kRows, kFeatureBlock].
  void features(const Estimator& estimator, Index r, Index features, float* out, float* totals) const {
    keyFeatures(estimator, tile, u + r, stride, running + r, 0, tile.count, roundUp(features, kTileColumns), out, kFeatureBlock,
                totals, nullptr);
  }

 private:
  void roundRunning() {
    wholeNumbers(running, stride, wholeRunning);
    runningIsFar = anyFar(running, stride);
  }
};

// Queries of a tile: log-features, and M of every query over the features that have seen a key.
struct FarQueries {
  QueryTile tile;
  float *u, *highest;
  int32_t* wholeHighest;

  FarQueries(Arena& arena, const Projection& p) : tile(arena, p.dHead) {
    u = arena.floats(p.paddedFeatures() * kRows);
    highest = arena.floats(kRows);
    wholeHighest = arena.integers(kRows);
  }

  void gather(Projection& p, const Rows<const float>& queries, Index first, Index count, const FarKeys& keys) {
    tile.gather(queries, first, count, p);
    fillValue(highest, kRows, -kInfinity);
    for (Index r = 0; r < p.numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, p.numFeatures - r);
      tile.logFeatures(p, r, features, u + r * kRows);
      raiseHighest(p.estimator, u + r * kRows, keys.running + r, features, tile.columns, highest);
    }
    roundHighest(highest, tile.columns, wholeHighest);
  }
  // M of a query that has far keys.
  float wholeHighestOf(Index i) const { return wholeNear(splat(highest[i]))[0]; }
  // Q′ of the features [r, r + features), [features, kRows]; with NORMALISE, denominators += Q′·normalisers.
  template <bool NORMALISE>
  void features(const Estimator& estimator, const FarKeys& keys, Index r, Index features, float* out, const float* normalisers, Index ldz,
                float* denominators) const {
    const QueryScales by{keys.running + r, keys.wholeRunning + r, highest, wholeHighest, tile.isFar || keys.runningIsFar};
    queryFeatures<NORMALISE>(estimator, u + r * kRows, by, features, tile.columns, out, normalisers, ldz, denominators, nullptr);
  }
};

}  // namespace KERNELS_NAMESPACE
