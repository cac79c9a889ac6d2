// The register-blocked micro-kernel of every matrix product (gemm, FAVOR+, exact attention) and the loops around it.
//
// A product here is c[m, n] (+)= A B of operands that are already in cache:
// - A(i, p) = a[i·aRow + p·aK]. Row-major A [m, k]: aRow = lda, aK = 1. Aᵀ of an array [k, m]: aRow = 1, aK = lda.
//   Elements of A are broadcast, so either way costs the same while a tile's piece of A stays in L1.
// - B(p, j) = b[p·ldb + j] (plain), or packed by packPanels. A packed panel t is a dense [k, kTileColumns] block of the
//   columns from t·kTileColumns on. The last panel is padded with zeros.
// - c(i, j) = c[i·ldc + j]. c overlaps neither a nor b.
// Promises:
// - Any m, n, k >= 0. Only the m×k, k×n and m×n elements are read or written, or, if packed, the panels. With k = 0, c
//   gets zeros, or stays as it is when adding.
// - Every element is one sum over p = 0, 1, …, k - 1 in this order, with one accumulator. The sum starts from zero and
//   is stored in c (Mode::store) or added to c (Mode::add), or starts from c (Mode::carry). With carry, splitting k
//   into consecutive calls changes no bit. A value depends neither on its position nor on m and n, and appended terms
//   of zero change nothing.
#pragma once
#include "simd.h"

namespace KERNELS_NAMESPACE {

// Tile of kTileRows × kTileColumns accumulators, about as many registers as the instruction set has.
#if defined(__AVX512F__)
constexpr int kTileRows = 8, kTileVectors = 2;
#elif defined(__AVX2__)
constexpr int kTileRows = 6, kTileVectors = 2;
#elif defined(__aarch64__)
constexpr int kTileRows = 8, kTileVectors = 2;
#else
constexpr int kTileRows = 4, kTileVectors = 2;
#endif
constexpr int kTileColumns = kTileVectors * kWidth;

enum class Mode { store, add, carry };

// One tile: ROWS rows, VECTORS vectors of columns; with PARTIAL the last vector has only `lanes` columns.
// A function of its own: inlined, compilers run out of registers and spill accumulators.
template <int ROWS, int VECTORS, bool PARTIAL>
__attribute__((noinline)) void tile(ptrdiff_t k, const float* a, ptrdiff_t aRow, ptrdiff_t aK, const float* b, ptrdiff_t ldb,
                                    float* c, ptrdiff_t ldc, Mode mode, int lanes) {
  Vector sums[ROWS][VECTORS];
  if (mode == Mode::carry) {
    UNROLL for (int i = 0; i < ROWS; i++)
      UNROLL for (int j = 0; j < VECTORS; j++)
        sums[i][j] = PARTIAL && j == VECTORS - 1 ? loadPartial(c + i * ldc + j * kWidth, lanes) : load(c + i * ldc + j * kWidth);
  } else {
    UNROLL for (int i = 0; i < ROWS; i++)
      UNROLL for (int j = 0; j < VECTORS; j++) sums[i][j] = Vector{};
  }
  for (; k > 0; k--) {
    Vector row[VECTORS];
    UNROLL for (int j = 0; j < VECTORS; j++)
      row[j] = PARTIAL && j == VECTORS - 1 ? loadPartial(b + j * kWidth, lanes) : load(b + j * kWidth);
    UNROLL for (int i = 0; i < ROWS; i++) {
      const Vector x = splat(a[i * aRow]);
      UNROLL for (int j = 0; j < VECTORS; j++) sums[i][j] = fma(x, row[j], sums[i][j]);
    }
    a += aK;
    b += ldb;
  }
  UNROLL for (int i = 0; i < ROWS; i++)
    UNROLL for (int j = 0; j < VECTORS; j++) {
      float* target = c + i * ldc + j * kWidth;
      if (PARTIAL && j == VECTORS - 1) {
        storePartial(target, mode == Mode::add ? loadPartial(target, lanes) + sums[i][j] : sums[i][j], lanes);
      } else {
        store(target, mode == Mode::add ? load(target) + sums[i][j] : sums[i][j]);
      }
    }
}

// A column of tiles: m rows, VECTORS vectors of columns.
template <int VECTORS, bool PARTIAL>
static inline void tileColumn(ptrdiff_t m, ptrdiff_t k, const float* a, ptrdiff_t aRow, ptrdiff_t aK, const float* b,
                              ptrdiff_t ldb, float* c, ptrdiff_t ldc, Mode mode, int lanes) {
  ptrdiff_t i = 0;
  for (; i + kTileRows <= m; i += kTileRows)
    tile<kTileRows, VECTORS, PARTIAL>(k, a + i * aRow, aRow, aK, b, ldb, c + i * ldc, ldc, mode, lanes);
  a += i * aRow;
  c += i * ldc;
#define REMAINDER(rows) \
  case rows: if constexpr (rows < kTileRows) tile<rows, VECTORS, PARTIAL>(k, a, aRow, aK, b, ldb, c, ldc, mode, lanes); break;
  switch (m - i) { REMAINDER(1) REMAINDER(2) REMAINDER(3) REMAINDER(4) REMAINDER(5) REMAINDER(6) REMAINDER(7) }
#undef REMAINDER
}

// Panel t of B starts at b + t·panelStride: kTileColumns when B is plain, k·kTileColumns (and ldb = kTileColumns) when packed.
static inline void tilePanels(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float* a, ptrdiff_t aRow, ptrdiff_t aK, const float* b,
                              ptrdiff_t ldb, ptrdiff_t panelStride, float* c, ptrdiff_t ldc, Mode mode) {
  for (; n >= kTileColumns; n -= kTileColumns, b += panelStride, c += kTileColumns)
    tileColumn<kTileVectors, false>(m, k, a, aRow, aK, b, ldb, c, ldc, mode, 0);
  static_assert(kTileVectors == 2);
  if (n > kWidth) tileColumn<2, true>(m, k, a, aRow, aK, b, ldb, c, ldc, mode, int(n - kWidth));
  else if (n == kWidth) tileColumn<1, false>(m, k, a, aRow, aK, b, ldb, c, ldc, mode, 0);
  else if (n > 0) tileColumn<1, true>(m, k, a, aRow, aK, b, ldb, c, ldc, mode, int(n));
}

// c (+)= A B, B plain.
static inline void tileMultiply(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float* a, ptrdiff_t aRow, ptrdiff_t aK,
                                const float* b, ptrdiff_t ldb, float* c, ptrdiff_t ldc, Mode mode) {
  tilePanels(m, n, k, a, aRow, aK, b, ldb, kTileColumns, c, ldc, mode);
}

// c (+)= A B, B packed in panels.
static inline void tileMultiplyPacked(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const float* a, ptrdiff_t aRow, ptrdiff_t aK,
                                      const float* panels, float* c, ptrdiff_t ldc, Mode mode) {
  tilePanels(m, n, k, a, aRow, aK, panels, kTileColumns, k * kTileColumns, c, ldc, mode);
}

// Floats that the panels of B [k, n] take.
constexpr ptrdiff_t packedPanelsSize(ptrdiff_t n, ptrdiff_t k) { return (n + kTileColumns - 1) / kTileColumns * kTileColumns * k; }

// Packs B(p, j) = b[p·bK + j·bColumn] into panels. Plain B [k, n] has bK = ldb, bColumn = 1. W [n, k] packed as Wᵀ has
// bK = 1, bColumn = ldb. One of bK and bColumn must be 1. Rows [first, last) of every panel are written.
static inline void packPanelRows(ptrdiff_t n, ptrdiff_t k, const float* b, ptrdiff_t bK, ptrdiff_t bColumn, float* panels,
                                 ptrdiff_t first, ptrdiff_t last) {
  for (; n > 0; n -= kTileColumns, b += kTileColumns * bColumn, panels += k * kTileColumns) {
    const ptrdiff_t columns = n < kTileColumns ? n : kTileColumns;
    ptrdiff_t p = first;
    if (columns == kTileColumns && bColumn == 1) {
      for (; p < last; p++)
        UNROLL for (int j = 0; j < kTileColumns; j += kWidth) store(panels + p * kTileColumns + j, load(b + p * bK + j));
    } else if (columns == kTileColumns && bK == 1) {
      for (; p + kWidth <= last; p += kWidth)
        for (int j = 0; j < kTileColumns; j += kWidth) {
          Vector square[kWidth];
          UNROLL for (int i = 0; i < kWidth; i++) square[i] = load(b + (j + i) * bColumn + p);
          transpose(square);
          UNROLL for (int i = 0; i < kWidth; i++) store(panels + (p + i) * kTileColumns + j, square[i]);
        }
    }
    for (; p < last; p++)
      for (ptrdiff_t j = 0; j < kTileColumns; j++)
        panels[p * kTileColumns + j] = j < columns ? b[p * bK + j * bColumn] : 0.0f;
  }
}
static inline void packPanels(ptrdiff_t n, ptrdiff_t k, const float* b, ptrdiff_t bK, ptrdiff_t bColumn, float* panels) {
  packPanelRows(n, k, b, bK, bColumn, panels, 0, k);
}

}  // namespace KERNELS_NAMESPACE
