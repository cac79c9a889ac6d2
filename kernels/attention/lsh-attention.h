// What the passes of LSH attention share: chunks of the sorted order, and which keys a query sees how often.
//
// A hash lists the positions of a sequence in an order, which is cut into chunks. With c(i) the chunk of position i, query i
// sees key j in this hash iff 0 <= c(i) - c(j) <= 1. Chunks that must not see each other have numbers further apart.
// N(i, j) counts the hashes in which i sees j. Summing exp(score)/N over all hashes gives one softmax over all keys
// that any hash shows.
#pragma once
#include "softmax-attention.h"

namespace KERNELS_NAMESPACE {

constexpr int32_t kNoChunk = -0x40000000;  // seen from nowhere
constexpr float kNormEpsilon = 1e-6f;      // of the mean square of a query made a key

// One copy for all of LSH attention: inlined, these loops would be most of its code.
#define SHARED __attribute__((noinline)) inline
SHARED void product(ProductSizes sizes, Matrix a, RightOperand b, Output c, Mode mode) { tileMultiply(sizes, a, b, c, mode); }
// The same without the terms whose a is 0: where b, whose rows are plain, is not finite.
SHARED void productOfSeen(bool finite, ProductSizes sizes, Matrix a, RightOperand b, Output c, Mode mode) {
  if (finite) {
    product(sizes, a, b, c, mode);
    return;
  }
  for (Index i = 0; i < sizes.rows; i++)
    for (Index x = 0; x < sizes.columns; x += kWidth) {
      const int lanes = int(atMost(kWidth, sizes.columns - x));
      const auto part = [&](const float* row) { return lanes == kWidth ? load(row + x) : loadPartial(row + x, lanes); };
      Vector total{};
      for (Index p = 0; p < sizes.depth; p++) {
        const float weight = a.data[i * a.rowStride + p * a.columnStride];
        if (weight != 0.0f) total = fma(splat(weight), part(b.data + p * b.rowStride), total);
      }
      float* row = c.data + i * c.rowStride;
      if (mode == Mode::add) total = part(row) + total;
      if (lanes == kWidth) store(row + x, total);
      else storePartial(row + x, total, lanes);
    }
}
SHARED void productPacked(ProductSizes sizes, const float* a, const float* panels, Output c) {
  tileMultiply(sizes, rowMajor(a, sizes.depth), panelsOf(panels, sizes.depth), c, Mode::store);
}
SHARED void packTransposed(Index rows, Index width, const float* x, Index stride, float* panels) {
  packPanels(rows, width, transposeOf(x, stride), panels);
}

// out = a · out + b · x; out need not hold numbers where a is 0
SHARED void blendRow(float* out, const float* x, Index width, float a, float b) {
  const Vector old = splat(a), now = splat(b);
  for (Index i = 0; i < width; i += kWidth) {
    const int lanes = int(atMost(kWidth, width - i));
    Vector y = (lanes == kWidth ? load(x + i) : loadPartial(x + i, lanes)) * now;
    if (a != 0.0f) y = fma(lanes == kWidth ? load(out + i) : loadPartial(out + i, lanes), old, y);
    if (lanes == kWidth) store(out + i, y);
    else storePartial(out + i, y, lanes);
  }
}

SHARED float dotRows(const float* a, const float* b, Index width) {
  Vector total{};
  Index i = 0;
  for (; i + kWidth <= width; i += kWidth) total = fma(load(a + i), load(b + i), total);
  return sum(fma(loadPartial(a + i, int(width - i)), loadPartial(b + i, int(width - i)), total));
}

struct LshJob {
  HeadLayout queries, values;
  Index batch, length, chunkLength, numHashes, piece, piecesPerPair, lanes;  // lanes: chunkLength in whole vectors
  bool causal;
  float scale;

  LshJob(Index numSequences, Index batch, Index heads, Index length, Index dHead, Index dValue, AttentionLayout layout, bool causal,
         float scale, Index chunkLength, Index numHashes)
      : queries{heads, length, dHead, layout}, values{heads, length, dValue, layout}, batch(batch), length(length),
        chunkLength(atMost(chunkLength, atLeast(1, length))), numHashes(numHashes), piece(2048),
        lanes(roundUp(this->chunkLength, kWidth)), causal(causal), scale(scale) {
    while (piece > 256 && numSequences * heads * blocksOf(length, piece) < 16) piece /= 2;
    piecesPerPair = blocksOf(length, piece);
  }
  Index perHash() const { return batch * queries.heads * length; }
};

// One (sequence, head): where its rows are, and the order and chunks of hash 0.
struct LshPair {
  const LshJob& job;
  Index count, row, query, value;  // row: of arrays [batch, heads, length]
  const float* mask;
  const int32_t *order, *chunks;

  LshPair(const LshJob& job, const int32_t* r, Index head, const float* keyMask, const int32_t* orders, const int32_t* allChunks)
      : job(job), count(r[2]), row((r[0] * job.queries.heads + head) * job.length + r[1]), query(job.queries.offset(r[0], head, r[1])),
        value(job.values.offset(r[0], head, r[1])), mask(keyMask ? keyMask + r[0] * job.length + r[1] : nullptr), order(orders + row),
        chunks(allChunks + row) {}

  bool isValid(Index position) const { return !mask || mask[position] != 0.0f; }
  Index queryAt(Index position) const { return query + position * job.queries.rowStride(); }
  Index valueAt(Index position) const { return value + position * job.values.rowStride(); }
};

// The order of one hash and its chunks, as slots [first, end) of that order.
struct LshOrder {
  const LshPair& pair;
  const int32_t *order, *chunks;
  LshOrder(const LshPair& pair, Index hash)
      : pair(pair), order(pair.order + hash * pair.job.perHash()), chunks(pair.chunks + hash * pair.job.perHash()) {}

  int32_t chunkAt(Index slot) const { return chunks[order[slot]]; }
  bool isStart(Index slot) const { return slot == 0 || chunkAt(slot) != chunkAt(slot - 1); }
  Index endOf(Index slot) const {
    do slot++;
    while (slot < pair.count && !isStart(slot));
    return slot;
  }
  Index startOf(Index slot) const {
    while (!isStart(slot)) slot--;
    return slot;
  }
  // Whether the chunk that starts at `slot` sees the one before it.
  bool seesPrevious(Index slot) const { return slot > 0 && chunkAt(slot) == chunkAt(slot - 1) + 1; }
};

// Positions and chunks, in every hash, of slots of one order: ids [1 + numHashes, stride].
SHARED void gatherIds(const LshOrder& order, Index slot, Index count, int32_t* ids, Index stride) {
  const LshPair& pair = order.pair;
  for (Index j = 0; j < count; j++) {
    const int32_t position = order.order[slot + j];
    ids[j] = position;
    for (Index hash = 0; hash < pair.job.numHashes; hash++) ids[(1 + hash) * stride + j] = pair.chunks[hash * pair.job.perHash() + position];
  }
}

// Turns slots into keys that no query may see: masked slots among the first `count`, and all slots from there to
// `lanes`.
SHARED void hideKeys(const LshPair& pair, Index count, Index lanes, int32_t* ids, Index stride) {
  for (Index j = 0; j < lanes; j++) {
    if (j < count && pair.isValid(ids[j])) continue;
    ids[j] = 0;
    for (Index hash = 1; hash <= pair.job.numHashes; hash++) ids[hash * stride + j] = kNoChunk;
  }
}

// keys [count, dHead] = rows of queries at unit length, with the factors that made them so.
static inline void normaliseRows(const float* rows, Index count, Index width, float* keys, float* factors) {
  for (Index j = 0; j < count; j++, rows += width, keys += width) {
    factors[j] = 1.0f / squareRoot(splat(dotRows(rows, rows, width) + kNormEpsilon * float(width)))[0];
    blendRow(keys, rows, width, 0, factors[j]);
  }
}

// How often the query in `queryIds` (stride queryStride) sees the keys of a vector of lanes: N, or 0 for what it must not see.
static inline Vector timesSeen(const LshJob& job, const int32_t* queryIds, Index queryStride, const int32_t* keyIds, Index keyStride) {
  IntVector key, seen{};
  for (Index hash = 1; hash <= job.numHashes; hash++) {
    __builtin_memcpy(&key, keyIds + hash * keyStride, sizeof key);
    seen -= ((queryIds[hash * queryStride] - key) & ~1) == 0;
  }
  __builtin_memcpy(&key, keyIds, sizeof key);
  const IntVector position = key - key + queryIds[0];
  seen = (job.causal ? key < position : key != position) ? seen : IntVector{};
  return __builtin_convertvector(seen, Vector);
}

}  // namespace KERNELS_NAMESPACE
