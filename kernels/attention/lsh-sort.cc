// The orders of LSH attention (Kitaev, Kaiser & Levskaya 2020), with hashes by random rotations (Andoni et al. 2015).
// The bucket of a position in a hash is the argmax of [R q; -R q]. Positions are sorted by (bucket, position) by
// counting, then cut into chunks of chunkLength. A unit is (sequence, head, hash).
//
// Masked positions come last, in chunks that no query sees. If causal, chunks are also cut where a bucket ends, and see
// the previous chunk only in the same bucket. What a position sees then depends on no later position.
#include "lsh-attention.h"

namespace KERNELS_NAMESPACE {

namespace {

struct Buffers {
  float *panel, *rotated;
  int32_t* starts;
  Index bytes;
  Buffers(void* scratch, Index dHead, Index numBuckets) {
    Scratch pieces{(char*)scratch};
    panel = pieces.floats(dHead * kTileColumns);
    rotated = pieces.floats(numBuckets / 2 * kTileColumns);
    starts = (int32_t*)pieces.floats(numBuckets + 2);
    bytes = pieces.used;
  }
};

// Buckets of up to kTileColumns positions, one position in a lane.
void hashRows(const float* q, Index stride, Index rows, Index dHead, const float* rotations, Index half, const Buffers& buffers,
              int32_t* buckets) {
  packTransposed(rows, dHead, q, stride, buffers.panel);
  productPacked({.rows = half, .columns = kTileColumns, .depth = dHead}, rotations, buffers.panel, {buffers.rotated, kTileColumns});
  for (Index x = 0; x < rows; x += kWidth) {
    Vector best = load(buffers.rotated + x);
    IntVector bucket{};
    for (Index sign = 0; sign < 2; sign++)
      for (Index r = 0; r < half; r++) {
        const Vector value = load(buffers.rotated + r * kTileColumns + x), candidate = sign ? -value : value;
        bucket = candidate > best ? bucket - bucket + int32_t(sign * half + r) : bucket;
        best = maximum(best, candidate);
      }
    for (Index l = 0; l < kWidth && x + l < rows; l++) buckets[x + l] = bucket[l];
  }
}

}  // namespace

PLAN(lsh_sort) {
  return {numSequences * heads * numHashes, Buffers(nullptr, dHead, numBuckets).bytes};
}

RUN(lsh_sort) {
  const LshJob job(numSequences, batch, heads, length, dHead, 0, layout, causal, 1, chunkLength, numHashes);
  const Buffers buffers(work.scratch, dHead, numBuckets);
  for (Index unit = work.first; unit < work.last; unit++) {
    const Index hash = unit % numHashes, head = unit / numHashes % heads;
    const LshPair pair(job, sequences + unit / (numHashes * heads) * kSequenceColumns, head, keyMask, order, chunks);
    const Index start = pair.row + hash * job.perHash();
    int32_t *sorted = order + start, *ids = chunks + start;
    Index valid = 0;
    for (Index i = 0; i < pair.count; i++) valid += pair.isValid(i);
    const Index buckets = job.causal ? numBuckets : atMost(numBuckets, 2 * blocksOf(atLeast(1, valid), 2 * job.chunkLength));
    for (Index i = 0; i < pair.count; i += kTileColumns)
      hashRows(q + pair.queryAt(i), job.queries.rowStride(), atMost(kTileColumns, pair.count - i), dHead,
               rotations + hash * numRotations * dHead, buckets / 2, buffers, ids + i);

    int32_t* starts = buffers.starts;
    for (Index b = 0; b <= buckets + 1; b++) starts[b] = 0;
    for (Index i = 0; i < pair.count; i++) {
      if (!pair.isValid(i)) ids[i] = int32_t(buckets);
      starts[ids[i] + 1]++;
    }
    for (Index b = 0; b <= buckets; b++) starts[b + 1] += starts[b];
    for (Index i = 0; i < pair.count; i++) sorted[starts[ids[i]]++] = int32_t(i);

    int32_t chunk = 0;
    Index rank = 0, previous = -1;
    for (Index slot = 0; slot < pair.count; slot++, rank++) {
      int32_t& id = ids[sorted[slot]];
      const bool apart = slot > 0 && id != previous && (job.causal || id == buckets);
      previous = id;
      if (apart || rank == job.chunkLength) {
        chunk += apart ? 2 : 1;
        rank = 0;
      }
      id = chunk;
    }
  }
}

}  // namespace KERNELS_NAMESPACE
