// Generated from kernels/description.mjs by scripts/generate-kernels.mjs: change the description, then build.
// The kernels that are not for training alone, in the order of the table.
#pragma once
#define INFERENCE_LIST(X) X(gemm_pack) X(gemm) X(gemv) X(fill) X(add) X(axpy) X(scale) X(scale_rows) X(activation) X(sum_axis) X(strided_copy) X(binary) X(select) X(softmax) X(layer_norm) X(embedding) X(rotary) X(softmax_attention) X(lsh_sort) X(lsh_attention) X(favor_features) X(favor_keys) X(favor_queries) X(favor_causal) X(far_field) X(near_mass) X(favor_step)
