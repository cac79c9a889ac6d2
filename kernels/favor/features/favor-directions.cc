#include "favor-directions.h"

namespace KERNELS_NAMESPACE {

namespace {

template <int RADIX, int STEP = 1> static inline void butterflies(Vector* rows) {
  if constexpr (STEP < RADIX) {
    UNROLL for (int t = 0; t < RADIX; t++)
      if (!(t & STEP)) {
        const Vector low = rows[t], high = rows[t + STEP];
        rows[t] = low + high;
        rows[t + STEP] = low - high;
      }
    butterflies<RADIX, STEP * 2>(rows);
  }
}

// log2(RADIX) stages at once, on rows `stride` apart and one vector wide; before and after, nullable, are diagonals.
template <int RADIX>
__attribute__((noinline)) void stages(const float* from, Index ldFrom, float* to, Index ldTo, Index size, Index stride,
                                      const float* before, const float* after) {
  for (Index base = 0; base < size; base += RADIX * stride) {
    for (Index i = base; i < base + stride; i++) {
      Vector rows[RADIX];
      UNROLL for (int t = 0; t < RADIX; t++) rows[t] = load(from + (i + t * stride) * ldFrom);
      if (before) UNROLL for (int t = 0; t < RADIX; t++) rows[t] *= splat(before[i + t * stride]);
      butterflies<RADIX>(rows);
      if (after) UNROLL for (int t = 0; t < RADIX; t++) rows[t] *= splat(after[i + t * stride]);
      UNROLL for (int t = 0; t < RADIX; t++) store(to + (i + t * stride) * ldTo, rows[t]);
    }
  }
}

// to = diag(after) H diag(before) from, one vector wide; the stages in steps of three where that leaves no single one.
void walshHadamard(const float* from, Index ldFrom, float* to, Index ldTo, Index size, const float* before, const float* after,
                   float* scratch) {
  Index stride = 1;
  do {
    const Index left = size / stride;
    const Index radix = left == 8 || left > 16 ? 8 : left == 2 || left == 1 ? left : 4;
    const bool last = left == radix;
    float* target = last ? to : scratch;
    const Index ldTarget = last ? ldTo : kWidth;
    const float* end = last ? after : nullptr;
    if (radix == 8) stages<8>(from, ldFrom, target, ldTarget, size, stride, before, end);
    else if (radix == 4) stages<4>(from, ldFrom, target, ldTarget, size, stride, before, end);
    else if (radix == 2) stages<2>(from, ldFrom, target, ldTarget, size, stride, before, end);
    else stages<1>(from, ldFrom, target, ldTarget, size, stride, before, end);
    from = scratch;
    ldFrom = kWidth;
    before = nullptr;
    stride *= larger(radix, 2);
  } while (stride < size);
}

// Rows i and j of x [dHead, kRows] turned by every rotation {i, j, cos, sin}, or back, in reverse order.
void rotate(float* x, const float* rotations, Index count, Index columns, bool back) {
  for (Index n = 0; n < count; n++) {
    const float* rotation = rotations + (back ? count - 1 - n : n) * 4;
    float *a = x + (Index)rotation[0] * kRows, *b = x + (Index)rotation[1] * kRows;
    const Vector cosine = splat(rotation[2]), sine = splat(back ? -rotation[3] : rotation[3]);
    for (Index j = 0; j < columns; j += kWidth) {
      const Vector p = load(a + j), q = load(b + j);
      store(a + j, fma(cosine, p, -(sine * q)));
      store(b + j, fma(sine, p, cosine * q));
    }
  }
}

Index leastPowerOfTwo(Index n) {
  Index power = 1;
  while (power < n) power *= 2;
  return power;
}

}  // namespace

Directions::Directions(Arena& arena, const Estimator& e, Index dHead)
    : isHadamard(e.form == ProjectionForm::hadamard), dHead(dHead), factors(e.factors), count(e.directions),
      size(isHadamard ? leastPowerOfTwo(dHead) : dHead), blocks((count + size - 1) / size), numbers(e.projection), x(nullptr),
      values(nullptr), column(nullptr) {
  if (e.isDense()) return;
  x = arena.floats(roundUp(size, kWidth) * kRows);
  values = factors == 0 && blocks == 1 ? x : arena.floats(blocks * size * kRows);
  column = arena.floats(size * kWidth);
}

double Directions::reach() const {
  double total = 1;
  for (Index f = 0; isHadamard && f < factors; f++) {  // a factor stretches by √size and its largest diagonal entry
    float largest = 0;
    for (Index i = 0; i < blocks * size; i++) {
      const float entry = __builtin_fabsf(numbers[(i / size * factors + f) * size + i % size]);
      largest = entry > largest ? entry : largest;
    }
    total *= (double)size * largest * largest;
  }
  return total;
}

void Directions::apply(const float* rows, Index stride, Index numRows, Index first, Index features) {
  transpose(rows, stride, numRows, dHead, x, kRows);
  for (Index i = dHead; i < size; i++) fillZero(x + i * kRows, kRows);
  if (values == x) return;
  const Index columns = roundUp(numRows, kWidth), from = first % count, end = from + features;
  for (Index block = 0; block < blocks; block++) {
    const Index start = block * size, stop = start + size;
    if (!(start < end && stop > from) && !(start + count < end)) continue;  // features may wrap round once or more
    float* target = values + start * kRows;
    const float* blockFactors = numbers + block * factors * factorLength();
    if (!isHadamard || factors == 0) {
      for (Index i = 0; i < size; i++) copyRow(target + i * kRows, x + i * kRows, columns);
      rotate(target, blockFactors, isHadamard ? 0 : factors, columns, false);
      continue;
    }
    for (Index j = 0; j < columns; j += kWidth)
      for (Index f = 0; f < factors; f++) {
        const bool isFirst = f == 0, isLast = f == factors - 1;
        walshHadamard(isFirst ? x + j : column, isFirst ? kRows : kWidth, isLast ? target + j : column, isLast ? kRows : kWidth, size,
                      blockFactors + f * size, nullptr, column);
      }
  }
}

void Directions::applyAdjoint(float* gradient, Index columns) const {
  for (Index block = 0; block < blocks; block++) {
    float* rows = gradient + block * size * kRows;
    const float* blockFactors = numbers + block * factors * factorLength();
    if (!isHadamard) rotate(rows, blockFactors, factors, columns, true);
    for (Index j = 0; isHadamard && j < columns; j += kWidth)
      for (Index f = factors - 1; f >= 0; f--) {
        const bool isFirst = f == factors - 1, isLast = f == 0;
        walshHadamard(isFirst ? rows + j : column, isFirst ? kRows : kWidth, isLast ? rows + j : column, isLast ? kRows : kWidth, size,
                      nullptr, blockFactors + f * size, column);
      }
    for (Index i = 0; block > 0 && i < dHead; i++)
      for (Index j = i * kRows; j < i * kRows + columns; j += kWidth) store(gradient + j, load(gradient + j) + load(rows + j));
  }
}

}  // namespace KERNELS_NAMESPACE
