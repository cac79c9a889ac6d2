// LSH attention of one hash: every chunk of queries attends to the keys of its own and of the previous chunk. The
// result is merged into what earlier hashes left (out, references, sums), relative to each row's largest score so far.
// The last hash divides by the sums. A query that saw nothing gets its own value. A unit is a piece of a (sequence, head)'s
// order.
#include "lsh-attention.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Buffers {
  float *queries, *keys, *panels, *values, *scores, *counts, *factors, *outputs;
  int32_t *queryIds, *keyIds;
  Index bytes;
  Buffers(void* scratch, const LshJob& job) {
    const Index rows = job.chunkLength, keyLanes = 2 * job.lanes, dHead = job.queries.width, dValue = job.values.width;
    Scratch pieces{(char*)scratch};
    queries = pieces.floats(2 * rows * dHead);
    keys = pieces.floats(2 * rows * dHead);
    panels = pieces.floats(packedPanelsSize(2 * rows, dHead));
    values = pieces.floats(2 * rows * dValue);
    scores = pieces.floats(rows * keyLanes);
    counts = pieces.floats(keyLanes);
    factors = pieces.floats(2 * rows);
    outputs = pieces.floats(kWidth * dValue);
    queryIds = (int32_t*)pieces.floats((1 + job.numHashes) * job.lanes);
    keyIds = (int32_t*)pieces.floats((1 + job.numHashes) * keyLanes);
    bytes = pieces.used;
  }
};

struct Row { float reference, sum; };

// Turns the scores of one query into probabilities relative to the largest.
Row softmaxRow(const LshJob& job, const int32_t* queryIds, Index lanes, float* scores, const Buffers& buffers) {
  const Index stride = 2 * job.lanes;
  Vector highest = splat(kMasked), total{};
  for (Index x = 0; x < lanes; x += kWidth) {
    const Vector count = timesSeen(job, queryIds, job.lanes, buffers.keyIds + x, stride);
    store(buffers.counts + x, count);
    highest = maximum(highest, count > Vector{} ? load(scores + x) : splat(kMasked));
  }
  const float reference = largest(highest), rate = job.scale * kLog2E;
  for (Index x = 0; x < lanes; x += kWidth) {
    const Vector count = load(buffers.counts + x);
    Vector p = exp2Bounded((load(scores + x) - splat(reference)) * splat(rate)) / count;
    p = count > Vector{} ? p : Vector{};
    store(scores + x, p);
    total += p;
  }
  return {reference, sum(total)};
}

struct Arrays {
  const float *q, *v;
  float *out, *references, *sums;
};

// The chunk of slots [first, end).
void attendChunk(const LshOrder& order, const Arrays& arrays, Index hash, Index first, Index end, const Buffers& buffers) {
  const LshPair& pair = order.pair;
  const LshJob& job = pair.job;
  const Index dHead = job.queries.width, dValue = job.values.width, rows = end - first;
  const Index start = order.seesPrevious(first) ? order.startOf(first - 1) : first, numKeys = end - start;
  const Index lanes = roundUp(numKeys, kWidth), stride = 2 * job.lanes;
  for (Index j = 0; j < numKeys; j++) {
    const Index position = order.order[start + j];
    blendRow(buffers.queries + j * dHead, arrays.q + pair.queryAt(position), dHead, 0, 1);
    blendRow(buffers.values + j * dValue, arrays.v + pair.valueAt(position), dValue, 0, 1);
  }
  normaliseRows(buffers.queries, numKeys, dHead, buffers.keys, buffers.factors);
  packTransposed(numKeys, dHead, buffers.keys, dHead, buffers.panels);
  gatherIds(order, first, rows, buffers.queryIds, job.lanes);
  gatherIds(order, start, numKeys, buffers.keyIds, stride);
  hideKeys(pair, numKeys, lanes, buffers.keyIds, stride);
  productPacked({.rows = rows, .columns = numKeys, .depth = dHead}, buffers.queries + (first - start) * dHead, buffers.panels,
                {buffers.scores, stride});
  const bool finite = allFinite(buffers.values, dValue, numKeys, dValue);
  Row found[kWidth];
  for (Index i = 0; i < rows; i += kWidth) {
    const Index group = atMost(kWidth, rows - i);
    for (Index l = 0; l < group; l++) found[l] = softmaxRow(job, buffers.queryIds + i + l, lanes, buffers.scores + (i + l) * stride, buffers);
    productOfSeen(finite, {.rows = group, .columns = dValue, .depth = numKeys}, rowMajor(buffers.scores + i * stride, stride),
                  rowsOf(buffers.values, dValue), {buffers.outputs, dValue}, Mode::store);
    for (Index l = 0; l < group; l++) {
      const Index position = buffers.queryIds[i + l];
      float &reference = arrays.references[pair.row + position], &sum = arrays.sums[pair.row + position];
      const float* output = buffers.outputs + l * dValue;
      float before = 0, now = 1, inverse = 1;
      if (hash > 0 && sum > 0) {
        const float higher = reference > found[l].reference ? reference : found[l].reference;
        before = exp2(splat((reference - higher) * job.scale * kLog2E))[0];
        now = exp2(splat((found[l].reference - higher) * job.scale * kLog2E))[0];
        sum = sum * before + found[l].sum * now;
        reference = higher;
      } else {
        sum = found[l].sum;
        reference = sum > 0 ? found[l].reference : 0;
      }
      if (hash == job.numHashes - 1) {
        inverse = sum > 0 ? 1 / sum : 0;
        if (sum == 0 && pair.isValid(position)) {  // the query saw nothing else: its own value
          output = buffers.values + (first - start + i + l) * dValue;
          inverse = 1;
        }
      }
      blendRow(arrays.out + pair.valueAt(position), output, dValue, before * inverse, now * inverse);
    }
  }
}

}  // namespace

PLAN(lsh_attention) {
  const LshJob job(numSequences, batch, heads, length, dHead, dValue, layout, causal, scale, chunkLength, numHashes);
  return {numSequences * heads * job.piecesPerPair, Buffers(nullptr, job).bytes};
}

RUN(lsh_attention) {
  const LshJob job(numSequences, batch, heads, length, dHead, dValue, layout, causal, scale, chunkLength, numHashes);
  const Arrays arrays{q, v, out, references, sums};
  const Buffers buffers(work.scratch, job);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index index = unit / job.piecesPerPair, piece = unit % job.piecesPerPair * job.piece;
    const LshPair pair(job, sequences + index / heads * kSequenceColumns, index % heads, keyMask, order, chunks);
    const LshOrder sorted(pair, hash);
    const Index last = atMost(piece + job.piece, pair.count);
    Index slot = piece;
    while (slot < last && !sorted.isStart(slot)) slot++;
    while (slot < last) {
      const Index end = sorted.endOf(slot);
      attendChunk(sorted, arrays, hash, slot, end, buffers);
      slot = end;
    }
  }
}

}  // namespace KERNELS_NAMESPACE
