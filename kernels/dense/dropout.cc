// Dropout with Philox4x32-10 (Salmon et al., 2011): a counter makes four random words, so any element's fate can be computed
// anywhere, in any order.
#include "map.h"

namespace KERNELS_NAMESPACE {

// Words live in the low halves of 64-bit lanes, the natural place for 32 × 32 → 64 bit products; high halves hold leftovers.
constexpr int kCounters = kWidth / 2;
typedef uint64_t Wide __attribute__((vector_size(kWidth * 4)));
typedef uint32_t Words __attribute__((vector_size(kWidth * 4)));

static inline Wide multiplyLow(Wide a, uint32_t b) {
  const Wide factor = Wide{} + b;
#if defined(__AVX512F__)
  return (Wide)_mm512_maskz_mul_epu32(__mmask8(-1), (__m512i)a, (__m512i)factor);
#elif defined(__AVX2__)
  return (Wide)_mm256_mul_epu32((__m256i)a, (__m256i)factor);
#else
  return (a & 0xffffffff) * factor;
#endif
}

template <int... I> static inline Wide laneCounters(Lanes<I...>) { return Wide{uint64_t(I)...}; }

// Word i of the result is word i mod 4 of counter first + i div 4; 2·kWidth words.
static inline void philox(uint64_t first, uint32_t stream, uint32_t key0, uint32_t key1, Words result[2]) {
  const Wide counter = laneCounters(typename MakeLanes<kCounters>::Type()) + first;
  Wide c0 = counter, c1 = counter >> 32, c2 = Wide{} + stream, c3 = {};
  UNROLL for (int round = 0; round < 10; round++) {
    const Wide p0 = multiplyLow(c0, 0xD2511F53u), p1 = multiplyLow(c2, 0xCD9E8D57u);
    c0 = (p1 >> 32) ^ c1 ^ (Wide{} + key0);
    c2 = (p0 >> 32) ^ c3 ^ (Wide{} + key1);
    c1 = p1;
    c3 = p0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  const Wide pairs[2] = {(c0 & 0xffffffff) | c1 << 32, (c2 & 0xffffffff) | c3 << 32};
  uint64_t interleaved[2 * kCounters];
  UNROLL for (int i = 0; i < kCounters; i++) {
    interleaved[2 * i] = pairs[0][i];
    interleaved[2 * i + 1] = pairs[1][i];
  }
  __builtin_memcpy(result, interleaved, sizeof interleaved);
}

PLAN(dropout) { return chunkPlan(count); }
RUN(dropout) {
  const double bound = double(rate) * 4294967296.0;
  uint64_t least = bound > 0 ? uint64_t(bound) : 0;  // a word is kept iff it is at least `least`
  if (double(least) < bound) least++;
  const bool none = least > 0xffffffffu;
  const Words threshold = Words{} + uint32_t(least);
  const Vector factor = splat(none ? 0.0f : 1.0f / (1.0f - rate));
  const Index end = smaller(work.last * kElementsPerUnit, count);
  for (Index i = work.first * kElementsPerUnit; i < end; i += 2 * kWidth) {
    Words words[2];
    philox(uint64_t(i) / 4, stream, seedLow, seedHigh, words);
    for (int half = 0; half < 2; half++) {
      const Index at = i + half * kWidth;
      const IntVector keep = none ? IntVector{} : IntVector(words[half] >= threshold);
      map(at, larger(at, smaller(at + kWidth, end)), out, [=](Vector a) { return keep ? a * factor : Vector{}; }, x);
    }
  }
}

}  // namespace KERNELS_NAMESPACE
