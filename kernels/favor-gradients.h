// What both backward kernels of FAVOR+ share.
#pragma once
#include "favor-tile.h"

namespace KERNELS_NAMESPACE {

// G_i = [dOut_i, -dOut_i·out_i] / denominator_i of a tile of queries; 0 where the denominator is 0 (no valid key).
struct QueryGradients {
  Index dValue, stride;
  float* rows;        // [kRows, stride]
  float* transposed;  // [stride, kRows], zero beyond the tile's rows up to the next whole vector

  QueryGradients(Arena& arena, Index dValue) : dValue(dValue), stride(roundUp(dValue + 1, kWidth)) {
    rows = arena.floats(kRows * stride);
    transposed = arena.floats(stride * kRows);
  }

  void gather(const Rows<const float>& out, const Rows<const float>& dOut, const float* denominators, Index first, Index count) {
    for (Index i = 0; i < count; i++) {
      const float denominator = denominators[first + i], inverse = denominator == 0 ? 0 : 1 / denominator;
      float* row = rows + i * stride;
      if (inverse == 0) {
        fillZero(row, stride);
        continue;
      }
      const float *o = out[first + i], *g = dOut[first + i];
      const Vector scale = splat(inverse);
      Vector products = {};
      Index c = 0;
      for (; c + kWidth <= dValue; c += kWidth) {
        const Vector scaled = load(g + c) * scale;
        products = fma(scaled, load(o + c), products);
        store(row + c, scaled);
      }
      if (const int lanes = (int)(dValue - c)) {
        const Vector scaled = loadPartial(g + c, lanes) * scale;
        products = fma(scaled, loadPartial(o + c, lanes), products);
        storePartial(row + c, scaled, lanes);
      }
      row[dValue] = -sum(products);
    }
    transpose(rows, stride, count, dValue + 1, transposed, kRows);
  }
};

// dQ′ ∘= Q′ over [features, kRows], the first `columns`; normalisers [features, kWidth] += Q′·pull, to be summed across: the
// share of a tile in the gradient of Z, where pull is the last row of the transposed G.
static inline void multiplyQueries(float* gradient, const float* query, const float* pull, Index features, Index columns,
                                   float* normalisers) {
  for (Index r = 0; r < features; r++) {
    Vector total = load(normalisers + r * kWidth);
    for (Index j = r * kRows; j < r * kRows + columns; j += kWidth) {
      const Vector feature = load(query + j);
      total = fma(feature, load(pull + j - r * kRows), total);
      store(gradient + j, load(gradient + j) * feature);
    }
    store(normalisers + r * kWidth, total);
  }
}

// x ∘= y over [count, kFeatureBlock], the first `features` columns; sums [kRows, kWidth] += x, to be summed across.
static inline void multiplyRows(float* x, const float* y, Index count, Index features, float* sums) {
  for (Index i = 0; i < count; i++) {
    float* row = x + i * kFeatureBlock;
    const float* other = y + i * kFeatureBlock;
    Vector total = load(sums + i * kWidth);
    Index r = 0;
    for (; r + kWidth <= features; r += kWidth) {
      const Vector product = load(row + r) * load(other + r);
      store(row + r, product);
      total += product;
    }
    if (const int lanes = (int)(features - r)) {
      const Vector product = loadPartial(row + r, lanes) * loadPartial(other + r, lanes);
      storePartial(row + r, product, lanes);
      total += product;
    }
    store(sums + i * kWidth, total);
  }
}

static inline void writeScaled(float* to, const float* from, Index count, float factor) {
  Index c = 0;
  for (; c + kWidth <= count; c += kWidth) store(to + c, load(from + c) * splat(factor));
  if (const int lanes = (int)(count - c)) storePartial(to + c, loadPartial(from + c, lanes) * splat(factor), lanes);
}

// dK = ln2·(dt·W in bits) - total·x·dHead^(-1/2), where total = Σ_r dt_r.
static inline void writeKeyGradient(float* dKey, const float* product, const float* key, Index dHead, float total) {
  const Vector ln2 = splat(kLn2), pull = splat(-total / __builtin_sqrtf((float)dHead));
  Index c = 0;
  for (; c + kWidth <= dHead; c += kWidth) store(dKey + c, fma(pull, load(key + c), load(product + c) * ln2));
  if (const int lanes = (int)(dHead - c))
    storePartial(dKey + c, fma(pull, loadPartial(key + c, lanes), loadPartial(product + c, lanes) * ln2), lanes);
}

}  // namespace KERNELS_NAMESPACE
