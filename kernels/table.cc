// Builds the kernel table of one instruction set; argument lists are read off the generated declarations by template.
// With INFERENCE_ONLY the table lacks the kernels for training, which the linker then leaves out.
#include "table.h"
#include "generated/inference.h"
#include "kernels.h"

namespace KERNELS_NAMESPACE {

template <class T> struct FromSlot { static T get(double slot) { return static_cast<T>(slot); } };
template <class T> struct FromSlot<T*> {
  static T* get(double slot) { return reinterpret_cast<T*>(static_cast<uintptr_t>(slot)); }
};

template <int... I> struct Indices {};
template <int N, int... I> struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I> struct MakeIndices<0, I...> { typedef Indices<I...> Type; };

template <class... A, int... I>
Plan callPlan(Plan (*plan)(A...), const double* slots, Indices<I...>) { return plan(FromSlot<A>::get(slots[I])...); }
template <class... A, int... I>
void callRun(void (*run)(Work, A...), Work work, const double* slots, Indices<I...>) { run(work, FromSlot<A>::get(slots[I])...); }
template <class... A> constexpr int count(void (*)(Work, A...)) { return sizeof...(A); }

#define ENTRY(name)                                                                                              \
  {#name, count(name),                                                                                           \
   [](const double* slots, ptrdiff_t* units, ptrdiff_t* scratchBytes) {                                          \
     Plan plan = callPlan(name##_plan, slots, MakeIndices<count(name)>::Type());                                 \
     *units = plan.units; *scratchBytes = plan.scratchBytes;                                                     \
   },                                                                                                            \
   [](const double* slots, ptrdiff_t first, ptrdiff_t last, void* scratch) {                                     \
     callRun(name, Work{first, last, scratch}, slots, MakeIndices<count(name)>::Type());                         \
   }},

#ifdef INFERENCE_ONLY
static const KernelEntry entries[] = {INFERENCE_LIST(ENTRY)};
#else
static const KernelEntry entries[] = {KERNEL_LIST(ENTRY)};
#endif

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
extern const KernelTable table;
const KernelTable table = {TEXT(KERNELS_NAMESPACE), sizeof entries / sizeof entries[0], entries, gemm_packed_size};

}  // namespace KERNELS_NAMESPACE
