// Softmax cross-entropy with its gradient, row by row: the largest logit, then exponentials and their sum, then the gradient.
#include "logits.h"
#include "scalar-math.h"

namespace KERNELS_NAMESPACE {

// Σ exp(x - shift); the terms are left in `terms` if it is not null (it may be x).
static double sumOfExponentials(const float* x, Index count, float shift, float* terms) {
  const auto term = [=](Vector a) { return exp(a - splat(shift)); };
  if (!terms) return longSum(count, term, x);
  map(0, count, terms, term, x);
  return longSum(count, [](Vector a) { return a; }, static_cast<const float*>(terms));
}

PLAN(softmax_cross_entropy) {
  return rowPlan(rows, vocabSize);
}
RUN(softmax_cross_entropy) {
  const Index each = rowsPerUnit(vocabSize), end = smaller(work.last * each, rows);
  for (Index r = work.first * each; r < end; r++) {
    const float* row = logits + r * vocabSize;
    float* gradient = dLogits ? dLogits + r * vocabSize : nullptr;
    const int32_t target = targets[r];
    if (target < 0) {
      loss[r] = 0;
      if (correct) correct[r] = 0;
      if (gradient) map(0, vocabSize, gradient, []() { return Vector{}; });
      continue;
    }
    const float top = largestOf(row, vocabSize), own = row[target];
    if (correct) correct[r] = isArgmax(row, target, top) ? 1.0f : 0.0f;
    const double total = sumOfExponentials(row, vocabSize, top, gradient);
    loss[r] = float(double(top) - double(own) + log2Double(total) * 0.69314718055994530942);
    if (gradient) {
      const float factor = float(double(gradientScale) / total), probability = float(double(gradient[target]) / total);
      map(0, vocabSize, gradient, [=](Vector a) { return a * splat(factor); }, static_cast<const float*>(gradient));
      gradient[target] = (probability - 1.0f) * gradientScale;
    }
  }
}

}  // namespace KERNELS_NAMESPACE
