// Gradients of causal FAVOR+. With G_i = [dOut_i, -dOut_i·out_i] / denominator_i and B_ij = G_i·[v_j, 1]:
//   dQ′_i = S_before·G_i + Σ_{j <= i} B_ij K′_j              (S_before: state of the keys before the chunk)
//   dK′_j = R_after·[v_j, 1] + Σ_{i >= j} B_ij Q′_i          (R_after: Σ Q′_i ⊗ G_i over the queries after the chunk)
//   dV_j  = K′_j·R_after + Σ_{i >= j} (Q′_i·K′_j) dOut_i / denominator_i
// and dq, dk follow as in favor-backward.cc. The last entry of G_i is 0 where rows are not divided by their sums.
//
// A sequence is cut into segments of kSnapshotKeys rows; the last segment comes first. Inside a segment the features are
// computed once, on the way forward (dQ), and kept for the way back (dK, dV). The forward pass left the states at the
// starts of the segments.
//
// Roofline: 21·L·m·d flops a head for 32·L·d bytes and a segment's features twice through L2, so arithmetic sets the
// pace. Only 12 of the 21 count; the rest are features and states again, and the quadratic forms. What counts is 45 %
// of the multiply-add peak (as in favor-causal.cc).
#include "favor-causal.h"
#include "favor-gradients.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Scratch {
  Projection projection;
  CausalKeys keys;
  CausalState state, later;  // S_before, R_after
  QueryTile queries;
  QueryGradients gradients;
  ProjectionGradient inputs;
  bool divided;
  Index dHead, dValue, stride, featureBlocks;
  float *u, *staging, *totals, *pull, *highest, *queryBlock, *slopeBlock, *gradientBlock, *scores, *products, *valuesAcross,
      *denominators, *dV, *rowSums;
  int32_t* wholeHighest;
  float *queryStore, *keyStore;  // features of a segment: [block, feature block, features, rows], […, rows, features]
  float* slopeStore;             // dK′/du like keyStore; null where it is K′ itself
  float* starts;                 // scales of the segment's chunks, [chunk, stride of keys]
  int32_t* ends;                 // where the segment's chunks end
  bool queriesAreFinite[kSnapshotKeys / kRows];  // known of the features of a segment's blocks

  Scratch(Arena& arena, const Estimator& estimator, Index dHead, Index dValue, Index length, float weight)
      : projection(arena, estimator, dHead, estimator.numFeatures), keys(arena, projection, dValue),
        state(arena, estimator.numFeatures, dValue), later(arena, estimator.numFeatures, dValue), queries(arena, dHead),
        gradients(arena, dValue), inputs(arena, projection), divided(weight == 0), dHead(dHead), dValue(dValue),
        stride(roundUp(dValue + 1, kWidth)), featureBlocks((estimator.numFeatures + kFeatureBlock - 1) / kFeatureBlock),
        slopeBlock(nullptr), slopeStore(nullptr) {
    u = arena.floats(projection.paddedFeatures() * kRows);
    staging = arena.floats(kRows * dHead);
    totals = arena.floats(kFeatureBlock);
    pull = arena.floats(kRows);
    highest = arena.floats(kRows);
    wholeHighest = arena.integers(kRows);
    queryBlock = arena.floats(kFeatureBlock * kRows);
    gradientBlock = arena.floats(kFeatureBlock * kRows);
    scores = arena.floats(kRows * kRows);
    products = arena.floats(kRows * kRows);
    valuesAcross = arena.floats(stride * kRows);
    dV = arena.floats(kRows * stride);
    rowSums = arena.floats(kRows);
    denominators = arena.floats(kRows);
    const Index rows = smaller(kSnapshotKeys, roundUp(length, kRows));
    queryStore = arena.floats(rows * featureBlocks * kFeatureBlock);
    keyStore = arena.floats(rows * featureBlocks * kFeatureBlock);
    if (!estimator.isExponential()) {
      slopeBlock = arena.floats(kFeatureBlock * kRows);
      slopeStore = arena.floats(rows * featureBlocks * kFeatureBlock);
    }
    starts = arena.floats(rows * keys.stride);
    ends = arena.integers(rows);
  }

  Index numFeatures() const { return projection.numFeatures; }
  float* queryFeaturesOf(Index block, Index r) const {
    return queryStore + (block * featureBlocks + r / kFeatureBlock) * kFeatureBlock * kRows;
  }
  float* keyFeaturesOf(Index block, Index r) const {
    return keyStore + (block * featureBlocks + r / kFeatureBlock) * kFeatureBlock * kRows;
  }
  float* keySlopesOf(Index block, Index r) const {
    return slopeStore ? slopeStore + (block * featureBlocks + r / kFeatureBlock) * kFeatureBlock * kRows : nullptr;
  }

  // Gradient in the inputs x of the queries [first, end), rowSums if rows are not divided. Moves the state past these
  // queries.
  void forwardChunk(Index block, Index first, Index end) {
    const Index keep = first / kWidth * kWidth, columns = roundUp(end, kWidth) - keep, last = keep + columns;
    const bool isExponential = projection.estimator.isExponential(), keysAreFinite = isExponential && !keys.tile.isFar;
    queriesAreFinite[block] = isExponential && !queries.isFar;
    state.moveTo(keys.start);
    fillZero(rowSums, kRows);
    fillValue(highest, kRows, -kInfinity);
    for (Index r = 0; r < numFeatures(); r += kFeatureBlock)
      raiseHighest(projection.estimator, u + r * kRows + keep, keys.start + r, smaller(kFeatureBlock, numFeatures() - r), columns,
                   highest + keep);
    roundHighest(highest + keep, columns, wholeHighest + keep);

    // products[j, i] = B_ij for keys j <= queries i, zero above the diagonal.
    for (Index g = first; g < end; g += kGroup) {
      const Index from = g / kWidth * kWidth;
      tileMultiply({.rows = smaller(kGroup, end - g), .columns = last - from, .depth = dValue + 1},
                   rowMajor(keys.tile.values + g * stride, stride), rowsOf(gradients.transposed + from, kRows),
                   {products + g * kRows + from, kRows}, Mode::store);
    }
    for (Index j = first; j < end; j++)
      clear(products + j * kRows, keep + (j - keep) / kGroup * kGroup, j);

    for (Index r = 0; r < numFeatures(); r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures() - r);
      float *rows = state.sums + r * stride, *keyRows = keyFeaturesOf(block, r), *stored = queryFeaturesOf(block, r);
      float* query = first == keep ? stored : queryBlock;  // whole vectors, which must not reach into the chunk before
      const QueryScales by{keys.start + r, keys.wholeStart + r, highest + keep, wholeHighest + keep, queries.isFar || keys.startIsFar};
      queryFeatures<false>(projection.estimator, u + r * kRows + keep, by, features, columns, query + keep, nullptr, 0, nullptr, slopeBlock ? slopeBlock + keep : nullptr);
      for (Index i = 0; query != stored && i < features; i++)
        copyRow(stored + i * kRows + first, query + i * kRows + first, last - first);
      keys.features(first, end, r, features, keyRows, totals, keySlopesOf(block, r));
      tileMultiply({.rows = features, .columns = columns, .depth = dValue + 1}, rowMajor(rows, stride),
                   rowsOf(gradients.transposed + keep, kRows), {gradientBlock + keep, kRows}, Mode::store);
      for (Index c = keep; c < last; c += kGroup) {
        const Index groupEnd = smaller(c + kGroup, end), from = larger(c, first);
        const auto sum = [&](Index i, Index count, Index numKeys) {
          tileMultiply({.rows = features, .columns = count, .depth = numKeys},
                       transposeOf(keyRows + first * kFeatureBlock, kFeatureBlock), rowsOf(products + first * kRows + i, kRows),
                       {gradientBlock + i, kRows}, Mode::carry);
        };
        if (keysAreFinite || allFinite(keyRows + from * kFeatureBlock, kFeatureBlock, groupEnd - from, features)) sum(c, smaller(kGroup, last - c), groupEnd - first);
        else for (Index i = from; i < groupEnd; i++) sum(i, 1, i + 1 - first);
      }
      if (!divided) sumProducts(gradientBlock + keep, query + keep, features, columns, rowSums + keep);
      const float* slopes = slopeBlock ? slopeBlock : query;
      for (Index i = 0; i < features; i++)
        for (Index c = i * kRows + keep; c < i * kRows + last; c += kWidth)
          store(gradientBlock + c, load(gradientBlock + c) * load(slopes + c));
      inputs.add(projection, gradientBlock, 1, kRows, first, end, r, features);
      state.addPlainly(keys.tile.values, first, end, r, features, keyRows, kFeatureBlock, 1, totals);
    }
    inputs.finish(projection, first, end);
  }

  // Gradient in the inputs x, rowSums and dV of the keys [first, end). Moves `later` before these keys.
  void reverseChunk(Index block, Index first, Index end, const float* start) {
    const Index keep = first / kWidth * kWidth, columns = roundUp(end, kWidth) - keep, last = keep + columns;
    later.moveTo(start, -1);
    fillZero(pull, kRows);
    for (Index i = first; i < end; i++) pull[i] = gradients.rows[i * stride + dValue];

    // products[i, j] = B_ij for queries i >= keys j, zero above the diagonal.
    for (Index g = first; g < end; g += kGroup) {
      const Index rows = smaller(kGroup, end - g);
      tileMultiply({.rows = rows, .columns = roundUp(g + rows, kWidth) - keep, .depth = dValue + 1},
                   rowMajor(gradients.rows + g * stride, stride), rowsOf(valuesAcross + keep, kRows),
                   {products + g * kRows + keep, kRows}, Mode::store);
    }
    for (Index i = first; i < end; i++)
      clear(products + i * kRows, i + 1, smaller(last, keep + roundUp(i + 1 - keep, kGroup)));

    for (Index r = 0; r < numFeatures(); r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, numFeatures() - r);
      const float *rows = later.sums + r * stride, *query = queryFeaturesOf(block, r), *keyRows = keyFeaturesOf(block, r);
      tileMultiply({.rows = features, .columns = columns, .depth = dValue + 1}, rowMajor(rows, stride),
                   rowsOf(valuesAcross + keep, kRows), {gradientBlock + keep, kRows}, Mode::store);
      for (Index c = keep; c < last; c += kGroup) {
        const Index from = larger(c, first), groupEnd = smaller(c + kGroup, end);
        const auto sum = [&](Index j, Index count, Index i) {
          tileMultiply({.rows = features, .columns = count, .depth = end - i}, rowMajor(query + i, kRows),
                       rowsOf(products + i * kRows + j, kRows), {gradientBlock + j, kRows}, Mode::carry);
        };
        if (queriesAreFinite[block] || allFinite(query + from, kRows, features, groupEnd - from)) sum(c, smaller(kGroup, last - c), from);
        else for (Index j = from; j < groupEnd; j++) sum(j, 1, j);
      }
      multiplyKeysAcross(gradientBlock, keyRows, keySlopesOf(block, r), features, keep, end, r == 0, rowSums);
      inputs.add(projection, gradientBlock, 1, kRows, first, end, r, features);
      tileMultiply({.rows = end - first, .columns = dValue, .depth = features},
                   rowMajor(keyRows + first * kFeatureBlock, kFeatureBlock), rowsOf(rows, stride), {dV + first * stride, stride},
                   r == 0 ? Mode::store : Mode::carry);
      for (Index g = first; g < end; g += kGroup) {
        const Index from = g / kWidth * kWidth;
        tileMultiply({.rows = smaller(kGroup, end - g), .columns = last - from, .depth = features},
                     rowMajor(keyRows + g * kFeatureBlock, kFeatureBlock), rowsOf(query + from, kRows),
                     {scores + g * kRows + from, kRows}, r == 0 ? Mode::store : Mode::carry);
      }
      sumQueries(query, pull, features, keep, last, totals);
      later.addPlainly(gradients.rows, first, end, r, features, query, 1, kRows, totals);
    }
    inputs.finish(projection, first, end);
    for (Index g = first; g < end; g += kGroup) {
      const Index rows = smaller(kGroup, end - g);
      for (Index j = g; j < g + rows; j++) clear(scores + j * kRows, g, j);
      const auto sum = [&](Index j, Index count) {
        tileMultiply({.rows = count, .columns = dValue, .depth = end - j}, rowMajor(scores + j * kRows + j, kRows),
                     rowsOf(gradients.rows + j * stride, stride), {dV + j * stride, stride}, Mode::carry);
      };
      if (allFinite(gradients.rows + g * stride, stride, rows, dValue)) sum(g, rows);
      else for (Index j = g; j < g + rows; j++) sum(j, 1);
    }
  }
};

// The arrays of one (sequence, head), rows counted from the sequence's start.
struct Sequence : CausalSequence {
  Rows<const float> queries, keys, values, out, dOut;
  Rows<float> dQ, dK, dV;
  const float *mask, *denominators, *snapshots;
};

// G of a block; zeros at positions without a query.
void gatherGradients(Scratch& s, const Sequence& sequence, Index block, Index count) {
  const Range present = sequence.queriesOf(block, count);
  const Index query = block - sequence.offset;
  fillZero(s.denominators, kRows);
  if (!present.isEmpty()) copyRow(s.denominators + present.first, sequence.denominators + query + present.first, present.end - present.first);
  s.gradients.gather({sequence.out[query], sequence.out.stride}, {sequence.dOut[query], sequence.dOut.stride}, s.denominators, 0, count, s.divided);
}

void gatherKeys(Scratch& s, const Sequence& sequence, Index block, Index count) {
  s.keys.gather(s.projection, sequence.keys, sequence.values, sequence.mask, sequence, block, count);
}

// The state before the segment's first key.
void restoreState(Scratch& s, const Sequence& sequence, Index segment) {
  s.keys.reset();
  s.state.reset();
  if (segment > 0) s.state.restoreSnapshot(sequence.snapshots + (segment / kSnapshotKeys - 1) * s.state.snapshotSize(), s.keys.running);
}

void backward(Scratch& s, const Sequence& sequence) {
  const Estimator& estimator = s.projection.estimator;
  const Index end = larger(0, sequence.queriesEnd());  // keys from there on are never seen
  for (Index i = 0; i < smaller(-sequence.offset, sequence.queryLength); i++) fillZero(sequence.dQ[i], s.dHead);
  for (Index j = end; j < sequence.keyLength; j++) {
    fillZero(sequence.dK[j], s.dHead);
    fillZero(sequence.dV[j], s.dValue);
  }
  if (end == 0) return;
  const Index lastSegment = (end - 1) / kSnapshotKeys * kSnapshotKeys;
  s.later.reset();
  for (Index segment = lastSegment; segment >= 0; segment -= kSnapshotKeys) {
    const Index segmentEnd = smaller(segment + kSnapshotKeys, end);
    restoreState(s, sequence, segment);
    Index chunks = 0;
    for (Index block = segment; block < segmentEnd; block += kRows) {
      const Index count = smaller(kRows, segmentEnd - block);
      gatherKeys(s, sequence, block, count);
      gatherBlock(s.queries, sequence.queries, sequence, block, count, s.projection, s.staging);
      for (Index r = 0; r < s.numFeatures(); r += kFeatureBlock)
        s.queries.logFeatures(s.projection, r, smaller(kFeatureBlock, s.numFeatures() - r), s.u + r * kRows);
      gatherGradients(s, sequence, block, count);
      s.gradients.turn(count);
      const Range present = sequence.queriesOf(block, count);
      for (Index first = 0; first < count; chunks++) {
        const Index end = s.keys.nextChunk(first);
        s.forwardChunk((block - segment) / kRows, first, end);
        copyRow(s.starts + chunks * s.keys.stride, s.keys.start, s.keys.stride);
        s.ends[chunks] = (int32_t)(block + end);
        const Range rows(present, first, end);
        for (Index i = rows.first; i < rows.end; i++) {
          const Index query = block + i - sequence.offset;
          const float* dX = s.inputs.dX + i * s.inputs.stride;
          if (s.divided) writeScaled(sequence.dQ[query], dX, s.dHead, estimator.gradientUnit());
          else writeGradient(sequence.dQ[query], dX, sequence.queries[query], s.dHead, estimator, s.rowSums[i]);
        }
        first = end;
      }
    }
    for (Index loaded = -1; chunks-- > 0;) {
      const Index begin = chunks > 0 ? s.ends[chunks - 1] : segment, end = s.ends[chunks], block = begin / kRows * kRows;
      if (loaded != block) {
        s.keys.gatherValues(sequence.values, sequence.mask, sequence, block, smaller(kRows, segmentEnd - block));
        gatherGradients(s, sequence, block, s.keys.tile.count);
        transpose(s.keys.tile.values, s.stride, s.keys.tile.count, s.dValue + 1, s.valuesAcross, kRows);
        loaded = block;
      }
      s.reverseChunk((block - segment) / kRows, begin - block, end - block, s.starts + chunks * s.keys.stride);
      for (Index row = begin; row < smaller(end, sequence.keyLength); row++) {
        const Index i = row - block;
        if (sequence.mask && sequence.mask[row] == 0) {
          fillZero(sequence.dK[row], s.dHead);
          fillZero(sequence.dV[row], s.dValue);
          continue;
        }
        writeGradient(sequence.dK[row], s.inputs.dX + i * s.inputs.stride, sequence.keys[row], s.dHead, estimator, s.rowSums[i]);
        copyRow(sequence.dV[row], s.dV + i * s.stride, s.dValue);
      }
    }
  }
}

}  // namespace

PLAN(favor_causal_backward) {
  Arena arena(nullptr);
  Scratch scratch(arena, ESTIMATOR_VALUE, dHead, dValue, lengthQ + lengthK, weight);
  return {numSequences * heads, (Index)arena.at};
}

RUN(favor_causal_backward) {
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, ESTIMATOR_VALUE, dHead, dValue, lengthQ + lengthK, weight);
  s.projection.pack(s.projection.estimator.unit(), 0, numFeatures);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index head = unit % heads;
    const CausalSequence sequence(sequences + unit / heads * kSequenceColumns);
    const auto part = [&](auto* x, Index length, Index d, Index start) {
      const auto all = rowsOf(x, layout, sequence.batch, head, heads, length, d);
      return Rows{all[start], all.stride};
    };
    backward(s, {sequence,
                 part(q, lengthQ, dHead, sequence.queryStart),
                 part(k, lengthK, dHead, sequence.keyStart),
                 part(v, lengthK, dValue, sequence.keyStart),
                 part(out, lengthQ, dValue, sequence.queryStart),
                 part(dOut, lengthQ, dValue, sequence.queryStart),
                 part(dQ, lengthQ, dHead, sequence.queryStart),
                 part(dK, lengthK, dHead, sequence.keyStart),
                 part(dV, lengthK, dValue, sequence.keyStart),
                 keyMask ? keyMask + sequence.batch * lengthK + sequence.keyStart : nullptr,
                 denominator + (sequence.batch * heads + head) * lengthQ + sequence.queryStart,
                 snapshots + unit * ((lengthQ + lengthK) / kSnapshotKeys) * s.state.snapshotSize()});
  }
}

}  // namespace KERNELS_NAMESPACE
