// The mass of a near field as features estimate it; see near-mass.h.
//
// Roofline: 4·L·m·d flops a head for the projections, which set the pace: the rest is some 30 vector instructions for kWidth
// features of a position.
#include "favor/near-field/near-mass.h"
#include "scalar-math.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Scratch {
  Projection projection;
  MassRows keys, queries;
  BlockMasses masses;
  Mass running;

  Scratch(Arena& arena, const Estimator& estimator, Index dHead, Index blocks)
      : projection(arena, estimator, dHead, estimator.numFeatures), keys(arena, projection), queries(arena, projection),
        masses(arena, projection.paddedFeatures(), blocks),
        running(arena.floats(Mass::size(projection.paddedFeatures())), projection.paddedFeatures()) {}
};

}  // namespace

PLAN(near_mass) {
  Arena arena(nullptr);
  Scratch scratch(arena, FAR_ESTIMATOR, dHead, (lengthK + block - 1) / block);
  return {numSequences * heads, (Index)arena.at};
}

RUN(near_mass) {
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, FAR_ESTIMATOR, dHead, (lengthK + block - 1) / block);
  s.projection.pack(s.projection.estimator.unit(), 0, numFeatures);
  const double logWeight = log2Double(weight), root = __builtin_sqrt((double)dHead);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index head = unit % heads;
    const MassSequence sequence(sequences + unit / heads * kSequenceColumns, block, sinks, causal);
    const auto part = [&](const float* x, Index length, Index start) {
      const auto all = rowsOf(x, layout, sequence.batch, head, heads, length, dHead);
      return Rows{all[start], all.stride};
    };
    const Rows<const float> queries = part(q, lengthQ, sequence.queryStart), keys = part(k, lengthK, sequence.keyStart);
    const float* mask = keyMask ? keyMask + sequence.batch * lengthK + sequence.keyStart : nullptr;
    float* masses = logMass + (sequence.batch * heads + head) * lengthQ + sequence.queryStart;
    s.masses.sum(sequence, s.projection, s.keys, keys, mask);
    for (Index number = sequence.firstBlock(); number < sequence.endBlock(); number++) {
      gatherBase(s.running, sequence, s.masses, number, s.projection, s.keys, keys, mask);
      const Stretch ofQueries = sequence.queriesOf(number);
      for (Index start = number * block; start < (number + 1) * block; start += kRows) {
        const Index end = smaller(start + kRows, (number + 1) * block);
        const Index firstKey = larger(0, smaller(sequence.keyLength, start)), endKey = larger(0, smaller(sequence.keyLength, end));
        const Index first = larger(ofQueries.first, start - sequence.offset), last = smaller(ofQueries.end, end - sequence.offset);
        if (first >= ofQueries.end && firstKey >= sequence.keyLength) break;
        if (causal) s.keys.gather(s.projection, keys, mask, firstKey, endKey);
        s.queries.gather(s.projection, queries, nullptr, first, larger(first, last));
        for (Index position = start; position < end; position++) {
          const Index i = position - firstKey, row = position - sequence.offset;
          if (causal && position >= firstKey && position < endKey && s.keys.isValid(i)) s.running.add(s.keys.row(i), s.keys.tile.wholeD[i]);
          if (row < first || row >= last) continue;
          const Reading reading(s.queries.row(row - first), s.running);
          const double log = (double)reading.highest - (double)s.queries.tile.wholeD[row - first] + logWeight + log2Double(reading.total);
          masses[row] = reading.isEmpty() ? -kInfinity : (float)(log * root / kBits);
        }
      }
    }
  }
}

}  // namespace KERNELS_NAMESPACE
