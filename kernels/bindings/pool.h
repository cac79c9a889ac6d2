// The native thread pool: threads spin briefly for the next job, so that dispatch costs microseconds, then sleep.
#pragma once
#if defined(__linux__)
#include <malloc.h>
#include <sys/mman.h>
#endif

#include <atomic>
#include <cstdlib>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "job.h"

#if defined(__linux__)
// Large blocks ask for huge pages: with small ones, weights and activations outgrow the processor's table of addresses.
inline void* allocateAligned(size_t bytes) {
  constexpr size_t kHugePage = size_t(2) << 20;
  const bool large = bytes >= kHugePage;
  void* block = nullptr;
  if (posix_memalign(&block, large ? kHugePage : 64, bytes) != 0) return nullptr;
  if (large) madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // a wish: failure changes nothing
  return block;
}
inline void freeAligned(void* block) { free(block); }
inline void trimHeap() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}
#else
inline void* allocateAligned(size_t bytes) {
  return ::operator new(bytes, std::align_val_t(64), std::nothrow);
}
inline void freeAligned(void* block) { ::operator delete(block, std::align_val_t(64)); }
inline void trimHeap() {}
#endif

inline void pauseThread() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;

  ~Pool() {
    stop_.store(true);
    signal_.fetch_add(1);
    signal_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    freeAligned(scratch_);
  }

  // Runs one kernel on up to numThreads threads, this one included; nullptr, or why it could not run.
  const char* run(const KernelEntry& entry, const double* slots, int numThreads) {
    ptrdiff_t units = 0, scratchBytes = 0;
    entry.plan(slots, &units, &scratchBytes);
    if (units <= 0) return nullptr;
    if (units > Job::kMaxUnits) return "a kernel call has more than 2^31 units";
    if (units < numThreads) numThreads = static_cast<int>(units);
    numThreads = start(numThreads);
    ptrdiff_t stride = (scratchBytes + 63) & ~ptrdiff_t(63);
    if (!reserve(stride * numThreads)) return "memory for a kernel's scratch space is exhausted";
    if (numThreads == 1) {
      entry.run(slots, 0, units, scratch_);
      return nullptr;
    }
    job_.open(&entry, slots, units, numThreads, scratch_, stride);
    uint32_t before = finished_.load(std::memory_order_relaxed);
    signal_.fetch_add(1, std::memory_order_release);
    signal_.notify_all();
    if (job_.work(0)) return nullptr;
    awaitChange(finished_, before);
    return nullptr;
  }

 private:
  static constexpr int kSpins = 2000;

  static void awaitChange(std::atomic<uint32_t>& value, uint32_t before) {
    for (int i = 0; i < kSpins; i++) {
      if (value.load(std::memory_order_acquire) != before) return;
      pauseThread();
    }
    while (value.load(std::memory_order_acquire) == before) value.wait(before, std::memory_order_acquire);
  }

  // Sees to it that numThreads - 1 helpers exist; returns how many threads there really are.
  int start(int numThreads) {
    while (static_cast<int>(threads_.size()) < numThreads - 1) {
      int index = static_cast<int>(threads_.size()) + 1;
      uint32_t seen = signal_.load();
      try {
        threads_.emplace_back([this, index, seen] { loop(index, seen); });
      } catch (const std::system_error&) {
        return index;
      }
    }
    return numThreads;
  }

  void loop(int index, uint32_t seen) {
    for (;;) {
      awaitChange(signal_, seen);
      seen = signal_.load(std::memory_order_acquire);
      if (stop_.load()) return;
      if (job_.work(index)) {
        finished_.fetch_add(1, std::memory_order_release);
        finished_.notify_one();
      }
    }
  }

  bool reserve(ptrdiff_t bytes) {
    if (bytes <= scratchBytes_) return true;
    freeAligned(scratch_);
    scratch_ = allocateAligned(static_cast<size_t>(bytes));
    scratchBytes_ = scratch_ ? bytes : 0;
    return scratch_ != nullptr;
  }

  Job job_;
  alignas(64) std::atomic<uint32_t> signal_{0};    // counts jobs opened
  alignas(64) std::atomic<uint32_t> finished_{0};  // counts jobs completed by a helper
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
  void* scratch_ = nullptr;
  ptrdiff_t scratchBytes_ = 0;
};
