// The projection of single rows, for one token at a time: a dense matrix is read once, and not packed.
#pragma once
#include "favor/features/favor-directions.h"

namespace KERNELS_NAMESPACE {

struct VectorProjection {
  Estimator estimator;
  Directions directions;
  Index dHead;
  float* rows;  // [kMost, dHead]

  static constexpr Index kMost = 2;  // rows at a time

  VectorProjection(Arena& arena, const Estimator& e, Index dHead)
      : estimator(e), directions(arena, e, dHead), dHead(dHead), rows(arena.floats(kMost * dHead)) {}

  // u = W x̂ + b, in the estimator's unit, of the first `count` of rows, which are overwritten.
  void apply(Index count, float* const* u) {
    const float unit = (float)estimator.unit();
    const float scaling = (float)(estimator.unit() / __builtin_sqrt(__builtin_sqrt((double)dHead)));
    if (estimator.isDense()) {
      scaleRow(rows, count * dHead, scaling);
      for (Index i = 0; i < count; i++) multiply(rows + i * dHead, unit, u[i]);
      return;
    }
    directions.apply(rows, dHead, count, 0, estimator.numFeatures);
    const float* lengths = directions.lengths();
    for (Index r = 0, direction = 0; r < estimator.numFeatures; r++) {
      const float *all = directions.values + direction * kRows, bias = estimator.bias ? estimator.bias[r] * unit : 0;
      for (Index i = 0; i < count; i++) u[i][r] = all[i] * (lengths[r] * scaling) + bias;
      if (++direction == directions.count) direction = 0;
    }
  }

 private:
  // u = W x + b·unit for kWidth features at a time; x already scaled.
  void multiply(const float* x, float unit, float* u) const {
    for (Index r = 0; r < estimator.numFeatures; r += kWidth) {
      const int valid = (int)smaller(kWidth, estimator.numFeatures - r);
      Vector products[kWidth];
      for (int i = 0; i < kWidth; i++) {
        Vector total = {};
        if (i < valid) {
          const float* row = estimator.projection + (r + i) * dHead;
          Index c = 0;
          for (; c + kWidth <= dHead; c += kWidth) total = fma(load(row + c), load(x + c), total);
          if (c < dHead) total = fma(loadPartial(row + c, (int)(dHead - c)), loadPartial(x + c, (int)(dHead - c)), total);
        }
        products[i] = total;
      }
      Vector b = {};
      if (estimator.bias) b = valid == kWidth ? load(estimator.bias + r) : loadPartial(estimator.bias + r, valid);
      store(u + r, fma(b, splat(unit), sumAcross(products)));
    }
  }
};

}  // namespace KERNELS_NAMESPACE
