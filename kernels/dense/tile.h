// The register-blocked micro-kernel of every matrix product (gemm, FAVOR+, exact attention) and the loops around it.
//
// A product is c[rows, columns] (+)= A B over `depth` terms, of operands that are already in cache. c overlaps neither a
// nor b.
// Promises:
// - Sizes may be 0. Only the elements of the three matrices are read or written, or, if packed, the panels. With a depth
//   of 0, c gets zeros, or stays as it is when adding.
// - Every element is one sum over p = 0, 1, …, depth - 1 in this order, with one accumulator. The sum starts from zero and
//   is stored in c (Mode::store) or added to c (Mode::add), or starts from c (Mode::carry). With carry, splitting
//   the depth into consecutive calls changes no bit. A value depends neither on its position nor on rows and columns.
//   Appended terms of zero change nothing.
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

struct ProductSizes {
  ptrdiff_t rows, columns, depth;
};

// Element (i, j) is data[i·rowStride + j·columnStride]. As A, elements are broadcast, so either order of the axes costs the
// same while a tile's piece of A stays in L1.
struct Matrix {
  const float* data;
  ptrdiff_t rowStride, columnStride;
};
static inline Matrix rowMajor(const float* data, ptrdiff_t stride) { return {data, stride, 1}; }
// The transpose of a row-major matrix.
static inline Matrix transposeOf(const float* data, ptrdiff_t stride) { return {data, 1, stride}; }

// B: panel t holds kTileColumns columns and starts at data + t·panelStride, with rows rowStride apart.
struct RightOperand {
  const float* data;
  ptrdiff_t rowStride, panelStride;
};

struct Output {
  float* data;
  ptrdiff_t rowStride;
};

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

// A column of tiles: all rows, VECTORS vectors of columns.
template <int VECTORS, bool PARTIAL>
static inline void tileColumn(ProductSizes sizes, Matrix a, RightOperand b, Output c, Mode mode, int lanes) {
  ptrdiff_t i = 0;
#define TILE(rows)                                                                                                        \
  tile<rows, VECTORS, PARTIAL>(sizes.depth, a.data + i * a.rowStride, a.rowStride, a.columnStride, b.data, b.rowStride, \
                               c.data + i * c.rowStride, c.rowStride, mode, lanes)
#define REMAINDER(rows) \
  case rows: if constexpr (rows < kTileRows) TILE(rows); break;
  for (; i + kTileRows <= sizes.rows; i += kTileRows) TILE(kTileRows);
  switch (sizes.rows - i) { REMAINDER(1) REMAINDER(2) REMAINDER(3) REMAINDER(4) REMAINDER(5) REMAINDER(6) REMAINDER(7) }
#undef REMAINDER
#undef TILE
}

static inline RightOperand rowsOf(const float* data, ptrdiff_t stride) { return {data, stride, kTileColumns}; }
// Panels that packPanels made: dense [depth, kTileColumns] blocks, the last one padded with zeros.
static inline RightOperand panelsOf(const float* panels, ptrdiff_t depth) { return {panels, kTileColumns, depth * kTileColumns}; }

// c (+)= A B
static inline void tileMultiply(ProductSizes sizes, Matrix a, RightOperand b, Output c, Mode mode) {
  ptrdiff_t columns = sizes.columns;
  for (; columns >= kTileColumns; columns -= kTileColumns, b.data += b.panelStride, c.data += kTileColumns)
    tileColumn<kTileVectors, false>(sizes, a, b, c, mode, 0);
  static_assert(kTileVectors == 2);
  if (columns > kWidth) tileColumn<2, true>(sizes, a, b, c, mode, int(columns - kWidth));
  else if (columns == kWidth) tileColumn<1, false>(sizes, a, b, c, mode, 0);
  else if (columns > 0) tileColumn<1, true>(sizes, a, b, c, mode, int(columns));
}

// Floats that the panels of B [depth, columns] take.
constexpr ptrdiff_t packedPanelsSize(ptrdiff_t columns, ptrdiff_t depth) {
  return (columns + kTileColumns - 1) / kTileColumns * kTileColumns * depth;
}

// Packs B [depth, columns] into panels. One of the strides of B must be 1. Rows [first, last) of every panel are written.
static inline void packPanelRows(ptrdiff_t columns, ptrdiff_t depth, Matrix b, float* panels, ptrdiff_t first, ptrdiff_t last) {
  const float* x = b.data;
  for (; columns > 0; columns -= kTileColumns, x += kTileColumns * b.columnStride, panels += depth * kTileColumns) {
    const bool isWhole = columns >= kTileColumns;
    ptrdiff_t p = first;
    if (isWhole && b.columnStride == 1) {
      for (; p < last; p++)
        UNROLL for (int j = 0; j < kTileColumns; j += kWidth) store(panels + p * kTileColumns + j, load(x + p * b.rowStride + j));
    } else if (isWhole && b.rowStride == 1) {
      for (; p + kWidth <= last; p += kWidth)
        for (int j = 0; j < kTileColumns; j += kWidth) {
          Vector square[kWidth];
          UNROLL for (int i = 0; i < kWidth; i++) square[i] = load(x + (j + i) * b.columnStride + p);
          transpose(square);
          UNROLL for (int i = 0; i < kWidth; i++) store(panels + (p + i) * kTileColumns + j, square[i]);
        }
    }
    for (; p < last; p++)
      for (ptrdiff_t j = 0; j < kTileColumns; j++)
        panels[p * kTileColumns + j] = j < columns ? x[p * b.rowStride + j * b.columnStride] : 0.0f;
  }
}
static inline void packPanels(ptrdiff_t columns, ptrdiff_t depth, Matrix b, float* panels) {
  packPanelRows(columns, depth, b, panels, 0, depth);
}

}  // namespace KERNELS_NAMESPACE
