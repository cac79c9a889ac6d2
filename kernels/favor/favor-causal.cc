// Causal FAVOR+ in chunks: the quadratic form over features inside a chunk, the state of the keys before the chunk for
// the rest.
//
// Roofline: 9·L·m·d flops a head for 16·L·d bytes, so arithmetic sets the pace. Only 8 of the 9 count; the rest is the
// quadratic form. What counts is 67 % of the multiply-add peak (d = 64, m = 256, AVX-512, one thread).
#include "favor-causal.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Scratch {
  Projection projection;
  CausalKeys keys;
  CausalState state;
  QueryTile queries;
  Index dValue, stride;
  float *u, *staging, *keyBlock, *queryBlock, *totals, *delta, *scores, *numerators, *denominators, *highest;
  int32_t* wholeHighest;

  Scratch(Arena& arena, const Estimator& estimator, Index dHead, Index dValue)
      : projection(arena, estimator, dHead, estimator.numFeatures), keys(arena, projection, dValue),
        state(arena, estimator.numFeatures, dValue), queries(arena, dHead), dValue(dValue), stride(roundUp(dValue + 1, kWidth)) {
    u = arena.floats(projection.paddedFeatures() * kRows);
    staging = arena.floats(kRows * dHead);
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

  void gatherQueries(const Rows<const float>& rows, const CausalSequence& sequence, Index block, Index count) {
    gatherBlock(queries, rows, sequence, block, count, projection, staging);
    for (Index r = 0; r < projection.numFeatures; r += kFeatureBlock)
      queries.logFeatures(projection, r, smaller(kFeatureBlock, projection.numFeatures - r), u + r * kRows);
  }

  // Adds the keys of rows [first, end) to the state.
  void addKeys(Index first, Index end) {
    state.moveTo(keys.start);
    for (Index r = 0; r < projection.numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, projection.numFeatures - r);
      keys.features(first, end, r, features, keyBlock, totals);
      state.add(keys.tile.values, first, end, r, features, keyBlock, kFeatureBlock, 1, totals, delta);
    }
  }

  // Rows [first, end) of the block: reads the state before them and, if there are keys, these keys too. With `update`,
  // adds the keys to the state.
  void chunk(Index first, Index end, bool hasKeys, bool update) {
    const Index numFeatures = projection.numFeatures, keep = first / kWidth * kWidth;
    const Index columns = roundUp(end, kWidth) - keep;  // the queries' columns [keep, keep + columns)
    state.moveTo(keys.start);
    fillValue(highest, kRows, -kInfinity);
    fillZero(denominators, kRows);
    fillZero(numerators, kRows * stride);
    for (Index r = 0; r < numFeatures; r += kFeatureBlock)
      raiseHighest(projection.estimator, u + r * kRows + keep, keys.start + r, smaller(kFeatureBlock, numFeatures - r), columns,
                   highest + keep);
    roundHighest(highest + keep, columns, wholeHighest + keep);

    for (Index r = 0; r < numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures - r);
      float* rows = state.sums + r * stride;
      const QueryScales by{keys.start + r, keys.wholeStart + r, highest + keep, wholeHighest + keep, queries.isFar || keys.startIsFar};
      queryFeatures<true>(projection.estimator, u + r * kRows + keep, by, features, columns, queryBlock + keep, rows + dValue, stride,
                          denominators + keep, nullptr);
      tileMultiply({.rows = end - first, .columns = dValue, .depth = features}, transposeOf(queryBlock + first, kRows),
                   rowsOf(rows, stride), {numerators + first * stride, stride}, Mode::carry);
      if (!hasKeys) continue;
      keys.features(first, end, r, features, keyBlock, totals);
      for (Index g = first; g < end; g += kGroup) {
        const Index from = g / kWidth * kWidth;
        tileMultiply({.rows = smaller(kGroup, end - g), .columns = keep + columns - from, .depth = features},
                     rowMajor(keyBlock + g * kFeatureBlock, kFeatureBlock), rowsOf(queryBlock + from, kRows),
                     {scores + g * kRows + from, kRows}, r == 0 ? Mode::store : Mode::carry);
      }
      if (update) state.add(keys.tile.values, first, end, r, features, keyBlock, kFeatureBlock, 1, totals, delta);
    }

    if (!hasKeys) return;
    // scores[j, i] = K′_j · Q′_i for keys j <= queries i, zero above the diagonal.
    for (Index j = first; j < end; j++) {
      const Index from = (first + (j - first) / kGroup * kGroup) / kWidth * kWidth;
      float* row = scores + j * kRows;
      clear(row, from, j);
      for (Index i = from; i < keep + columns; i += kWidth) store(denominators + i, load(denominators + i) + load(row + i));
    }
    for (Index g = first; g < end; g += kGroup) {
      const Index rows = smaller(kGroup, end - g);
      const float* values = keys.tile.values + first * stride;
      const auto sum = [&](Index i, Index count, Index numKeys) {
        tileMultiply({.rows = count, .columns = dValue, .depth = numKeys}, transposeOf(scores + first * kRows + i, kRows),
                     rowsOf(values, stride), {numerators + i * stride, stride}, Mode::carry);
      };
      if (allFinite(keys.tile.values + g * stride, stride, rows, dValue)) sum(g, rows, g + rows - first);
      else for (Index i = g; i < g + rows; i++) sum(i, 1, i + 1 - first);
    }
  }

  // Of queries, from rows.first on, of the chunk that starts at `first`. Their own scale, which the stabiliser counts
  // in, may be higher than the chunk's. The exponential map uses the chunk's scale: no sensible stabiliser meets its
  // sums in either.
  void toDivisors(const RowRule& rule, const Rows<const float>& rowsOfQueries, Index first, Range rows, bool hasKeys) const {
    const auto convert = [&](const RowRule& own, Index from, Index end) {
      own.toDivisors(projection.estimator, {rowsOfQueries[from - rows.first], rowsOfQueries.stride}, projection.dHead, end - from,
                     highest + from, wholeHighest + from, denominators + from);
    };
    if (rule.stabiliser == 0 || projection.estimator.normSign() <= 0 || !hasKeys) {
      convert(rule, rows.first, rows.end);
      return;
    }
    for (Index i = rows.first; i < rows.end; i++) {
      const float rise = keys.tile.largestWhole(first, i + 1) - keys.start[0];
      convert({rule.weight, rule.stabiliser * (rise > 0 ? powerOfTwo(rise) : 1)}, i, i + 1);
    }
  }
};

}  // namespace

PLAN(favor_causal) {
  Arena arena(nullptr);
  Scratch scratch(arena, ESTIMATOR_VALUE, dHead, dValue);
  return {numSequences * heads, (Index)arena.at};
}

RUN(favor_causal) {
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, ESTIMATOR_VALUE, dHead, dValue);
  s.projection.pack(s.projection.estimator.unit(), 0, numFeatures);
  const RowRule rule{weight, stabiliser};
  fillZero(s.delta, kFeatureBlock * s.stride);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index head = unit % heads, at = unit * numFeatures * (dValue + 1);
    const CausalSequence sequence(sequences + unit / heads * kSequenceColumns);
    const auto part = [&](auto* x, Index length, Index d, Index start) {
      const auto all = rowsOf(x, layout, sequence.batch, head, heads, length, d);
      return Rows{all[start], all.stride};
    };
    const auto queries = part(q, lengthQ, dHead, sequence.queryStart), keys = part(k, lengthK, dHead, sequence.keyStart);
    const auto values = part(v, lengthK, dValue, sequence.keyStart);
    const auto outs = part(out, lengthQ, dValue, sequence.queryStart);
    const float* mask = keyMask ? keyMask + sequence.batch * lengthK + sequence.keyStart : nullptr;
    float* denominators = denominator + (sequence.batch * heads + head) * lengthQ + sequence.queryStart;

    s.keys.reset();
    if (sums) {
      s.state.import(sums + at, compensation + at, scales + unit * numFeatures);
      copyRow(s.keys.running, s.state.scale, numFeatures);
    } else {
      s.state.reset();
    }
    const Index sequenceEnd = updateState ? larger(sequence.queriesEnd(), sequence.keyLength) : sequence.queriesEnd();
    for (Index block = sequence.firstBlock(); block < sequenceEnd; block += kRows) {
      const Index count = smaller(kRows, sequenceEnd - block);
      const Range present = sequence.queriesOf(block, count);
      const bool hasKeys = !sequence.keysOf(block, count).isEmpty();
      if (hasKeys) s.keys.gather(s.projection, keys, values, mask, sequence, block, count);
      else s.keys.gatherNone();
      if (!present.isEmpty()) s.gatherQueries(queries, sequence, block, count);
      for (Index first = 0; first < count;) {
        const Index end = hasKeys ? s.keys.nextChunk(first) : count;
        if (present.isEmpty()) {
          if (hasKeys) s.addKeys(first, end);
        } else {
          s.chunk(first, end, hasKeys, updateState || block + end < sequenceEnd);
          const Range rows(present, first, end);
          if (!rows.isEmpty()) {
            const Index query = block + rows.first - sequence.offset, numRows = rows.end - rows.first;
            s.toDivisors(rule, {queries[query], queries.stride}, first, rows, hasKeys);
            writeQuotients(s.numerators + rows.first * s.stride, s.stride, s.denominators + rows.first, numRows, dValue,
                           {outs[query], outs.stride});
            copyRow(denominators + query, s.denominators + rows.first, numRows);
          }
        }
        first = end;
      }
      const Index next = block + kRows;
      if (snapshots && next > 0 && next < sequenceEnd && next % kSnapshotKeys == 0) {
        const Index segment = next / kSnapshotKeys - 1, perSequence = (lengthQ + lengthK) / kSnapshotKeys;
        s.state.takeSnapshot(s.keys.running, snapshots + (unit * perSequence + segment) * s.state.snapshotSize());
      }
    }
    if (sums && updateState) {
      s.state.moveTo(s.keys.running);
      s.state.exportTo(sums + at, compensation + at, scales + unit * numFeatures);
    }
  }
}

}  // namespace KERNELS_NAMESPACE
