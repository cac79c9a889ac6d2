// ReLU, both forms of GELU, tanh, exp and log with their derivatives.
#include "map.h"
#include "vector-math.h"

namespace KERNELS_NAMESPACE {

PLAN(activation) { return chunkPlan(count); }
RUN(activation) {
  if (kind == UnaryKind::relu) mapChunks(work, count, out, [](Vector a) { return relu(a); }, x);
  else if (kind == UnaryKind::gelu) mapChunks(work, count, out, [](Vector a) { return gelu(a); }, x);
  else if (kind == UnaryKind::geluTanh) mapChunks(work, count, out, [](Vector a) { return geluTanh(a); }, x);
  else if (kind == UnaryKind::tanh) mapChunks(work, count, out, [](Vector a) { Vector slope; return tanh(a, slope); }, x);
  else if (kind == UnaryKind::exp) mapChunks(work, count, out, [](Vector a) { return wholeExp(a); }, x);
  else mapChunks(work, count, out, [](Vector a) { return log(a); }, x);
}

PLAN(activation_backward) { return chunkPlan(count); }
RUN(activation_backward) {
  if (kind == UnaryKind::relu) mapChunks(work, count, dX, [](Vector a, Vector d) { return reluBackward(a, d); }, x, dOut);
  else if (kind == UnaryKind::gelu) mapChunks(work, count, dX, [](Vector a, Vector d) { return geluBackward(a, d); }, x, dOut);
  else if (kind == UnaryKind::geluTanh) mapChunks(work, count, dX, [](Vector a, Vector d) { return geluTanhBackward(a, d); }, x, dOut);
  else if (kind == UnaryKind::tanh) mapChunks(work, count, dX, [](Vector a, Vector d) { Vector slope; tanh(a, slope); return d * slope; }, x, dOut);
  else if (kind == UnaryKind::exp) mapChunks(work, count, dX, [](Vector a, Vector d) { return d * wholeExp(a); }, x, dOut);
  else mapChunks(work, count, dX, [](Vector a, Vector d) { return d / a; }, x, dOut);
}

}  // namespace KERNELS_NAMESPACE
