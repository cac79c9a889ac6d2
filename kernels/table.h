// The type-erased kernel table: what a binding needs to run any kernel from an array of doubles.
#pragma once
#include <stddef.h>

// slots holds one double per kernel argument: pointers as addresses, integers and floats as themselves (all exact in a double).
struct KernelEntry {
  const char* name;
  int numArguments;
  void (*plan)(const double* slots, ptrdiff_t* units, ptrdiff_t* scratchBytes);
  void (*run)(const double* slots, ptrdiff_t first, ptrdiff_t last, void* scratch);
};
struct KernelTable {
  const char* instructionSet;
  int numKernels;
  const KernelEntry* entries;
  ptrdiff_t (*gemmPackedSize)(ptrdiff_t n, ptrdiff_t k);
};
