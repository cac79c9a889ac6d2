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

struct Sequence {
  Index batch, queryStart, queryLength, keyStart, keyLength;
  Index offset;  // clamped so that sums stay small: beyond these bounds every query sees all keys, or no key.
  explicit Sequence(const int32_t* r)
      : batch(r[0]), queryStart(r[1]), queryLength(r[2]), keyStart(r[3]), keyLength(r[4]),
        offset(atLeast(-queryLength, atMost(keyLength, r[5]))) {}
  // Number of leading keys that query `row` of the sequence sees.
  Index visibleKeys(Index row, bool causal) const {
    return causal ? atLeast(0, atMost(keyLength, row + 1 + offset)) : keyLength;
  }
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
