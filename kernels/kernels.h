// Every kernel, one documented line each: the whole boundary between the numeric code and the rest of the project.
//
// Conventions
// - A kernel computes the units [work.first, work.last) of a job; units never share an output element, and what a unit
//   computes depends on neither the number of threads nor the order in which units run.
// - For each kernel K there is a K_plan with the same arguments: it says how many units the job has and how many bytes of
//   scratch one thread needs. Scratch is 64-byte aligned, uninitialised, private to the thread. Kernels allocate nothing.
// - Arrays are dense, row-major float32 unless said otherwise. `nullable` pointers may be null. A pointer never aliases
//   another unless said.
// - Attention arrays: q, out [batch, heads, lengthQ, dHead]; k, v [batch, heads, lengthK, dHead | dValue]; with
//   layout = 1 the axes are [batch, length, heads, d] instead (what a linear layer yields, so no copy is needed).
// - runs: int32 [numRuns, 6] rows {batch, queryStart, queryLength, keyStart, keyLength, offset}: contiguous pieces that
//   attend only within themselves. Unpacked input has one run per batch row; padding shortens a run; packing makes several.
//   Rows of out (and dQ, dK, dV) outside every run are left as they were; callers zero them.
// - causal: query i of a run sees keys j <= i + offset (both counted within the run); offset is any integer.
// - keyMask: nullable float32 [batch, lengthK], 1 = valid, 0 = masked, shared by all heads. A query with no valid key
//   yields zeros.
// - ESTIMATOR stands for the arguments of a kernel estimate K(x, y) = Σ_r φ_r(x) φ_r(y), one for all heads. With
//   x̂ = x·dHead^(-1/4), u = W x̂ + b (b = bias, nullable, [numFeatures]) and D = ‖x̂‖²/2, by map:
//     0 exponential  φ_r = exp(u_r - D), u in nats      1 sine  φ_r = sin(u_r)·exp(D)
//     2 relu, 3 exp, 4 sigmoid, 5 abs, 6 gelu (erf), 7 cos, 8 tanh, 9 identity, 10 elu + 1, 11 square:  φ_r = f(u_r) + epsilon
//   W by form, where feature r has the direction r mod directions (directions = numFeatures if they are not stacked):
//     0 dense     projection = W [numFeatures, dHead]; factors unused
//     1 hadamard  blocks of P rows, P the least power of two >= dHead, the last block cut: u = lengths ∘ (H D_factors … H D_1 x̂),
//                 x̂ padded with zeros to P, H the Walsh–Hadamard matrix with entries ±1 in Sylvester's order;
//                 projection = diagonals D [blocks, factors, P], then lengths [numFeatures]
//     2 givens    blocks of dHead rows, the last block cut: u = lengths ∘ (R_factors … R_1 x̂), where a rotation R takes
//                 (x_i, x_j) to (cos·x_i - sin·x_j, sin·x_i + cos·x_j);
//                 projection = rotations [blocks, factors, 4] rows {i, j, cos, sin}, i and j whole numbers, then lengths
//                 [numFeatures]. No factors and lengths of 1: no projection at all.
// - Results of FAVOR+: weight = 0 divides a row by its sum over the keys (the denominator), to which 2·stabiliser is added where
//   its size is at most stabiliser, in units of the query's own scale; weight > 0 gives weight·Σ_j K(q, k_j) v_j instead. The
//   array denominator keeps what the numerators were divided by, 0 for a query without a valid key. dValue may differ from dHead.
// - FAVOR+ state of one (run, head): sums [numFeatures, dValue + 1] (column dValue is the normaliser), compensation of the
//   same shape (low-order parts of the sums), scales [numFeatures]: integers, stored as float32, in base 2; -inf = no key
//   yet. The true sum is (sums + compensation) · 2^scale. Maps other than the exponential have one scale for all features.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace KERNELS_NAMESPACE {  // one namespace per instruction set, set by the build

typedef ptrdiff_t Index;
struct Plan { Index units, scratchBytes; };
struct Work { Index first, last; void* scratch; };

// KERNEL(name, arguments) declares name(Work, arguments) and name_plan(arguments).
#define KERNEL(name, ...) Plan name##_plan(__VA_ARGS__); void name(Work work, __VA_ARGS__);

#define ESTIMATOR \
  const float *projection, const float *bias, Index numFeatures, Index form, Index factors, Index directions, Index map, float epsilon

// — dense algebra —
// packed panels of op(b) [k, n] for gemm; packed holds gemm_packed_size(n, k) floats per batch entry
Index gemm_packed_size(Index n, Index k);
KERNEL(gemm_pack, const float* b, float* packed, Index n, Index k, Index ldb, Index transposeB, Index batch, Index strideB)
// c[i] = alpha · op(a[i]) op(b[i]) + bias (+ c[i] if accumulate); bias nullable [n]; op(a) [m, k], packedB from gemm_pack (strideB in packed floats, 0 = shared)
KERNEL(gemm, const float* a, const float* packedB, const float* bias, float* c, Index m, Index n, Index k, Index lda, Index ldc, Index transposeA, Index batch, Index strideA, Index strideB, Index strideC, float alpha, Index accumulate)
// the same for few rows (m <= 4, a not transposed), reading b [n, k] (transposeB = 1) or [k, n] (0) once where it lies
KERNEL(gemv, const float* a, const float* b, const float* bias, float* c, Index m, Index n, Index k, Index lda, Index ldb, Index ldc, Index transposeB, float alpha, Index accumulate)

// — elementwise and reductions —
KERNEL(fill, float* x, Index count, float value)                                            // x = value
KERNEL(add, const float* a, const float* b, float* out, Index count)                        // out = a + b; out may alias a or b
KERNEL(axpy, float alpha, const float* x, float* y, Index count)                            // y += alpha · x
KERNEL(multiply, const float* a, const float* b, float* out, Index count)                   // out = a ∘ b; out may alias
KERNEL(scale, const float* x, float* out, Index count, float alpha)                         // out = alpha · x; out may alias x
// out[r] = factors[r mod numFactors] · x[r] over rows of `width`; a factor of 0 gives zeros whatever x holds; out may alias x
KERNEL(scale_rows, const float* x, const float* factors, float* out, Index rows, Index width, Index numFactors)
KERNEL(activation, Index kind, const float* x, float* out, Index count)                     // kind 0 relu, 1 gelu (erf), 2 gelu (tanh form), 3 tanh
KERNEL(activation_backward, Index kind, const float* x, const float* dOut, float* dX, Index count)
KERNEL(column_sum, const float* x, float* out, Index rows, Index columns, Index accumulate) // out[c] (+)= Σ_r x[r, c]
KERNEL(squared_norm, const float* x, double* partials, Index count)                         // one partial per 65,536 elements: Σ x²
// — layer norm over the last axis —
KERNEL(layer_norm, const float* x, const float* gamma, const float* beta, float* out, float* mean, float* inverseDeviation, Index rows, Index width, float epsilon)
KERNEL(layer_norm_backward, const float* x, const float* gamma, const float* mean, const float* inverseDeviation, const float* dOut, float* dX, Index rows, Index width)
KERNEL(layer_norm_backward_parameters, const float* x, const float* mean, const float* inverseDeviation, const float* dOut, float* dGamma, float* dBeta, Index rows, Index width)
// — embedding, positions, dropout, loss, optimizer —
KERNEL(embedding, const float* table, const int32_t* ids, float* out, Index count, Index width)                      // out[i] = table[ids[i]]
KERNEL(embedding_backward, const int32_t* ids, const float* dOut, float* dTable, Index count, Index width)           // dTable[ids[i]] += dOut[i]; units are column blocks
// rotates pairs (x[2i], x[2i+1]) of every head by angle (offset + position)·base^(-2i/dHead); inverse = 1 rotates back; out may alias x
KERNEL(rotary, const float* x, float* out, Index batch, Index heads, Index length, Index dHead, Index layout, Index offset, float base, Index inverse)
// out = x ∘ keep / (1 - rate); element i is kept iff word (i mod 4) of Philox4x32-10(counter = {i div 4 low, i div 4 high, stream, 0}, key = {seedLow, seedHigh}) >= rate·2^32; out may alias x
KERNEL(dropout, const float* x, float* out, Index count, float rate, uint32_t seedLow, uint32_t seedHigh, uint32_t stream)
// loss[r] = -log softmax(logits[r])[targets[r]], dLogits (nullable, may alias logits) = (softmax - onehot) · gradientScale; a negative target gives 0 and zero gradient; correct[r] (nullable) = 1 if the target is the argmax
KERNEL(softmax_cross_entropy, const float* logits, const int32_t* targets, float* loss, float* correct, float* dLogits, Index rows, Index vocabSize, float gradientScale)
// loss[r] = KL(p ‖ q) in nats, p = softmax(targets[r]·inverseTemperature), q that of logits; dLogits (nullable, may alias either) = (q - p)·gradientScale;
// correct[r] (nullable) = 1 if the largest stand at the same place
KERNEL(softmax_kl_divergence, const float* logits, const float* targets, float* loss, float* correct, float* dLogits, Index rows, Index vocabSize, float inverseTemperature, float gradientScale)
// decoupled weight decay: g = gradientScale·gradient; m,v moments; x -= learningRate·(m̂/(√v̂ + epsilon) + weightDecay·x), m̂ = m/correction1, v̂ = v/correction2
KERNEL(adamw, float* x, const float* gradient, float* firstMoment, float* secondMoment, Index count, float learningRate, float beta1, float beta2, float epsilon, float weightDecay, float correction1, float correction2, float gradientScale)

// — exact attention in blocks, never an L×L matrix; logSumExp [batch, heads, lengthQ] in nats of the scaled scores —
// normalise = 0: out = Σ_j exp(scale·q·k_j) v_j, not divided by the row's sum; logSumExp is then 0 (-inf without a valid key)
KERNEL(softmax_attention, const float* q, const float* k, const float* v, const float* keyMask, const int32_t* runs, float* out, float* logSumExp, Index numRuns, Index heads, Index lengthQ, Index lengthK, Index dHead, Index dValue, Index layout, Index causal, float scale, Index normalise)
KERNEL(softmax_attention_backward, const float* q, const float* k, const float* v, const float* keyMask, const int32_t* runs, const float* out, const float* logSumExp, const float* dOut, float* dQ, float* dK, float* dV, Index numRuns, Index heads, Index lengthQ, Index lengthK, Index dHead, Index dValue, Index layout, Index causal, float scale, Index normalise)

// — LSH attention (Reformer): queries serve as keys, at unit length; runs as above with keys = queries and offset 0 —
// order [numHashes, batch, heads, length]: position within its run of every slot of the run's sorted order; chunks, same shape, by
// position: in a hash query i sees key j iff 0 <= chunks[i] - chunks[j] <= 1, j is valid, and j < i (causal) or j != i.
// rotations [numHashes, numRotations, dHead]; bucket = argmax of [R q; -R q], R the first rows: numBuckets/2 if causal, else as many as
// make the least even number of buckets >= valid positions / chunkLength, at most numBuckets (even, <= 2 numRotations)
KERNEL(lsh_sort, const float* q, const float* rotations, const float* keyMask, const int32_t* runs, int32_t* order, int32_t* chunks, Index numRuns, Index batch, Index heads, Index length, Index dHead, Index layout, Index causal, Index numHashes, Index numBuckets, Index numRotations, Index chunkLength)
// one call for each hash, in order: after the last, out = softmax of scale·q·k̂ over the keys that any hash shows, times v; its own value
// for a valid query that sees none; references, sums [batch, heads, length]: the row's largest score and Σ exp(score - reference)
KERNEL(lsh_attention, const float* q, const float* v, const float* keyMask, const int32_t* runs, const int32_t* order, const int32_t* chunks, float* out, float* references, float* sums, Index numRuns, Index batch, Index heads, Index length, Index dHead, Index dValue, Index layout, Index causal, float scale, Index chunkLength, Index numHashes, Index hash)
// likewise one call for each hash; dQ holds the gradient of q in both roles
KERNEL(lsh_attention_backward, const float* q, const float* v, const float* keyMask, const int32_t* runs, const int32_t* order, const int32_t* chunks, const float* out, const float* references, const float* sums, const float* dOut, float* dQ, float* dV, Index numRuns, Index batch, Index heads, Index length, Index dHead, Index dValue, Index layout, Index causal, float scale, Index chunkLength, Index numHashes, Index hash)

// — FAVOR+ —
// features [batch, heads, length, numFeatures]: log φ_r for map 0, in nats; sin(u_r) for map 1; φ_r for the others
KERNEL(favor_features, const float* x, ESTIMATOR, float* out, Index batch, Index heads, Index length, Index dHead, Index layout)
// bidirectional, keys: state of every (run, head): sums, compensation [numRuns, heads, numFeatures, dValue + 1], scales [numRuns, heads, numFeatures]
KERNEL(favor_keys, const float* k, const float* v, const float* keyMask, const int32_t* runs, ESTIMATOR, float* sums, float* compensation, float* scales, Index numRuns, Index heads, Index lengthK, Index dHead, Index dValue, Index layout)
// bidirectional, queries against those states; denominator [batch, heads, lengthQ]
KERNEL(favor_queries, const float* q, const int32_t* runs, ESTIMATOR, const float* sums, const float* compensation, const float* scales, float* out, float* denominator, Index numRuns, Index heads, Index lengthQ, Index dHead, Index dValue, Index layout, float weight, float stabiliser)
KERNEL(favor_backward, const float* q, const float* k, const float* v, const float* keyMask, const int32_t* runs, ESTIMATOR, const float* sums, const float* compensation, const float* scales, const float* out, const float* denominator, const float* dOut, float* dQ, float* dK, float* dV, Index numRuns, Index heads, Index lengthQ, Index lengthK, Index dHead, Index dValue, Index layout, float weight)
// causal, chunked; starts from the given states [numRuns, heads, …] and leaves the states after the run's last key there if updateState (sums, compensation, scales nullable together: start empty, leave nothing)
KERNEL(favor_causal, const float* q, const float* k, const float* v, const float* keyMask, const int32_t* runs, ESTIMATOR, float* sums, float* compensation, float* scales, float* out, float* denominator, float* snapshots, Index numRuns, Index heads, Index lengthQ, Index lengthK, Index dHead, Index dValue, Index layout, Index updateState, float weight, float stabiliser)
// gradients of favor_causal started from empty states, from the snapshots that it left: nullable there, [numRuns, heads, (lengthQ + lengthK) div 1024, numFeatures, dValue + 2], the states {sums, normaliser, scale} before every 1024th key
KERNEL(favor_causal_backward, const float* q, const float* k, const float* v, const float* keyMask, const int32_t* runs, ESTIMATOR, const float* out, const float* denominator, const float* snapshots, const float* dOut, float* dQ, float* dK, float* dV, Index numRuns, Index heads, Index lengthQ, Index lengthK, Index dHead, Index dValue, Index layout, float weight)
// one token: q, k [batch, heads, dHead], v, out [batch, heads, dValue]; updates the states [batch, heads, …] with (k, v), then reads them with q
KERNEL(favor_step, const float* q, const float* k, const float* v, ESTIMATOR, float* sums, float* compensation, float* scales, float* out, Index batch, Index heads, Index dHead, Index dValue, float weight, float stabiliser)

// — measurement: each unit does iterations · 3072 flops in independent multiply-adds x ← x/2 + 1; out[unit] = their limit 2 once iterations >= 4 —
KERNEL(peak, float* out, Index iterations, Index units)

#undef KERNEL

// every kernel, in the order of the table that the bindings expose
#define KERNEL_LIST(X) \
  X(gemm_pack) X(gemm) X(gemv) X(fill) X(add) X(axpy) X(multiply) X(scale) X(scale_rows) X(activation) X(activation_backward) X(column_sum) \
  X(squared_norm) X(layer_norm) X(layer_norm_backward) X(layer_norm_backward_parameters) X(embedding) X(embedding_backward) \
  X(rotary) X(dropout) X(softmax_cross_entropy) X(softmax_kl_divergence) X(adamw) X(softmax_attention) X(softmax_attention_backward) X(lsh_sort) \
  X(lsh_attention) X(lsh_attention_backward) X(favor_features) X(favor_keys) X(favor_queries) X(favor_backward) X(favor_causal) X(favor_causal_backward) X(favor_step) X(peak)

}  // namespace KERNELS_NAMESPACE
