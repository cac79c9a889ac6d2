// One token of causal FAVOR+ for every (batch, head): bound by reading the state once, so nothing is packed.
#include "favor-tile.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Scratch {
  float *key, *query, *keyU, *queryU, *scale, *value, *numerators;
  Scratch(Arena& arena, Index dHead, Index dValue, Index numFeatures) {
    const Index padded = roundUp(numFeatures, kWidth);
    key = arena.floats(dHead);
    query = arena.floats(dHead);
    keyU = arena.floats(padded);
    queryU = arena.floats(padded);
    scale = arena.floats(padded);
    value = arena.floats(dValue + 1);
    numerators = arena.floats(dValue + 1);
  }
};

// u = W x + b·unit for kWidth features at a time; x already scaled.
void project(const float* projection, const float* bias, const float* x, float* u, Index dHead, Index numFeatures) {
  for (Index r = 0; r < numFeatures; r += kWidth) {
    const int valid = (int)smaller(kWidth, numFeatures - r);
    Vector products[kWidth];
    for (int i = 0; i < kWidth; i++) {
      Vector total = {};
      if (i < valid) {
        const float* row = projection + (r + i) * dHead;
        Index c = 0;
        for (; c + kWidth <= dHead; c += kWidth) total = fma(load(row + c), load(x + c), total);
        if (c < dHead) total = fma(loadPartial(row + c, (int)(dHead - c)), loadPartial(x + c, (int)(dHead - c)), total);
      }
      products[i] = total;
    }
    Vector b = {};
    if (bias) b = valid == kWidth ? load(bias + r) : loadPartial(bias + r, valid);
    store(u + r, fma(b, splat(kLog2E), sumAcross(products)));
  }
}

}  // namespace

Plan favor_step_plan(const float*, const float*, const float*, const float*, const float*, Index numFeatures, Index, Index, Index, Index, float,
                     float*, float*, float*, float*, Index batch, Index heads, Index dHead, Index dValue, float, float) {
  Arena arena(nullptr);
  Scratch scratch(arena, dHead, dValue, numFeatures);
  return {batch * heads, (Index)arena.at};
}

void favor_step(Work work, const float* q, const float* k, const float* v, ESTIMATOR, float* sums, float* compensation, float* scales,
                float* out, Index batch, Index heads, Index dHead, Index dValue, float weight, float stabiliser) {
  (void)batch, (void)heads, (void)form, (void)factors, (void)directions, (void)map, (void)epsilon, (void)weight, (void)stabiliser;
  Arena arena(work.scratch);
  Scratch s(arena, dHead, dValue, numFeatures);
  const double root = __builtin_sqrt((double)dHead);
  const float scaling = (float)(kBits / __builtin_sqrt(root));
  const Index width = dValue + 1;
  for (Index unit = work.first; unit < work.last; unit++) {
    copyRow(s.key, k + unit * dHead, dHead);
    copyRow(s.query, q + unit * dHead, dHead);
    copyRow(s.value, v + unit * dValue, dValue);
    s.value[dValue] = 1;
    const HalfNorm d(s.key, dHead, kBits);
    const Vector wholeD = splat(d.whole), fraction = splat(d.fraction);
    scaleRow(s.key, dHead, scaling);
    scaleRow(s.query, dHead, scaling);
    project(projection, bias, s.key, s.keyU, dHead, numFeatures);
    project(projection, bias, s.query, s.queryU, dHead, numFeatures);
    for (Index r = numFeatures; r % kWidth != 0; r++) s.queryU[r] = -kInfinity;

    float* scale = scales + unit * numFeatures;
    Vector high = splat(-kInfinity);
    for (Index r = 0; r < numFeatures; r += kWidth) {
      const Index features = smaller(kWidth, numFeatures - r);
      const Vector before = features == kWidth ? load(scale + r) : loadPartial(scale + r, (int)features);
      const Vector c = maximum(wholeNear(load(s.keyU + r) - fraction - wholeD), before);
      store(s.scale + r, c);
      high = maximum(load(s.queryU + r) + c, high);
    }
    const IntVector highest = wholeNumbers(splat(largest(high)));

    fillZero(s.numerators, width);
    for (Index block = 0; block < numFeatures; block += kWidth) {
      const Index features = smaller(kWidth, numFeatures - block);
      const Vector before = features == kWidth ? load(scale + block) : loadPartial(scale + block, (int)features);
      const Vector c = load(s.scale + block);
      const Vector key = exp2Shifted(load(s.keyU + block) - fraction, kShiftOrigin - wholeNumbers(wholeD) - wholeNumbers(c));
      const Vector query = exp2Shifted(load(s.queryU + block), kShiftOrigin + wholeNumbers(c) - highest);
      for (Index i = 0; i < features; i++) {
        const Index r = block + i;
        const float factor = before[i] == c[i] ? 1 : powerOfTwo(before[i] - c[i]);
        const Vector x = splat(key[i]), y = splat(query[i]), f = splat(factor);
        float *sum = sums + (unit * numFeatures + r) * width, *low = compensation + (unit * numFeatures + r) * width;
        Index j = 0;
        for (; j + kWidth <= width; j += kWidth) {
          Vector total = load(sum + j) * f, rest = load(low + j) * f;
          addCompensated(x * load(s.value + j), total, rest);
          store(sum + j, total);
          store(low + j, rest);
          store(s.numerators + j, fma(y, total, load(s.numerators + j)));
        }
        if (const int lanes = (int)(width - j)) {
          Vector total = loadPartial(sum + j, lanes) * f, rest = loadPartial(low + j, lanes) * f;
          addCompensated(x * loadPartial(s.value + j, lanes), total, rest);
          storePartial(sum + j, total, lanes);
          storePartial(low + j, rest, lanes);
          storePartial(s.numerators + j, fma(y, total, loadPartial(s.numerators + j, lanes)), lanes);
        }
        scale[r] = c[i];
      }
    }
    writeQuotients(s.numerators, width, s.numerators + dValue, 1, dValue, {out + unit * dValue, dValue});
  }
}

}  // namespace KERNELS_NAMESPACE
