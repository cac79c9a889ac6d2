// The product for few rows: every element of b is read once and never copied, so memory sets the pace. Units are blocks of columns.
#include "map.h"

namespace KERNELS_NAMESPACE {

constexpr Index kMaxColumns = 512;      // of b [k, n] in one unit
constexpr Index kUnitElements = 32768;  // of b [n, k] in one unit

static Index gemvColumns(Index n, Index k, bool transposeB) {
  if (!transposeB) return columnsPerUnit(n);
  return divideUp(divideUp(kUnitElements, larger(1, k)), 16) * 16;
}

// The arguments of the call that every row and column shares.
struct Gemv {
  const float *a, *b, *bias;
  float* c;
  Index k, lda, ldb, ldc;
  float alpha;
  bool accumulate;

  void finish(Index row, Index column, float sum) const {
    float& element = c[row * ldc + column];
    float value = alpha * sum;
    if (bias) value += bias[column];
    element = accumulate ? element + value : value;
  }
};

// c[ROWS, last - first]: dot products of the rows of a with rows of b [n, k], one row of b after the other. Several
// rows at a time would be several short streams, which the processor prefetches at half the speed of one stream.
template <int ROWS>
static void gemvTransposed(const Gemv& call, Index first, Index last) {
  const Index k = call.k, lda = call.lda;
  const float* a = call.a;
  constexpr int kChains = ROWS == 1 ? 4 : 2;
  for (Index j = first; j < last; j++) {
    const float* row = call.b + j * call.ldb;
    Vector partial[ROWS][kChains] = {};
    Index p = 0;
    for (; p + kChains * kWidth <= k; p += kChains * kWidth)
      UNROLL for (int q = 0; q < kChains; q++) {
        const Vector y = load(row + p + q * kWidth);
        UNROLL for (int i = 0; i < ROWS; i++) partial[i][q] = fma(load(a + i * lda + p + q * kWidth), y, partial[i][q]);
      }
    for (; p < k; p += kWidth) {
      const int lanes = int(smaller(kWidth, k - p));
      const Vector y = lanes == kWidth ? load(row + p) : loadPartial(row + p, lanes);
      UNROLL for (int i = 0; i < ROWS; i++) {
        const Vector x = lanes == kWidth ? load(a + i * lda + p) : loadPartial(a + i * lda + p, lanes);
        partial[i][0] = fma(x, y, partial[i][0]);
      }
    }
    UNROLL for (int i = 0; i < ROWS; i++) {
      Vector total = partial[i][0];
      UNROLL for (int q = 1; q < kChains; q++) total += partial[i][q];
      call.finish(i, j, sum(total));
    }
  }
}

// sums[ROWS, columns] += the outer products of DEPTH positions along k.
template <int ROWS, int DEPTH>
static void outer(const float* a, Index lda, const float* b, Index ldb, Index columns, float* sums) {
  Vector x[ROWS][DEPTH];
  UNROLL for (int i = 0; i < ROWS; i++)
    UNROLL for (int p = 0; p < DEPTH; p++) x[i][p] = splat(a[i * lda + p]);
  const auto step = [&](Index j, auto loadRow, auto putBack) {
    Vector y[DEPTH];
    UNROLL for (int p = 0; p < DEPTH; p++) y[p] = loadRow(b + p * ldb + j);
    UNROLL for (int i = 0; i < ROWS; i++) {
      Vector s = load(sums + i * kMaxColumns + j);
      UNROLL for (int p = 0; p < DEPTH; p++) s = fma(x[i][p], y[p], s);
      putBack(sums + i * kMaxColumns + j, s);
    }
  };
  Index j = 0;
  for (; j + kWidth <= columns; j += kWidth) step(j, load, store);
  if (const int lanes = int(columns - j); lanes > 0) step(j, [=](const float* p) { return loadPartial(p, lanes); }, store);
}

template <int ROWS>
static void gemvPlain(const Gemv& call, Index first, Index last) {
  const Index k = call.k, lda = call.lda, ldb = call.ldb;
  float sums[ROWS * kMaxColumns];
  const Index columns = last - first;
  for (int i = 0; i < ROWS; i++) __builtin_memset(sums + i * kMaxColumns, 0, sizeof(float) * kMaxColumns);
  Index p = 0;
  for (; p + 4 <= k; p += 4) outer<ROWS, 4>(call.a + p, lda, call.b + p * ldb + first, ldb, columns, sums);
  for (; p < k; p++) outer<ROWS, 1>(call.a + p, lda, call.b + p * ldb + first, ldb, columns, sums);
  for (int i = 0; i < ROWS; i++)
    for (Index j = 0; j < columns; j++) call.finish(i, first + j, sums[i * kMaxColumns + j]);
}

PLAN(gemv) {
  return {m > 0 ? divideUp(n, gemvColumns(n, k, transposeB)) : 0, 0};
}

RUN(gemv) {
  const Index each = gemvColumns(n, k, transposeB);
  const Gemv call{.a = a, .b = b, .bias = bias, .c = c, .k = k, .lda = lda, .ldb = ldb, .ldc = ldc, .alpha = alpha, .accumulate = accumulate};
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index first = unit * each, last = smaller(first + each, n);
#define ROWS(rows) \
  case rows: transposeB ? gemvTransposed<rows>(call, first, last) : gemvPlain<rows>(call, first, last); break;
    switch (m) { ROWS(1) ROWS(2) ROWS(3) ROWS(4) }
#undef ROWS
  }
}

}  // namespace KERNELS_NAMESPACE
