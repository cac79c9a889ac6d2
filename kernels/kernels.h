// The boundary between the numeric code and the rest of the project. Every kernel, with its arguments and the
// conventions of all kernels, is described in description.mjs. The declarations in generated/kernels.h are made from
// that file.
//
// A kernel K is two functions. PLAN(K) says how many units the job has and how many bytes of scratch one thread needs.
// RUN(K) computes the units [work.first, work.last). Both have the described arguments by their names. Scratch is
// 64-byte aligned, uninitialised, private to the thread. Kernels allocate nothing. Pointers that are described as
// optional may be null.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace KERNELS_NAMESPACE {  // one namespace per instruction set, set by the build

typedef ptrdiff_t Index;
struct Plan { Index units, scratchBytes; };
struct Work { Index first, last; void* scratch; };
struct Stretch { Index first, end; };  // of rows

#define PLAN(kernel) Plan kernel##_plan(ARGUMENTS_##kernel)
#define RUN(kernel) void kernel([[maybe_unused]] Work work, ARGUMENTS_##kernel)

// Floats of one packed entry of gemm_pack.
Index gemm_packed_size(Index n, Index k);

}  // namespace KERNELS_NAMESPACE

#include "generated/kernels.h"
