// Gradients of the near field's mass N_i = Σ_r Q′_ir n_ir, n_i being the sum of K′ over the near keys of query i. With the
// gradient μ_i = kept_i·dOut_i·(nearOut_i - out_i) of its logarithm:
//   du_ir = μ_i Q′_ir n_ir / N_i       du_jr = K′_jr Σ_i μ_i Q′_ir / N_i  over the queries that key j is near
// and the gradients in q and k follow as in favor-backward.cc. The second sum is kept as A, which shrinks where K′ grows.
#include "favor/near-field/near-mass.h"
#include "favor/favor-gradients.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Scratch {
  Projection projection;
  MassRows keys, queries;
  BlockMasses masses, pulls;  // of every block: Σ K′ of its keys; A of its queries, in the scale of the mass that they start from
  Mass running;
  ProjectionGradient inputs;
  Index stride;
  float *dQueries, *dKeys, *readings;  // du [kRows, stride] twice; the running mass at every position of a tile [kRows, 2 stride]
  float* starts;                       // the running mass at the starts of a block's tiles

  Scratch(Arena& arena, const Estimator& estimator, Index dHead, Index blocks, Index queryBlocks, Index tiles)
      : projection(arena, estimator, dHead, estimator.numFeatures), keys(arena, projection), queries(arena, projection),
        masses(arena, projection.paddedFeatures(), blocks), pulls(arena, projection.paddedFeatures(), queryBlocks),
        running(arena.floats(Mass::size(projection.paddedFeatures())), projection.paddedFeatures()), inputs(arena, projection),
        stride(projection.paddedFeatures()) {
    dQueries = arena.floats(kRows * stride);
    dKeys = arena.floats(kRows * stride);
    readings = arena.floats(kRows * Mass::size(stride));
    starts = arena.floats(tiles * Mass::size(stride));
  }

  // Adds to the gradient dX what du of a tile's rows gives.
  void addGradient(const float* du, Index count, const Rows<const float>& x, const Rows<float>& dX, Index first, const bool* wanted) {
    for (Index r = 0; r < projection.numFeatures; r += kFeatureBlock)
      inputs.add(projection, du + r, stride, 1, 0, count, r, smaller(kFeatureBlock, projection.numFeatures - r));
    inputs.finish(projection, 0, count);
    for (Index i = 0; i < count; i++) {
      if (!wanted[i]) continue;
      Vector total{};
      for (Index r = 0; r < stride; r += kWidth) total += load(du + i * stride + r);
      writeGradient<true>(dX[first + i], inputs.dX + i * inputs.stride, x[first + i], projection.dHead, projection.estimator, sum(total));
    }
  }

  // A moved to the scale of `mass`, which is lower or equal.
  static void movePull(const Mass& pull, const Mass& mass) {
    for (Index r = 0; r < pull.stride; r += kWidth) {
      const Vector c = load(mass.scale + r);
      store(pull.sums + r, load(pull.sums + r) * Mass::powerOf(c - load(pull.scale + r)));
      store(pull.scale + r, c);
    }
  }
  // du of a query whose mass has the gradient mu; adds to A.
  void readBack(const float* u, const Mass& mass, float mu, float* du, const Mass& pull) const {
    const Reading reading(u, mass);
    const Vector factor = splat(reading.isEmpty() ? 0 : mu / reading.total);
    for (Index r = 0; r < stride; r += kWidth) {
      const Vector weight = reading.isEmpty() ? Vector{} : reading.feature(u, mass, r) * factor;
      store(du + r, weight * load(mass.sums + r));
      store(pull.sums + r, load(pull.sums + r) + weight);
    }
  }
  // du of a key += K′·A.
  void addPull(const float* u, float wholeD, const Mass& pull, float* du) const {
    const Vector whole = splat(wholeD);
    for (Index r = 0; r < stride; r += kWidth) {
      const Vector a = load(pull.sums + r);
      store(du + r, load(du + r) + (a == Vector{} ? Vector{} : a * exp2Far(load(u + r), -whole, load(pull.scale + r))));
    }
  }
};

struct Head {
  Rows<const float> queries, keys, nearOut, out, dOut;
  Rows<float> dQ, dK;
  const float *mask, *kept;
  Index dValue;

  float gradientOf(Index row) const {
    if (kept[row] == 0) return 0;
    const float *near = nearOut[row], *all = out[row], *gradient = dOut[row];
    Vector total{};
    Index c = 0;
    for (; c + kWidth <= dValue; c += kWidth) total = fma(load(gradient + c), load(near + c) - load(all + c), total);
    if (const int lanes = (int)(dValue - c))
      total = fma(loadPartial(gradient + c, lanes), loadPartial(near + c, lanes) - loadPartial(all + c, lanes), total);
    return kept[row] * sum(total);
  }
};

// A position's key or query in a tile, if there is one.
struct Tile {
  Index start, end, firstKey, endKey, firstQuery, endQuery;
  Tile(const MassSequence& sequence, Index number, Index index)
      : start(number * sequence.block + index * kRows), end(smaller(start + kRows, (number + 1) * sequence.block)),
        firstKey(larger(0, smaller(sequence.keyLength, start))), endKey(larger(0, smaller(sequence.keyLength, end))) {
    firstQuery = larger(0, smaller(sequence.queryLength, start - sequence.offset));
    endQuery = larger(firstQuery, smaller(sequence.queryLength, end - sequence.offset));
  }
};

// The keys of a tile, with what pulls them from blocks near to their own and, for sinks, from all others.
void pullKeys(Scratch& s, const MassSequence& sequence, const Head& head, const Tile& tile, Index number) {
  bool wanted[kRows];
  const Index first = sequence.firstBlock(), end = sequence.endBlock();
  for (Index i = 0; i < tile.endKey - tile.firstKey; i++) {
    wanted[i] = s.keys.isValid(i);
    if (!wanted[i]) {
      fillZero(s.dKeys + i * s.stride, s.stride);
      continue;
    }
    const auto pull = [&](Index of) {
      if (of >= first && of < end) s.addPull(s.keys.row(i), s.keys.tile.wholeD[i], s.pulls.of(of - first), s.dKeys + i * s.stride);
    };
    for (Index of = sequence.causal ? number + 1 : number - 1; of <= number + 1; of++) pull(of);
    for (Index of = first; tile.firstKey + i < sequence.sinks && of < end; of++)
      if (sequence.isFarSink(tile.firstKey + i, of)) pull(of);
  }
  s.addGradient(s.dKeys, tile.endKey - tile.firstKey, head.keys, head.dK, tile.firstKey, wanted);
}

void gatherBaseOf(Scratch& s, const MassSequence& sequence, const Head& head, Index number) {
  gatherBase(s.running, sequence, s.masses, number, s.projection, s.keys, head.keys, head.mask);
}

void addQueries(Scratch& s, const Head& head, const Tile& tile) {
  bool wanted[kRows];
  const Index count = tile.endQuery - tile.firstQuery;
  for (Index i = 0; i < count; i++) wanted[i] = head.kept[tile.firstQuery + i] != 0;
  s.addGradient(s.dQueries, count, head.queries, head.dQ, tile.firstQuery, wanted);
}

void bidirectional(Scratch& s, const MassSequence& sequence, const Head& head) {
  const Index tiles = (sequence.block + kRows - 1) / kRows;
  for (Index number = sequence.firstBlock(); number < sequence.endBlock(); number++) {
    gatherBaseOf(s, sequence, head, number);
    const Mass pull = s.pulls.of(number - sequence.firstBlock());
    fillZero(pull.sums, s.stride);
    copyRow(pull.scale, s.running.scale, s.stride);
    for (Index index = 0; index < tiles; index++) {
      const Tile tile(sequence, number, index);
      if (tile.start - sequence.offset >= sequence.queryLength) break;
      if (tile.firstQuery >= tile.endQuery) continue;
      s.queries.gather(s.projection, head.queries, nullptr, tile.firstQuery, tile.endQuery);
      for (Index i = 0; i < tile.endQuery - tile.firstQuery; i++)
        s.readBack(s.queries.row(i), s.running, head.gradientOf(tile.firstQuery + i), s.dQueries + i * s.stride, pull);
      addQueries(s, head, tile);
    }
  }
  for (Index number = 0; number < sequence.blocks; number++) {
    for (Index index = 0; index < tiles; index++) {
      const Tile tile(sequence, number, index);
      if (tile.firstKey >= tile.endKey) break;
      s.keys.gather(s.projection, head.keys, head.mask, tile.firstKey, tile.endKey);
      fillZero(s.dKeys, kRows * s.stride);
      pullKeys(s, sequence, head, tile, number);
    }
  }
}

// Blocks from the last to the first, and positions likewise: a key is pulled by the queries at and after it.
void causalBlocks(Scratch& s, const MassSequence& sequence, const Head& head) {
  const Index first = smaller(0, sequence.firstBlock()), end = larger(sequence.blocks, sequence.endBlock());
  for (Index number = end - 1; number >= first; number--) {
    const Index last = smaller((number + 1) * sequence.block, larger(sequence.keyLength, sequence.offset + sequence.queryLength));
    const Index tiles = larger(0, (last - number * sequence.block + kRows - 1) / kRows);
    gatherBaseOf(s, sequence, head, number);
    const bool hasPull = number >= sequence.firstBlock() && number < sequence.endBlock();
    // The running mass at the start of every tile.
    for (Index index = 0; index < tiles; index++) {
      Mass(s.starts + index * Mass::size(s.stride), s.stride).copyFrom(s.running);
      if (index + 1 == tiles) break;
      const Tile tile(sequence, number, index);
      s.keys.gather(s.projection, head.keys, head.mask, tile.firstKey, tile.endKey);
      for (Index i = 0; i < s.keys.tile.count; i++)
        if (s.keys.isValid(i)) s.running.add(s.keys.row(i), s.keys.tile.wholeD[i]);
    }
    const Mass pull = s.pulls.of(hasPull ? number - sequence.firstBlock() : 0);
    for (Index index = tiles - 1; index >= 0; index--) {
      const Tile tile(sequence, number, index);
      const Mass start(s.starts + index * Mass::size(s.stride), s.stride);
      s.running.copyFrom(start);
      s.keys.gather(s.projection, head.keys, head.mask, tile.firstKey, tile.endKey);
      s.queries.gather(s.projection, head.queries, nullptr, tile.firstQuery, tile.endQuery);
      const auto at = [&](Index position) { return Mass(s.readings + (position - tile.start) * Mass::size(s.stride), s.stride); };
      for (Index position = tile.start; position < tile.end; position++) {
        const Index i = position - tile.firstKey;
        if (position >= tile.firstKey && position < tile.endKey && s.keys.isValid(i)) s.running.add(s.keys.row(i), s.keys.tile.wholeD[i]);
        at(position).copyFrom(s.running);
      }
      if (hasPull && index == tiles - 1) {
        fillZero(pull.sums, s.stride);
        copyRow(pull.scale, s.running.scale, s.stride);
      }
      fillZero(s.dKeys, kRows * s.stride);
      for (Index position = tile.end - 1; hasPull && position >= tile.start; position--) {
        const Mass mass = at(position);
        s.movePull(pull, mass);
        const Index i = position - tile.firstKey, row = position - sequence.offset;
        if (row >= tile.firstQuery && row < tile.endQuery)
          s.readBack(s.queries.row(row - tile.firstQuery), mass, head.gradientOf(row), s.dQueries + (row - tile.firstQuery) * s.stride, pull);
        if (position >= tile.firstKey && position < tile.endKey && s.keys.isValid(i))
          s.addPull(s.keys.row(i), s.keys.tile.wholeD[i], pull, s.dKeys + i * s.stride);
      }
      if (hasPull) s.movePull(pull, start);
      if (tile.firstQuery < tile.endQuery) addQueries(s, head, tile);
      if (tile.firstKey < tile.endKey) pullKeys(s, sequence, head, tile, number);
    }
  }
}

// Blocks that queries of a sequence may be in.
Index queryBlocksOf(Index lengthQ, Index block) { return lengthQ / block + 2; }
Index tilesOf(Index lengthQ, Index lengthK, Index block) { return smaller((block + kRows - 1) / kRows, (lengthQ + lengthK) / kRows + 2); }

}  // namespace

PLAN(near_mass_backward) {
  Arena arena(nullptr);
  Scratch scratch(arena, FAR_ESTIMATOR, dHead, (lengthK + block - 1) / block, queryBlocksOf(lengthQ, block), tilesOf(lengthQ, lengthK, block));
  return {numSequences * heads, (Index)arena.at};
}

RUN(near_mass_backward) {
  if (work.first >= work.last) return;
  Arena arena(work.scratch);
  Scratch s(arena, FAR_ESTIMATOR, dHead, (lengthK + block - 1) / block, queryBlocksOf(lengthQ, block), tilesOf(lengthQ, lengthK, block));
  s.projection.pack(s.projection.estimator.unit(), 0, numFeatures);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index head = unit % heads;
    const MassSequence sequence(sequences + unit / heads * kSequenceColumns, block, sinks, causal);
    const auto part = [&](auto* x, Index length, Index d, Index start) {
      const auto all = rowsOf(x, layout, sequence.batch, head, heads, length, d);
      return Rows{all[start], all.stride};
    };
    const Head arrays{part(q, lengthQ, dHead, sequence.queryStart),
                      part(k, lengthK, dHead, sequence.keyStart),
                      part(nearOut, lengthQ, dValue, sequence.queryStart),
                      part(out, lengthQ, dValue, sequence.queryStart),
                      part(dOut, lengthQ, dValue, sequence.queryStart),
                      part(dQ, lengthQ, dHead, sequence.queryStart),
                      part(dK, lengthK, dHead, sequence.keyStart),
                      keyMask ? keyMask + sequence.batch * lengthK + sequence.keyStart : nullptr,
                      kept + (sequence.batch * heads + head) * lengthQ + sequence.queryStart,
                      dValue};
    s.masses.sum(sequence, s.projection, s.keys, arrays.keys, arrays.mask);
    if (causal) causalBlocks(s, sequence, arrays);
    else bidirectional(s, sequence, arrays);
  }
}

}  // namespace KERNELS_NAMESPACE
