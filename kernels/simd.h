// The vector type and the exponential: the only file that knows an instruction set.
#pragma once
#include <stddef.h>
#include <stdint.h>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

namespace KERNELS_NAMESPACE {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else  // SSE2, NEON, WASM
constexpr int kWidth = 4;
#endif

typedef float Vector __attribute__((vector_size(kWidth * 4)));
typedef int32_t IntVector __attribute__((vector_size(kWidth * 4)));
typedef uint32_t WordVector __attribute__((vector_size(kWidth * 4)));  // for sums of exponents that may wrap

static inline Vector load(const float* p) { Vector x; __builtin_memcpy(&x, p, sizeof x); return x; }
static inline void store(float* p, Vector x) { __builtin_memcpy(p, &x, sizeof x); }
static inline Vector splat(float x) { return x - Vector{}; }  // one broadcast: x - 0 folds away, x + 0 would not (x = -0)

// The first `lanes` (0 … kWidth - 1) elements, the others 0; memory beyond them is not touched.
static inline Vector loadPartial(const float* p, int lanes) {
#if defined(__AVX512F__)
  return (Vector)_mm512_maskz_loadu_ps((__mmask16)((1u << lanes) - 1), p);
#elif defined(__AVX2__)
  const IntVector index = {0, 1, 2, 3, 4, 5, 6, 7};
  return (Vector)_mm256_maskload_ps(p, (__m256i)(index < lanes));
#else
  Vector x = {};
  if (lanes > 0) x[0] = p[0];
  if (lanes > 1) x[1] = p[1];
  if (lanes > 2) x[2] = p[2];
  return x;
#endif
}
static inline void storePartial(float* p, Vector x, int lanes) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << lanes) - 1), (__m512)x);
#elif defined(__AVX2__)
  const IntVector index = {0, 1, 2, 3, 4, 5, 6, 7};
  _mm256_maskstore_ps(p, (__m256i)(index < lanes), (__m256)x);
#else
  if (lanes > 0) p[0] = x[0];
  if (lanes > 1) p[1] = x[1];
  if (lanes > 2) p[2] = x[2];
#endif
}

// b where either is NaN.
static inline Vector maximum(Vector a, Vector b) {
#if defined(__AVX512F__)
  return (Vector)_mm512_max_ps((__m512)a, (__m512)b);  // where a is a constant, GCC would compare and blend
#elif defined(__wasm_simd128__)
  typedef float F4 __attribute__((__vector_size__(16)));
  return (Vector)__builtin_wasm_pmax_f32x4((F4)b, (F4)a);  // with relaxed SIMD, clang would make the comparison a relaxed maximum, which may lose NaN
#else
  return a > b ? a : b;
#endif
}
static inline Vector minimum(Vector a, Vector b) {
#if defined(__AVX512F__)
  return (Vector)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__wasm_simd128__)
  typedef float F4 __attribute__((__vector_size__(16)));
  return (Vector)__builtin_wasm_pmin_f32x4((F4)b, (F4)a);
#else
  return a < b ? a : b;
#endif
}

// Whether a comparison holds in any lane.
static inline bool any(IntVector holds) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask((__m512i)holds, (__m512i)holds) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps((__m256)holds) != 0;
#elif defined(__SSE2__)
  return __builtin_ia32_movmskps((Vector)holds) != 0;
#elif defined(__wasm_simd128__)
  typedef signed char Bytes __attribute__((__vector_size__(16)));
  return __builtin_wasm_any_true_v128((Bytes)holds);
#else
  int32_t all = 0;
  for (int i = 0; i < kWidth; i++) all |= holds[i];
  return all != 0;
#endif
}

// Whether no number of x [rows, width], rows `stride` apart, is infinite or NaN. A term of weight 0 is left out of a sum only if it
// is finite: 0·∞ is NaN.
[[maybe_unused]] __attribute__((noinline)) static bool allFinite(const float* x, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width) {
  Vector rest{};
  for (; rows > 0; rows--, x += stride) {
    ptrdiff_t i = 0;
    for (; i + kWidth <= width; i += kWidth) rest += load(x + i) - load(x + i);
    const Vector tail = loadPartial(x + i, int(width - i));
    rest += tail - tail;
  }
  return !any(rest != rest);
}

// a·b + c: fused where the instruction set has it (relaxed SIMD included), two roundings elsewhere.
static inline Vector fma(Vector a, Vector b, Vector c) {
#if defined(__wasm_relaxed_simd__)
  typedef float F4 __attribute__((__vector_size__(16)));
  return (Vector)__builtin_wasm_relaxed_madd_f32x4((F4)a, (F4)b, (F4)c);
#else
  return a * b + c;  // contracted by -ffp-contract=fast
#endif
}

template <int... I> struct Lanes {};
template <int N, int... I> struct MakeLanes : MakeLanes<N - 1, N - 1, I...> {};
template <int... I> struct MakeLanes<0, I...> { typedef Lanes<I...> Type; };
typedef typename MakeLanes<kWidth>::Type AllLanes;

// Element i of the result is element index[i] of a followed by b.
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, IntVector{__VA_ARGS__})
#endif

// Exchanges the off-diagonal halves of every 2·STEP square of rows a and b, STEP apart.
template <int STEP, int... I> static inline void exchange(Vector& a, Vector& b, Lanes<I...>) {
  const Vector low = SHUFFLE(a, b, (I & STEP ? kWidth + I - STEP : I)...);
  b = SHUFFLE(a, b, (I & STEP ? kWidth + I : I + STEP)...);
  a = low;
}
template <int STEP> static inline void transposeSteps(Vector* rows) {
  if constexpr (STEP < kWidth) {
    UNROLL for (int i = 0; i < kWidth; i++)
      if (!(i & STEP)) exchange<STEP>(rows[i], rows[i + STEP], AllLanes());
    transposeSteps<STEP * 2>(rows);
  }
}
// Transposes the square of kWidth vectors in place.
static inline void transpose(Vector* rows) { transposeSteps<1>(rows); }

template <int STEP, int... I> static inline Vector swapNeighbours(Vector x, Lanes<I...>) { return SHUFFLE(x, x, (I ^ STEP)...); }
static inline float sum(Vector x) {
  if constexpr (kWidth >= 16) x += swapNeighbours<8>(x, AllLanes());
  if constexpr (kWidth >= 8) x += swapNeighbours<4>(x, AllLanes());
  x += swapNeighbours<2>(x, AllLanes());
  return x[0] + x[1];
}
static inline float largest(Vector x) {
  if constexpr (kWidth >= 16) x = maximum(x, swapNeighbours<8>(x, AllLanes()));
  if constexpr (kWidth >= 8) x = maximum(x, swapNeighbours<4>(x, AllLanes()));
  x = maximum(x, swapNeighbours<2>(x, AllLanes()));
  return x[0] > x[1] ? x[0] : x[1];
}

// Nearest integer, |x| < 2^22: adding and subtracting 1.5·2^23 rounds to nearest even.
static inline Vector roundNearest(Vector x) { const Vector magic = splat(12582912.0f); return (x + magic) - magic; }

// 2^f for f in [-1/2, 1/2]: degree-6 minimax polynomial, relative error below 1e-7.
static inline Vector exp2Fraction(Vector f) {
  Vector p = splat(1.535336188319500e-4f);
  p = fma(p, f, splat(1.339887440266574e-3f));
  p = fma(p, f, splat(9.618437357674640e-3f));
  p = fma(p, f, splat(5.550332471162809e-2f));
  p = fma(p, f, splat(2.402264791363012e-1f));
  p = fma(p, f, splat(6.931472028550421e-1f));
  return fma(p, f, splat(1.0f));
}

// p · 2^n for an integral n, exact; n below -126 gives 0, n above 127 is taken as 127.
static inline Vector timesPowerOfTwo(Vector p, Vector n) {
  n = minimum(maximum(n, splat(-127.0f)), splat(127.0f));
  IntVector bits = (__builtin_convertvector(n, IntVector) + 127) << 23;
  return p * (Vector)bits;
}

// 2^t: 0 below -126, NaN for NaN; 128 and above count as 128.
static inline Vector exp2(Vector t) {
  t = minimum(splat(128.0f), maximum(splat(-1000.0f), t));
  Vector n = roundNearest(t);
  return timesPowerOfTwo(exp2Fraction(t - n), n);
}

constexpr float kLog2E = 1.44269504088896340736f;
constexpr float kLn2 = 0.69314718055994530942f;

// e^x; n·ln 2 is subtracted in two parts, the first exact, so large |x| keep the relative error of exp2Fraction.
static inline Vector exp(Vector x) {
  x = minimum(splat(88.8f), maximum(splat(-700.0f), x));
  Vector n = roundNearest(x * splat(kLog2E));
  Vector r = fma(n, splat(2.12194440e-4f), fma(n, splat(-0.693359375f), x));
  return timesPowerOfTwo(exp2Fraction(r * splat(kLog2E)), n);
}

template <int... I> static inline IntVector laneNumbers(Lanes<I...>) { return IntVector{I...}; }
// x with lanes at and beyond `lanes` set to 0.
static inline Vector firstLanes(Vector x, int lanes) {
  return laneNumbers(AllLanes()) < lanes ? x : Vector{};
}

static inline Vector squareRoot(Vector x) {
#if defined(__AVX512F__)
  return (Vector)_mm512_maskz_sqrt_ps(__mmask16(-1), (__m512)x);
#elif defined(__AVX2__)
  return (Vector)_mm256_sqrt_ps((__m256)x);
#elif defined(__SSE2__)
  return (Vector)__builtin_ia32_sqrtps(x);
#elif defined(__clang__)
  return __builtin_elementwise_sqrt(x);
#else
  for (int i = 0; i < kWidth; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

}  // namespace KERNELS_NAMESPACE
