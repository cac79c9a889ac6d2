// AdamW: Adam with decoupled weight decay.
#include "map.h"

namespace KERNELS_NAMESPACE {

PLAN(adamw) {
  return chunkPlan(count);
}
RUN(adamw) {
  const Vector scale = splat(gradientScale), b1 = splat(beta1), b2 = splat(beta2), c1 = splat(1.0f - beta1), c2 = splat(1.0f - beta2);
  const Vector rate = splat(learningRate), decay = splat(weightDecay), e = splat(epsilon);
  const Vector inverse1 = splat(1.0f / correction1), inverse2 = splat(1.0f / correction2);
  const float *oldM = firstMoment, *oldV = secondMoment, *oldX = parameter;
  constexpr Index kBlock = 1024;  // what the three steps share stays in L1
  const Index end = smaller(work.last * kElementsPerUnit, count);
  for (Index first = work.first * kElementsPerUnit; first < end; first += kBlock) {
    const Index last = smaller(first + kBlock, end);
    map(first, last, firstMoment, [=](Vector m, Vector g) { return fma(b1, m, c1 * (scale * g)); }, oldM, gradient);
    map(first, last, secondMoment, [=](Vector v, Vector g) { return fma(b2, v, c2 * (scale * g) * (scale * g)); }, oldV, gradient);
    map(first, last, parameter, [=](Vector p, Vector m, Vector v) {
      const Vector step = m * inverse1 / (squareRoot(v * inverse2) + e);
      return p - rate * fma(decay, p, step);
    }, oldX, oldM, oldV);
  }
}

}  // namespace KERNELS_NAMESPACE
