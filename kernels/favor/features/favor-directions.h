// Directions of a projection that is kept as factors, applied to a transposed tile of rows, [components, kRows]. A
// factor then works on whole vectors of rows, and nothing is shuffled.
#pragma once
#include "favor-estimator.h"

namespace KERNELS_NAMESPACE {

struct Directions {
  bool isHadamard;
  Index dHead, factors, count, size, blocks;  // blocks of `size` directions, the last one cut
  const float* numbers;                       // the factors of all blocks, then lengths
  float* x;       // [size, kRows] the tile's rows, transposed; zero beyond dHead
  float* values;  // [blocks·size, kRows]; x itself where there is nothing to apply
  float* column;  // [size, kWidth] scratch

  Directions(Arena& arena, const Estimator& e, Index dHead);
  Index factorLength() const { return isHadamard ? size : 4; }
  const float* lengths() const { return numbers + blocks * factors * factorLength(); }

  // At least ‖direction‖² of every direction, before its length.
  double reach() const;
  // Takes rows [rows, dHead] in and computes the directions of the features [first, first + features).
  void apply(const float* rows, Index stride, Index numRows, Index first, Index features);
  // Over `columns`: gradient in the directions [blocks·size, kRows], overwritten → gradient in x, left in its first dHead rows.
  void applyAdjoint(float* gradient, Index columns) const;
};

}  // namespace KERNELS_NAMESPACE
