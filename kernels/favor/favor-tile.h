// The features of FAVOR+: tiles of keys and of queries, their projections and the map to features.
//
// An exponential feature is exp(W x̂ + b - ‖x̂‖²/2), computed in bits (base 2): u = W x̂ + b and D = ‖x̂‖²/2, both
// times log2(e). A key's log-feature is t = u - D. D may be thousands, so D is split into a whole part (kept apart,
// exact) and a fraction (summed with u). The log-feature then keeps the accuracy of u. Then 2^t = 2^f · 2^n with n
// integral, and a scale c is an integer that is subtracted from n. Changing the scale later multiplies by a power of
// two, which is exact.
//
// The other maps are f(u)·2^(n - c) with u in nats and one scale c for all features. For the map sine, n is D in bits,
// and the fraction of D is a factor of the row. For the rest n is 0. A query's D cancels where rows are divided by
// their sums.
//
// Keys are row by row, [keys, features]; queries are transposed, [features, queries]. Every product then has its
// operands as tile.h wants them. Maxima and sums run down the rows, and nothing is reduced across a vector:
//   K′ = X·Wᵀ   Q′ᵀ = W·Xᵀ   S += K′ᵀ·V   out = (Q′ᵀ)ᵀ·S   scoresᵀ = K′·Q′ᵀ
#pragma once
#include "favor/features/favor-map.h"
#include "favor/features/favor-projection.h"

namespace KERNELS_NAMESPACE {

static inline double halfNorm(const float* x, Index dHead, double unit) {
  return sumOfSquares(x, dHead) * (unit / (2 * __builtin_sqrt((double)dHead)));
}
// D = unit·‖x̂‖²/2 = whole + fraction, the fraction in [0, 1) or, to the nearest whole number, in [-1/2, 1/2].
struct HalfNorm {
  float whole, fraction;
  bool overflows;  // though the entries of x are finite
  HalfNorm(const float* x, Index dHead, double unit, bool nearest = false) {
    const double d = halfNorm(x, dHead, unit);
    const bool split = d < 1e9;  // an infinite key stays infinite
    whole = (float)(split ? (double)(int32_t)(nearest ? d + 0.5 : d) : d);
    overflows = whole == kInfinity && d < __builtin_inf();
    // from 2^24 on float32 rounds the whole part too: the fraction has the rest, and may exceed 1
    fraction = split || (!nearest && whole < kInfinity) ? (float)(d - (double)whole) : 0.0f;
  }
};

// Keys of a tile. Rows for Projection::panels are {-fraction of D if D is part of u, 1 if there is a bias, x}. Beside
// them are {v, 1} and n, the whole part of log φ that is not part of u.
struct KeyTile {
  Index dHead, dValue, count;
  float* x;         // [kRows, xStride()], x at column kWidth
  float* values;    // [kRows, valueStride()], 1 in column dValue
  float* wholeD;    // [kRows] -n: the whole part of D, less it, or 0 (Estimator::normSign); +inf for a masked key
  float* fraction;  // [kRows] of D
  int32_t* shift;   // [kRows] n as an integer
  int32_t* index;   // [kRows] which key of the sequence
  double unit;      // of D
  bool isFar;       // exponential: some key may have exponents that only exp2Far can tell apart, or is not finite

  Index xStride() const { return roundUp(dHead, kWidth) + kWidth; }
  Index valueStride() const { return roundUp(dValue + 1, kWidth); }

  KeyTile(Arena& arena, Index dHead, Index dValue, double unit = kBits)
      : dHead(dHead), dValue(dValue), count(0), unit(unit), isFar(false) {
    x = arena.floats(kRows * xStride());
    values = arena.floats(kRows * valueStride());
    wholeD = arena.floats(kRows);
    fraction = arena.floats(kRows);
    shift = arena.integers(kRows);
    index = arena.integers(kRows);
  }

  void setKey(Index i, const float* key, const Projection& p) {
    float* row = x + i * xStride() + kWidth;
    const int sign = p.estimator.normSign();
    wholeD[i] = fraction[i] = 0;
    shift[i] = 0;
    if (sign != 0) {
      const HalfNorm d(key, dHead, unit, sign > 0);
      if (sign < 0 && d.overflows) {  // as far as a key can be: its features vanish
        setMasked(i);
        return;
      }
      isFar |= sign < 0 && !(d.whole <= p.normBound);
      wholeD[i] = sign < 0 ? d.whole : -d.whole;
      fraction[i] = d.fraction;
      shift[i] = sign * (int32_t)(d.whole < kFar ? d.whole : kFar);
    }
    row[-1] = 1.0f;
    row[-1 - p.hasBias] = sign < 0 ? -fraction[i] : 0.0f;
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
    fraction[i] = 0;
    shift[i] = -(1 << 30);
  }
  // The next valid keys of a sequence, from `next` on, without masked keys. Returns where the tile after this tile starts.
  Index gather(const Rows<const float>& keys, const Rows<const float>& valueRows, const float* mask, Index next, Index end,
               Projection& p) {
    isFar = false;
    for (count = 0; next < end && count < kRows; next++) {
      if (mask && mask[next] == 0) continue;
      setKey(count, keys[next], p);
      setValue(count, valueRows[next]);
      index[count++] = (int32_t)next;
    }
    project(p);
    return next;
  }
  // To be called once all rows are set, before logFeatures.
  void project(Projection& p) const {
    if (!p.isDense() && count > 0) p.directions.apply(x + kWidth, xStride(), count, p.first, p.count);
  }
  // u, less the fraction of D where the map is exponential, of the features from `first` on: u [count, columns], whole panels.
  void logFeatures(const Projection& p, Index first, Index columns, float* u, Index ldu) const {
    const Index depth = p.keyDepth();
    if (p.isDense()) {
      chainedMultiply({.rows = count, .columns = columns, .depth = depth}, rowMajor(x + kWidth - 1 - p.hasBias, xStride()),
                      panelsOf(p.panels + (first - p.first) * depth, depth), {u, ldu});
    } else {
      p.scaleDirectionsAcross(first, columns, count, p.estimator.isExponential() ? fraction : nullptr, u, ldu);
    }
  }
  // The largest n of the rows [first, end), which raises the shared scale of maps that are not exponential.
  float largestWhole(Index first, Index end) const {
    float largest = -kInfinity;
    for (Index i = first; i < end; i++) largest = -wholeD[i] > largest ? -wholeD[i] : largest;
    return largest;
  }
};

// K′ = 2^(u - D - c) of rows [first, end), `columns` features (whole panels). Rows of u have ldu floats, rows of out
// ldOut; totals (nullable) get the sums over the rows. The output may be u. FAR says that the tile is.
template <bool FAR>
static inline void exponentialKeys(const KeyTile& tile, const float* u, Index ldu, const float* scale, Index first, Index end,
                                   Index columns, float* out, Index ldOut, float* totals) {
  const float* wholeD = tile.wholeD;  // in registers, which stores to `out` leave alone
  const int32_t* keyShift = tile.shift;
  for (Index j = 0; j < columns; j += kTileColumns) {
    WordVector shift[kTileVectors];
    Vector total[kTileVectors];
    UNROLL for (int t = 0; t < kTileVectors; t++) {
      shift[t] = kShiftOrigin - asShift(wholeNumbers(load(scale + j + t * kWidth)));
      total[t] = Vector{};
    }
    for (Index i = first; i < end; i++) {
      UNROLL for (int t = 0; t < kTileVectors; t++) {
        const Vector log = load(u + i * ldu + j + t * kWidth);
        const Vector feature = FAR ? exp2Far(log, splat(-wholeD[i]), load(scale + j + t * kWidth))
                                   : exp2Shifted(log, shift[t] + (uint32_t)keyShift[i]);
        store(out + i * ldOut + j + t * kWidth, feature);
        total[t] += feature;
      }
    }
    if (totals) UNROLL for (int t = 0; t < kTileVectors; t++) store(totals + j + t * kWidth, total[t]);
  }
}

// Σ over the rows [first, end) of x [rows, columns], whole panels.
static inline void columnTotals(const float* x, Index ldx, Index first, Index end, Index columns, float* totals) {
  for (Index j = 0; j < columns; j += kTileColumns) {
    Vector total[kTileVectors];
    UNROLL for (int t = 0; t < kTileVectors; t++) total[t] = Vector{};
    for (Index i = first; i < end; i++)
      UNROLL for (int t = 0; t < kTileVectors; t++) total[t] += load(x + i * ldx + j + t * kWidth);
    UNROLL for (int t = 0; t < kTileVectors; t++) store(totals + j + t * kWidth, total[t]);
  }
}

// K′ = φ·2^-c of rows [first, end) of the tile, `columns` features (whole panels), from u as KeyTile::logFeatures
// leaves it. Rows of u have ldu floats, rows of out ldOut; totals (nullable) get the sums over the rows. `slopes`
// (nullable, laid out like out) get ∂K′/∂u. For the exponential map that is K′ itself, and slopes are left alone. The
// output may be u.
static inline void keyFeatures(const Estimator& estimator, const KeyTile& tile, const float* u, Index ldu, const float* scale,
                               Index first, Index end, Index columns, float* out, Index ldOut, float* totals, float* slopes) {
  if (estimator.isExponential()) {
    if (tile.isFar) exponentialKeys<true>(tile, u, ldu, scale, first, end, columns, out, ldOut, totals);
    else exponentialKeys<false>(tile, u, ldu, scale, first, end, columns, out, ldOut, totals);
    return;
  }
  float factors[kRows];
  const WordVector shift = kShiftOrigin - asShift(wholeNumbers(splat(*scale)));
  for (Index i = first / kWidth * kWidth; i < end; i += kWidth)
    store(factors + i, exp2Shifted(load(tile.fraction + i), shift + (WordVector)load((const float*)(tile.shift + i))));
  mapFeatures(estimator, u + first * ldu, ldu, end - first, columns, factors + first, out + first * ldOut, ldOut,
              slopes ? slopes + first * ldOut : nullptr);
  if (totals) columnTotals(out, ldOut, first, end, columns, totals);
}

// Queries of a tile, transposed: row 0 ones if there is a bias, then the components of x; columns of kRows.
struct QueryTile {
  float* x;
  Index count, columns;  // columns: count rounded up to whole vectors
  bool isFar;            // exponential: some u may be too large for exp2Shifted, or is not finite

  QueryTile(Arena& arena, Index dHead) : x(arena.floats((1 + roundUp(dHead, kWidth)) * kRows)), count(0), columns(0), isFar(false) {}

  void gather(const Rows<const float>& queries, Index first, Index rows, Projection& p) {
    count = rows;
    columns = roundUp(rows, kWidth);
    LargestMagnitude largest;
    for (Index i = 0; p.estimator.isExponential() && i < rows; i++) largest.add(queries[first + i], p.dHead);
    isFar = largest.isAbove(p.entryBound);
    if (p.isDense()) {
      if (p.hasBias) fillValue(x, kRows, 1.0f);
      transpose(queries[first], queries.stride, rows, p.dHead, x + p.hasBias * kRows, kRows);
    } else {
      p.directions.apply(queries[first], queries.stride, rows, 0, p.numFeatures);
    }
  }
  // u [count of features, kRows] of the features from `first` on.
  void logFeatures(const Projection& p, Index first, Index features, float* u) const {
    if (p.isDense()) {
      chainedMultiply({.rows = features, .columns = columns, .depth = p.queryDepth()},
                      rowMajor(p.weights + kWidth - p.hasBias + first * p.stride(), p.stride()), rowsOf(x, kRows), {u, kRows});
    } else {
      p.scaleDirections(first, features, columns, nullptr, u);
    }
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
// Where the map is not exponential, c alone counts.
static inline void raiseHighest(const Estimator& estimator, const float* u, const float* scales, Index features, Index columns,
                                float* highest) {
  if (!estimator.isExponential()) {
    fillValue(highest, columns, *scales);
    return;
  }
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
// M of every query, from the largest u + c: a whole number, 0 where no feature has seen a key.
static inline Vector wholeHighest(Vector high) { return wholeNear(high > splat(-kInfinity) ? high : Vector{}); }
static inline void roundHighest(const float* highest, Index columns, int32_t* whole) {
  for (Index j = 0; j < columns; j += kWidth) store((float*)(whole + j), (Vector)wholeNumbers(wholeHighest(load(highest + j))));
}

// The scales c of some features and M of some queries, as numbers and as integers.
struct QueryScales {
  const float* scales;
  const int32_t* wholeScales;
  const float* highest;  // before rounding
  const int32_t* wholeHighest;
  bool isFar;  // a scale or a query is
};

// Q′ = 2^(u + c - M); u and out [features, kRows] may be the same. Unless normalisers is null, denominators += Q′·Z, where Z is the
// last column of the state: Z_r = normalisers[r·ldz].
template <bool NORMALISE, bool FAR>
static inline void exponentialQueries(const float* u, const QueryScales& by, Index features, Index columns, float* out,
                                      const float* normalisers, Index ldz, float* denominators) {
  const float* scales = by.scales;  // in registers, which stores to `out` leave alone
  const int32_t* wholeScales = by.wholeScales;
  const auto group = [&]<int VECTORS>(Index j) {
    WordVector shift[VECTORS];
    Vector denominator[VECTORS];
    UNROLL for (int t = 0; t < VECTORS; t++) {
      shift[t] = kShiftOrigin - (WordVector)load((const float*)(by.wholeHighest + j + t * kWidth));
      if (NORMALISE) denominator[t] = load(denominators + j + t * kWidth);
    }
    for (Index r = 0; r < features; r++) {
      UNROLL for (int t = 0; t < VECTORS; t++) {
        const Index at = r * kRows + j + t * kWidth;
        const Vector feature = FAR ? exp2Far(load(u + at), splat(scales[r]), wholeHighest(load(by.highest + j + t * kWidth)))
                                   : exp2Shifted(load(u + at), shift[t] + (uint32_t)wholeScales[r]);
        store(out + at, feature);
        if (NORMALISE) denominator[t] = fma(feature, splat(normalisers[r * ldz]), denominator[t]);
      }
    }
    if (NORMALISE) UNROLL for (int t = 0; t < VECTORS; t++) store(denominators + j + t * kWidth, denominator[t]);
  };
  COLUMN_GROUPS(columns, group)
}

// Q′ of the features of a tile, from u as QueryTile::logFeatures leaves it: 2^(u + c - M). Maps that are not
// exponential give φ without D (M = c), and slopes (nullable, laid out like out) get ∂Q′/∂u.
template <bool NORMALISE>
static inline void queryFeatures(const Estimator& estimator, const float* u, const QueryScales& by, Index features, Index columns,
                                 float* out, const float* normalisers, Index ldz, float* denominators, float* slopes) {
  if (estimator.isExponential()) {
    if (by.isFar) exponentialQueries<NORMALISE, true>(u, by, features, columns, out, normalisers, ldz, denominators);
    else exponentialQueries<NORMALISE, false>(u, by, features, columns, out, normalisers, ldz, denominators);
    return;
  }
  mapFeatures(estimator, u, kRows, features, columns, nullptr, out, kRows, slopes);
  for (Index j = 0; NORMALISE && j < columns; j += kWidth) {
    Vector total = load(denominators + j);
    for (Index r = 0; r < features; r++) total = fma(load(out + r * kRows + j), splat(normalisers[r * ldz]), total);
    store(denominators + j, total);
  }
}

}  // namespace KERNELS_NAMESPACE
