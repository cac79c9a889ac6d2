// What the forward and the backward pass of exact attention share: where a sequence is, which keys a query sees, the
// exponential.
#pragma once
#include "dense/chained-product.h"
#include "kernels.h"

namespace KERNELS_NAMESPACE {

// A score that is masked: below every valid score, and finite, so that differences of scores are never NaN.
constexpr float kMasked = -3.4028235e38f;

static inline Index atMost(Index a, Index b) { return a < b ? a : b; }
static inline Index atLeast(Index a, Index b) { return a > b ? a : b; }
static inline Index blocksOf(Index length, Index size) { return (length + size - 1) / size; }
static inline Index roundUp(Index x, Index step) { return (x + step - 1) / step * step; }

// Takes pieces of the scratch, each aligned to 64 bytes; with a null base it only counts bytes.
struct Scratch {
  char* base;
  Index used = 0;
  float* floats(Index count) {
    float* piece = base ? (float*)(base + used) : nullptr;
    used += roundUp(count * (Index)sizeof(float), 64);
    return piece;
  }
};

// One head of an attention array [batch, heads, length, width] or [batch, length, heads, width].
struct HeadLayout {
  Index heads, length, width;
  AttentionLayout layout;
  bool isByLength() const { return layout == AttentionLayout::blhd; }
  Index rowStride() const { return isByLength() ? heads * width : width; }
  Index offset(Index batch, Index head, Index row) const {
    return isByLength() ? ((batch * length + row) * heads + head) * width : ((batch * heads + head) * length + row) * width;
  }
};

// Which keys a query sees by its position. With block 0 all keys are near; see the conventions of description.mjs.
struct Visibility {
  bool causal;
  Index block, sinks;
};

// The keys [0, sinks) and [first, end) of a sequence, sinks <= first. All three only grow from query to query.
struct SeenKeys {
  Index sinks, first, end;
  // The keys that one of the queries sees, from those of the first and of the last query.
  static SeenKeys ofAny(SeenKeys firstQuery, SeenKeys lastQuery) { return {firstQuery.sinks, firstQuery.first, lastQuery.end}; }
};
// Whether all queries from the first to the last see the keys [from, to).
static inline bool allSee(SeenKeys firstQuery, SeenKeys lastQuery, Index from, Index to) {
  return (to <= firstQuery.end || to <= firstQuery.sinks) && (from >= lastQuery.first || to <= lastQuery.sinks);
}

static inline Index floorOf(Index x, Index size) { return x >= 0 ? x / size : -((-x + size - 1) / size); }

struct Sequence {
  Index batch, queryStart, queryLength, keyStart, keyLength;
  Visibility visibility;
  Index offset;  // clamped so that sums stay small: beyond these bounds nothing that a query sees changes
  Sequence(const int32_t* r, Visibility visibility)
      : batch(r[0]), queryStart(r[1]), queryLength(r[2]), keyStart(r[3]), keyLength(r[4]), visibility(visibility),
        offset(atLeast(-queryLength - 2 * visibility.block, atMost(keyLength + 2 * visibility.block, r[5]))) {}

  SeenKeys seenKeys(Index row) const { return seenKeys(row, startOfBlock(row)); }
  // The position where the block of query `row` starts.
  Index startOfBlock(Index row) const { return visibility.block == 0 ? 0 : floorOf(row + offset, visibility.block) * visibility.block; }
  SeenKeys seenKeys(Index row, Index start) const {
    const Index position = row + offset, block = visibility.block;
    const Index visible = visibility.causal ? within(position + 1) : keyLength;
    if (block == 0) return {0, 0, visible};
    const Index first = atMost(visible, within(start - block)), end = atMost(visible, within(start + 2 * block));
    const Index sinks = atMost(visible, visibility.sinks);
    return sinks >= first ? SeenKeys{0, 0, atLeast(sinks, end)} : SeenKeys{sinks, first, end};
  }
  // The queries that see one of the keys [first, end).
  Stretch queriesSeeing(Index first, Index end) const {
    const Index block = visibility.block;
    const bool all = block == 0 || first < visibility.sinks;
    const Index beyond = all ? queryLength + offset : ((end - 1) / block + 2) * block;
    const Index lowest = visibility.causal ? first : all ? offset : (first / block - 1) * block;
    return {rowOf(lowest), rowOf(beyond)};
  }

 private:
  Index within(Index key) const { return atLeast(0, atMost(keyLength, key)); }
  Index rowOf(Index position) const { return atLeast(0, atMost(queryLength, position - offset)); }
};

// 2^t for t < 127, as 2^-125 below that; NaN stays NaN. Cheaper than exp2: the rounded exponent is added to p's exponent.
static inline Vector exp2Bounded(Vector t) {
  t = maximum(splat(-125.0f), t);
  const Vector magic = splat(12582912.0f);  // 1.5·2^23: the sum's low bits are the nearest integer
  const Vector shifted = t + magic;
  const Vector p = exp2Fraction(t - (shifted - magic));
  return (Vector)((WordVector)p + ((WordVector)shifted << 23));
}

// x·2^t, where the power alone may leave float32's range.
static inline Vector timesExp2(Vector x, Vector t) {
  t = minimum(splat(252.0f), maximum(splat(-252.0f), t));
  const Vector n = roundNearest(t), half = roundNearest(n * splat(0.5f));
  return timesPowerOfTwo(timesPowerOfTwo(x * exp2Fraction(t - n), half), n - half);
}

static inline bool anyValid(const float* mask, Index count) {
  for (Index j = 0; j < count; j++)
    if (mask[j] != 0.0f) return true;
  return false;
}

// rows [count, width] of masked keys = 0; mask nullable
static inline void clearMasked(const float* mask, Index count, float* rows, Index width) {
  for (Index j = 0; mask && j < count; j++)
    for (Index x = 0; mask[j] == 0.0f && x < width; x++) rows[j * width + x] = 0;
}

// Copies rows that are `stride` apart to a dense block.
static inline void copyRows(const float* source, Index stride, Index rows, Index width, float* target) {
  for (Index i = 0; i < rows; i++, source += stride, target += width) {
    Index x = 0;
    for (; x + kWidth <= width; x += kWidth) store(target + x, load(source + x));
    if (x < width) storePartial(target + x, loadPartial(source + x, int(width - x)), int(width - x));
  }
}

}  // namespace KERNELS_NAMESPACE
