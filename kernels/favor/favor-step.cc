// One token of causal FAVOR+ for every (batch, head): bound by reading the state once, so a dense projection is not packed.
#include "favor-rows.h"
#include "favor/features/favor-vector.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Scratch {
  Estimator estimator;
  VectorProjection projection;  // of the key and of the query
  float *key, *query, *scale, *value, *numerators;  // key, query: u, then features

  Scratch(Arena& arena, const Estimator& e, Index dHead, Index dValue) : estimator(e), projection(arena, e, dHead) {
    const Index padded = roundUp(e.numFeatures, kWidth);
    key = arena.floats(padded);
    query = arena.floats(padded);
    scale = arena.floats(padded);
    value = arena.floats(dValue + 1);
    numerators = arena.floats(dValue + 1);
  }

  // u becomes features, and scale what holds after this key; returns M.
  float exponentialFeatures(const float* before, const HalfNorm& d) {
    const Index numFeatures = estimator.numFeatures;
    const Vector wholeD = splat(d.whole), fraction = splat(d.fraction);
    for (Index r = numFeatures; r % kWidth != 0; r++) query[r] = -kInfinity;
    Vector high = splat(-kInfinity);
    for (Index r = 0; r < numFeatures; r += kWidth) {
      const Index features = smaller(kWidth, numFeatures - r);
      const Vector old = features == kWidth ? load(before + r) : loadPartial(before + r, (int)features);
      const Vector c = maximum(wholeNear(load(key + r) - fraction - wholeD), old);
      store(scale + r, c);
      high = maximum(load(query + r) + c, high);
    }
    const float highest = largest(high);
    const Vector whole = wholeHighest(splat(highest));
    for (Index r = 0; r < numFeatures; r += kWidth) {
      const Vector c = load(scale + r);
      store(key + r, exp2Far(load(key + r) - fraction, -wholeD, c));
      store(query + r, exp2Far(load(query + r), c, whole));
    }
    return highest;
  }
  float mappedFeatures(const float* before, const HalfNorm& d) {
    const Index numFeatures = estimator.numFeatures, padded = roundUp(numFeatures, kWidth);
    const bool hasNorm = estimator.normSign() != 0;
    const float whole = hasNorm ? d.whole : 0, c = *before > whole ? *before : whole;
    fillValue(scale, padded, c);
    float factor = 1;
    if (hasNorm) factor = exp2(splat(d.fraction))[0] * powerOfTwo(whole - c);
    mapFeatures(estimator, key, padded, 1, padded, &factor, key, padded, nullptr);
    mapFeatures(estimator, query, padded, 1, padded, nullptr, query, padded, nullptr);
    return c;
  }
};

// One row of a state: sums·decay += key·value; numerators += query·sums.
inline void addRow(float key, float query, float decay, const float* value, float* sums, float* compensation, float* numerators,
                   Index width) {
  const Vector x = splat(key), y = splat(query), f = splat(decay);
  Index j = 0;
  for (; j + kWidth <= width; j += kWidth) {
    Vector total = load(sums + j) * f, rest = load(compensation + j) * f;
    addCompensated(x * load(value + j), total, rest);
    store(sums + j, total);
    store(compensation + j, rest);
    store(numerators + j, fma(y, total, load(numerators + j)));
  }
  if (const int lanes = (int)(width - j)) {
    Vector total = loadPartial(sums + j, lanes) * f, rest = loadPartial(compensation + j, lanes) * f;
    addCompensated(x * loadPartial(value + j, lanes), total, rest);
    storePartial(sums + j, total, lanes);
    storePartial(compensation + j, rest, lanes);
    storePartial(numerators + j, fma(y, total, loadPartial(numerators + j, lanes)), lanes);
  }
}

}  // namespace

PLAN(favor_step) {
  Arena arena(nullptr);
  Scratch scratch(arena, ESTIMATOR_VALUE, dHead, dValue);
  return {batch * heads, (Index)arena.at};
}

RUN(favor_step) {
  Arena arena(work.scratch);
  Scratch s(arena, ESTIMATOR_VALUE, dHead, dValue);
  const RowRule rule{weight, stabiliser};
  const Index width = dValue + 1;
  for (Index unit = work.first; unit < work.last; unit++) {
    float* rows = s.projection.rows;
    copyRow(rows, k + unit * dHead, dHead);
    copyRow(rows + dHead, q + unit * dHead, dHead);
    copyRow(s.value, v + unit * dValue, dValue);
    s.value[dValue] = 1;
    const HalfNorm d(rows, dHead, kBits, !s.estimator.isExponential());
    if (s.estimator.isExponential() && d.overflows) fillZero(rows, dHead);  // the key is as far as can be: D alone counts
    float* const both[] = {s.key, s.query};
    s.projection.apply(2, both);

    float* scale = scales + unit * numFeatures;
    const float highest = s.estimator.isExponential() ? s.exponentialFeatures(scale, d) : s.mappedFeatures(scale, d);
    fillZero(s.numerators, width);
    for (Index r = 0; r < numFeatures; r++) {
      const float decay = scale[r] == s.scale[r] ? 1 : powerOfTwo(scale[r] - s.scale[r]);
      const Index at = (unit * numFeatures + r) * width;
      addRow(s.key[r], s.query[r], decay, s.value, sums + at, compensation + at, s.numerators, width);
      scale[r] = s.scale[r];
    }
    const int32_t whole = wholeNumbers(splat(highest))[0];
    rule.toDivisors(s.estimator, {q + unit * dHead, dHead}, dHead, 1, &highest, &whole, s.numerators + dValue);
    writeQuotients(s.numerators, width, s.numerators + dValue, 1, dValue, {out + unit * dValue, dValue});
  }
}

}  // namespace KERNELS_NAMESPACE
