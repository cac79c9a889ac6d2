// The WebAssembly shim over the kernel table. Memory is imported and managed by the host, which also starts the workers;
// with threads (__wasm_atomics__), every worker runs worker_loop on the same memory.
#include "job.h"
#include "kernels.h"

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

namespace KERNELS_NAMESPACE {
extern const KernelTable table;
}

namespace {
const KernelTable& table = KERNELS_NAMESPACE::table;
alignas(64) double slots[KERNELS_NAMESPACE::kMaxArguments];  // the arguments of the next call
}  // namespace

EXPORT(num_kernels) int numKernels() { return table.numKernels; }
EXPORT(kernel_name) const char* kernelName(int kernel) { return table.entries[kernel].name; }
EXPORT(kernel_arguments) int kernelArguments(int kernel) { return table.entries[kernel].numArguments; }
EXPORT(instruction_set) const char* instructionSet() { return table.instructionSet; }
EXPORT(gemm_packed_size) ptrdiff_t gemmPackedSize(ptrdiff_t n, ptrdiff_t k) { return table.gemmPackedSize(n, k); }
EXPORT(slots_address) double* slotsAddress() { return slots; }

// Scratch that one thread needs for the call in slots.
EXPORT(scratch_bytes) ptrdiff_t scratchBytes(int kernel) {
  ptrdiff_t units = 0, bytes = 0;
  table.entries[kernel].plan(slots, &units, &bytes);
  return bytes;
}

#if defined(__wasm_atomics__)

namespace {
constexpr int kSpins = 10000;
Job job;
alignas(64) int signal = 0;    // counts jobs opened
alignas(64) int finished = 0;  // counts jobs completed by a worker
int stopped = 0, failed = 0;
int mayBlock = 0;

void awaitChange(int* value, int before, bool block) {
  for (int i = 0; i < kSpins || !block; i++)
    if (__atomic_load_n(value, __ATOMIC_ACQUIRE) != before) return;
  while (__atomic_load_n(value, __ATOMIC_ACQUIRE) == before) __builtin_wasm_memory_atomic_wait32(value, before, -1);
}

void change(int* value) {
  __atomic_add_fetch(value, 1, __ATOMIC_RELEASE);
  __builtin_wasm_memory_atomic_notify(value, 0xffffffffu);
}
}  // namespace

// Whether the calling thread may sleep: a page's main thread must spin instead.
EXPORT(set_may_block) void setMayBlock(int value) { mayBlock = value; }

// Runs the call in slots; scratch holds numThreads pieces of scratchStride bytes. False if a worker failed.
EXPORT(call) bool call(int kernel, int numThreads, void* scratch, ptrdiff_t scratchStride) {
  const KernelEntry& entry = table.entries[kernel];
  ptrdiff_t units = 0, bytes = 0;
  entry.plan(slots, &units, &bytes);
  if (units < numThreads) numThreads = units;
  if (numThreads <= 1) {
    if (units > 0) entry.run(slots, 0, units, scratch);
    return true;
  }
  job.open(&entry, slots, units, numThreads, scratch, scratchStride);
  int before = __atomic_load_n(&finished, __ATOMIC_RELAXED);
  change(&signal);
  if (!job.work(0)) awaitChange(&finished, before, mayBlock);
  return !__atomic_load_n(&failed, __ATOMIC_ACQUIRE);
}

// A worker's life: `index` counts from 1. Returns after stop().
EXPORT(worker_loop) void workerLoop(int index) {
  // A job opened before the worker came is finished without it, so the first signal to wait for is the next one.
  int seen = __atomic_load_n(&signal, __ATOMIC_ACQUIRE);
  for (;;) {
    awaitChange(&signal, seen, true);
    seen = __atomic_load_n(&signal, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&stopped, __ATOMIC_ACQUIRE)) return;
    if (job.work(index)) change(&finished);
  }
}

// Called for a worker that trapped: its unit will never complete, so the calling thread must not wait for it.
EXPORT(abandon) void abandon() {
  __atomic_store_n(&failed, 1, __ATOMIC_RELEASE);
  change(&finished);
}

EXPORT(stop) void stop() {
  __atomic_store_n(&stopped, 1, __ATOMIC_RELEASE);
  change(&signal);
}

#else

EXPORT(call) bool call(int kernel, int, void* scratch, ptrdiff_t) {
  const KernelEntry& entry = table.entries[kernel];
  ptrdiff_t units = 0, bytes = 0;
  entry.plan(slots, &units, &bytes);
  if (units > 0) entry.run(slots, 0, units, scratch);
  return true;
}

#endif
