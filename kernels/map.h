// Loops over flat arrays, tails included, and how such work is cut into units.
#pragma once
#include "kernels.h"
#include "simd.h"

namespace KERNELS_NAMESPACE {

constexpr Index kElementsPerUnit = 16384;  // of memory-bound work

static inline Index divideUp(Index a, Index b) { return (a + b - 1) / b; }
static inline Index smaller(Index a, Index b) { return a < b ? a : b; }
static inline Index larger(Index a, Index b) { return a > b ? a : b; }

static inline Plan chunkPlan(Index count) { return {divideUp(count, kElementsPerUnit), 0}; }

// Rows of `width` elements that make one unit.
static inline Index rowsPerUnit(Index width) { return larger(1, kElementsPerUnit / larger(1, width)); }
static inline Plan rowPlan(Index rows, Index width) { return {divideUp(rows, rowsPerUnit(width)), 0}; }

// Columns of a [rows, columns] array that make one unit when a unit walks down all rows: 64 to 512, about a quarter of all.
static inline Index columnsPerUnit(Index columns) {
  return larger(64, smaller(512, divideUp(divideUp(columns, 4), 16) * 16));
}

// out[i] = f(inputs[i]…) for first <= i < last; out may be one of the inputs.
template <class F, class... P> static inline void map(Index first, Index last, float* out, F f, const P*... inputs) {
  Index i = first;
  for (; i + kWidth <= last; i += kWidth) store(out + i, f(load(inputs + i)...));
  if (const int lanes = int(last - i); lanes > 0) storePartial(out + i, f(loadPartial(inputs + i, lanes)...), lanes);
}

// The same for the chunks of a unit of work.
template <class F, class... P> static inline void mapChunks(Work work, Index count, float* out, F f, const P*... inputs) {
  map(work.first * kElementsPerUnit, smaller(work.last * kElementsPerUnit, count), out, f, inputs...);
}

// Σ f(inputs[i]…) over `count` elements, in an order that depends on count alone.
template <class F, class... P> static inline float sumOver(Index count, F f, const P*... inputs) {
  Vector sums[4] = {};
  Index i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth)
    UNROLL for (int j = 0; j < 4; j++) sums[j] += f(load(inputs + i + j * kWidth)...);
  for (; i + kWidth <= count; i += kWidth) sums[0] += f(load(inputs + i)...);
  if (const int lanes = int(count - i); lanes > 0) sums[1] += firstLanes(f(loadPartial(inputs + i, lanes)...), lanes);
  return sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

}  // namespace KERNELS_NAMESPACE
