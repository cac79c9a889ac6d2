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
      const float denominator = denominators[first + i];
      setRow(i, out[first + i], dOut[first + i], denominator == 0 ? 0 : 1 / denominator, divided);
    }
  }
  // The same for rows that are multiplied by `factors`.
  void gatherMultiplied(const Rows<const float>& out, const Rows<const float>& dOut, const float* factors, Index first, Index count) {
    for (Index i = 0; i < count; i++) setRow(i, out[first + i], dOut[first + i], factors[first + i], true);
  }
  void turn(Index count) { transpose(rows, stride, count, dValue + 1, transposed, kRows); }

 private:
  void setRow(Index i, const float* o, const float* g, float factor, bool divided) {
    float* row = rows + i * stride;
    if (factor == 0) {
      fillZero(row, stride);
      return;
    }
    const Vector scale = splat(factor);
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

// totals [features] = Σ_i Q′_ir·pull_i over the columns [keep, last): query [features, kRows].
static inline void sumQueries(const float* query, const float* pull, Index features, Index keep, Index last, float* totals) {
  for (Index r = 0; r < features; r += kWidth) {
    Vector rows[kWidth];
    for (Index i = 0; i < kWidth; i++) {
      rows[i] = Vector{};
      for (Index c = keep; r + i < features && c < last; c += kWidth)
        rows[i] = fma(load(query + (r + i) * kRows + c), load(pull + c), rows[i]);
    }
    store(totals + r, sumAcross(rows));
  }
}

// The square of kWidth features of up to kWidth rows, transposed; zeros for rows that are not there.
static inline void loadAcross(const float* rows, Index count, Vector* square) {
  UNROLL for (int i = 0; i < kWidth; i++) square[i] = i < count ? load(rows + i * kFeatureBlock) : Vector{};
  transpose(square);
}

// Over gradient [features, kRows], the columns of the keys [keep, end): sums (+)= Σ_r dK′_r K′_r, then dK′ ∘= ∂K′/∂u. K′ and
// its slopes (null: K′ itself) are row by row.
static inline void multiplyKeysAcross(float* gradient, const float* keyRows, const float* slopeRows, Index features, Index keep, Index end,
                                      bool isFirst, float* sums) {
  for (Index c = keep; c < end; c += kWidth) {
    Vector total = isFirst ? Vector{} : load(sums + c);
    for (Index r = 0; r < features; r += kWidth) {
      Vector key[kWidth], slope[kWidth];
      loadAcross(keyRows + c * kFeatureBlock + r, end - c, key);
      if (slopeRows) loadAcross(slopeRows + c * kFeatureBlock + r, end - c, slope);
      float* column = gradient + r * kRows + c;
      UNROLL for (int i = 0; i < kWidth; i++) {
        if (r + i >= features) continue;
        const Vector x = load(column + i * kRows), product = x * key[i];
        store(column + i * kRows, slopeRows ? x * slope[i] : product);
        total += product;
      }
    }
    store(sums + c, total);
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

// dX (+)= unit·product + normSign·total·x·dHead^(-1/2): through u, and through D, where total = Σ_r dφ_r·φ_r.
template <bool ADD = false>
static inline void writeGradient(float* dX, const float* product, const float* x, Index dHead, const Estimator& estimator, float total) {
  const Vector unit = splat(estimator.gradientUnit());
  const Vector pull = splat((float)estimator.normSign() * total / __builtin_sqrtf((float)dHead));
  Index c = 0;
  for (; c + kWidth <= dHead; c += kWidth) {
    const Vector gradient = fma(pull, load(x + c), load(product + c) * unit);
    store(dX + c, ADD ? load(dX + c) + gradient : gradient);
  }
  if (const int lanes = (int)(dHead - c)) {
    const Vector gradient = fma(pull, loadPartial(x + c, lanes), loadPartial(product + c, lanes) * unit);
    storePartial(dX + c, ADD ? loadPartial(dX + c, lanes) + gradient : gradient, lanes);
  }
}

}  // namespace KERNELS_NAMESPACE
