// Rotary positions: pair i of a head turns by position·base^(-2i/dHead). A unit covers some positions of every batch entry and
// head, so that the sines of a position are computed once.
#include "map.h"
#include "scalar-math.h"

namespace KERNELS_NAMESPACE {

static Index positionsPerUnit(Index batch, Index heads, Index dHead) { return rowsPerUnit(batch * heads * dHead); }

PLAN(rotary) {
  if (batch * heads * dHead == 0) return {0, 0};
  return {divideUp(length, positionsPerUnit(batch, heads, dHead)), 2 * dHead * Index(sizeof(double))};
}

RUN(rotary) {
  const Index each = positionsPerUnit(batch, heads, dHead), end = smaller(work.last * each, length);
  const bool isByLength = layout == AttentionLayout::blhd;
  const Index rowStride = isByLength ? heads * dHead : dHead, headStride = isByLength ? dHead : length * dHead;
  double* turns = static_cast<double*>(work.scratch);                // per step of one position, by pair
  float *cosines = reinterpret_cast<float*>(turns + dHead), *sines = cosines + dHead;  // by element; sines signed
  const double logBase = log2Double(double(base));
  for (Index i = 0; i < dHead / 2; i++)
    turns[i] = exp2Double(-2.0 * double(i) / double(dHead) * logBase) * 0.15915494309189533577;
  for (Index position = work.first * each; position < end; position++) {
    if (dHead & 1) cosines[dHead - 1] = 1, sines[dHead - 1] = 0;
    for (Index i = 0; i < dHead / 2; i++) {
      double s, c;
      sinCosTurns(double(offset + position) * turns[i], s, c);
      if (inverse) s = -s;
      cosines[2 * i] = cosines[2 * i + 1] = float(c);
      sines[2 * i] = -float(s);
      sines[2 * i + 1] = float(s);
    }
    for (Index row = 0; row < batch * heads; row++) {
      const Index at = row / heads * heads * length * dHead + row % heads * headStride + position * rowStride;
      map(0, dHead, out + at, [](Vector a, Vector c, Vector s) { return fma(a, c, swapNeighbours<1>(a, AllLanes()) * s); }, x + at,
          static_cast<const float*>(cosines), static_cast<const float*>(sines));
    }
  }
}

}  // namespace KERNELS_NAMESPACE
