// Gradients of the far field. With G_i = share_i·[dOut_i, -dOut_i·out_i], out being that of all keys:
//   dQ′_i = S·G_i                          (S: state that query i reads)
//   dK′_j = R·[v_j, 1]                     (R: Σ Q′_i ⊗ G_i over the queries that see key j)
//   dV_j += K′_j·R
// and dq, dk follow as in favor-backward.cc. The query's D counts too, since D does not cancel beside near keys. The gradient
// of the gain is Σ_i dQ′_i·Q′_i.
//
// The steps of a sweep (far-field.h) are cut into segments, and the last segment comes first. Inside a segment the features
// are computed once, on the way forward (dq), and kept for the way back (dk, dV). The forward pass left the states at
// the starts of the segments.
//
// Roofline: 18·L·m·d flops a head for 40·L·d bytes and a segment's features twice through L2, so arithmetic sets the pace.
#include "favor/near-field/far-field.h"
#include "favor/favor-gradients.h"

namespace KERNELS_NAMESPACE {

namespace {

// Tiles of one side in a segment, at most.
Index tilesOf(Index block, Index length) {
  const Index steps = stepsOfSegment(block);
  return smaller(steps * ((block + kRows - 1) / kRows), steps + length / kRows + 1);
}

struct Scratch {
  Projection projection;
  FarKeys keys;
  FarQueries queries;
  CausalState state, later;  // S, R
  QueryGradients gradients;
  ProjectionGradient inputs;
  Index dHead, dValue, stride, featureBlocks;
  float *totals, *pull, *gradientBlock, *valuesAcross, *dV, *rowSums;
  float *queryStore, *keyStore;       // features of a segment: [tile, feature block, features, rows], […, rows, features]
  float *queryStarts, *keyStarts;     // scales in force at a step's queries and at a tile of keys, [step or tile, stride of keys]
  int32_t *keyIndices, *keyCounts;    // [tile, kRows] and [tile]: which keys
  int32_t *queryTiles, *keyTiles;     // [steps + 1] where a step's tiles start

  Scratch(Arena& arena, const Estimator& estimator, Index dHead, Index dValue, Index lengthQ, Index lengthK, Index block)
      : projection(arena, estimator, dHead, estimator.numFeatures), keys(arena, projection, dValue), queries(arena, projection),
        state(arena, estimator.numFeatures, dValue), later(arena, estimator.numFeatures, dValue), gradients(arena, dValue),
        inputs(arena, projection), dHead(dHead), dValue(dValue), stride(roundUp(dValue + 1, kWidth)),
        featureBlocks((estimator.numFeatures + kFeatureBlock - 1) / kFeatureBlock) {
    const Index ofQueries = tilesOf(block, lengthQ), ofKeys = tilesOf(block, lengthK), steps = stepsOfSegment(block);
    totals = arena.floats(kFeatureBlock);
    pull = arena.floats(kRows);
    gradientBlock = arena.floats(kFeatureBlock * kRows);
    valuesAcross = arena.floats(stride * kRows);
    dV = arena.floats(kRows * stride);
    rowSums = arena.floats(kRows);
    queryStore = arena.floats(ofQueries * featureBlocks * kFeatureBlock * kRows);
    keyStore = arena.floats(ofKeys * featureBlocks * kFeatureBlock * kRows);
    queryStarts = arena.floats(steps * keys.stride);
    keyStarts = arena.floats(ofKeys * keys.stride);
    keyIndices = arena.integers(ofKeys * kRows);
    keyCounts = arena.integers(ofKeys);
    queryTiles = arena.integers(steps + 1);
    keyTiles = arena.integers(steps + 1);
  }

  Index numFeatures() const { return projection.numFeatures; }
  float* queryFeaturesOf(Index tile, Index r) const {
    return queryStore + (tile * featureBlocks + r / kFeatureBlock) * kFeatureBlock * kRows;
  }
  float* keyFeaturesOf(Index tile, Index r) const {
    return keyStore + (tile * featureBlocks + r / kFeatureBlock) * kFeatureBlock * kRows;
  }

  // Adds the tile's keys to the state and keeps their features.
  void addKeys(Index tile) {
    state.moveTo(keys.running);
    copyRow(keyStarts + tile * keys.stride, keys.running, keys.stride);
    keyCounts[tile] = (int32_t)keys.tile.count;
    for (Index i = 0; i < keys.tile.count; i++) keyIndices[tile * kRows + i] = keys.tile.index[i];
    for (Index r = 0; r < numFeatures(); r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures() - r);
      keys.features(projection.estimator, r, features, keyFeaturesOf(tile, r), totals);
      state.addPlainly(keys.tile.values, 0, keys.tile.count, r, features, keyFeaturesOf(tile, r), kFeatureBlock, 1, totals);
    }
  }

  // Gradient in the inputs x and rowSums of the tile's queries; keeps their features.
  void differentiateQueries(Index tile) {
    const Index count = queries.tile.count, columns = queries.tile.columns;
    fillZero(rowSums, kRows);
    for (Index r = 0; r < numFeatures(); r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures() - r);
      float* query = queryFeaturesOf(tile, r);
      queries.features<false>(projection.estimator, keys, r, features, query, nullptr, 0, nullptr);
      tileMultiply({.rows = features, .columns = columns, .depth = dValue + 1}, rowMajor(state.sums + r * stride, stride),
                   rowsOf(gradients.transposed, kRows), {gradientBlock, kRows}, Mode::store);
      sumProducts(gradientBlock, query, features, columns, rowSums);
      for (Index i = 0; i < features; i++)
        for (Index c = i * kRows; c < i * kRows + columns; c += kWidth) store(gradientBlock + c, load(gradientBlock + c) * load(query + c));
      inputs.add(projection, gradientBlock, 1, kRows, 0, count, r, features);
    }
    inputs.finish(projection, 0, count);
  }

  // Adds the tile's queries to `later`.
  void addQueries(Index tile, Index count) {
    const Index columns = roundUp(count, kWidth);
    fillZero(pull, kRows);
    for (Index i = 0; i < count; i++) pull[i] = gradients.rows[i * stride + dValue];
    for (Index r = 0; r < numFeatures(); r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures() - r);
      const float* query = queryFeaturesOf(tile, r);
      sumQueries(query, pull, features, 0, columns, totals);
      later.addPlainly(gradients.rows, 0, count, r, features, query, 1, kRows, totals);
    }
  }

  // Gradient in the inputs x, rowSums and dV of a tile of keys.
  void differentiateKeys(Index tile) {
    const Index count = keyCounts[tile], columns = roundUp(count, kWidth);
    later.moveTo(keyStarts + tile * keys.stride, -1);
    transpose(keys.tile.values, stride, count, dValue + 1, valuesAcross, kRows);
    for (Index r = 0; r < numFeatures(); r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures() - r);
      const float *rows = later.sums + r * stride, *keyRows = keyFeaturesOf(tile, r);
      tileMultiply({.rows = features, .columns = columns, .depth = dValue + 1}, rowMajor(rows, stride), rowsOf(valuesAcross, kRows),
                   {gradientBlock, kRows}, Mode::store);
      multiplyKeysAcross(gradientBlock, keyRows, nullptr, features, 0, count, r == 0, rowSums);
      inputs.add(projection, gradientBlock, 1, kRows, 0, count, r, features);
      tileMultiply({.rows = count, .columns = dValue, .depth = features}, rowMajor(keyRows, kFeatureBlock), rowsOf(rows, stride),
                   {dV, stride}, r == 0 ? Mode::store : Mode::carry);
    }
    inputs.finish(projection, 0, count);
  }
};

// The arrays of one (sequence, head), rows counted from the sequence's start.
struct Head {
  Rows<const float> queries, keys, values, out, dOut;
  Rows<float> dQ, dK, dV;
  const float *mask, *shares, *snapshots;
};

void addRow(float* to, const float* from, Index count) {
  Index c = 0;
  for (; c + kWidth <= count; c += kWidth) store(to + c, load(to + c) + load(from + c));
  if (const int lanes = (int)(count - c)) storePartial(to + c, loadPartial(to + c, lanes) + loadPartial(from + c, lanes), lanes);
}

// The way forward through the steps [first, end) of a segment; returns the gradient of the gain.
double forward(Scratch& s, const FarSequence& sequence, const Head& head, Index first, Index end) {
  double dGain = 0;
  Index queryTile = 0, keyTile = 0;
  for (Index step = first; step < end; step++) {
    s.keyTiles[step - first] = (int32_t)keyTile;
    const Stretch keys = step >= 2 && step - 2 < sequence.keySteps ? sequence.keysOf(step - 2) : Stretch{0, 0};
    for (Index next = keys.first; next < keys.end;) {
      next = s.keys.gather(s.projection, head.keys, head.values, head.mask, next, keys.end);
      if (s.keys.tile.count > 0) s.addKeys(keyTile++);
    }
    copyRow(s.queryStarts + (step - first) * s.keys.stride, s.keys.running, s.keys.stride);
    s.queryTiles[step - first] = (int32_t)queryTile;
    const Stretch rows = sequence.queriesOf(step);
    for (Index row = rows.first; row < rows.end; row += kRows, queryTile++) {
      const Index count = smaller(kRows, rows.end - row);
      s.queries.gather(s.projection, head.queries, row, count, s.keys);
      s.gradients.gatherMultiplied(head.out, head.dOut, head.shares, row, count);
      s.gradients.turn(count);
      s.differentiateQueries(queryTile);
      for (Index i = 0; i < count; i++) {
        if (head.shares[row + i] == 0) continue;
        writeGradient<true>(head.dQ[row + i], s.inputs.dX + i * s.inputs.stride, head.queries[row + i], s.dHead, s.projection.estimator,
                            s.rowSums[i]);
        dGain += s.rowSums[i];
      }
    }
  }
  s.queryTiles[end - first] = (int32_t)queryTile;
  s.keyTiles[end - first] = (int32_t)keyTile;
  return dGain;
}

void backward(Scratch& s, const FarSequence& sequence, const Head& head, Index first, Index end) {
  for (Index step = end - 1; step >= first; step--) {
    const Stretch rows = sequence.queriesOf(step);
    s.later.moveTo(s.queryStarts + (step - first) * s.keys.stride, -1);
    for (Index row = rows.first, tile = s.queryTiles[step - first]; row < rows.end; row += kRows, tile++) {
      const Index count = smaller(kRows, rows.end - row);
      s.gradients.gatherMultiplied(head.out, head.dOut, head.shares, row, count);
      s.addQueries(tile, count);
    }
    for (Index tile = s.keyTiles[step + 1 - first] - 1; tile >= s.keyTiles[step - first]; tile--) {
      const int32_t* indices = s.keyIndices + tile * kRows;
      for (Index i = 0; i < s.keyCounts[tile]; i++) s.keys.tile.setValue(i, head.values[indices[i]]);
      s.differentiateKeys(tile);
      for (Index i = 0; i < s.keyCounts[tile]; i++) {
        const Index key = indices[i];
        writeGradient<true>(head.dK[key], s.inputs.dX + i * s.inputs.stride, head.keys[key], s.dHead, s.projection.estimator, s.rowSums[i]);
        addRow(head.dV[key], s.dV + i * s.stride, s.dValue);
      }
    }
  }
}

}  // namespace

PLAN(far_field_backward) {
  Arena arena(nullptr);
  Scratch scratch(arena, FAR_ESTIMATOR, dHead, dValue, lengthQ, lengthK, block);
  return {numSequences * heads, (Index)arena.at};
}

RUN(far_field_backward) {
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, FAR_ESTIMATOR, dHead, dValue, lengthQ, lengthK, block);
  s.projection.pack(s.projection.estimator.unit(), 0, numFeatures);
  const Index segmentSteps = stepsOfSegment(block), perSequence = snapshotsOf(lengthQ, lengthK, block);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index index = unit % heads;
    const FarSequence sequence(sequences + unit / heads * kSequenceColumns, block, sinks, reverse);
    const auto part = [&](auto* x, Index length, Index d, Index start) {
      const auto all = rowsOf(x, layout, sequence.batch, index, heads, length, d);
      return Rows{all[start], all.stride};
    };
    const Head head{part(q, lengthQ, dHead, sequence.queryStart),
                    part(k, lengthK, dHead, sequence.keyStart),
                    part(v, lengthK, dValue, sequence.keyStart),
                    part(out, lengthQ, dValue, sequence.queryStart),
                    part(dOut, lengthQ, dValue, sequence.queryStart),
                    part(dQ, lengthQ, dHead, sequence.queryStart),
                    part(dK, lengthK, dHead, sequence.keyStart),
                    part(dV, lengthK, dValue, sequence.keyStart),
                    keyMask ? keyMask + sequence.batch * lengthK + sequence.keyStart : nullptr,
                    shares + (sequence.batch * heads + index) * lengthQ + sequence.queryStart,
                    snapshots + unit * perSequence * s.state.snapshotSize()};
    double total = 0;
    s.later.reset();
    // Up to step 2 nothing is far.
    Index segment = (larger(1, sequence.endStep()) - 1) / segmentSteps * segmentSteps;
    for (; segment >= 0 && sequence.endStep() > 2; segment -= segmentSteps) {
      s.state.reset();
      s.keys.reset();
      if (segment > 0) {
        s.state.restoreSnapshot(head.snapshots + (segment / segmentSteps - 1) * s.state.snapshotSize(), s.keys.running);
        s.keys.startFrom(s.state);
      }
      const Index end = smaller(segment + segmentSteps, sequence.endStep());
      total += forward(s, sequence, head, segment, end);
      backward(s, sequence, head, segment, end);
    }
    dGain[unit] = (float)total;
  }
}

}  // namespace KERNELS_NAMESPACE
