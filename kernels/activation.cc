// ReLU, both forms of GELU and tanh with their derivatives.
#include "map.h"
#include "vector-math.h"

namespace KERNELS_NAMESPACE {

Plan activation_plan(Index, const float*, float*, Index count) { return chunkPlan(count); }
void activation(Work work, Index kind, const float* x, float* out, Index count) {
  if (kind == 0) mapChunks(work, count, out, [](Vector a) { return relu(a); }, x);
  else if (kind == 1) mapChunks(work, count, out, [](Vector a) { return gelu(a); }, x);
  else if (kind == 2) mapChunks(work, count, out, [](Vector a) { return geluTanh(a); }, x);
  else mapChunks(work, count, out, [](Vector a) { Vector slope; return tanh(a, slope); }, x);
}

Plan activation_backward_plan(Index, const float*, const float*, float*, Index count) { return chunkPlan(count); }
void activation_backward(Work work, Index kind, const float* x, const float* dOut, float* dX, Index count) {
  if (kind == 0) mapChunks(work, count, dX, [](Vector a, Vector d) { return reluBackward(a, d); }, x, dOut);
  else if (kind == 1) mapChunks(work, count, dX, [](Vector a, Vector d) { return geluBackward(a, d); }, x, dOut);
  else if (kind == 2) mapChunks(work, count, dX, [](Vector a, Vector d) { return geluTanhBackward(a, d); }, x, dOut);
  else mapChunks(work, count, dX, [](Vector a, Vector d) { Vector slope; tanh(a, slope); return d * slope; }, x, dOut);
}

}  // namespace KERNELS_NAMESPACE
