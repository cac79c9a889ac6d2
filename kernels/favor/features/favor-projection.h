// The projection u = W x̂ + b of a tile of keys or of queries and its adjoint, one interface for all forms. A dense
// matrix is packed for matrix products. Factors are applied without a matrix (favor-directions.h), and feature r takes
// direction r mod directions.
#pragma once
#include "favor-directions.h"
#include "dense/chained-product.h"

namespace KERNELS_NAMESPACE {

struct Projection {
  Estimator estimator;
  Index dHead, numFeatures, hasBias;
  float* weights;  // dense: W·unit·dHead^(-1/4) [paddedFeatures, stride]; row r: …, bias, W_r0, W_r1, … with W_r0 at column kWidth
  float* panels;   // dense: packed [1 + hasBias + dHead, count]: a row of ones for -D, the bias, Wᵀ
  Index first, count;  // the features that panels holds, and whose directions are computed
  Directions directions;        // the other forms
  float *lengths, *offsets;     // [numFeatures] lengths·unit·dHead^(-1/4) and bias·unit
  float* across;                // [kTileColumns, kRows] scratch
  float entryBound;             // of x: up to there D is below kFarWhole, and |u| below kFarU
  float normBound;              // of D, with the same meaning

  bool isDense() const { return estimator.isDense(); }
  Index stride() const { return roundUp(dHead, kWidth) + kWidth; }
  Index paddedFeatures() const { return roundUp(numFeatures, kTileColumns); }
  Index keyDepth() const { return 1 + hasBias + dHead; }
  Index queryDepth() const { return hasBias + dHead; }

  // The panels hold at most `capacity` features at a time.
  Projection(Arena& arena, const Estimator& e, Index dHead, Index capacity)
      : estimator(e), dHead(dHead), numFeatures(e.numFeatures), hasBias(e.bias != nullptr), weights(nullptr), panels(nullptr),
        first(0), count(0), directions(arena, e, dHead), lengths(nullptr), offsets(nullptr), across(nullptr), entryBound(0), normBound(0) {
    if (isDense()) {
      weights = arena.floats(paddedFeatures() * stride());
      panels = arena.floats(roundUp(capacity, kTileColumns) * keyDepth());
    } else {
      lengths = arena.floats(numFeatures);
      offsets = arena.floats(numFeatures);
      across = arena.floats(kTileColumns * kRows);
    }
  }

  // unit is log2(e) for bits, 1 for nats. firstFeature, numPacked: the features that keys will be projected to.
  void pack(double unit, Index firstFeature, Index numPacked) {
    first = firstFeature;
    count = numPacked;
    const double factor = unit * __builtin_sqrt(1 / __builtin_sqrt((double)dHead));
    entryBound = boundOfEntries(unit, factor);
    normBound = (float)(entryBound * (double)entryBound * unit / 2 * __builtin_sqrt((double)dHead));
    if (isDense()) packMatrix(unit, factor);
    for (Index r = 0; !isDense() && r < numFeatures; r++) {
      lengths[r] = (float)(directions.lengths()[r] * factor);
      offsets[r] = hasBias ? (float)(estimator.bias[r] * unit) : 0.0f;
    }
  }

  // u of the features from `from` on, transposed: [features, kRows], less minus[row] where that is not null.
  void scaleDirections(Index from, Index features, Index columns, const float* minus, float* u) const {
    Index direction = from % directions.count;
    for (Index r = 0; r < features; r++) {
      const Vector length = splat(lengths[from + r]), offset = splat(offsets[from + r]);
      const float* row = directions.values + direction * kRows;
      for (Index j = 0; j < columns; j += kWidth)
        store(u + r * kRows + j, fma(length, load(row + j), minus ? offset - load(minus + j) : offset));
      if (++direction == directions.count) direction = 0;
    }
  }

  // The same row by row, [rows, columns], whole panels; zeros beyond numFeatures.
  void scaleDirectionsAcross(Index from, Index columns, Index rows, const float* minus, float* u, Index ldu) const {
    for (Index r = 0; r < columns; r += kTileColumns) {
      const Index features = larger(0, smaller(kTileColumns, numFeatures - from - r));
      scaleDirections(from + r, features, roundUp(rows, kWidth), minus, across);
      fillZero(across + features * kRows, (kTileColumns - features) * kRows);
      transpose(across, kRows, kTileColumns, rows, u + r, ldu);
    }
  }

 private:
  // D is unit·‖x‖²/(2·√dHead) and u is at most the bias and ‖w‖·‖x‖, where ‖x‖² is at most dHead times the largest entry's square.
  float boundOfEntries(double unit, double factor) const {
    double reach = 0, offset = 0;
    const double stretch = isDense() ? 1 : directions.reach();
    for (Index r = 0; r < numFeatures; r++) {
      const double length = isDense() ? 0 : directions.lengths()[r];
      const double square = isDense() ? sumOfSquares(estimator.projection + r * dHead, dHead) : stretch * length * length;
      reach = square > reach ? square : reach;
      const double bias = hasBias ? estimator.bias[r] * unit : 0;
      offset = bias > offset ? bias : -bias > offset ? -bias : offset;
    }
    if (!(offset < kFarU / 2)) return 0;
    const double byU = kFarU / 2 / (factor * __builtin_sqrt(reach * (double)dHead));
    const double byD = __builtin_sqrt(kFarWhole / (unit * __builtin_sqrt((double)dHead)));
    return (float)(byU < byD ? byU : byD);
  }
  void packMatrix(double unit, double factor) {
    for (Index r = 0; r < paddedFeatures(); r++) {
      float* row = weights + r * stride();
      fillZero(row, stride());
      if (r >= numFeatures) continue;
      for (Index c = 0; c < dHead; c++) row[kWidth + c] = (float)(estimator.projection[r * dHead + c] * factor);
      if (hasBias) row[kWidth - 1] = (float)(estimator.bias[r] * unit);
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

// The gradient in x of a tile's rows, gathered from gradients in u, block after block of features.
struct ProjectionGradient {
  Index stride;
  float* dX;          // [kRows, stride]
  float* directions;  // forms other than dense: [blocks·size, kRows]
  float* across;      // [kFeatureBlock, kRows] scratch

  ProjectionGradient(Arena& arena, const Projection& p) : stride(p.stride()), directions(nullptr), across(nullptr) {
    dX = arena.floats(kRows * stride);
    if (p.isDense()) return;
    directions = arena.floats(p.directions.blocks * p.directions.size * kRows);
    across = arena.floats(kFeatureBlock * kRows);
  }

  // dU of the rows [firstRow, endRow) and the features [r, r + features), where the first call has r = 0. Row i,
  // feature f is at dU[i·rowStride + f·featureStride]. One stride is 1; the other is kRows (transposed) or more.
  void add(const Projection& p, const float* dU, Index rowStride, Index featureStride, Index firstRow, Index endRow, Index r,
           Index features) {
    if (p.isDense()) {
      tileMultiply({.rows = endRow - firstRow, .columns = p.dHead, .depth = features},
                   {dU + firstRow * rowStride, rowStride, featureStride}, rowsOf(p.weights + r * stride + kWidth, stride),
                   {dX + firstRow * stride, stride}, r == 0 ? Mode::store : Mode::carry);
      return;
    }
    const Index keep = firstRow / kWidth * kWidth, columns = roundUp(endRow, kWidth) - keep;
    if (featureStride == 1) {
      transpose(dU + keep * rowStride, rowStride, endRow - keep, features, across + keep, kRows);
      dU = across;
    }
    const Index count = p.directions.count;
    Index direction = r % count;
    for (Index f = 0; f < features; f++) {
      const Vector length = splat(p.lengths[r + f]);
      const float* from = dU + f * kRows + keep;
      float* to = directions + direction * kRows + keep;
      const bool isFirst = r + f < count;
      for (Index j = 0; j < columns; j += kWidth) store(to + j, isFirst ? length * load(from + j) : fma(length, load(from + j), load(to + j)));
      if (++direction == count) direction = 0;
    }
  }

  // After all features: leaves the gradient of the rows [firstRow, endRow) in dX.
  void finish(const Projection& p, Index firstRow, Index endRow) {
    if (p.isDense()) return;
    const Index keep = firstRow / kWidth * kWidth, columns = roundUp(endRow, kWidth) - keep;
    const Index used = smaller(p.directions.count, p.numFeatures);
    for (Index i = used; i < p.directions.blocks * p.directions.size; i++) fillZero(directions + i * kRows + keep, columns);
    p.directions.applyAdjoint(directions + keep, columns);
    transpose(directions + keep, kRows, p.dHead, columns, dX + keep * stride, stride);
  }
};

}  // namespace KERNELS_NAMESPACE
