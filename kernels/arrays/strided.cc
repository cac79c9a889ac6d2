// Copies, arithmetic and selection over arrays whose axes have any strides, 0 included. NumPy's broadcasting and
// permutations are made of these. Elements are counted in row-major order of the axes. A unit is a chunk of elements,
// walked in stretches of the innermost axis.
#include "map.h"

namespace KERNELS_NAMESPACE {

// Where each of N arrays is at an element. layout has a row {length, strides of the arrays} for each axis, the
// outermost axis first.
template <int N> class Walk {
 public:
  Walk(const int32_t* layout, Index numAxes, Index element) : layout_(layout), last_(numAxes - 1) {
    for (Index axis = last_; axis >= 0; axis--) {
      index_[axis] = element % length(axis);
      element /= length(axis);
      for (int n = 0; n < N; n++) at[n] += index_[axis] * strideOf(axis, n);
    }
  }

  Index at[N] = {};
  Index stride(int n) const { return strideOf(last_, n); }
  // Elements up to the end of the innermost axis.
  Index left() const { return length(last_) - index_[last_]; }
  // Moves ahead by `count` elements, at most left().
  void advance(Index count) {
    step(last_, count);
    for (Index axis = last_; axis > 0 && index_[axis] == length(axis); axis--) {
      step(axis, -length(axis));
      step(axis - 1, 1);
    }
  }

 private:
  Index length(Index axis) const { return layout_[axis * (N + 1)]; }
  Index strideOf(Index axis, int n) const { return layout_[axis * (N + 1) + 1 + n]; }
  void step(Index axis, Index count) {
    index_[axis] += count;
    for (int n = 0; n < N; n++) at[n] += count * strideOf(axis, n);
  }

  const int32_t* layout_;
  Index last_, index_[kMaxAxes];
};

// Calls f(element, count, walk) for the stretches of a unit.
template <int N, class F> static inline void forStretches(Work work, Index count, const int32_t* layout, Index numAxes, F f) {
  Index element = work.first * kElementsPerUnit;
  const Index last = smaller(work.last * kElementsPerUnit, count);
  Walk<N> walk(layout, numAxes, element);
  while (element < last) {
    const Index n = smaller(walk.left(), last - element);
    f(element, n, walk);
    element += n;
    if (element < last) walk.advance(n);
  }
}

static inline Vector loadStrided(const float* p, Index stride, int lanes) {
  if (stride == 1) return lanes == kWidth ? load(p) : loadPartial(p, lanes);
  if (stride == 0) return splat(*p);
  Vector x = {};
  for (int i = 0; i < lanes; i++) x[i] = p[i * stride];
  return x;
}

// A transposition: out is dense along the innermost axis q, x along another axis p. The loops go by squares of kWidth ×
// kWidth. Each square is read along p, turned in registers and written along q.
struct Transposition {
  Index p, lengthP, lengthQ, strideQ, strideP;  // of q in x, of p in out

  static Transposition find(const int32_t* layout, Index numAxes) {
    const int32_t* q = layout + (numAxes - 1) * 3;
    for (Index axis = numAxes - 2; axis >= 0 && q[1] > 1 && q[2] == 1; axis--)
      if (layout[axis * 3 + 1] == 1) return {axis, layout[axis * 3], q[0], q[1], layout[axis * 3 + 2]};
    return {-1, 0, 0, 0, 0};
  }

  void square(const float* x, float* out, Index sizeP, Index sizeQ) const {
    if (sizeP < kWidth || sizeQ < kWidth) {
      for (Index i = 0; i < sizeP; i++)
        for (Index j = 0; j < sizeQ; j++) out[i * strideP + j] = x[j * strideQ + i];
      return;
    }
    Vector rows[kWidth];
    UNROLL for (int j = 0; j < kWidth; j++) rows[j] = load(x + j * strideQ);
    transpose(rows);
    UNROLL for (int i = 0; i < kWidth; i++) store(out + i * strideP, rows[i]);
  }

  void run(Work work, const float* x, float* out, const int32_t* layout, Index numAxes, Index count) const {
    const Index acrossP = divideUp(lengthP, kWidth), acrossQ = divideUp(lengthQ, kWidth);
    const Index squares = count / (lengthP * lengthQ) * acrossP * acrossQ;
    const Index each = divideUp(squares, divideUp(count, kElementsPerUnit)), end = smaller(work.last * each, squares);
    for (Index number = work.first * each; number < end; number++) {
      const Index atQ = number % acrossQ * kWidth, atP = number / acrossQ % acrossP * kWidth;
      Index rest = number / (acrossQ * acrossP), from = atP + atQ * strideQ, to = atP * strideP + atQ;
      for (Index axis = numAxes - 2; axis >= 0; axis--) {
        if (axis == p) continue;
        const int32_t* row = layout + axis * 3;
        from += rest % row[0] * row[1];
        to += rest % row[0] * row[2];
        rest /= row[0];
      }
      square(x + from, out + to, smaller(kWidth, lengthP - atP), smaller(kWidth, lengthQ - atQ));
    }
  }
};

// Numbers are moved, not computed with: they may be the bits of integers.
PLAN(strided_copy) { return chunkPlan(count); }
RUN(strided_copy) {
  const Transposition transposition = Transposition::find(layout, numAxes);
  if (transposition.p >= 0) return transposition.run(work, x, out, layout, numAxes, count);
  forStretches<2>(work, count, layout, numAxes, [=](Index, Index n, const Walk<2>& walk) {
    const Index from = walk.stride(0), to = walk.stride(1);
    const float* source = x + walk.at[0];
    float* target = out + walk.at[1];
    if (from == 1 && to == 1) map(0, n, target, [](Vector a) { return a; }, source);
    else for (Index i = 0; i < n; i++) target[i * to] = source[i * from];
  });
}

template <class F>
static inline void mapStrided(Work work, const float* a, const float* b, float* out, const int32_t* layout, Index numAxes, Index count, F f) {
  forStretches<2>(work, count, layout, numAxes, [=](Index element, Index n, const Walk<2>& walk) {
    const Index strideA = walk.stride(0), strideB = walk.stride(1);
    const float *x = a + walk.at[0], *y = b + walk.at[1];
    float* target = out + element;
    if (strideA == 1 && strideB == 1) return map(0, n, target, f, x, y);
    for (Index i = 0; i < n; i += kWidth) {
      const int lanes = int(smaller(kWidth, n - i));
      const Vector result = f(loadStrided(x + i * strideA, strideA, lanes), loadStrided(y + i * strideB, strideB, lanes));
      if (lanes == kWidth) store(target + i, result);
      else storePartial(target + i, result, lanes);
    }
  });
}

PLAN(binary) { return chunkPlan(count); }
RUN(binary) {
  if (kind == BinaryKind::add) mapStrided(work, a, b, out, layout, numAxes, count, [](Vector x, Vector y) { return x + y; });
  else if (kind == BinaryKind::subtract) mapStrided(work, a, b, out, layout, numAxes, count, [](Vector x, Vector y) { return x - y; });
  else if (kind == BinaryKind::multiply) mapStrided(work, a, b, out, layout, numAxes, count, [](Vector x, Vector y) { return x * y; });
  else mapStrided(work, a, b, out, layout, numAxes, count, [](Vector x, Vector y) { return x / y; });
}

PLAN(select) { return chunkPlan(count); }
RUN(select) {
  forStretches<3>(work, count, layout, numAxes, [=](Index element, Index n, const Walk<3>& walk) {
    const Index strideC = walk.stride(0), strideA = walk.stride(1), strideB = walk.stride(2);
    const float *c = condition + walk.at[0], *x = a + walk.at[1], *y = b + walk.at[2];
    float* target = out + element;
    for (Index i = 0; i < n; i += kWidth) {
      const int lanes = int(smaller(kWidth, n - i));
      const Vector choice = loadStrided(c + i * strideC, strideC, lanes);
      const Vector result = choice != Vector{} ? loadStrided(x + i * strideA, strideA, lanes) : loadStrided(y + i * strideB, strideB, lanes);
      if (lanes == kWidth) store(target + i, result);
      else storePartial(target + i, result, lanes);
    }
  });
}

}  // namespace KERNELS_NAMESPACE
