// Divergence of the softmax of one row of logits from that of another, with its gradient: both sums, then the terms, then the gradient.
#include "logits.h"
#include "scalar-math.h"

namespace KERNELS_NAMESPACE {

PLAN(softmax_kl_divergence) {
  return rowPlan(rows, vocabSize);
}
RUN(softmax_kl_divergence) {
  const Index each = rowsPerUnit(vocabSize), end = smaller(work.last * each, rows);
  for (Index r = work.first * each; r < end; r++) {
    const float *x = logits + r * vocabSize, *t = targets + r * vocabSize;
    const float topX = largestOf(x, vocabSize), topT = largestOf(t, vocabSize);
    const Vector scale = splat(inverseTemperature), shiftX = splat(topX), shiftT = splat(topT);
    const auto ofX = [=](Vector a) { return exp((a - shiftX) * scale); };
    const auto ofT = [=](Vector a) { return exp((a - shiftT) * scale); };
    const double sumX = longSum(vocabSize, ofX, x), sumT = longSum(vocabSize, ofT, t);
    // Σ p (log p - log q), where log p - log q is a difference of shifted logits and, for all terms alike, of the sums' logarithms.
    const double terms = longSum(vocabSize, [=](Vector a, Vector b) {
      const Vector p = ofT(b);
      return p == Vector{} ? Vector{} : p * (((b - shiftT) - (a - shiftX)) * scale);
    }, x, t);
    loss[r] = float(terms / sumT + (log2Double(sumX) - log2Double(sumT)) * 0.69314718055994530942);
    if (correct) {
      Index place = 0;
      while (place + 1 < vocabSize && t[place] != topT) place++;
      correct[r] = isArgmax(x, place, topX) ? 1.0f : 0.0f;
    }
    if (!dLogits) continue;
    const Vector factorX = splat(float(double(gradientScale) / sumX)), factorT = splat(float(double(gradientScale) / sumT));
    map(0, vocabSize, dLogits + r * vocabSize, [=](Vector a, Vector b) { return ofX(a) * factorX - ofT(b) * factorT; }, x, t);
  }
}

}  // namespace KERNELS_NAMESPACE
