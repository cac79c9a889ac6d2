// Softmax cross-entropy with its gradient, row by row: the largest logit, then exponentials and their sum, then the gradient.
#include "map.h"
#include "scalar-math.h"

namespace KERNELS_NAMESPACE {

constexpr Index kSumRun = 1024;  // exponentials summed in float32 before they join the float64 total

static float largestOf(const float* x, Index count) {
  Vector best[4];
  for (auto& b : best) b = splat(-__builtin_inff());
  Index i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth)
    UNROLL for (int j = 0; j < 4; j++) best[j] = maximum(load(x + i + j * kWidth), best[j]);
  for (; i + kWidth <= count; i += kWidth) best[0] = maximum(load(x + i), best[0]);
  float top = largest(maximum(maximum(best[0], best[1]), maximum(best[2], best[3])));
  for (; i < count; i++) top = x[i] > top ? x[i] : top;
  return top;
}

// Σ exp(x - shift); the terms are left in `terms` if it is not null (it may be x).
static double sumOfExponentials(const float* x, Index count, float shift, float* terms) {
  const auto term = [=](Vector a) { return exp(a - splat(shift)); };
  double total = 0;
  for (Index i = 0; i < count; i += kSumRun) {
    const Index length = smaller(kSumRun, count - i);
    if (terms) {
      map(0, length, terms + i, term, x + i);
      total += double(sumOver(length, [](Vector a) { return a; }, static_cast<const float*>(terms) + i));
    } else {
      total += double(sumOver(length, term, x + i));
    }
  }
  return total;
}

static bool contains(const float* x, Index count, float value) {
  return sumOver(count, [=](Vector a) { return a == splat(value) ? splat(1.0f) : Vector{}; }, x) > 0;
}

Plan softmax_cross_entropy_plan(const float*, const int32_t*, float*, float*, float*, Index rows, Index vocabSize, float) {
  return rowPlan(rows, vocabSize);
}
void softmax_cross_entropy(Work work, const float* logits, const int32_t* targets, float* loss, float* correct, float* dLogits,
                           Index rows, Index vocabSize, float gradientScale) {
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
    if (correct) correct[r] = own == top && !contains(row, target, top) ? 1.0f : 0.0f;  // the first of equals is the argmax
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
