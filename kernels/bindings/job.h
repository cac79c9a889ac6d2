// One parallel job at a time: its units are handed out to whichever thread asks, by compare-and-swap on a ticket. Shared by
// both bindings, which differ only in how threads sleep and wake.
#pragma once
#include <stdint.h>

#include "table.h"

class Job {
 public:
  // Publishes a job; the previous one must be complete. scratch holds numThreads pieces of scratchStride bytes.
  void open(const KernelEntry* entry, const double* slots, ptrdiff_t units, int numThreads, void* scratch,
            ptrdiff_t scratchStride) {
    // Closing first voids the ticket that a late thread may hold while it reads the fields written below.
    uint64_t previous = __atomic_load_n(&ticket_, __ATOMIC_RELAXED);
    __atomic_exchange_n(&ticket_, previous | kClosed, __ATOMIC_ACQ_REL);
    entry_ = entry;
    slots_ = slots;
    scratch_ = static_cast<char*>(scratch);
    scratchStride_ = scratchStride;
    completed_ = 0;
    // Large jobs are handed out by the chunk, small enough to balance the threads.
    uint32_t chunk = static_cast<uint32_t>(units / (numThreads * 8));
    __atomic_store_n(&units_, static_cast<uint32_t>(units), __ATOMIC_RELAXED);
    __atomic_store_n(&chunk_, chunk > 0 ? chunk : 1u, __ATOMIC_RELAXED);
    __atomic_store_n(&numThreads_, numThreads, __ATOMIC_RELAXED);
    __atomic_store_n(&ticket_, ((previous >> 32) + 1) << 32, __ATOMIC_RELEASE);
  }

  // Works on the open job until no unit is left to take; true for the one thread that completed the job.
  bool work(int thread) {
    for (;;) {
      uint64_t ticket = __atomic_load_n(&ticket_, __ATOMIC_ACQUIRE);
      uint32_t first = static_cast<uint32_t>(ticket);
      uint32_t units = __atomic_load_n(&units_, __ATOMIC_RELAXED);
      uint32_t chunk = __atomic_load_n(&chunk_, __ATOMIC_RELAXED);
      if (first >= units || thread >= __atomic_load_n(&numThreads_, __ATOMIC_RELAXED)) return false;
      uint32_t last = units - first > chunk ? first + chunk : units;
      if (!__atomic_compare_exchange_n(&ticket_, &ticket, (ticket & ~uint64_t(kClosed)) | last, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED))
        continue;
      // A taken unit keeps the job open, so the other fields hold still.
      entry_->run(slots_, first, last, scratch_ + thread * scratchStride_);
      if (__atomic_add_fetch(&completed_, last - first, __ATOMIC_ACQ_REL) == units) return true;
    }
  }

  static constexpr ptrdiff_t kMaxUnits = 0x7fffffff;

 private:
  static constexpr uint32_t kClosed = 0xffffffffu;

  // High half: the number of the job. Low half: its next unit, kClosed while no job is open.
  alignas(64) uint64_t ticket_ = kClosed;
  alignas(64) uint32_t completed_ = 0;
  alignas(64) const KernelEntry* entry_ = nullptr;
  const double* slots_ = nullptr;
  char* scratch_ = nullptr;
  ptrdiff_t scratchStride_ = 0;
  uint32_t units_ = 0;
  uint32_t chunk_ = 1;
  int numThreads_ = 0;
};
