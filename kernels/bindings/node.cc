// The Node-API shim over the kernel tables: memory by address, one call for every kernel.
#include <node_api.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "pool.h"

#if defined(__x86_64__)
#define INSTRUCTION_SETS(X) X(avx512) X(avx2) X(sse2)  // best first
#elif defined(__aarch64__)
#define INSTRUCTION_SETS(X) X(neon)
#else
#error "the native addon knows x86-64 and arm64; other processors use the WebAssembly kernels"
#endif

#define DECLARE_TABLE(set) \
  namespace set {          \
  extern const KernelTable table; \
  }
INSTRUCTION_SETS(DECLARE_TABLE)

namespace {

bool supported(const char* set) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!strcmp(set, "avx512"))
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma");
  if (!strcmp(set, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  (void)set;
  return true;
}

// The best supported table, or the one that PERFORMERS_INSTRUCTION_SET names; nullptr if the processor lacks that.
const KernelTable* chooseTable(std::string* choices) {
  const char* wanted = getenv("PERFORMERS_INSTRUCTION_SET");
  const KernelTable* chosen = nullptr;
#define CONSIDER(set)                                                            \
  if (supported(#set)) {                                                         \
    if (!chosen && (!wanted || !*wanted || !strcmp(wanted, #set))) chosen = &set::table; \
    *choices += choices->empty() ? #set : ", " #set;                             \
  }
  INSTRUCTION_SETS(CONSIDER)
  return chosen;
}

// What one Node environment (the main thread or a worker) holds.
struct Environment {
  const KernelTable* table;
  Pool pool;
};

napi_value fail(napi_env env, const char* message) {
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

// The arguments of a call, converted; the TypeScript side passes the right types.
struct Arguments {
  napi_value values[4];
  napi_env env;
  Arguments(napi_env env, napi_callback_info info) : env(env) {
    size_t count = 4;
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }
  double number(int i) const {
    double value = 0;
    napi_get_value_double(env, values[i], &value);
    return value;
  }
  char* pointer(int i) const { return reinterpret_cast<char*>(static_cast<uintptr_t>(number(i))); }
  // The memory and the size in bytes of a typed array.
  void* array(int i, size_t* bytes) const {
    napi_typedarray_type type = napi_uint8_array;
    size_t length = 0;
    void* data = nullptr;
    napi_get_typedarray_info(env, values[i], &type, &length, &data, nullptr, nullptr);
    static const size_t sizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    *bytes = length * (static_cast<size_t>(type) < sizeof sizes / sizeof *sizes ? sizes[type] : 1);
    return data;
  }
};

Environment* environment(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Environment*>(data);
}

napi_value number(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}

napi_value text(napi_env env, const char* value) {
  napi_value result;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &result);
  return result;
}

// allocate(bytes): an address aligned to 64 bytes, or 0 if memory is exhausted
napi_value allocate(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  void* block = allocateAligned(static_cast<size_t>(arguments.number(0)));
  return number(env, static_cast<double>(reinterpret_cast<uintptr_t>(block)));
}

// free(address)
napi_value release(napi_env env, napi_callback_info info) {
  freeAligned(Arguments(env, info).pointer(0));
  return nullptr;
}

// trim(): freed blocks, which the C library keeps for later, go back to the system
napi_value trim(napi_env, napi_callback_info) {
  trimHeap();
  return nullptr;
}

// write(address, typedArray)
napi_value write(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  size_t bytes = 0;
  void* data = arguments.array(1, &bytes);
  if (bytes) memcpy(arguments.pointer(0), data, bytes);
  return nullptr;
}

// read(address, typedArray)
napi_value read(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  size_t bytes = 0;
  void* data = arguments.array(1, &bytes);
  if (bytes) memcpy(data, arguments.pointer(0), bytes);
  return nullptr;
}

// copy(from, to, bytes)
napi_value copy(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  memmove(arguments.pointer(1), arguments.pointer(0), static_cast<size_t>(arguments.number(2)));
  return nullptr;
}

// call(kernel, slots, numThreads)
napi_value call(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Environment* state = environment(env);
  size_t bytes = 0;
  const double* slots = static_cast<const double*>(arguments.array(1, &bytes));
  int kernel = static_cast<int>(arguments.number(0));
  if (kernel < 0 || kernel >= state->table->numKernels) return fail(env, "no such kernel");
  const KernelEntry& entry = state->table->entries[kernel];
  if (bytes < entry.numArguments * sizeof(double)) return fail(env, "a kernel call has too few arguments");
  const char* problem = state->pool.run(entry, slots, static_cast<int>(arguments.number(2)));
  return problem ? fail(env, problem) : nullptr;
}

// gemmPackedSize(n, k): floats
napi_value gemmPackedSize(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  return number(env, static_cast<double>(environment(env)->table->gemmPackedSize(
                         static_cast<ptrdiff_t>(arguments.number(0)), static_cast<ptrdiff_t>(arguments.number(1)))));
}

// [{ name, numArguments }]: the index of a kernel is its number for call()
napi_value kernelList(napi_env env, const KernelTable* table) {
  napi_value list;
  napi_create_array_with_length(env, static_cast<size_t>(table->numKernels), &list);
  for (int i = 0; i < table->numKernels; i++) {
    napi_value entry;
    napi_create_object(env, &entry);
    napi_set_named_property(env, entry, "name", text(env, table->entries[i].name));
    napi_set_named_property(env, entry, "numArguments", number(env, table->entries[i].numArguments));
    napi_set_element(env, list, static_cast<uint32_t>(i), entry);
  }
  return list;
}

}  // namespace

NAPI_MODULE_INIT() {
  std::string choices;
  const KernelTable* table = chooseTable(&choices);
  if (!table) {
    std::string message = "PERFORMERS_INSTRUCTION_SET names an instruction set that is not one of this processor's: " + choices;
    return fail(env, message.c_str());
  }
  Environment* state = new Environment{table, {}};
  napi_set_instance_data(env, state, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); }, nullptr);

  struct { const char* name; napi_callback function; } functions[] = {
      {"allocate", allocate}, {"free", release}, {"write", write}, {"read", read},
      {"copy", copy},         {"call", call},    {"gemmPackedSize", gemmPackedSize}, {"trim", trim},
  };
  for (auto& entry : functions) {
    napi_value function;
    napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.function, nullptr, &function);
    napi_set_named_property(env, exports, entry.name, function);
  }
  napi_set_named_property(env, exports, "kernels", kernelList(env, table));
  napi_set_named_property(env, exports, "instructionSet", text(env, table->instructionSet));
  napi_set_named_property(env, exports, "instructionSets", text(env, choices.c_str()));
  return exports;
}
