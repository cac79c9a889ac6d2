#include "favor-map.h"
#include "vector-math.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Arguments {
  const float* u;
  Index ldu, rows, columns;
  const float* rowFactors;
  float* values;
  Index ldValues;
  float *slopes, epsilon;
};

// f(u, slope) returns the value and sets the slope, which is optimised away where nobody asks for it.
template <class F> void loop(const Arguments& a, F f) {
  const Vector epsilon = splat(a.epsilon);
  for (Index i = 0; i < a.rows; i++) {
    const Vector factor = splat(a.rowFactors ? a.rowFactors[i] : 1.0f);
    const float* u = a.u + i * a.ldu;
    float* values = a.values + i * a.ldValues;
    if (a.slopes) {
      float* slopes = a.slopes + i * a.ldValues;
      for (Index j = 0; j < a.columns; j += kWidth) {
        Vector slope;
        const Vector value = f(load(u + j), slope);
        store(values + j, (value + epsilon) * factor);
        store(slopes + j, slope * factor);
      }
    } else {
      for (Index j = 0; j < a.columns; j += kWidth) {
        Vector slope;
        store(values + j, (f(load(u + j), slope) + epsilon) * factor);
      }
    }
  }
}

}  // namespace

void mapFeatures(const Estimator& estimator, const float* u, Index ldu, Index rows, Index columns, const float* rowFactors,
                 float* values, Index ldValues, float* slopes) {
  const Vector zero = {}, one = splat(1.0f);
  Arguments a{u, ldu, rows, columns, rowFactors, values, ldValues, slopes, estimator.epsilon};
  switch (estimator.map) {
    case FeatureMapKind::exponential:
      return;  // favor-tile.h's
    case FeatureMapKind::sine:
      a.epsilon = 0;
      return loop(a, [](Vector x, Vector& slope) { return sinCos(x, slope); });
    case FeatureMapKind::relu:
      return loop(a, [=](Vector x, Vector& slope) { return slope = x > zero ? one : zero, maximum(zero, x); });
    case FeatureMapKind::exp:
      return loop(a, [](Vector x, Vector& slope) { return slope = exp(x); });
    case FeatureMapKind::sigmoid:
      return loop(a, [](Vector x, Vector& slope) { return sigmoid(x, slope); });
    case FeatureMapKind::abs:
      return loop(a, [=](Vector x, Vector& slope) { return slope = x > zero ? one : x < zero ? -one : zero, maximum(x, -x); });
    case FeatureMapKind::gelu:
      return loop(a, [=](Vector x, Vector& slope) { return slope = geluBackward(x, one), gelu(x); });
    case FeatureMapKind::cos:
      return loop(a, [](Vector x, Vector& slope) {
        Vector cosine;
        slope = -sinCos(x, cosine);
        return cosine;
      });
    case FeatureMapKind::tanh:
      return loop(a, [](Vector x, Vector& slope) { return tanh(x, slope); });
    case FeatureMapKind::identity:
      return loop(a, [=](Vector x, Vector& slope) { return slope = one, x; });
    case FeatureMapKind::eluPlusOne:
      return loop(a, [=](Vector x, Vector& slope) {
        const Vector power = exp(minimum(x, zero));
        slope = x > zero ? one : power;
        return x > zero ? x + one : power;
      });
    case FeatureMapKind::square:
      return loop(a, [](Vector x, Vector& slope) { return slope = x + x, x * x; });
  }
}

}  // namespace KERNELS_NAMESPACE
