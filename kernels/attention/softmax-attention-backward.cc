// Gradients of exact attention in blocks: the probabilities are recomputed from the stored logSumExp.
//
//   P = exp(scale·Q Kᵀ - logSumExp)   D_i = dO_i · O_i   dS = scale · P ∘ (dO Vᵀ - D)
//   dV = Pᵀ dO                        dQ = dS K          dK = dSᵀ Q
// Where rows are not normalised, logSumExp and D are 0.
//
// All blocks are [queries, keys]. Only a block of keys and values is transposed, once for all the queries that meet the
// block. With enough (sequence, head) pairs to keep the threads busy, a unit is one pair: five products per block of scores.
// With fewer pairs, each pair has units for blocks of dK and dV and units for blocks of dQ: seven products, but no
// shared output.
#include "softmax-attention.h"

namespace KERNELS_NAMESPACE {

namespace {

constexpr Index kRows = 64, kKeys = 64, kRowsPerUnit = 256, kEnoughPairs = 4;

struct Job {
  HeadLayout queries, keys, values, outputs;
  Visibility visibility;
  bool normalise, whole;  // whole: a unit is a (sequence, head) pair
  float scale;
  Index keyUnits, unitsPerPair;

  Job(Index numSequences, Index heads, Index lengthQ, Index lengthK, Index dHead, Index dValue, AttentionLayout layout,
      Visibility visibility, float scale, bool normalise)
      : queries{heads, lengthQ, dHead, layout}, keys{heads, lengthK, dHead, layout}, values{heads, lengthK, dValue, layout},
        outputs{heads, lengthQ, dValue, layout}, visibility(visibility), normalise(normalise), whole(numSequences * heads >= kEnoughPairs), scale(scale),
        keyUnits(blocksOf(lengthK, kKeys)), unitsPerPair(whole ? 1 : keyUnits + blocksOf(lengthQ, kRowsPerUnit)) {}
};

struct Buffers {
  float *deltas, *keysTransposed, *valuesTransposed, *keys, *queries, *dOut, *probabilities, *dScores, *dKeys, *dValues, *dQuery;
  Index bytes;
  Buffers(void* scratch, Index lengthQ, Index dHead, Index dValue) {
    Scratch pieces{(char*)scratch};
    deltas = pieces.floats(lengthQ);
    keysTransposed = pieces.floats(packedPanelsSize(kKeys, dHead));
    valuesTransposed = pieces.floats(packedPanelsSize(kKeys, dValue));
    keys = pieces.floats(kKeys * dHead);
    queries = pieces.floats(kRows * dHead);
    dOut = pieces.floats(kRows * dValue);
    probabilities = pieces.floats(kRows * kKeys);
    dScores = pieces.floats(kRows * kKeys);
    dKeys = pieces.floats(kKeys * dHead);
    dValues = pieces.floats(kKeys * dValue);
    dQuery = pieces.floats(dHead);
    bytes = pieces.used;
  }
};
static_assert(kKeys % kTileColumns == 0);

struct Arrays {
  const float *q, *k, *v, *mask, *out, *logSumExp, *dOut;
  float *dQ, *dK, *dV;
};

// One (sequence, head): its pointers, moved to the sequence's first rows.
struct Pair {
  Sequence sequence;
  const float *q, *k, *v, *mask, *out, *logSumExp, *dOut;
  float *dQ, *dK, *dV;

  Pair(const Job& job, const Arrays& arrays, const Sequence& sequence, Index head) : sequence(sequence) {
    const Index query = job.queries.offset(sequence.batch, head, sequence.queryStart), key = job.keys.offset(sequence.batch, head, sequence.keyStart);
    const Index value = job.values.offset(sequence.batch, head, sequence.keyStart), output = job.outputs.offset(sequence.batch, head, sequence.queryStart);
    q = arrays.q + query;
    dQ = arrays.dQ + query;
    k = arrays.k + key;
    dK = arrays.dK + key;
    v = arrays.v + value;
    dV = arrays.dV + value;
    out = arrays.out + output;
    dOut = arrays.dOut + output;
    logSumExp = arrays.logSumExp + (sequence.batch * job.queries.heads + head) * job.queries.length + sequence.queryStart;
    mask = arrays.mask ? arrays.mask + sequence.batch * job.keys.length + sequence.keyStart : nullptr;
  }
};

// deltas[i] = scale · D_i for queries [first, first + rows).
void computeDeltas(const Job& job, const Pair& pair, Index first, Index rows, const Buffers& buffers) {
  const Index stride = job.outputs.rowStride();
  for (Index i = first; i < first + rows; i++) {
    if (!job.normalise) {
      buffers.deltas[i] = 0;
      continue;
    }
    Vector total{};
    Index x = 0;
    for (; x + kWidth <= job.outputs.width; x += kWidth) total = fma(load(pair.out + i * stride + x), load(pair.dOut + i * stride + x), total);
    float delta = sum(total);
    for (; x < job.outputs.width; x++) delta += pair.out[i * stride + x] * pair.dOut[i * stride + x];
    buffers.deltas[i] = job.scale * delta;
  }
}

void zeroRows(float* rows, Index stride, Index count, Index width) {
  for (Index i = 0; i < count; i++)
    for (Index x = 0; x < width; x++) rows[i * stride + x] = 0;
}

struct KeyBlock {
  Index start, count;
  const float* mask;  // of the block's first key; null: all valid
  const float* keys;  // dense, where dQ is wanted
};

KeyBlock prepareKeys(const Job& job, const Pair& pair, Index start, Index count, const Buffers& buffers) {
  const Index dHead = job.keys.width, dValue = job.values.width, keyStride = job.keys.rowStride(), valueStride = job.values.rowStride();
  packPanels(count, dHead, transposeOf(pair.k + start * keyStride, keyStride), buffers.keysTransposed);
  packPanels(count, dValue, transposeOf(pair.v + start * valueStride, valueStride), buffers.valuesTransposed);
  const float* keys = pair.k + start * keyStride;
  const float* mask = pair.mask ? pair.mask + start : nullptr;
  if (keyStride != dHead || mask) {
    copyRows(keys, keyStride, count, dHead, buffers.keys);
    clearMasked(mask, count, buffers.keys, dHead);
    keys = buffers.keys;
  }
  return {start, count, mask, keys};
}

// probabilities and dScores of queries [row, row + rows): on entry the raw scores and dO Vᵀ. Without
// CHECKED every key is seen.
template <bool CHECKED>
void differentiateSoftmax(const Job& job, const Pair& pair, const KeyBlock& block, Index row, Index rows, const Buffers& buffers) {
  const Vector scale = splat(job.scale), rate = splat(job.scale * kLog2E), most = splat(job.normalise ? 0.0f : 127.0f);
  IntVector lane;
  for (int l = 0; l < kWidth; l++) lane[l] = l;
  for (Index i = 0; i < rows; i++) {
    float *p = buffers.probabilities + i * kKeys, *dS = buffers.dScores + i * kKeys;
    const Vector logSumExp = splat(pair.logSumExp[row + i]), delta = splat(-buffers.deltas[row + i]);
    const SeenKeys keys = CHECKED ? pair.sequence.seenKeys(row + i) : SeenKeys{0, 0, 0};
    const IntVector sinks = IntVector{} + int32_t(keys.sinks - block.start), first = IntVector{} + int32_t(keys.first - block.start),
                    end = IntVector{} + int32_t(keys.end - block.start);
    for (Index x = 0; x < kKeys; x += kWidth) {
      const Vector exponent = minimum(most, (load(p + x) - logSumExp) * rate);
      Vector probability = exp2Bounded(exponent), dScore = probability * fma(load(dS + x), scale, delta);
      if (CHECKED) {
        const IntVector key = lane + int32_t(x);
        IntVector seen = (key < sinks) | ((key >= first) & (key < end));
        if (block.mask) {
          const Index lanes = atLeast(0, atMost(kWidth, block.count - x));
          const Vector valid = lanes == kWidth ? load(block.mask + x) : loadPartial(block.mask + x, int(lanes));
          seen &= valid != Vector{};
        }
        probability = seen ? probability : Vector{};
        dScore = seen ? dScore : Vector{};
      }
      store(p + x, probability);
      store(dS + x, dScore);
    }
  }
}

struct Wanted { bool dQ, dKV; };

// The products of addBlock over the pairs that see each other, row by row. Used where a number of a pair that does not
// see each other may not be finite.
void addSeenPairs(const Job& job, const Pair& pair, const KeyBlock& block, Index row, Index rows, const float* q, const float* dOut,
                  Wanted wanted, const Buffers& buffers) {
  const Index dHead = job.queries.width, dValue = job.values.width, queryStride = job.queries.rowStride();
  const float *p = buffers.probabilities, *dS = buffers.dScores;
  for (Index j = 0; wanted.dKV && j < block.count; j++) {
    const Stretch queries = pair.sequence.queriesSeeing(block.start + j, block.start + j + 1);
    const Index first = atLeast(0, queries.first - row), depth = atMost(rows, queries.end - row) - first, at = first * kKeys + j;
    if (depth <= 0) continue;
    tileMultiply({.rows = 1, .columns = dValue, .depth = depth}, transposeOf(p + at, kKeys),
                 rowsOf(dOut + first * dValue, dValue), {buffers.dValues + j * dValue, dValue}, Mode::add);
    tileMultiply({.rows = 1, .columns = dHead, .depth = depth}, transposeOf(dS + at, kKeys),
                 rowsOf(q + first * dHead, dHead), {buffers.dKeys + j * dHead, dHead}, Mode::add);
  }
  for (Index i = 0; wanted.dQ && i < rows; i++) {
    const SeenKeys seen = pair.sequence.seenKeys(row + i);
    const Index blockEnd = block.start + block.count;
    const Stretch parts[2] = {{block.start, atMost(blockEnd, seen.sinks)}, {atLeast(block.start, seen.first), atMost(blockEnd, seen.end)}};
    Mode mode = Mode::store;
    for (const Stretch& part : parts) {
      const Index first = part.first - block.start;
      tileMultiply({.rows = 1, .columns = dHead, .depth = atLeast(0, part.end - part.first)}, rowMajor(dS + i * kKeys + first, kKeys),
                   rowsOf(block.keys + first * dHead, dHead), {buffers.dQuery, dHead}, mode);
      mode = Mode::carry;
    }
    float* dQ = pair.dQ + (row + i) * queryStride;
    for (Index x = 0; x < dHead; x++) dQ[x] += buffers.dQuery[x];
  }
}

// Adds what queries [row, row + rows), rows <= kRows, and a block of keys give each other.
void addBlock(const Job& job, const Pair& pair, const KeyBlock& block, Index row, Index rows, Wanted wanted, const Buffers& buffers) {
  const Index dHead = job.queries.width, dValue = job.values.width, queryStride = job.queries.rowStride(), outputStride = job.outputs.rowStride();
  const float *q = pair.q + row * queryStride, *dOut = pair.dOut + row * outputStride;
  if (queryStride != dHead) {  // rows far apart share few cache sets
    copyRows(q, queryStride, rows, dHead, buffers.queries);
    copyRows(dOut, outputStride, rows, dValue, buffers.dOut);
    q = buffers.queries;
    dOut = buffers.dOut;
  }
  float *p = buffers.probabilities, *dS = buffers.dScores;
  const Index columns = roundUp(block.count, kTileColumns);
  // As in the forward pass, so that the scores equal those of the forward pass.
  chainedMultiply({.rows = rows, .columns = columns, .depth = dHead}, rowMajor(q, dHead), panelsOf(buffers.keysTransposed, dHead),
                  {p, kKeys});
  tileMultiply({.rows = rows, .columns = columns, .depth = dValue}, rowMajor(dOut, dValue),
               panelsOf(buffers.valuesTransposed, dValue), {dS, kKeys}, Mode::store);
  const bool seenByAll = allSee(pair.sequence.seenKeys(row), pair.sequence.seenKeys(row + rows - 1), block.start, block.start + block.count);
  if (!job.normalise || block.mask || !seenByAll)
    differentiateSoftmax<true>(job, pair, block, row, rows, buffers);
  else
    differentiateSoftmax<false>(job, pair, block, row, rows, buffers);
  if (!seenByAll && !(allFinite(q, dHead, rows, dHead) && allFinite(dOut, dValue, rows, dValue) &&
                    allFinite(block.keys, dHead, block.count, dHead))) {
    addSeenPairs(job, pair, block, row, rows, q, dOut, wanted, buffers);
    return;
  }
  if (wanted.dKV) {
    tileMultiply({.rows = block.count, .columns = dValue, .depth = rows}, transposeOf(p, kKeys), rowsOf(dOut, dValue),
                 {buffers.dValues, dValue}, Mode::add);
    tileMultiply({.rows = block.count, .columns = dHead, .depth = rows}, transposeOf(dS, kKeys), rowsOf(q, dHead),
                 {buffers.dKeys, dHead}, Mode::add);
  }
  if (wanted.dQ)
    tileMultiply({.rows = rows, .columns = dHead, .depth = block.count}, rowMajor(dS, kKeys), rowsOf(block.keys, dHead),
                 {pair.dQ + row * queryStride, queryStride}, Mode::add);
}

// dK and dV of keys [start, start + kKeys). If dQ is wanted, also what these keys add to dQ of every query.
void differentiateKeys(const Job& job, const Pair& pair, Index start, bool wantQ, const Buffers& buffers) {
  const Index count = atMost(kKeys, pair.sequence.keyLength - start), dHead = job.keys.width, dValue = job.values.width;
  zeroRows(buffers.dKeys, dHead, count, dHead);
  zeroRows(buffers.dValues, dValue, count, dValue);
  if (!pair.mask || anyValid(pair.mask + start, count)) {
    const KeyBlock block = prepareKeys(job, pair, start, count, buffers);
    const Stretch queries = pair.sequence.queriesSeeing(start, start + count);
    for (Index row = queries.first; row < queries.end; row += kRows)
      addBlock(job, pair, block, row, atMost(kRows, queries.end - row), {wantQ, true}, buffers);
  }
  if (pair.mask) {
    clearMasked(pair.mask + start, count, buffers.dKeys, dHead);
    clearMasked(pair.mask + start, count, buffers.dValues, dValue);
  }
  for (Index j = 0; j < count; j++) {
    copyRows(buffers.dKeys + j * dHead, dHead, 1, dHead, pair.dK + (start + j) * job.keys.rowStride());
    copyRows(buffers.dValues + j * dValue, dValue, 1, dValue, pair.dV + (start + j) * job.values.rowStride());
  }
}

// dQ of queries [first, first + rows).
void differentiateQueries(const Job& job, const Pair& pair, Index first, Index rows, const Buffers& buffers) {
  const Sequence& sequence = pair.sequence;
  const SeenKeys seen = SeenKeys::ofAny(sequence.seenKeys(first), sequence.seenKeys(first + rows - 1));
  const Stretch stretches[2] = {{0, seen.sinks}, {seen.first, seen.end}};
  for (const Stretch& stretch : stretches) {
    for (Index start = stretch.first; start < stretch.end; start += kKeys) {
      const Index count = atMost(kKeys, stretch.end - start);
      if (pair.mask && !anyValid(pair.mask + start, count)) continue;
      const KeyBlock block = prepareKeys(job, pair, start, count, buffers);
      const Stretch queries = sequence.queriesSeeing(start, start + count);
      for (Index row = first; row < first + rows; row += kRows) {
        const Index blockRows = atMost(kRows, first + rows - row);
        if (queries.first < row + blockRows && queries.end > row) addBlock(job, pair, block, row, blockRows, {true, false}, buffers);
      }
    }
  }
}

}  // namespace

PLAN(softmax_attention_backward) {
  const Job job(numSequences, heads, lengthQ, lengthK, dHead, dValue, layout, {causal, block, sinks}, scale, normalise);
  return {numSequences * heads * job.unitsPerPair, Buffers(nullptr, lengthQ, dHead, dValue).bytes};
}

RUN(softmax_attention_backward) {
  const Job job(numSequences, heads, lengthQ, lengthK, dHead, dValue, layout, {causal, block, sinks}, scale, normalise);
  const Arrays arrays{q, k, v, keyMask, out, logSumExp, dOut, dQ, dK, dV};
  const Buffers buffers(work.scratch, lengthQ, dHead, dValue);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index index = unit / job.unitsPerPair, part = unit % job.unitsPerPair;
    const Pair pair(job, arrays, Sequence(sequences + index / heads * kSequenceColumns, job.visibility), index % heads);
    const Index queryLength = pair.sequence.queryLength, keyLength = pair.sequence.keyLength;
    if (job.whole) {
      computeDeltas(job, pair, 0, queryLength, buffers);
      zeroRows(pair.dQ, job.queries.rowStride(), queryLength, dHead);
      for (Index start = 0; start < keyLength; start += kKeys) differentiateKeys(job, pair, start, true, buffers);
    } else if (part < job.keyUnits) {
      const Index start = part * kKeys;
      if (start >= keyLength) continue;
      computeDeltas(job, pair, 0, queryLength, buffers);
      differentiateKeys(job, pair, start, false, buffers);
    } else {
      const Index first = (part - job.keyUnits) * kRowsPerUnit, rows = atMost(kRowsPerUnit, queryLength - first);
      if (rows <= 0) continue;
      computeDeltas(job, pair, first, rows, buffers);
      zeroRows(pair.dQ + first * job.queries.rowStride(), job.queries.rowStride(), rows, dHead);
      differentiateQueries(job, pair, first, rows, buffers);
    }
  }
}

}  // namespace KERNELS_NAMESPACE
