// Generated from kernels/description.mjs by scripts/generate-kernels.mjs: change the description, then build.
#pragma once

namespace KERNELS_NAMESPACE {

constexpr Index kMaxArguments = 36;
constexpr Index kSequenceColumns = 6;
constexpr Index kSnapshotKeys = 256;
constexpr Index kNormBlock = 65536;
constexpr Index kMaxSize = 2147483647;
constexpr Index kMaxHeadWidth = 65536;
constexpr Index kMaxBlock = 16777216;
constexpr Index kMaxAxes = 8;
constexpr Index kMaxIterations = 10000000;
enum class AttentionLayout : Index { bhld, blhd };
enum class UnaryKind : Index { relu, gelu, geluTanh, tanh, exp, log };
enum class BinaryKind : Index { add, subtract, multiply, divide };
enum class FeatureMapKind : Index { exponential, sine, relu, exp, sigmoid, abs, gelu, cos, tanh, identity, eluPlusOne, square };
enum class ProjectionForm : Index { dense, hadamard, givens };

// Packs panels of op(b) [k, n] for gemm; packedSize floats for each entry of the batch.
#define ARGUMENTS_gemm_pack \
  [[maybe_unused]] const float* b, \
  [[maybe_unused]] float* packed, \
  [[maybe_unused]] Index n, \
  [[maybe_unused]] Index k, \
  [[maybe_unused]] Index ldb, \
  [[maybe_unused]] bool transposeB, \
  [[maybe_unused]] Index batch, \
  [[maybe_unused]] Index strideB
PLAN(gemm_pack);
RUN(gemm_pack);

// c[i] = alpha·op(a[i]) op(b[i]) + bias (+ c[i] if accumulate), with op(a) [m, k] and b packed by gemm_pack.
#define ARGUMENTS_gemm \
  [[maybe_unused]] const float* a, \
  [[maybe_unused]] const float* packedB, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] float* c, \
  [[maybe_unused]] Index m, \
  [[maybe_unused]] Index n, \
  [[maybe_unused]] Index k, \
  [[maybe_unused]] Index lda, \
  [[maybe_unused]] Index ldc, \
  [[maybe_unused]] bool transposeA, \
  [[maybe_unused]] Index batch, \
  [[maybe_unused]] Index strideA, \
  [[maybe_unused]] Index strideB, \
  [[maybe_unused]] Index strideC, \
  [[maybe_unused]] float alpha, \
  [[maybe_unused]] bool accumulate
PLAN(gemm);
RUN(gemm);

// The same product for few rows (m ≤ 4, a not transposed): reads b once, without a copy.
#define ARGUMENTS_gemv \
  [[maybe_unused]] const float* a, \
  [[maybe_unused]] const float* b, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] float* c, \
  [[maybe_unused]] Index m, \
  [[maybe_unused]] Index n, \
  [[maybe_unused]] Index k, \
  [[maybe_unused]] Index lda, \
  [[maybe_unused]] Index ldb, \
  [[maybe_unused]] Index ldc, \
  [[maybe_unused]] bool transposeB, \
  [[maybe_unused]] float alpha, \
  [[maybe_unused]] bool accumulate
PLAN(gemv);
RUN(gemv);

// x = value.
#define ARGUMENTS_fill \
  [[maybe_unused]] float* x, \
  [[maybe_unused]] Index count, \
  [[maybe_unused]] float value
PLAN(fill);
RUN(fill);

// out = a + b; out may be the memory of a or b.
#define ARGUMENTS_add \
  [[maybe_unused]] const float* a, \
  [[maybe_unused]] const float* b, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index count
PLAN(add);
RUN(add);

// y += alpha·x.
#define ARGUMENTS_axpy \
  [[maybe_unused]] float alpha, \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] float* y, \
  [[maybe_unused]] Index count
PLAN(axpy);
RUN(axpy);

// out = alpha·x; out may be the memory of x.
#define ARGUMENTS_scale \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index count, \
  [[maybe_unused]] float alpha
PLAN(scale);
RUN(scale);

// out[r] = factors[r mod numFactors]·x[r]; a factor of 0 gives zeros whatever x holds; out may be the memory of x.
#define ARGUMENTS_scale_rows \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] const float* factors, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index rows, \
  [[maybe_unused]] Index width, \
  [[maybe_unused]] Index numFactors
PLAN(scale_rows);
RUN(scale_rows);

// out = f(x).
#define ARGUMENTS_activation \
  [[maybe_unused]] UnaryKind kind, \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index count
PLAN(activation);
RUN(activation);

// dX = dOut ∘ f′(x).
#define ARGUMENTS_activation_backward \
  [[maybe_unused]] UnaryKind kind, \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dX, \
  [[maybe_unused]] Index count
PLAN(activation_backward);
RUN(activation_backward);

// out[o, i] = Σ_l x[o, l, i] (+ out[o, i] if accumulate).
#define ARGUMENTS_sum_axis \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index outer, \
  [[maybe_unused]] Index length, \
  [[maybe_unused]] Index inner, \
  [[maybe_unused]] bool accumulate
PLAN(sum_axis);
RUN(sum_axis);

// Partial sums of x², one for every NORM_BLOCK elements.
#define ARGUMENTS_squared_norm \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] double* partials, \
  [[maybe_unused]] Index count
PLAN(squared_norm);
RUN(squared_norm);

// Moves every element of x to its place in out: x may repeat (stride 0), places in out may not. Integers too, whose bits are kept.
#define ARGUMENTS_strided_copy \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] const int32_t* layout, \
  [[maybe_unused]] Index numAxes, \
  [[maybe_unused]] Index count
PLAN(strided_copy);
RUN(strided_copy);

// out = a ∘ b, out dense; out may be the memory of an array that is dense too.
#define ARGUMENTS_binary \
  [[maybe_unused]] BinaryKind kind, \
  [[maybe_unused]] const float* a, \
  [[maybe_unused]] const float* b, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] const int32_t* layout, \
  [[maybe_unused]] Index numAxes, \
  [[maybe_unused]] Index count
PLAN(binary);
RUN(binary);

// out = condition ≠ 0 ? a : b, out dense; NaN is not 0, and what is not chosen has no effect.
#define ARGUMENTS_select \
  [[maybe_unused]] const float* condition, \
  [[maybe_unused]] const float* a, \
  [[maybe_unused]] const float* b, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] const int32_t* layout, \
  [[maybe_unused]] Index numAxes, \
  [[maybe_unused]] Index count
PLAN(select);
RUN(select);

// Softmax of every row, or its logarithm; out may be the memory of x. NaN, ∞ or nothing but −∞ makes a row NaN.
#define ARGUMENTS_softmax \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index rows, \
  [[maybe_unused]] Index width, \
  [[maybe_unused]] bool isLog
PLAN(softmax);
RUN(softmax);

// The gradient of what softmax gave; a weight of exactly 0 takes no part. dX may be the memory of dOut.
#define ARGUMENTS_softmax_backward \
  [[maybe_unused]] const float* out, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dX, \
  [[maybe_unused]] Index rows, \
  [[maybe_unused]] Index width, \
  [[maybe_unused]] bool isLog
PLAN(softmax_backward);
RUN(softmax_backward);

// Layer norm over the last axis; mean and inverseDeviation are kept for the gradient.
#define ARGUMENTS_layer_norm \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] const float* gamma, \
  [[maybe_unused]] const float* beta, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] float* mean, \
  [[maybe_unused]] float* inverseDeviation, \
  [[maybe_unused]] Index rows, \
  [[maybe_unused]] Index width, \
  [[maybe_unused]] float epsilon
PLAN(layer_norm);
RUN(layer_norm);

// The gradient of the rows.
#define ARGUMENTS_layer_norm_backward \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] const float* gamma, \
  [[maybe_unused]] const float* mean, \
  [[maybe_unused]] const float* inverseDeviation, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dX, \
  [[maybe_unused]] Index rows, \
  [[maybe_unused]] Index width
PLAN(layer_norm_backward);
RUN(layer_norm_backward);

// The gradients of gamma and beta, overwritten.
#define ARGUMENTS_layer_norm_backward_parameters \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] const float* mean, \
  [[maybe_unused]] const float* inverseDeviation, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dGamma, \
  [[maybe_unused]] float* dBeta, \
  [[maybe_unused]] Index rows, \
  [[maybe_unused]] Index width
PLAN(layer_norm_backward_parameters);
RUN(layer_norm_backward_parameters);

// out[i] = table[ids[i]].
#define ARGUMENTS_embedding \
  [[maybe_unused]] const float* table, \
  [[maybe_unused]] const int32_t* ids, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index count, \
  [[maybe_unused]] Index width
PLAN(embedding);
RUN(embedding);

// dTable[ids[i]] += dOut[i].
#define ARGUMENTS_embedding_backward \
  [[maybe_unused]] const int32_t* ids, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dTable, \
  [[maybe_unused]] Index count, \
  [[maybe_unused]] Index width
PLAN(embedding_backward);
RUN(embedding_backward);

// Rotates the pairs (x[2i], x[2i + 1]) of every head by (offset + position)·base^(−2i/dHead), back if inverse; out may be x.
#define ARGUMENTS_rotary \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index batch, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index length, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] Index offset, \
  [[maybe_unused]] float base, \
  [[maybe_unused]] bool inverse
PLAN(rotary);
RUN(rotary);

// out = x ∘ keep/(1 − rate). Element i is kept if word i mod 4 of Philox4x32-10 at counter i div 4 is at least rate·2³². The output may be x.
#define ARGUMENTS_dropout \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index count, \
  [[maybe_unused]] float rate, \
  [[maybe_unused]] uint32_t seedLow, \
  [[maybe_unused]] uint32_t seedHigh, \
  [[maybe_unused]] uint32_t stream
PLAN(dropout);
RUN(dropout);

// loss[r] = −log softmax(logits[r])[targets[r]]; dLogits, which may be logits, = (softmax − onehot)·gradientScale. A negative target gives 0; correct[r] is 1 if the target is the argmax.
#define ARGUMENTS_softmax_cross_entropy \
  [[maybe_unused]] const float* logits, \
  [[maybe_unused]] const int32_t* targets, \
  [[maybe_unused]] float* loss, \
  [[maybe_unused]] float* correct, \
  [[maybe_unused]] float* dLogits, \
  [[maybe_unused]] Index rows, \
  [[maybe_unused]] Index vocabSize, \
  [[maybe_unused]] float gradientScale
PLAN(softmax_cross_entropy);
RUN(softmax_cross_entropy);

// loss[r] = KL(p ‖ q) in nats, p = softmax(targets[r]·inverseTemperature), q that of logits; dLogits, which may be either, = (q − p)·gradientScale.
#define ARGUMENTS_softmax_kl_divergence \
  [[maybe_unused]] const float* logits, \
  [[maybe_unused]] const float* targets, \
  [[maybe_unused]] float* loss, \
  [[maybe_unused]] float* correct, \
  [[maybe_unused]] float* dLogits, \
  [[maybe_unused]] Index rows, \
  [[maybe_unused]] Index vocabSize, \
  [[maybe_unused]] float inverseTemperature, \
  [[maybe_unused]] float gradientScale
PLAN(softmax_kl_divergence);
RUN(softmax_kl_divergence);

// Decoupled weight decay: x −= learningRate·(m̂/(√v̂ + epsilon) + weightDecay·x) with m̂ = m/correction1, v̂ = v/correction2 and the gradient times gradientScale.
#define ARGUMENTS_adamw \
  [[maybe_unused]] float* parameter, \
  [[maybe_unused]] const float* gradient, \
  [[maybe_unused]] float* firstMoment, \
  [[maybe_unused]] float* secondMoment, \
  [[maybe_unused]] Index count, \
  [[maybe_unused]] float learningRate, \
  [[maybe_unused]] float beta1, \
  [[maybe_unused]] float beta2, \
  [[maybe_unused]] float epsilon, \
  [[maybe_unused]] float weightDecay, \
  [[maybe_unused]] float correction1, \
  [[maybe_unused]] float correction2, \
  [[maybe_unused]] float gradientScale
PLAN(adamw);
RUN(adamw);

// Exact attention; logSumExp of the scaled scores, over the scale. Not normalised: out = Σ_j exp(scale·q·k_j) v_j, and logSumExp is 0, −∞ without a valid key.
#define ARGUMENTS_softmax_attention \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] float* logSumExp, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] bool causal, \
  [[maybe_unused]] float scale, \
  [[maybe_unused]] bool normalise, \
  [[maybe_unused]] Index block, \
  [[maybe_unused]] Index sinks
PLAN(softmax_attention);
RUN(softmax_attention);

// Gradients of softmax_attention. out and logSumExp may be those of more keys: far_field.
#define ARGUMENTS_softmax_attention_backward \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* out, \
  [[maybe_unused]] const float* logSumExp, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dQ, \
  [[maybe_unused]] float* dK, \
  [[maybe_unused]] float* dV, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] bool causal, \
  [[maybe_unused]] float scale, \
  [[maybe_unused]] bool normalise, \
  [[maybe_unused]] Index block, \
  [[maybe_unused]] Index sinks
PLAN(softmax_attention_backward);
RUN(softmax_attention_backward);

// Sorts the positions of every sequence by bucket and cuts the order into chunks. A bucket is the argmax of [R q; −R q], where R is the first rows of the rotations. R has numBuckets/2 rows if causal. Otherwise R makes the least even number of buckets ≥ valid positions / chunkLength, at most numBuckets.
#define ARGUMENTS_lsh_sort \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* rotations, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] int32_t* order, \
  [[maybe_unused]] int32_t* chunks, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index batch, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index length, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] bool causal, \
  [[maybe_unused]] Index numHashes, \
  [[maybe_unused]] Index numBuckets, \
  [[maybe_unused]] Index numRotations, \
  [[maybe_unused]] Index chunkLength
PLAN(lsh_sort);
RUN(lsh_sort);

// One call for each hash, in order. After the last call, out is the softmax of scale·q·k̂ over the keys that any hash shows, times v. A valid query that sees no key gets its own value. References and sums are a row’s largest score and Σ exp(score − reference).
#define ARGUMENTS_lsh_attention \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const int32_t* order, \
  [[maybe_unused]] const int32_t* chunks, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] float* references, \
  [[maybe_unused]] float* sums, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index batch, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index length, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] bool causal, \
  [[maybe_unused]] float scale, \
  [[maybe_unused]] Index chunkLength, \
  [[maybe_unused]] Index numHashes, \
  [[maybe_unused]] Index hash
PLAN(lsh_attention);
RUN(lsh_attention);

// One call for each hash; dQ is the gradient of q in both of its roles.
#define ARGUMENTS_lsh_attention_backward \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const int32_t* order, \
  [[maybe_unused]] const int32_t* chunks, \
  [[maybe_unused]] const float* out, \
  [[maybe_unused]] const float* references, \
  [[maybe_unused]] const float* sums, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dQ, \
  [[maybe_unused]] float* dV, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index batch, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index length, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] bool causal, \
  [[maybe_unused]] float scale, \
  [[maybe_unused]] Index chunkLength, \
  [[maybe_unused]] Index numHashes, \
  [[maybe_unused]] Index hash
PLAN(lsh_attention_backward);
RUN(lsh_attention_backward);

// log φ_r for the map exponential, in nats; sin(u_r) for sine; φ_r for the others.
#define ARGUMENTS_favor_features \
  [[maybe_unused]] const float* x, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] FeatureMapKind map, \
  [[maybe_unused]] float epsilon, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index batch, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index length, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] AttentionLayout layout
PLAN(favor_features);
RUN(favor_features);

// Bidirectional, first pass: the state of every (sequence, head) from its keys and values.
#define ARGUMENTS_favor_keys \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] FeatureMapKind map, \
  [[maybe_unused]] float epsilon, \
  [[maybe_unused]] float* sums, \
  [[maybe_unused]] float* compensation, \
  [[maybe_unused]] float* scales, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout
PLAN(favor_keys);
RUN(favor_keys);

// Bidirectional, second pass: the rows of the queries against those states.
#define ARGUMENTS_favor_queries \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] FeatureMapKind map, \
  [[maybe_unused]] float epsilon, \
  [[maybe_unused]] const float* sums, \
  [[maybe_unused]] const float* compensation, \
  [[maybe_unused]] const float* scales, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] float* denominator, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] float weight, \
  [[maybe_unused]] float stabiliser
PLAN(favor_queries);
RUN(favor_queries);

// Gradients of the bidirectional form.
#define ARGUMENTS_favor_backward \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] FeatureMapKind map, \
  [[maybe_unused]] float epsilon, \
  [[maybe_unused]] const float* sums, \
  [[maybe_unused]] const float* compensation, \
  [[maybe_unused]] const float* scales, \
  [[maybe_unused]] const float* out, \
  [[maybe_unused]] const float* denominator, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dQ, \
  [[maybe_unused]] float* dK, \
  [[maybe_unused]] float* dV, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] float weight
PLAN(favor_backward);
RUN(favor_backward);

// Causal, in chunks. Starts from the given states, or from empty states. Leaves the states after the last key there if updateState. For the gradients, snapshots keep {sums, normaliser, scale} before every SNAPSHOT_KEYS-th key.
#define ARGUMENTS_favor_causal \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] FeatureMapKind map, \
  [[maybe_unused]] float epsilon, \
  [[maybe_unused]] float* sums, \
  [[maybe_unused]] float* compensation, \
  [[maybe_unused]] float* scales, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] float* denominator, \
  [[maybe_unused]] float* snapshots, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] bool updateState, \
  [[maybe_unused]] float weight, \
  [[maybe_unused]] float stabiliser
PLAN(favor_causal);
RUN(favor_causal);

// Gradients of favor_causal started from empty states, from the snapshots that it left.
#define ARGUMENTS_favor_causal_backward \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] FeatureMapKind map, \
  [[maybe_unused]] float epsilon, \
  [[maybe_unused]] const float* out, \
  [[maybe_unused]] const float* denominator, \
  [[maybe_unused]] const float* snapshots, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dQ, \
  [[maybe_unused]] float* dK, \
  [[maybe_unused]] float* dV, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] float weight
PLAN(favor_causal_backward);
RUN(favor_causal_backward);

// Adds the far keys before the near field, or after the near field if reverse, to the rows of a near field: out = kept·out + shares·Q′S. The far keys count weight·e^gain·Σ_r φ_r(q) φ_r(k) each, beside the exp(q·k/√dHead) of near keys. The map is exponential. On entry out and logSumExp are those of softmax_attention with scale 1/√dHead; they become those of all keys added so far. State: of the keys before the block before that of position offset; starts from the given states, or from empty states. Leaves there, if updateState, the states that hold for queries after the last key. For the gradients, snapshots keep {sums, normaliser, scale} before every few blocks.
#define ARGUMENTS_far_field \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] const float* gain, \
  [[maybe_unused]] float* sums, \
  [[maybe_unused]] float* compensation, \
  [[maybe_unused]] float* scales, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] float* logSumExp, \
  [[maybe_unused]] float* shares, \
  [[maybe_unused]] float* kept, \
  [[maybe_unused]] float* snapshots, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] Index block, \
  [[maybe_unused]] Index sinks, \
  [[maybe_unused]] bool reverse, \
  [[maybe_unused]] float weight, \
  [[maybe_unused]] bool updateState
PLAN(far_field);
RUN(far_field);

// Adds to the gradients what far_field gives, started from empty states. The snapshots are those that far_field left; out and shares are those of all keys.
#define ARGUMENTS_far_field_backward \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] const float* gain, \
  [[maybe_unused]] const float* out, \
  [[maybe_unused]] const float* shares, \
  [[maybe_unused]] const float* snapshots, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dQ, \
  [[maybe_unused]] float* dK, \
  [[maybe_unused]] float* dV, \
  [[maybe_unused]] float* dGain, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] Index block, \
  [[maybe_unused]] Index sinks, \
  [[maybe_unused]] bool reverse, \
  [[maybe_unused]] float weight
PLAN(far_field_backward);
RUN(far_field_backward);

// The mass of the near field as features estimate it. logMass is the logarithm of weight·Σ_near Σ_r φ_r(q) φ_r(k). Like logSumExp, logMass is divided by the scale 1/√dHead. The map is exponential.
#define ARGUMENTS_near_mass \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] float* logMass, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] bool causal, \
  [[maybe_unused]] Index block, \
  [[maybe_unused]] Index sinks, \
  [[maybe_unused]] float weight
PLAN(near_mass);
RUN(near_mass);

// Adds to the gradients what near_mass gives where the mass splits rows: out = kept·nearOut + the rest, so that logMass has the gradient kept·dOut·(nearOut − out).
#define ARGUMENTS_near_mass_backward \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* keyMask, \
  [[maybe_unused]] const int32_t* sequences, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] const float* nearOut, \
  [[maybe_unused]] const float* out, \
  [[maybe_unused]] const float* kept, \
  [[maybe_unused]] const float* dOut, \
  [[maybe_unused]] float* dQ, \
  [[maybe_unused]] float* dK, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] Index numSequences, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index lengthQ, \
  [[maybe_unused]] Index lengthK, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] AttentionLayout layout, \
  [[maybe_unused]] bool causal, \
  [[maybe_unused]] Index block, \
  [[maybe_unused]] Index sinks, \
  [[maybe_unused]] float weight
PLAN(near_mass_backward);
RUN(near_mass_backward);

// One token for every (batch, head): updates the states with (k, v), then reads them with q.
#define ARGUMENTS_favor_step \
  [[maybe_unused]] const float* q, \
  [[maybe_unused]] const float* k, \
  [[maybe_unused]] const float* v, \
  [[maybe_unused]] const float* projection, \
  [[maybe_unused]] const float* bias, \
  [[maybe_unused]] Index numFeatures, \
  [[maybe_unused]] ProjectionForm form, \
  [[maybe_unused]] Index factors, \
  [[maybe_unused]] Index directions, \
  [[maybe_unused]] FeatureMapKind map, \
  [[maybe_unused]] float epsilon, \
  [[maybe_unused]] float* sums, \
  [[maybe_unused]] float* compensation, \
  [[maybe_unused]] float* scales, \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index batch, \
  [[maybe_unused]] Index heads, \
  [[maybe_unused]] Index dHead, \
  [[maybe_unused]] Index dValue, \
  [[maybe_unused]] float weight, \
  [[maybe_unused]] float stabiliser
PLAN(favor_step);
RUN(favor_step);

// Independent multiply-adds x ← x/2 + 1, 3072·iterations flops in each unit; out is their limit 2 once iterations ≥ 4.
#define ARGUMENTS_peak \
  [[maybe_unused]] float* out, \
  [[maybe_unused]] Index iterations, \
  [[maybe_unused]] Index units
PLAN(peak);
RUN(peak);

// Every kernel, in the order of the table that the bindings expose.
#define KERNEL_LIST(X) X(gemm_pack) X(gemm) X(gemv) X(fill) X(add) X(axpy) X(scale) X(scale_rows) X(activation) X(activation_backward) X(sum_axis) X(squared_norm) X(strided_copy) X(binary) X(select) X(softmax) X(softmax_backward) X(layer_norm) X(layer_norm_backward) X(layer_norm_backward_parameters) X(embedding) X(embedding_backward) X(rotary) X(dropout) X(softmax_cross_entropy) X(softmax_kl_divergence) X(adamw) X(softmax_attention) X(softmax_attention_backward) X(lsh_sort) X(lsh_attention) X(lsh_attention_backward) X(favor_features) X(favor_keys) X(favor_queries) X(favor_backward) X(favor_causal) X(favor_causal_backward) X(far_field) X(far_field_backward) X(near_mass) X(near_mass_backward) X(favor_step) X(peak)

}  // namespace KERNELS_NAMESPACE
