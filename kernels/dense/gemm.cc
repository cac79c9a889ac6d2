// Matrix product. A unit of work is one block of c, which walks k in steps of kBlockK. A step copies its piece of A
// into scratch, then runs the tile over every panel of B. The copy is dense, so that no leading dimension can thrash
// the cache. A block of A stays in L2, a kBlockK × kTileColumns panel of B in L1. The sums of each step are added to c
// in order, so results depend on the shapes alone.
#include "map.h"
#include "tile.h"

namespace KERNELS_NAMESPACE {

constexpr Index kBlockK = 256;
constexpr Index kBlockRowTiles = 16, kBlockPanels = 256 / kTileColumns;
constexpr Index kPackElements = 32768;  // packing work of one unit
constexpr double kUnitFlops = 1 << 21;  // below this a unit costs more to hand out than to compute

// Columns of the batch of c are counted in panels, rows in tiles, split as evenly as the limits allow.
struct Blocks {
  Index rowBlocks, columnBlocks, rowsPerBlock, columnsPerBlock, blocksPerUnit, units;
};

static Blocks split(Index m, Index n, Index k, Index batch) {
  const Index tiles = divideUp(m, kTileRows), panels = divideUp(n, kTileColumns);
  Blocks s = {divideUp(tiles, kBlockRowTiles), divideUp(panels, kBlockPanels), 0, 0, 1, 0};
  if (m <= 0 || n <= 0 || batch <= 0) return s;
  const double flops = 2.0 * double(m) * double(n) * double(k);
  for (;;) {  // enough units for a few threads to share evenly
    const Index tilesEach = divideUp(tiles, s.rowBlocks), panelsEach = divideUp(panels, s.columnBlocks);
    s.rowBlocks = divideUp(tiles, tilesEach);
    s.columnBlocks = divideUp(panels, panelsEach);
    s.rowsPerBlock = tilesEach * kTileRows;
    s.columnsPerBlock = panelsEach * kTileColumns;
    const Index blocks = s.rowBlocks * s.columnBlocks;
    if (blocks * batch >= 16 || flops / double(blocks) < 2 * kUnitFlops || (tilesEach == 1 && panelsEach == 1)) break;
    if (s.rowsPerBlock * 2 > s.columnsPerBlock && tilesEach > 1) s.rowBlocks = divideUp(tiles, divideUp(tilesEach, 2));
    else if (panelsEach > 1) s.columnBlocks = divideUp(panels, divideUp(panelsEach, 2));
    else s.rowBlocks = divideUp(tiles, divideUp(tilesEach, 2));
  }
  const Index blocks = s.rowBlocks * s.columnBlocks;
  const double blockFlops = flops / double(blocks) + 1;
  if (blockFlops < kUnitFlops) s.blocksPerUnit = smaller(blocks * batch, Index(kUnitFlops / blockFlops) + 1);
  s.units = divideUp(blocks * batch, s.blocksPerUnit);
  return s;
}

Index gemm_packed_size(Index n, Index k) { return packedPanelsSize(n, k); }

// A unit packs so many positions along k, of so many columns, that memory is walked in order. If b is [k, n], a unit
// takes all columns of few rows of b. If b is [n, k], a unit takes all of k of a few panels.
struct PackBlock {
  Index positions, columns, blocks;
};
constexpr Index kPackPositions = 16;

static PackBlock packBlock(Index n, Index k, bool transposeB) {
  if (n <= 0 || k <= 0) return {1, 1, 0};
  PackBlock s = {k, n, 0};
  if (transposeB) s.columns = divideUp(kPackElements, k * kTileColumns) * kTileColumns;
  else s.positions = divideUp(kPackElements, n * kPackPositions) * kPackPositions;
  s.blocks = divideUp(k, s.positions) * divideUp(n, s.columns);
  return s;
}

PLAN(gemm_pack) {
  return {packBlock(n, k, transposeB).blocks * batch, 0};
}

RUN(gemm_pack) {
  const PackBlock s = packBlock(n, k, transposeB);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index entry = unit / s.blocks, block = unit % s.blocks;
    const float* from = b + entry * strideB;
    float* to = packed + entry * gemm_packed_size(n, k);
    if (transposeB) {
      const Index column = block * s.columns;
      packPanels(smaller(s.columns, n - column), k, transposeOf(from + column * ldb, ldb), to + column * k);
    } else {
      const Index last = smaller((block + 1) * s.positions, k);
      for (Index p = block * s.positions; p < last; p += kPackPositions)
        packPanelRows(n, k, rowMajor(from, ldb), to, p, smaller(p + kPackPositions, last));
    }
  }
}

// Copies a rows × columns block, times alpha, into dense rows.
static void copyScaled(Index rows, Index columns, const float* source, Index stride, float alpha, float* target) {
  const Vector factor = splat(alpha);
  for (Index i = 0; i < rows; i++, source += stride, target += columns) {
    Index j = 0;
    for (; j + kWidth <= columns; j += kWidth) store(target + j, load(source + j) * factor);
    if (j < columns) storePartial(target + j, loadPartial(source + j, int(columns - j)) * factor, int(columns - j));
  }
}

static void addBias(Index rows, Index columns, const float* bias, float* c, Index ldc, bool accumulate) {
  for (Index i = 0; i < rows; i++, c += ldc) {
    Index j = 0;
    for (; j + kWidth <= columns; j += kWidth) store(c + j, accumulate ? load(c + j) + load(bias + j) : load(bias + j));
    for (; j < columns; j++) c[j] = accumulate ? c[j] + bias[j] : bias[j];
  }
}

PLAN(gemm) {
  const Blocks s = split(m, n, k, batch);
  return {s.units, s.rowsPerBlock * smaller(k, kBlockK) * Index(sizeof(float))};
}

RUN(gemm) {
  const Blocks s = split(m, n, k, batch);
  const Index blocks = s.rowBlocks * s.columnBlocks, end = smaller(work.last * s.blocksPerUnit, blocks * batch);
  float* scratch = static_cast<float*>(work.scratch);
  for (Index block = work.first * s.blocksPerUnit; block < end; block++) {
    const Index entry = block / blocks, i = block % s.rowBlocks * s.rowsPerBlock;
    const Index j = block % blocks / s.rowBlocks * s.columnsPerBlock;
    const Index rows = smaller(s.rowsPerBlock, m - i), columns = smaller(s.columnsPerBlock, n - j);
    const float* blockA = a + entry * strideA + (transposeA ? i : i * lda);
    const float* blockB = packedB + entry * strideB + j * k;
    float* blockC = c + entry * strideC + i * ldc + j;
    if (bias) addBias(rows, columns, bias + j, blockC, ldc, accumulate);
    Mode mode = bias || accumulate ? Mode::add : Mode::store;
    Index p = 0;
    do {  // at least once, so that k = 0 stores zeros
      const Index depth = smaller(kBlockK, k - p);
      if (transposeA) copyScaled(depth, rows, blockA + p * lda, lda, alpha, scratch);
      else copyScaled(rows, depth, blockA + p, lda, alpha, scratch);
      tileMultiply({.rows = rows, .columns = columns, .depth = depth},
                   transposeA ? transposeOf(scratch, rows) : rowMajor(scratch, depth),
                   panelsOf(blockB + p * kTileColumns, k), {blockC, ldc}, mode);
      mode = Mode::add;
      p += depth;
    } while (p < k);
  }
}

}  // namespace KERNELS_NAMESPACE
