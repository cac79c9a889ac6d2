// Adds the far field to the rows of a near field; see far-field.h for the order.
//
// The near field's mass is exp(logSumExp), that of the far field weight·e^gain·2^(M - D_q)·Σ Q′S. Both are measured from the
// larger one, the differences in float64. The divisor is then at least about 1/2, and no ε is needed.
//
// Roofline: 8·L·m·d flops a head for 24·L·d bytes, so arithmetic sets the pace.
#include "favor/near-field/far-field.h"
#include "favor/features/favor-vector.h"
#include "vector-math.h"

namespace KERNELS_NAMESPACE {

namespace {

constexpr Index kFewQueries = 8;  // read one by one

struct Scratch {
  Projection projection;
  FarKeys keys;
  FarQueries queries;
  CausalState state;
  VectorProjection row;
  Index dValue, stride;
  float *keyBlock, *queryBlock, *totals, *delta, *numerators, *denominators, *features;
  bool isPacked = false;

  Scratch(Arena& arena, const Estimator& estimator, Index dHead, Index dValue)
      : projection(arena, estimator, dHead, estimator.numFeatures), keys(arena, projection, dValue), queries(arena, projection),
        state(arena, estimator.numFeatures, dValue), row(arena, estimator, dHead), dValue(dValue), stride(roundUp(dValue + 1, kWidth)) {
    keyBlock = arena.floats(kRows * kFeatureBlock);
    queryBlock = arena.floats(kFeatureBlock * kRows);
    totals = arena.floats(kFeatureBlock);
    delta = arena.floats(kFeatureBlock * stride);
    numerators = arena.floats(kRows * stride);
    denominators = arena.floats(kRows);
    features = arena.floats(projection.paddedFeatures());
  }

  // Packing the projection takes longer than one token.
  void pack() {
    if (isPacked) return;
    projection.pack(projection.estimator.unit(), 0, projection.numFeatures);
    fillZero(delta, kFeatureBlock * stride);
    isPacked = true;
  }

  // Adds the tile's keys to the state.
  void addKeys() {
    state.moveTo(keys.running);
    for (Index r = 0; r < projection.numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, projection.numFeatures - r);
      keys.features(projection.estimator, r, features, keyBlock, totals);
      state.add(keys.tile.values, 0, keys.tile.count, r, features, keyBlock, kFeatureBlock, 1, totals, delta);
    }
  }

  // Numerators and denominators of the tile's queries.
  void read() {
    fillZero(denominators, kRows);
    fillZero(numerators, kRows * stride);
    for (Index r = 0; r < projection.numFeatures; r += kFeatureBlock) {
      const Index features = smaller(kFeatureBlock, projection.numFeatures - r);
      float* rows = state.sums + r * stride;
      queries.features<true>(projection.estimator, keys, r, features, queryBlock, rows + dValue, stride, denominators);
      tileMultiply({.rows = queries.tile.count, .columns = dValue, .depth = features}, transposeOf(queryBlock, kRows),
                   rowsOf(rows, stride), {numerators, stride}, Mode::carry);
    }
  }
};

// Numerators, denominator and M of one query from a state where it is: rows of dValue + 1 numbers.
void readRow(Scratch& s, const float* query, const float* sums, const float* scales) {
  const Index numFeatures = s.projection.numFeatures, width = s.dValue + 1;
  copyRow(s.row.rows, query, s.projection.dHead);
  float* const u[] = {s.features};
  s.row.apply(1, u);
  const auto scalesOf = [&](Index r) {
    return r + kWidth <= numFeatures ? load(scales + r) : loadPartial(scales + r, (int)(numFeatures - r));
  };
  for (Index r = numFeatures; r % kWidth != 0; r++) s.features[r] = -kInfinity;
  Vector high = splat(-kInfinity);
  for (Index r = 0; r < numFeatures; r += kWidth) high = maximum(load(s.features + r) + scalesOf(r), high);
  s.queries.highest[0] = largest(high);
  const Vector whole = wholeHighest(splat(s.queries.highest[0]));
  for (Index r = 0; r < numFeatures; r += kWidth) store(s.features + r, exp2Far(load(s.features + r), scalesOf(r), whole));
  fillZero(s.numerators, s.stride);
  for (Index r = 0; r < numFeatures; r++, sums += width) {
    const Vector feature = splat(s.features[r]);
    Index c = 0;
    for (; c + kWidth <= width; c += kWidth) store(s.numerators + c, fma(feature, load(sums + c), load(s.numerators + c)));
    if (const int lanes = (int)(width - c))
      store(s.numerators + c, fma(feature, loadPartial(sums + c, lanes), load(s.numerators + c)));
  }
  fillZero(s.denominators, kWidth);
  s.denominators[0] = s.numerators[s.dValue];
}

struct Head {
  Rows<const float> queries, keys, values;
  Rows<float> out;
  const float* mask;
  float *logSumExp, *shares, *kept;
  double logWeight;  // log2(weight) + gain in bits
};

// out = kept·out + share·numerators of the rows [first, first + count); the shares and the mass in logSumExp follow.
void addRows(const Scratch& s, const Head& head, Index first, Index count) {
  const double bits = kBits / __builtin_sqrt((double)s.projection.dHead);
  double units[kRows];                        // the larger mass of a row, as an exponent of 2
  float nearest[kRows], furthest[kRows];      // the masses of near and far field over it, likewise
  for (Index i = 0; i < roundUp(count, kWidth); i++) {
    const bool isFar = i < count && s.queries.highest[i] > -kInfinity;
    const double whole = isFar ? (double)s.queries.wholeHighestOf(i) : 0;
    const double far = isFar ? whole - halfNorm(head.queries[first + i], s.projection.dHead, kBits) + head.logWeight : -kInfinity;
    const double near = isFar ? (double)head.logSumExp[first + i] * bits : 0, unit = near > far ? near : far;
    units[i] = unit;
    nearest[i] = near < unit ? (float)(near - unit) : 0;
    furthest[i] = far < unit ? (float)(far - unit) : 0;
  }
  for (Index i = 0; i < count; i += kWidth) {
    const Vector near = exp2(load(nearest + i)), far = exp2(load(furthest + i));
    const Vector total = fma(far, load(s.denominators + i), near), inverse = splat(1.0f) / total;
    store(nearest + i, near * inverse);
    store(furthest + i, far * inverse);
    const Vector logTotal = log(total) * splat(kLog2E);
    for (Index lane = 0; lane < smaller(kWidth, count - i); lane++)
      if (furthest[i + lane] != 0) head.logSumExp[first + i + lane] = (float)((units[i + lane] + logTotal[lane]) / bits);
  }
  for (Index i = 0; i < count; i++) {
    const Index row = first + i;
    const float kept = nearest[i], share = furthest[i];
    head.shares[row] = share;
    if (head.kept) head.kept[row] = kept;
    if (share == 0) continue;
    float* out = head.out[row];
    const float* sums = s.numerators + i * s.stride;
    const auto added = [&](Vector old, Vector sum) {
      const Vector far = sum * splat(share);
      return kept == 0 ? far : fma(old, splat(kept), far);
    };
    Index c = 0;
    for (; c + kWidth <= s.dValue; c += kWidth) store(out + c, added(load(out + c), load(sums + c)));
    if (const int lanes = (int)(s.dValue - c)) storePartial(out + c, added(loadPartial(out + c, lanes), loadPartial(sums + c, lanes)), lanes);
  }
}

}  // namespace

PLAN(far_field) {
  Arena arena(nullptr);
  Scratch scratch(arena, FAR_ESTIMATOR, dHead, dValue);
  return {numSequences * heads, (Index)arena.at};
}

RUN(far_field) {
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, FAR_ESTIMATOR, dHead, dValue);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index index = unit % heads, at = unit * numFeatures * (dValue + 1);
    const FarSequence sequence(sequences + unit / heads * kSequenceColumns, block, sinks, reverse);
    const auto part = [&](auto* x, Index length, Index d, Index start) {
      const auto all = rowsOf(x, layout, sequence.batch, index, heads, length, d);
      return Rows{all[start], all.stride};
    };
    const Index scalar = (sequence.batch * heads + index) * lengthQ + sequence.queryStart;
    const Head head{part(q, lengthQ, dHead, sequence.queryStart), part(k, lengthK, dHead, sequence.keyStart),
                    part(v, lengthK, dValue, sequence.keyStart), part(out, lengthQ, dValue, sequence.queryStart),
                    keyMask ? keyMask + sequence.batch * lengthK + sequence.keyStart : nullptr, logSumExp + scalar, shares + scalar,
                    kept ? kept + scalar : nullptr, log2Double(weight) + (gain ? gain[index] * kBits : 0)};
    fillZero(head.shares, sequence.queryLength);
    if (head.kept) fillValue(head.kept, sequence.queryLength, 1);

    const bool update = sums && updateState;
    const Index wanted = sequence.keyStepsBefore(sequence.keyLength);
    Index added = sums ? sequence.keyStepsBefore(sequence.offset) : 0;  // steps of keys in the state
    const bool isRead = sums && !snapshots && sequence.queryLength <= kFewQueries && (!update || wanted <= added) &&
                        sequence.keyStepsBefore(sequence.offset + sequence.queryLength - 1) <= added;
    for (Index row = 0; isRead && row < sequence.queryLength; row++) {  // nothing becomes far: the state stays as it is
      readRow(s, head.queries[row], sums + at, scales + unit * numFeatures);
      addRows(s, head, row, 1);
    }
    if (isRead) continue;
    s.pack();
    if (sums) {
      s.state.import(sums + at, compensation + at, scales + unit * numFeatures);
      s.keys.startFrom(s.state);
    } else {
      s.state.reset();
      s.keys.reset();
    }
    const auto exportState = [&] {
      s.state.moveTo(s.keys.running);
      s.state.exportTo(sums + at, compensation + at, scales + unit * numFeatures);
    };
    const auto addKeysUpTo = [&](Index end) {
      for (; added < end; added++) {
        if (update && added == wanted) exportState();
        const Stretch keys = sequence.keysOf(added);
        for (Index next = keys.first; next < keys.end;) {
          next = s.keys.gather(s.projection, head.keys, head.values, head.mask, next, keys.end);
          if (s.keys.tile.count > 0) s.addKeys();
        }
      }
    };
    const Index segmentSteps = stepsOfSegment(block), perSequence = snapshotsOf(lengthQ, lengthK, block);
    const Index firstStep = snapshots ? 0 : sums ? sequence.firstStep() : larger(0, sequence.firstStep());
    for (Index step = firstStep; step < sequence.endStep(); step++) {
      addKeysUpTo(smaller(sequence.keySteps, step - 2));
      if (snapshots && step > 0 && step % segmentSteps == 0)
        s.state.takeSnapshot(s.keys.running, snapshots + (unit * perSequence + step / segmentSteps - 1) * s.state.snapshotSize());
      addKeysUpTo(smaller(sequence.keySteps, step - 1));
      const Stretch rows = sequence.queriesOf(step);
      if (added == 0 && !sums) continue;
      for (Index first = rows.first; first < rows.end; first += kRows) {
        const Index count = smaller(kRows, rows.end - first);
        s.queries.gather(s.projection, head.queries, first, count, s.keys);
        s.state.moveTo(s.keys.running);
        s.read();
        addRows(s, head, first, count);
      }
    }
    if (update && added <= wanted) {
      addKeysUpTo(wanted);
      exportState();
    }
  }
}

}  // namespace KERNELS_NAMESPACE
