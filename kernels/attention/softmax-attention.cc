// Exact attention in blocks with an online softmax (Milakov & Gimelshein 2018; FlashAttention, Dao et al. 2022).
//
// Scores are kept transposed, [keys, queries], in panels of kTileColumns queries. A query's maximum and sum then run
// down a vector lane, and keys and values are read without a copy. The probabilities are already the packed right
// operand of Vᵀ P. Only the queries are transposed, once per unit. A unit is (sequence, head, kQueries queries).
//
// Sequences of a few queries (decoding) are computed row by row instead: every key and value is read once per query.
//
// Scores are subtracted before they meet the scale. A long score times the scale would be rounded, by more than the
// exponential can take.
//
// A lane's maximum moves only when a score exceeds the maximum by kSlack in base 2. Any reference serves as long as
// nothing overflows, and the accumulators are rescaled less often. At the end a row is divided by its sum, or
// multiplied by the exponential of its reference if not normalised.
#include "softmax-attention.h"
#include "vector-math.h"

namespace KERNELS_NAMESPACE {

namespace {

constexpr Index kQueries = 256, kKeys = 64, kFewQueries = 8;
constexpr int kPanel = kTileColumns;
constexpr float kSlack = 8.0f, kLongScore = 8192.0f;

struct Job {
  HeadLayout queries, keys, values, outputs;
  Visibility visibility;
  bool normalise;
  float sign;  // of the scale; applied to the queries
  float size;  // |scale|
  float rate;  // |scale|·log2 e: raw scores times rate are exponents of 2
  Index queryBlocks;

  Job(Index heads, Index lengthQ, Index lengthK, Index dHead, Index dValue, AttentionLayout layout, Visibility visibility,
      float scale, bool normalise)
      : queries{heads, lengthQ, dHead, layout}, keys{heads, lengthK, dHead, layout}, values{heads, lengthK, dValue, layout},
        outputs{heads, lengthQ, dValue, layout}, visibility(visibility), normalise(normalise),
        sign(scale < 0 ? -1.0f : 1.0f), size(scale * sign), rate(size * kLog2E), queryBlocks(blocksOf(lengthQ, kQueries)) {}

  // Over the scale, so that a reference too long for the logarithm to matter is kept to the bit.
  float logSumExp(float reference, float sum, float logOfSum) const {
    if (sum == 0.0f) return -__builtin_inff();
    return !normalise ? 0.0f : sign * float(double(reference) + double(logOfSum) / size);
  }
};

struct Buffers {
  float *queries, *keys, *values, *scores, *outputs, *references, *sums, *column;
  Index bytes;
  Buffers(void* scratch, Index dHead, Index dValue) {
    Scratch pieces{(char*)scratch};
    queries = pieces.floats(kQueries / kPanel * kPanel * dHead);
    outputs = pieces.floats(kQueries / kPanel * kPanel * dValue + kWidth);
    keys = pieces.floats(kKeys * dHead);
    values = pieces.floats(kKeys * dValue);
    scores = pieces.floats(kKeys * kPanel);
    references = pieces.floats(kQueries);
    sums = pieces.floats(kQueries);
    column = pieces.floats(dValue);
    bytes = pieces.used;
  }
};

struct Arrays {
  const float *q, *k, *v, *mask;
  float *out, *logSumExp;
};

// What the lanes of a panel see, in keys counted from a block's first key.
struct Lanes {
  int32_t sinks[kPanel], first[kPanel], end[kPanel];
  Stretch seenByAll;

  Lanes(const Sequence& sequence, Index row, Index count, Index start)
      : seenByAll{sequence.seenKeys(row + count - 1).first - start, sequence.seenKeys(row).end - start} {
    Index blockStart = sequence.startOfBlock(row);
    for (Index lane = 0; lane < kPanel; lane++) {
      const Index own = atMost(row + lane, row + count - 1);
      if (own + sequence.offset == blockStart + sequence.visibility.block) blockStart += sequence.visibility.block;
      const SeenKeys seen = sequence.seenKeys(own, blockStart);
      sinks[lane] = int32_t(seen.sinks - start);
      first[lane] = int32_t(seen.first - start);
      end[lane] = int32_t(seen.end - start);
    }
  }
  IntVector see(Index key, int lane) const {
    const int32_t j = int32_t(key);
    return (at(sinks, lane) > j) | ((at(first, lane) <= j) & (at(end, lane) > j));
  }

 private:
  static IntVector at(const int32_t* x, int lane) { return (IntVector)load((const float*)x + lane); }
};

// Marks scores [numKeys, kPanel] whose key is masked or not seen by the lane; `lanes` is null where all lanes see all keys.
void maskScores(float* scores, Index numKeys, const float* mask, const Lanes* lanes) {
  const Vector masked = splat(kMasked);
  for (Index j = 0; j < numKeys; j++, scores += kPanel) {
    if (mask && mask[j] == 0.0f) {
      for (int x = 0; x < kPanel; x += kWidth) store(scores + x, masked);
    } else if (lanes && !(j >= lanes->seenByAll.first && j < lanes->seenByAll.end)) {
      for (int x = 0; x < kPanel; x += kWidth) store(scores + x, lanes->see(j, x) ? load(scores + x) : masked);
    }
  }
}

// Turns scores [numKeys, kPanel] into probabilities relative to each lane's reference. Moves the references, and sums
// and outputs with them.
template <bool MASKED>
void softmaxPanel(float* scores, Index numKeys, float rate, float* references, float* sums, float* outputs, Index dValue) {
  const Vector slack = splat(kSlack) / splat(rate), rates = splat(rate);
  Vector origin[kTileVectors], total[kTileVectors];
  UNROLL for (int x = 0; x < kTileVectors; x++) {
    Vector even = splat(kMasked), odd = even;
    Index j = 0;
    for (; j + 2 <= numKeys; j += 2) {
      even = maximum(even, load(scores + j * kPanel + x * kWidth));
      odd = maximum(odd, load(scores + (j + 1) * kPanel + x * kWidth));
    }
    if (j < numKeys) even = maximum(even, load(scores + j * kPanel + x * kWidth));
    const Vector highest = maximum(even, odd), reference = load(references + x * kWidth);
    const IntVector rises = highest > reference + slack;
    const Vector moved = rises ? highest : reference;
    origin[x] = moved;
    total[x] = load(sums + x * kWidth);
    if (any(rises)) {
      const Vector factor = exp2Bounded((reference - moved) * rates);
      store(references + x * kWidth, moved);
      total[x] *= factor;
      for (Index i = 0; i < dValue; i++) {
        float* row = outputs + i * kPanel + x * kWidth;
        store(row, load(row) * factor);
      }
    }
  }
  Vector part[kTileVectors] = {};
  for (Index j = 0; j < numKeys; j++, scores += kPanel) {
    UNROLL for (int x = 0; x < kTileVectors; x++) {
      const Vector score = load(scores + x * kWidth);
      Vector p = exp2Bounded((score - origin[x]) * rates);
      if (MASKED) p = score == splat(kMasked) ? Vector{} : p;
      store(scores + x * kWidth, p);
      part[x] += p;
    }
  }
  UNROLL for (int x = 0; x < kTileVectors; x++) store(sums + x * kWidth, total[x] + part[x]);
}

// One vector of lanes: columns of outputs [dValue, kPanel] become rows of out, divided by their sums or times the
// exponential of their reference.
void writeOutputs(const Job& job, const float* outputs, const float* references, const float* sums, Index dValue, float* out, Index rows) {
  const Vector sum = load(sums), inverse = sum == Vector{} ? Vector{} : splat(1.0f) / sum, exponent = load(references) * splat(job.rate);
  const Index stride = job.outputs.rowStride();
  for (Index x = 0; x < dValue; x += kWidth) {
    const Index width = atMost(kWidth, dValue - x);
    Vector square[kWidth];
    for (int i = 0; i < kWidth; i++) square[i] = i < width ? load(outputs + (x + i) * kPanel) : Vector{};
    for (int i = 0; i < width; i++) square[i] = job.normalise ? square[i] * inverse : timesExp2(square[i], exponent);
    transpose(square);
    for (Index i = 0; i < rows; i++) {
      if (width == kWidth) store(out + i * stride + x, square[i]);
      else storePartial(out + i * stride + x, square[i], int(width));
    }
  }
}

struct KeyBlock {
  Index start, count;
  const float *mask, *keys, *values;  // of the block's first key; dense
};

// outputs [dValue, kPanel] += the values of the keys [from, to), each lane by the keys that the lane sees. Used where
// a value that some lane does not see is not finite.
void addSeenValues(const Sequence& sequence, const KeyBlock& block, Index from, Index to, Index dValue, Index row, Index lanes,
                   float* outputs, const Buffers& buffers) {
  for (Index lane = 0; lane < lanes; lane++) {
    const SeenKeys seen = sequence.seenKeys(row + lane);
    const Stretch parts[2] = {{from, atMost(to, seen.sinks)}, {atLeast(from, seen.first), atMost(to, seen.end)}};
    Mode mode = Mode::store;
    for (const Stretch& part : parts) {
      tileMultiply({.rows = dValue, .columns = 1, .depth = atLeast(0, part.end - part.first)},
                   transposeOf(block.values + (part.first - block.start) * dValue, dValue),
                   rowsOf(buffers.scores + (part.first - from) * kPanel + lane, kPanel), {buffers.column, 1}, mode);
      mode = Mode::carry;
    }
    for (Index x = 0; x < dValue; x++) outputs[x * kPanel + lane] += buffers.column[x];
  }
}

// What the keys of a block add to the queries [row, row + kPanel) below `end`.
void attendPanel(const Job& job, const Sequence& sequence, const KeyBlock& block, Index panel, Index row, Index end, const Buffers& buffers) {
  const Index dHead = job.queries.width, dValue = job.values.width, lanes = atMost(kPanel, end - row);
  const SeenKeys first = sequence.seenKeys(row), last = sequence.seenKeys(row + lanes - 1);
  const Index from = block.start < first.sinks ? block.start : atLeast(block.start, first.first);
  const Index to = atMost(block.start + block.count, atLeast(last.sinks, last.end)), numKeys = to - from;
  if (numKeys <= 0) return;
  float* outputs = buffers.outputs + panel * dValue * kPanel;
  float* references = buffers.references + panel * kPanel;
  float* sums = buffers.sums + panel * kPanel;
  const float *queries = buffers.queries + panel * dHead * kPanel, *mask = block.mask ? block.mask + (from - block.start) : nullptr;
  chainedMultiply({.rows = numKeys, .columns = kPanel, .depth = dHead}, rowMajor(block.keys + (from - block.start) * dHead, dHead),
                  panelsOf(queries, dHead), {buffers.scores, kPanel});
  const bool seenByAll = allSee(first, last, from, to);
  if (mask || !seenByAll) {
    const Lanes seen(sequence, row, lanes, from);
    maskScores(buffers.scores, numKeys, mask, seenByAll ? nullptr : &seen);
    softmaxPanel<true>(buffers.scores, numKeys, job.rate, references, sums, outputs, dValue);
  } else {
    softmaxPanel<false>(buffers.scores, numKeys, job.rate, references, sums, outputs, dValue);
  }
  const float* values = block.values + (from - block.start) * dValue;
  if (seenByAll || allFinite(values, dValue, numKeys, dValue)) {
    tileMultiply({.rows = dValue, .columns = kPanel, .depth = numKeys}, transposeOf(values, dValue),
                 panelsOf(buffers.scores, numKeys), {outputs, kPanel}, Mode::add);
  } else {
    addSeenValues(sequence, block, from, to, dValue, row, lanes, outputs, buffers);
  }
}

// Queries [first, first + rows) of a sequence, rows <= kQueries.
void attendBlock(const Job& job, const Arrays& arrays, const Sequence& sequence, Index head, Index first, Index rows, const Buffers& buffers) {
  const Index dHead = job.queries.width, dValue = job.values.width, panels = blocksOf(rows, kPanel);
  const float* q = arrays.q + job.queries.offset(sequence.batch, head, sequence.queryStart + first);
  packPanels(rows, dHead, transposeOf(q, job.queries.rowStride()), buffers.queries);
  if (job.sign < 0)
    for (Index i = 0; i < panels * kPanel * dHead; i++) buffers.queries[i] = -buffers.queries[i];
  for (Index i = 0; i < panels * kPanel; i++) {
    buffers.references[i] = kMasked;
    buffers.sums[i] = 0;
  }
  for (Index i = 0; i < panels * kPanel * dValue; i++) buffers.outputs[i] = 0;

  const float* mask = arrays.mask ? arrays.mask + sequence.batch * job.keys.length + sequence.keyStart : nullptr;
  const SeenKeys seen = SeenKeys::ofAny(sequence.seenKeys(first), sequence.seenKeys(first + rows - 1));
  const Stretch stretches[2] = {{0, seen.sinks}, {seen.first, seen.end}};
  for (const Stretch& stretch : stretches) {
    for (Index start = stretch.first; start < stretch.end; start += kKeys) {
      const Index blockKeys = atMost(kKeys, stretch.end - start);
      const float* blockMask = mask ? mask + start : nullptr;
      if (blockMask && !anyValid(blockMask, blockKeys)) continue;
      const float* k = arrays.k + job.keys.offset(sequence.batch, head, sequence.keyStart + start);
      const float* v = arrays.v + job.values.offset(sequence.batch, head, sequence.keyStart + start);
      if (job.keys.rowStride() != dHead) {  // rows far apart share few cache sets
        copyRows(k, job.keys.rowStride(), blockKeys, dHead, buffers.keys);
        k = buffers.keys;
      }
      if (job.values.rowStride() != dValue || blockMask) {
        copyRows(v, job.values.rowStride(), blockKeys, dValue, buffers.values);
        clearMasked(blockMask, blockKeys, buffers.values, dValue);
        v = buffers.values;
      }
      const Stretch queries = sequence.queriesSeeing(start, start + blockKeys);
      const Index lastPanel = atMost(panels, blocksOf(queries.end - first, kPanel));
      for (Index panel = atLeast(0, (queries.first - first) / kPanel); panel < lastPanel; panel++)
        attendPanel(job, sequence, {start, blockKeys, blockMask, k, v}, panel, first + panel * kPanel, first + rows, buffers);
    }
  }

  float* out = arrays.out + job.outputs.offset(sequence.batch, head, sequence.queryStart + first);
  for (Index i = 0; i < rows; i += kWidth)
    writeOutputs(job, buffers.outputs + i / kPanel * dValue * kPanel + i % kPanel, buffers.references + i, buffers.sums + i, dValue,
                 out + i * job.outputs.rowStride(), atMost(kWidth, rows - i));
  float* logSumExp = arrays.logSumExp + (sequence.batch * job.queries.heads + head) * job.queries.length + sequence.queryStart + first;
  for (Index i = 0; i < rows; i += kWidth) {
    const Vector logs = log(load(buffers.sums + i));
    for (Index lane = 0; lane < atMost(kWidth, rows - i); lane++)
      logSumExp[i + lane] = job.logSumExp(buffers.references[i + lane], buffers.sums[i + lane], logs[lane]);
  }
}

float dot(const float* a, const float* b, Index count) {
  Vector even{}, odd{};
  Index x = 0;
  for (; x + 2 * kWidth <= count; x += 2 * kWidth) {
    even = fma(load(a + x), load(b + x), even);
    odd = fma(load(a + x + kWidth), load(b + x + kWidth), odd);
  }
  if (x + kWidth <= count) {
    even = fma(load(a + x), load(b + x), even);
    x += kWidth;
  }
  odd = fma(loadPartial(a + x, int(count - x)), loadPartial(b + x, int(count - x)), odd);
  return sum(even + odd);
}

// out [width] += Σ_j weights[j] · rows[j]; MASKED: without the rows of weight 0, which no valid key has
template <int VECTORS, bool MASKED>
void addWeighted(const float* weights, Index count, const float* rows, Index stride, float* out) {
  Vector total[VECTORS] = {};
  for (Index j = 0; j < count; j++) {
    if (MASKED && weights[j] == 0.0f) continue;
    UNROLL for (int x = 0; x < VECTORS; x++) total[x] = fma(splat(weights[j]), load(rows + j * stride + x * kWidth), total[x]);
  }
  UNROLL for (int x = 0; x < VECTORS; x++) store(out + x * kWidth, load(out + x * kWidth) + total[x]);
}

template <bool MASKED>
void addWeightedRows(const float* weights, Index count, const float* rows, Index stride, float* out, Index width) {
  Index x = 0;
  for (; x + 4 * kWidth <= width; x += 4 * kWidth) addWeighted<4, MASKED>(weights, count, rows + x, stride, out + x);
  for (; x + kWidth <= width; x += kWidth) addWeighted<1, MASKED>(weights, count, rows + x, stride, out + x);
  for (; x < width; x++) {
    float weighted = 0;
    for (Index j = 0; j < count; j++)
      if (!MASKED || weights[j] != 0.0f) weighted += weights[j] * rows[j * stride + x];
    out[x] += weighted;
  }
}

// One query of a sequence.
void attendRow(const Job& job, const Arrays& arrays, const Sequence& sequence, Index head, Index row, const Buffers& buffers) {
  const Index dHead = job.queries.width, dValue = job.values.width, keyStride = job.keys.rowStride(), valueStride = job.values.rowStride();
  const SeenKeys seen = sequence.seenKeys(row);
  const Stretch stretches[2] = {{0, seen.sinks}, {seen.first, seen.end}};
  const float* q = arrays.q + job.queries.offset(sequence.batch, head, sequence.queryStart + row);
  const float* k = arrays.k + job.keys.offset(sequence.batch, head, sequence.keyStart);
  const float* v = arrays.v + job.values.offset(sequence.batch, head, sequence.keyStart);
  const float* mask = arrays.mask ? arrays.mask + sequence.batch * job.keys.length + sequence.keyStart : nullptr;
  float *scores = buffers.scores, *outputs = buffers.outputs;
  for (Index x = 0; x < dValue; x++) outputs[x] = 0;
  float reference = kMasked, total = 0;
  const Vector rates = splat(job.rate);
  for (const Stretch& stretch : stretches) {
    for (Index start = stretch.first; start < stretch.end; start += kKeys) {
      const Index count = atMost(kKeys, stretch.end - start);
      float highest = kMasked;
      for (Index j = 0; j < count; j++) {
        scores[j] = mask && mask[start + j] == 0.0f ? kMasked : job.sign * dot(q, k + (start + j) * keyStride, dHead);
        highest = scores[j] > highest ? scores[j] : highest;
      }
      for (Index j = count; j < roundUp(count, kWidth); j++) scores[j] = kMasked;
      if (highest == kMasked && mask && !anyValid(mask + start, count)) continue;
      if (highest > reference + kSlack / job.rate) {
        const float factor = exp2Bounded(splat((reference - highest) * job.rate))[0];
        for (Index x = 0; x < dValue; x++) outputs[x] *= factor;
        total *= factor;
        reference = highest;
      }
      Vector part{};
      for (Index j = 0; j < count; j += kWidth) {
        const Vector score = load(scores + j);
        Vector p = exp2Bounded((score - splat(reference)) * rates);
        p = score == splat(kMasked) ? Vector{} : p;
        store(scores + j, p);
        part += p;
      }
      total += sum(part);
      if (mask) addWeightedRows<true>(scores, count, v + start * valueStride, valueStride, outputs, dValue);
      else addWeightedRows<false>(scores, count, v + start * valueStride, valueStride, outputs, dValue);
    }
  }
  // The backward pass adds up scores in a block's order, and the last bits of long scores decide.
  if (job.normalise && total > 0.0f && __builtin_fabsf(reference) * job.rate > kLongScore) {
    attendBlock(job, arrays, sequence, head, row, 1, buffers);
    return;
  }
  const float inverse = total == 0.0f ? 0.0f : 1.0f / total;
  float* out = arrays.out + job.outputs.offset(sequence.batch, head, sequence.queryStart + row);
  for (Index x = 0; x < dValue; x++)
    out[x] = job.normalise ? outputs[x] * inverse : timesExp2(splat(outputs[x]), splat(reference * job.rate))[0];
  arrays.logSumExp[(sequence.batch * job.queries.heads + head) * job.queries.length + sequence.queryStart + row] = job.logSumExp(reference, total, log(splat(total))[0]);
}

}  // namespace

PLAN(softmax_attention) {
  return {numSequences * heads * blocksOf(lengthQ, kQueries), Buffers(nullptr, dHead, dValue).bytes};
}

RUN(softmax_attention) {
  const Job job(heads, lengthQ, lengthK, dHead, dValue, layout, {causal, block, sinks}, scale, normalise);
  const Arrays arrays{q, k, v, keyMask, out, logSumExp};
  const Buffers buffers(work.scratch, dHead, dValue);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Sequence sequence(sequences + unit / (heads * job.queryBlocks) * kSequenceColumns, job.visibility);
    const Index head = unit / job.queryBlocks % heads, blocks = blocksOf(sequence.queryLength, kQueries);
    const Index number = unit % job.queryBlocks;
    if (number >= blocks) continue;
    // causal blocks cost more the later: alternate both ends
    const Index first = (number % 2 ? blocks - 1 - number / 2 : number / 2) * kQueries, rows = atMost(kQueries, sequence.queryLength - first);
    if (sequence.queryLength <= kFewQueries) {
      for (Index row = first; row < first + rows; row++) attendRow(job, arrays, sequence, head, row, buffers);
    } else {
      attendBlock(job, arrays, sequence, head, first, rows, buffers);
    }
  }
}

}  // namespace KERNELS_NAMESPACE
