// What both backward kernels of FAVOR+ share.
#pragma once
#include "favor-tile.h"

namespace KERNELS_NAMESPACE {

// G_i = [dOut_i, -dOut_i·out_i] / denominator_i of a tile of queries; 0 where the denominator is 0 (no valid key). The last column
// is 0 where rows are not divided by their sums.
struct QueryGradients {
  Index dValue, stride;
  float* rows;        // [kRows, stride]
  float* transposed;  // [stride, kRows] after turn(), zero beyond the tile's rows up to the next whole vector

  QueryGradients(Arena& arena, Index dValue) : dValue(dValue), stride(roundUp(dValue + 1, kWidth)) {
    rows = arena.floats(kRows * stride);
    transposed = arena.floats(stride * kRows);
  }

  void gather(const Rows<const float>& out, const Rows<const float>& dOut, const float* denominators, Index first, Index count,
              bool divided) {
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
      row[dValue] = divided ? -sum(products) : 0.0f;
    }
  }
  void turn(Index count) { transpose(rows, stride, count, dValue + 1, transposed, kRows); }
};

// Over [features, kRows], the first `columns`: dQ′ ∘= ∂Q′/∂u (slopes; Q′ itself for the exponential map). Also
// normalisers [features, kWidth] += Q′·pull, to be summed across: the share of a tile in the gradient of Z. The last
// row of the transposed G is `pull`.
static inline void multiplyQueries(float* gradient, const float* query, const float* slopes, const float* pull, Index features,
                                   Index columns, float* normalisers) {
  for (Index r = 0; r < features; r++) {
    Vector total = load(normalisers + r * kWidth);
    for (Index j = r * kRows; j < r * kRows + columns; j += kWidth) {
      total = fma(load(query + j), load(pull + j - r * kRows), total);
      store(gradient + j, load(gradient + j) * load(slopes + j));
    }
    store(normalisers + r * kWidth, total);
  }
}

// sums [kRows] += Σ_r dQ′_r·Q′_r over [features, kRows], the first `columns`: the gradient in log φ that all features share.
static inline void sumProducts(const float* gradient, const float* query, Index features, Index columns, float* sums) {
  for (Index j = 0; j < columns; j += kWidth) {
    Vector total = load(sums + j);
    for (Index r = 0; r < features; r++) total = fma(load(gradient + r * kRows + j), load(query + r * kRows + j), total);
    store(sums + j, total);
  }
}

// Over [count, kFeatureBlock], the first `features` columns: sums [kRows, kWidth] += dK′∘K′, to be summed across, then dK′ ∘= slopes.
static inline void multiplyKeys(float* gradient, const float* key, const float* slopes, Index count, Index features, float* sums) {
  for (Index i = 0; i < count; i++) {
    float* row = gradient + i * kFeatureBlock;
    const float *feature = key + i * kFeatureBlock, *slope = slopes + i * kFeatureBlock;
    Vector total = load(sums + i * kWidth);
    Index r = 0;
    for (; r + kWidth <= features; r += kWidth) {
      const Vector x = load(row + r);
      total = fma(x, load(feature + r), total);
      store(row + r, x * load(slope + r));
    }
    if (const int lanes = (int)(features - r)) {
      const Vector x = loadPartial(row + r, lanes);
      total = fma(x, loadPartial(feature + r, lanes), total);
      storePartial(row + r, x * loadPartial(slope + r, lanes), lanes);
    }
    store(sums + i * kWidth, total);
  }
}

static inline void writeScaled(float* to, const float* from, Index count, float factor) {
  Index c = 0;
  for (; c + kWidth <= count; c += kWidth) store(to + c, load(from + c) * splat(factor));
  if (const int lanes = (int)(count - c)) storePartial(to + c, loadPartial(from + c, lanes) * splat(factor), lanes);
}

// dX = unit·product + normSign·total·x·dHead^(-1/2): through u, and through D, where total = Σ_r dφ_r·φ_r.
static inline void writeGradient(float* dX, const float* product, const float* x, Index dHead, const Estimator& estimator, float total) {
  const Vector unit = splat(estimator.gradientUnit());
  const Vector pull = splat((float)estimator.normSign() * total / __builtin_sqrtf((float)dHead));
  Index c = 0;
  for (; c + kWidth <= dHead; c += kWidth) store(dX + c, fma(pull, load(x + c), load(product + c) * unit));
  if (const int lanes = (int)(dHead - c))
    storePartial(dX + c, fma(pull, loadPartial(x + c, lanes), loadPartial(product + c, lanes) * unit), lanes);
}

}  // namespace KERNELS_NAMESPACE
