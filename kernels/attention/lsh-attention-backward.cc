// Gradients of LSH attention through one hash, added to what earlier hashes left; probabilities are recomputed.
//
//   P = exp(scale·q·k̂ - reference) / (sum · N)   D_i = dO_i · O_i   dS = scale · P ∘ (dO Vᵀ - D)
//   dV = Pᵀ dO     dq (as a query) = dS K̂     dk̂ = dSᵀ Q,   dq (as a key) = (dk̂ - (dk̂·k̂) k̂) · k̂/q
// A unit is a piece of a (sequence, head)'s order and owns the rows of its chunks. The keys of a unit meet the queries of
// the next piece's first chunk. The queries of a unit meet the keys of the chunk before. Both neighbours compute these
// two blocks of scores.
#include "lsh-attention.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Buffers {
  float *queries, *dOut, *references, *inverses, *deltas;                           // of a chunk of queries
  float *keys, *keyPanels, *valuePanels, *factors, *rows, *dKeys, *dValues;          // of a chunk of keys
  float *probabilities, *dScores, *dQueries;
  int32_t *queryIds, *keyIds;
  Index bytes;
  Buffers(void* scratch, const LshJob& job) {
    const Index count = job.chunkLength, dHead = job.queries.width, dValue = job.values.width, larger = atLeast(dHead, dValue);
    Scratch pieces{(char*)scratch};
    queries = pieces.floats(count * dHead);
    dOut = pieces.floats(count * dValue);
    references = pieces.floats(count);
    inverses = pieces.floats(count);
    deltas = pieces.floats(count);
    keys = pieces.floats(count * dHead);
    keyPanels = pieces.floats(packedPanelsSize(count, dHead));
    valuePanels = pieces.floats(packedPanelsSize(count, dValue));
    factors = pieces.floats(count);
    rows = pieces.floats(count * larger);
    dKeys = pieces.floats(count * dHead);
    dValues = pieces.floats(count * dValue);
    probabilities = pieces.floats(count * job.lanes);
    dScores = pieces.floats(count * job.lanes);
    dQueries = pieces.floats(count * dHead);
    queryIds = (int32_t*)pieces.floats((1 + job.numHashes) * job.lanes);
    keyIds = (int32_t*)pieces.floats((1 + job.numHashes) * job.lanes);
    bytes = pieces.used;
  }
};

struct Arrays {
  const float *q, *v, *out, *references, *sums, *dOut;
  float *dQ, *dV;
};

void zero(float* x, Index count) {
  for (Index i = 0; i < count; i++) x[i] = 0;
}

void prepareQueries(const LshOrder& order, const Arrays& arrays, Index first, Index count, const Buffers& buffers) {
  const LshPair& pair = order.pair;
  const Index dHead = pair.job.queries.width, dValue = pair.job.values.width;
  gatherIds(order, first, count, buffers.queryIds, pair.job.lanes);
  for (Index i = 0; i < count; i++) {
    const Index position = buffers.queryIds[i], value = pair.valueAt(position);
    const float sum = arrays.sums[pair.row + position];
    blendRow(buffers.queries + i * dHead, arrays.q + pair.queryAt(position), dHead, 0, 1);
    blendRow(buffers.dOut + i * dValue, arrays.dOut + value, dValue, 0, 1);
    buffers.references[i] = arrays.references[pair.row + position];
    buffers.inverses[i] = sum > 0 ? 1 / sum : 0;
    buffers.deltas[i] = dotRows(arrays.out + value, arrays.dOut + value, dValue);
  }
}

void prepareKeys(const LshOrder& order, const Arrays& arrays, Index first, Index count, const Buffers& buffers) {
  const LshPair& pair = order.pair;
  const Index dHead = pair.job.queries.width, dValue = pair.job.values.width, lanes = pair.job.lanes;
  gatherIds(order, first, count, buffers.keyIds, lanes);
  for (Index j = 0; j < count; j++) blendRow(buffers.rows + j * dHead, arrays.q + pair.queryAt(buffers.keyIds[j]), dHead, 0, 1);
  normaliseRows(buffers.rows, count, dHead, buffers.keys, buffers.factors);
  packTransposed(count, dHead, buffers.keys, dHead, buffers.keyPanels);
  for (Index j = 0; j < count; j++) blendRow(buffers.rows + j * dValue, arrays.v + pair.valueAt(buffers.keyIds[j]), dValue, 0, 1);
  packTransposed(count, dValue, buffers.rows, dValue, buffers.valuePanels);
  hideKeys(pair, count, lanes, buffers.keyIds, lanes);
}

// What a chunk of queries and a chunk of keys give each other, both prepared.
void addChunks(const LshOrder& order, const Arrays& arrays, Index numQueries, Index numKeys, bool wantQ, bool wantKV, const Buffers& buffers) {
  const LshPair& pair = order.pair;
  const LshJob& job = pair.job;
  const Index dHead = job.queries.width, dValue = job.values.width, lanes = job.lanes;
  float *p = buffers.probabilities, *dS = buffers.dScores;
  productPacked({.rows = numQueries, .columns = numKeys, .depth = dHead}, buffers.queries, buffers.keyPanels, {p, lanes});
  productPacked({.rows = numQueries, .columns = numKeys, .depth = dValue}, buffers.dOut, buffers.valuePanels, {dS, lanes});
  const Vector rate = splat(job.scale * kLog2E), scale = splat(job.scale);
  for (Index i = 0; i < numQueries; i++) {
    const Vector reference = splat(buffers.references[i]), inverse = splat(buffers.inverses[i]), delta = splat(buffers.deltas[i]);
    for (Index x = 0; x < numKeys; x += kWidth) {
      float *pAt = p + i * lanes + x, *dAt = dS + i * lanes + x;
      const Vector count = timesSeen(job, buffers.queryIds + i, lanes, buffers.keyIds + x, lanes);
      Vector probability = exp2Bounded((load(pAt) - reference) * rate) * inverse / count;
      probability = count > Vector{} ? probability : Vector{};
      store(pAt, probability);
      store(dAt, count > Vector{} ? probability * (load(dAt) - delta) * scale : Vector{});
    }
  }
  if (wantKV) {
    productOfSeen(allFinite(buffers.dOut, dValue, numQueries, dValue), {.rows = numKeys, .columns = dValue, .depth = numQueries},
                  transposeOf(p, lanes), rowsOf(buffers.dOut, dValue), {buffers.dValues, dValue}, Mode::add);
    productOfSeen(allFinite(buffers.queries, dHead, numQueries, dHead), {.rows = numKeys, .columns = dHead, .depth = numQueries},
                  transposeOf(dS, lanes), rowsOf(buffers.queries, dHead), {buffers.dKeys, dHead}, Mode::add);
  }
  if (!wantQ) return;
  productOfSeen(allFinite(buffers.keys, dHead, numKeys, dHead), {.rows = numQueries, .columns = dHead, .depth = numKeys},
                rowMajor(dS, lanes), rowsOf(buffers.keys, dHead), {buffers.dQueries, dHead}, Mode::store);
  for (Index i = 0; i < numQueries; i++) blendRow(arrays.dQ + pair.queryAt(buffers.queryIds[i]), buffers.dQueries + i * dHead, dHead, 1, 1);
}

// What the keys of the chunk [first, end) gain from the queries of their own chunk and the next, and the reverse.
void differentiateKeys(const LshOrder& order, const Arrays& arrays, Index first, Index end, Index owned, const Buffers& buffers) {
  const LshPair& pair = order.pair;
  const Index dHead = pair.job.queries.width, dValue = pair.job.values.width, count = end - first;
  zero(buffers.dKeys, count * dHead);
  zero(buffers.dValues, count * dValue);
  prepareKeys(order, arrays, first, count, buffers);
  prepareQueries(order, arrays, first, count, buffers);
  addChunks(order, arrays, count, count, true, true, buffers);
  if (end < pair.count && order.seesPrevious(end)) {
    const Index next = order.endOf(end) - end;
    prepareQueries(order, arrays, end, next, buffers);
    addChunks(order, arrays, next, count, end < owned, true, buffers);
  }
  for (Index j = 0; j < count; j++) {
    const Index position = order.order[first + j];
    if (!pair.isValid(position)) continue;
    float *key = buffers.keys + j * dHead, *dKey = buffers.dKeys + j * dHead, *dQ = arrays.dQ + pair.queryAt(position);
    blendRow(dQ, dKey, dHead, 1, buffers.factors[j]);
    blendRow(dQ, key, dHead, 1, -buffers.factors[j] * dotRows(key, dKey, dHead));
    blendRow(arrays.dV + pair.valueAt(position), buffers.dValues + j * dValue, dValue, 1, 1);
  }
}

// Before the first hash: a query that saw nothing has the gradient of its own value, every other query none.
void startRows(const LshOrder& order, const Arrays& arrays, Index first, Index end) {
  const LshPair& pair = order.pair;
  for (Index slot = first; slot < end; slot++) {
    const Index position = order.order[slot], value = pair.valueAt(position);
    zero(arrays.dQ + pair.queryAt(position), pair.job.queries.width);
    zero(arrays.dV + value, pair.job.values.width);
    if (arrays.sums[pair.row + position] == 0 && pair.isValid(position)) blendRow(arrays.dV + value, arrays.dOut + value, pair.job.values.width, 1, 1);
  }
}

}  // namespace

PLAN(lsh_attention_backward) {
  const LshJob job(numSequences, batch, heads, length, dHead, dValue, layout, causal, scale, chunkLength, numHashes);
  return {numSequences * heads * job.piecesPerPair, Buffers(nullptr, job).bytes};
}

RUN(lsh_attention_backward) {
  const LshJob job(numSequences, batch, heads, length, dHead, dValue, layout, causal, scale, chunkLength, numHashes);
  const Arrays arrays{q, v, out, references, sums, dOut, dQ, dV};
  const Buffers buffers(work.scratch, job);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index index = unit / job.piecesPerPair, piece = unit % job.piecesPerPair * job.piece;
    const LshPair pair(job, sequences + index / heads * kSequenceColumns, index % heads, keyMask, order, chunks);
    const LshOrder sorted(pair, hash);
    const Index last = atMost(piece + job.piece, pair.count);
    Index slot = piece;
    while (slot < last && !sorted.isStart(slot)) slot++;
    if (slot >= last) continue;
    Index owned = last;  // where the first chunk of the next piece starts
    while (owned < pair.count && !sorted.isStart(owned)) owned++;
    if (hash == 0) startRows(sorted, arrays, slot, owned);
    if (sorted.seesPrevious(slot)) {
      const Index before = sorted.startOf(slot - 1), count = sorted.endOf(slot) - slot;
      prepareKeys(sorted, arrays, before, slot - before, buffers);
      prepareQueries(sorted, arrays, slot, count, buffers);
      addChunks(sorted, arrays, count, slot - before, true, false, buffers);
    }
    while (slot < last) {
      const Index end = sorted.endOf(slot);
      differentiateKeys(sorted, arrays, slot, end, owned, buffers);
      slot = end;
    }
  }
}

}  // namespace KERNELS_NAMESPACE
