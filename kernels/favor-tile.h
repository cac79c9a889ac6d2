// The features of FAVOR+: packed projections, tiles of keys and of queries, log-features and their exponentials.
//
// The estimators are exp(W x̂ + b - ‖x̂‖²/2). Everything here works in bits (base 2): u = W x̂ + b and D = ‖x̂‖²/2, both times
// log2(e). A key's log-feature is t = u - D; D, which may be thousands, is split into a whole part (kept apart, exact) and a
// fraction (summed with u), so t keeps the accuracy of u. Then 2^t = 2^f · 2^n with n integral, and a scale c is an integer
// that is subtracted from n: changing it later multiplies by a power of two, which is exact.
//
// Keys lie row by row, [keys, features]; queries lie transposed, [features, queries]. Then every product has its operands as
// tile.h wants them, maxima and sums run down the rows, and nothing is reduced across a vector:
//   K′ = X·Wᵀ   Q′ᵀ = W·Xᵀ   S += K′ᵀ·V   out = (Q′ᵀ)ᵀ·S   scoresᵀ = K′·Q′ᵀ
#pragma once
#include "favor-product.h"
#include "favor.h"

namespace KERNELS_NAMESPACE {

constexpr Index kRows = 64;           // keys or queries in a tile
constexpr Index kFeatureBlock = 128;  // features of a tile that are worked off together
static_assert(kFeatureBlock % kTileColumns == 0 && kRows % kTileColumns == 0);

// W·log2(e)·dHead^(-1/4), and the same as packed panels of Wᵀ for keys.
struct Projection {
  Index dHead, numFeatures, hasBias;
  float* weights;  // [paddedFeatures, stride]; row r: …, bias, W_r0, W_r1, … with W_r0 at column kWidth
  float* panels;   // packed [1 + hasBias + dHead, paddedFeatures]: a row of ones for -D, the bias, Wᵀ

  Index stride() const { return roundUp(dHead, kWidth) + kWidth; }
  Index paddedFeatures() const { return roundUp(numFeatures, kTileColumns); }
  Index keyDepth() const { return 1 + hasBias + dHead; }
  Index queryDepth() const { return hasBias + dHead; }
  const float* queryWeights() const { return weights + kWidth - hasBias; }
  const float* plainWeights() const { return weights + kWidth; }

  Projection(Arena& arena, const float* bias, Index dHead, Index numFeatures)
      : dHead(dHead), numFeatures(numFeatures), hasBias(bias != nullptr) {
    weights = arena.floats(paddedFeatures() * stride());
    panels = arena.floats(paddedFeatures() * keyDepth());
  }

  // unit is log2(e) for bits, 1 for nats. first, count: the features that panels holds.
  void pack(const float* projection, const float* bias, double unit, Index first, Index count) {
    const double factor = unit * __builtin_sqrt(1 / __builtin_sqrt((double)dHead));
    for (Index r = 0; r < paddedFeatures(); r++) {
      float* row = weights + r * stride();
      fillZero(row, stride());
      if (r >= numFeatures) continue;
      for (Index c = 0; c < dHead; c++) row[kWidth + c] = (float)(projection[r * dHead + c] * factor);
      if (bias) row[kWidth - 1] = (float)(bias[r] * unit);
    }
    const Index depth = keyDepth();
    for (Index p = 0; p * kTileColumns < count; p++) {
      float* panel = panels + p * depth * kTileColumns;
      fillValue(panel, kTileColumns, 1.0f);
      const float* from = weights + (first + p * kTileColumns) * stride() + kWidth;
      for (Index c = -hasBias; c < dHead; c++)
        for (Index j = 0; j < kTileColumns; j++) panel[(c + 1 + hasBias) * kTileColumns + j] = from[j * stride() + c];
    }
  }
};

typedef float HalfVector __attribute__((vector_size(kWidth * 2)));
typedef double DoubleVector __attribute__((vector_size(kWidth * 4)));

static inline double sumOfSquares(const float* x, Index count) {
  constexpr int half = kWidth / 2;
  DoubleVector sums = {};
  Index i = 0;
  for (; i + half <= count; i += half) {
    HalfVector part;
    __builtin_memcpy(&part, x + i, sizeof part);
    const DoubleVector wide = __builtin_convertvector(part, DoubleVector);
    sums += wide * wide;
  }
  double total = 0;
  for (int j = 0; j < half; j++) total += sums[j];
  for (; i < count; i++) total += (double)x[i] * x[i];
  return total;
}

// D = unit·‖x̂‖²/2 = whole + fraction.
struct HalfNorm {
  float whole, fraction;
  HalfNorm(const float* x, Index dHead, double unit) {
    const double d = sumOfSquares(x, dHead) * (unit / (2 * __builtin_sqrt((double)dHead)));
    const bool split = d < 1e9;  // beyond that float32 has no fraction to keep (and an infinite key stays infinite)
    const double floor = split ? (double)(int32_t)d : d;
    whole = (float)floor;
    fraction = split ? (float)(d - floor) : 0.0f;
  }
};

// Keys of a tile: rows {-fraction of D, 1 if there is a bias, x} for Projection::panels, the whole part of D, and {v, 1}.
struct KeyTile {
  Index dHead, dValue, count;
  float* x;        // [kRows, xStride()], x at column kWidth
  float* values;   // [kRows, valueStride()], 1 in column dValue
  float* wholeD;   // [kRows], +inf for a masked key
  int32_t* shift;  // [kRows] -wholeD as an integer
  int32_t* index;  // [kRows] which key of the run
  double unit;

  Index xStride() const { return roundUp(dHead, kWidth) + kWidth; }
  Index valueStride() const { return roundUp(dValue + 1, kWidth); }

  KeyTile(Arena& arena, Index dHead, Index dValue, double unit = kBits)
      : dHead(dHead), dValue(dValue), count(0), unit(unit) {
    x = arena.floats(kRows * xStride());
    values = arena.floats(kRows * valueStride());
    wholeD = arena.floats(kRows);
    shift = arena.integers(kRows);
    index = arena.integers(kRows);
  }

  void setKey(Index i, const float* key, Index hasBias) {
    const HalfNorm d(key, dHead, unit);
    float* row = x + i * xStride() + kWidth;
    wholeD[i] = d.whole;
    shift[i] = -(int32_t)(d.whole < kFar ? d.whole : kFar);
    row[-1] = 1.0f;
    row[-1 - hasBias] = -d.fraction;
    copyRow(row, key, dHead);
  }
  void setValue(Index i, const float* value) {
    float* row = values + i * valueStride();
    copyRow(row, value, dValue);
    row[dValue] = 1.0f;
  }
  // A key whose features are all 0, with values of 0.
  void setMasked(Index i) {
    fillZero(x + i * xStride(), xStride());
    fillZero(values + i * valueStride(), valueStride());
    wholeD[i] = kInfinity;
    shift[i] = -(1 << 30);
  }
  // The next valid keys of a run, from `next` on: masked ones are left out. Returns where the tile after this one starts.
  Index gather(const Rows<const float>& keys, const Rows<const float>& valueRows, const float* mask, Index next, Index end,
               Index hasBias) {
    for (count = 0; next < end && count < kRows; next++) {
      if (mask && mask[next] == 0) continue;
      setKey(count, keys[next], hasBias);
      setValue(count, valueRows[next]);
      index[count++] = (int32_t)next;
    }
    return next;
  }
  // Log-features without the whole part of D: u [count, columns], whole panels.
  void logFeatures(const Projection& p, const float* panels, Index columns, float* u, Index ldu) const {
    chainedMultiply(count, columns, p.keyDepth(), x + kWidth - 1 - p.hasBias, xStride(), 1, panels, kTileColumns,
                    p.keyDepth() * kTileColumns, u, ldu);
  }
};

// K′ = 2^(u - D - c) of rows [first, end), `columns` features (whole panels): u has rows of ldu, out of ldOut floats; keyShift is
// KeyTile::shift; totals (nullable) get the sums over the rows. May run in place.
static inline void keyFeatures(const float* u, Index ldu, const int32_t* keyShift, const float* scale, Index first, Index end,
                               Index columns, float* out, Index ldOut, float* totals) {
  for (Index j = 0; j < columns; j += kTileColumns) {
    IntVector shift[kTileVectors];
    Vector total[kTileVectors];
    UNROLL for (int t = 0; t < kTileVectors; t++) {
      shift[t] = kShiftOrigin - wholeNumbers(load(scale + j + t * kWidth));
      total[t] = Vector{};
    }
    for (Index i = first; i < end; i++) {
      UNROLL for (int t = 0; t < kTileVectors; t++) {
        const Vector feature = exp2Shifted(load(u + i * ldu + j + t * kWidth), shift[t] + keyShift[i]);
        store(out + i * ldOut + j + t * kWidth, feature);
        total[t] += feature;
      }
    }
    if (totals) UNROLL for (int t = 0; t < kTileVectors; t++) store(totals + j + t * kWidth, total[t]);
  }
}

// Queries of a tile, transposed: row 0 ones if there is a bias, then the components of x; columns of kRows.
struct QueryTile {
  float* x;
  Index count, columns;  // columns: count rounded up to whole vectors

  QueryTile(Arena& arena, Index dHead) : x(arena.floats((1 + roundUp(dHead, kWidth)) * kRows)), count(0), columns(0) {}

  void gather(const Rows<const float>& queries, Index first, Index rows, const Projection& p) {
    count = rows;
    columns = roundUp(rows, kWidth);
    if (p.hasBias) fillValue(x, kRows, 1.0f);
    transpose(queries[first], queries.stride, rows, p.dHead, x + p.hasBias * kRows, kRows);
  }
  // u [count of features, kRows] of the features from `first` on; D of a query cancels in the quotient and is never computed.
  void logFeatures(const Projection& p, Index first, Index features, float* u) const {
    chainedMultiply(features, columns, p.queryDepth(), p.queryWeights() + first * p.stride(), p.stride(), 1, x, kRows, kTileColumns,
                    u, kRows);
  }
};

// Calls body(VECTORS, j) for the columns j in steps of whole vectors, four at a time where they last.
#define COLUMN_GROUPS(columns, body)                                                        \
  {                                                                                         \
    Index j_ = 0;                                                                           \
    for (; j_ + 4 * kWidth <= (columns); j_ += 4 * kWidth) body.template operator()<4>(j_); \
    for (; j_ < (columns); j_ += kWidth) body.template operator()<1>(j_);                   \
  }

// highest [kRows] = the larger of itself and max_r (u_r + c_r) of every query: u [features, kRows], scales [features].
static inline void raiseHighest(const float* u, const float* scales, Index features, Index columns, float* highest) {
  const auto group = [&]<int VECTORS>(Index j) {
    Vector high[VECTORS];
    UNROLL for (int t = 0; t < VECTORS; t++) high[t] = load(highest + j + t * kWidth);
    for (Index r = 0; r < features; r++) {
      const Vector scale = splat(scales[r]);
      UNROLL for (int t = 0; t < VECTORS; t++) high[t] = maximum(load(u + r * kRows + j + t * kWidth) + scale, high[t]);
    }
    UNROLL for (int t = 0; t < VECTORS; t++) store(highest + j + t * kWidth, high[t]);
  };
  COLUMN_GROUPS(columns, group)
}
// M of every query as an integer, 0 where no feature has seen a key.
static inline void roundHighest(const float* highest, Index columns, int32_t* whole) {
  for (Index j = 0; j < columns; j += kWidth) {
    const Vector high = load(highest + j);
    store((float*)(whole + j), (Vector)wholeNumbers(high > splat(-kInfinity) ? high : Vector{}));
  }
}

// Q′ = 2^(u + c - M), c and M as integers; u and out [features, kRows] may be the same. Unless normalisers is null,
// denominators += Q′·Z, where Z is the last column of the state: Z_r = normalisers[r·ldz].
template <bool NORMALISE>
static inline void queryFeatures(const float* u, const int32_t* scales, const int32_t* highest, Index features, Index columns,
                                 float* out, const float* normalisers, Index ldz, float* denominators) {
  const auto group = [&]<int VECTORS>(Index j) {
    IntVector shift[VECTORS];
    Vector denominator[VECTORS];
    UNROLL for (int t = 0; t < VECTORS; t++) {
      shift[t] = kShiftOrigin - (IntVector)load((const float*)(highest + j + t * kWidth));
      if (NORMALISE) denominator[t] = load(denominators + j + t * kWidth);
    }
    for (Index r = 0; r < features; r++) {
      UNROLL for (int t = 0; t < VECTORS; t++) {
        const Index at = r * kRows + j + t * kWidth;
        const Vector feature = exp2Shifted(load(u + at), shift[t] + scales[r]);
        store(out + at, feature);
        if (NORMALISE) denominator[t] = fma(feature, splat(normalisers[r * ldz]), denominator[t]);
      }
    }
    if (NORMALISE) UNROLL for (int t = 0; t < VECTORS; t++) store(denominators + j + t * kWidth, denominator[t]);
  };
  COLUMN_GROUPS(columns, group)
}

// out[i] = sums[i] / denominators[i]; a query without a valid key has denominator 0 and yields zeros.
static inline void writeQuotients(const float* sums, Index ldSums, const float* denominators, Index count, Index dValue,
                                  const Rows<float>& out) {
  for (Index i = 0; i < count; i++) {
    const float denominator = denominators[i], inverse = denominator == 0 ? 0 : 1 / denominator;
    float* row = out[i];
    const float* from = sums + i * ldSums;
    if (inverse == 0) {
      fillZero(row, dValue);
      continue;
    }
    Index c = 0;
    for (; c + kWidth <= dValue; c += kWidth) store(row + c, load(from + c) * splat(inverse));
    if (c < dValue) storePartial(row + c, loadPartial(from + c, (int)(dValue - c)) * splat(inverse), (int)(dValue - c));
  }
}

}  // namespace KERNELS_NAMESPACE
