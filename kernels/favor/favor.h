// What the FAVOR+ kernels are built on: scratch, rows, powers of two, and sums that do not drift.
#pragma once
#include "kernels.h"
#include "dense/tile.h"

namespace KERNELS_NAMESPACE {

static inline Index roundUp(Index n, Index multiple) { return (n + multiple - 1) / multiple * multiple; }
static inline Index smaller(Index a, Index b) { return a < b ? a : b; }
static inline Index larger(Index a, Index b) { return a > b ? a : b; }
constexpr double kBits = 1.44269504088896340736;  // log2(e)
constexpr Index kRows = 64;           // keys or queries in a tile
constexpr Index kFeatureBlock = 128;  // features of a tile that are processed together
static_assert(kFeatureBlock % kTileColumns == 0 && kRows % kTileColumns == 0);
constexpr float kInfinity = __builtin_inff();

// Hands out 64-byte aligned pieces of scratch; over address 0 it counts the bytes that a plan needs.
struct Arena {
  uintptr_t at;
  explicit Arena(void* scratch) : at((uintptr_t)scratch) {}
  float* floats(Index count) {
    float* piece = (float*)at;
    at += (uintptr_t)roundUp(count * 4, 64);
    return piece;
  }
  int32_t* integers(Index count) { return (int32_t*)floats(count); }
};

// Rows of one (batch, head) of an attention array.
template <typename Float>
struct Rows {
  Float* data;
  Index stride;
  Float* operator[](Index i) const { return data + i * stride; }
};
template <typename Float>
static inline Rows<Float> rowsOf(Float* x, AttentionLayout layout, Index batch, Index head, Index heads, Index length, Index d) {
  return layout == AttentionLayout::bhld ? Rows<Float>{x + (batch * heads + head) * length * d, d}
                     : Rows<Float>{x + (batch * length * heads + head) * d, heads * d};
}

static inline void copyRow(float* to, const float* from, Index count) {
  for (; count >= kWidth; count -= kWidth, from += kWidth, to += kWidth) store(to, load(from));
  storePartial(to, loadPartial(from, (int)count), (int)count);
}
static inline void fillZero(float* x, Index count) {
  for (; count >= kWidth; count -= kWidth, x += kWidth) store(x, Vector{});
  storePartial(x, Vector{}, (int)count);
}
static inline void scaleRow(float* x, Index count, float factor) {
  for (; count >= kWidth; count -= kWidth, x += kWidth) store(x, load(x) * splat(factor));
  storePartial(x, loadPartial(x, (int)count) * splat(factor), (int)count);
}
static inline void fillValue(float* x, Index count, float value) {
  for (; count >= kWidth; count -= kWidth, x += kWidth) store(x, splat(value));
  storePartial(x, splat(value), (int)count);
}

// Lane i of the result is the sum over the lanes of rows[i]; rows are overwritten.
static inline Vector sumAcross(Vector* rows) {
  transpose(rows);
  UNROLL for (int step = 1; step < kWidth; step *= 2)
    UNROLL for (int i = 0; i < kWidth; i += 2 * step) rows[i] += rows[i + step];
  return rows[0];
}

// to[c][r] = from[r][c] for r < count, c < width. The columns of `to` up to the next multiple of kWidth become zeros.
// The rows of `to` from width up to the next multiple become zeros too.
[[maybe_unused]] __attribute__((noinline)) static void transpose(const float* from, Index ldFrom, Index count, Index width, float* to, Index ldTo) {
  for (Index r = 0; r < count; r += kWidth) {
    for (Index c = 0; c < width; c += kWidth) {
      const int lanes = (int)smaller(kWidth, width - c), valid = (int)smaller(kWidth, count - r);
      Vector square[kWidth];
      if (lanes == kWidth && valid == kWidth) {
        UNROLL for (int i = 0; i < kWidth; i++) square[i] = load(from + (r + i) * ldFrom + c);
      } else {
        for (int i = 0; i < kWidth; i++) {
          const float* row = from + (r + i) * ldFrom + c;
          square[i] = i >= valid ? Vector{} : lanes == kWidth ? load(row) : loadPartial(row, lanes);
        }
      }
      transpose(square);
      UNROLL for (int i = 0; i < kWidth; i++) store(to + (c + i) * ldTo + r, square[i]);
    }
  }
}

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

// An integer near x, for a scale: either of the neighbours serves.
static inline Vector wholeNear(Vector x) {
  const IntVector small = (x < splat(8388608.0f)) & (x > splat(-8388608.0f));
  return small ? __builtin_convertvector(__builtin_convertvector(small ? x : Vector{}, IntVector), Vector) : x;
}

// Scales as integers for exp2Shifted. -inf (no key yet) becomes an integer so low that what depends on the scale
// vanishes.
constexpr float kFar = 1e9f;
static inline IntVector wholeNumbers(Vector x) {
  return __builtin_convertvector(minimum(maximum(x, splat(-kFar)), splat(kFar)), IntVector);
}
static inline void wholeNumbers(const float* x, Index count, int32_t* out) {
  for (Index i = 0; i < count; i += kWidth) {
    const Vector part = i + kWidth <= count ? load(x + i) : loadPartial(x + i, (int)(count - i));
    store((float*)(out + i), (Vector)wholeNumbers(part));
  }
}

// 2^(u + shift - kShiftOrigin) for |u| < kFarU, exactly shifted; 0 below 2^-126. Adding 1.5·2^23 leaves the integer
// nearest to u in the low bits of the sum. The exponent of the result then takes one addition, a maximum and a shift.
// Sums of shifts may wrap.
constexpr uint32_t kShiftOrigin = 127u - 0x4b400000u;
static inline WordVector asShift(IntVector whole) { return (WordVector)whole; }
static inline Vector exp2Shifted(Vector u, WordVector shift) {
  const Vector magic = splat(12582912.0f), sum = u + magic;
  IntVector exponent = (IntVector)((WordVector)sum + shift);
  exponent = exponent > 0 ? exponent : IntVector{};
  return exp2Fraction(u - (sum - magic)) * (Vector)((WordVector)exponent << 23);
}

// Where exponents leave what exp2Shifted can tell apart: whole parts of D and scales from kFarWhole on, u from kFarU on.
constexpr float kFarWhole = 0x1p29f, kFarU = 0x1p21f;
static inline IntVector isBelow(Vector x, float bound) { return (x < splat(bound)) & (x > splat(-bound)); }

// 2^(u + a - b) for whole numbers a and b of any size, where b is about the largest u + a. The bits are those of
// exp2Shifted where exp2Shifted can tell the exponents apart. Beyond, u + a is what float32 holds of the sum: the
// largest wins, and sums that are equal in float32 count alike.
static inline Vector exp2Far(Vector u, Vector a, Vector b) {
  const IntVector near = isBelow(a, kFarWhole) & isBelow(u, kFarU);
  const Vector difference = (u + a) - maximum(splat(-0x1.fffffep127f), b);
  const Vector log = near ? u : minimum(splat(200.0f), maximum(splat(-200.0f), difference)), n = roundNearest(log);
  const Vector exponent = minimum(splat(127.0f), maximum(splat(-127.0f), near ? n + (a - b) : n));
  const IntVector whole = __builtin_convertvector(exponent == exponent ? exponent : Vector{}, IntVector);
  return exp2Fraction(log - n) * (Vector)((WordVector)(whole + 127) << 23);
}

// Whether a scale is too far from 0 for exp2Shifted; -inf (no key yet) is not.
static inline bool anyFar(const float* scales, Index count) {
  IntVector far{};
  for (Index r = 0; r < count; r += kWidth) {
    const Vector c = r + kWidth <= count ? load(scales + r) : loadPartial(scales + r, (int)(count - r));
    far |= (c >= splat(kFarWhole)) | ((c <= splat(-kFarWhole)) & (c > splat(-kInfinity)));
  }
  return any(far);
}

// The largest magnitude of some numbers as bits. As integers, bits order magnitudes: finite numbers, infinity, NaN.
struct LargestMagnitude {
  IntVector bits{};

  void add(const float* x, Index count) {
    Index i = 0;
    for (; i + kWidth <= count; i += kWidth) raise((IntVector)load(x + i));
    if (i < count) raise((IntVector)loadPartial(x + i, (int)(count - i)));
  }
  // NaN is above all bounds; `bound` is not negative.
  bool isAbove(float bound) const { return any(bits > (IntVector)splat(bound)); }

 private:
  void raise(IntVector x) {
    x &= 0x7fffffff;
    bits = bits > x ? bits : x;
  }
};

// 2^n for an integral n; 0 below -126.
static inline float powerOfTwo(float n) {
  if (!(n >= -126.0f)) return 0;
  const int32_t bits = ((int32_t)(n < 127.0f ? n : 127.0f) + 127) << 23;
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// sum += x + compensation, where the rounding error of the addition becomes the new compensation (Kahan). The error is
// exact if what is added is no larger than the sum, and within one rounding of exact otherwise.
static inline void addCompensated(Vector x, Vector& sum, Vector& compensation) {
  const Vector y = x + compensation, total = sum + y;
  compensation = y - (total - sum);
  sum = total;
}

// One row of a state: sums·factor += x.
static inline void addCompensatedRow(const float* x, float* sums, float* compensation, Index count, float factor) {
  const Vector f = splat(factor);
  Index j = 0;
  for (; j + kWidth <= count; j += kWidth) {
    Vector s = load(sums + j) * f, c = load(compensation + j) * f;
    addCompensated(load(x + j), s, c);
    store(sums + j, s);
    store(compensation + j, c);
  }
  if (const int lanes = (int)(count - j)) {
    Vector s = loadPartial(sums + j, lanes) * f, c = loadPartial(compensation + j, lanes) * f;
    addCompensated(loadPartial(x + j, lanes), s, c);
    storePartial(sums + j, s, lanes);
    storePartial(compensation + j, c, lanes);
  }
}

}  // namespace KERNELS_NAMESPACE
