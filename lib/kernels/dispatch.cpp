#include "lib/kernels/dispatch.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstdlib>
#include <cstring>

#include "lib/kernels/amx.h"
#include "lib/kernels/built_isas.h"

namespace rnn::kernels {

extern const Table scalar_table;
extern const Products scalar_bf16;
extern const Products scalar_int8;
#if defined(__x86_64__)
extern const Table sse2_table;
extern const Table avx2_table;
extern const Table avx512_table;
extern const Products sse2_bf16;
extern const Products sse2_int8;
extern const Products avx2_bf16;
extern const Products avx2_int8;
extern const Products avx2vnni_int8;
extern const Products avx512_bf16;
extern const Products avx512_int8;
extern const Products avx512bf16_bf16;
extern const Products avx512amx_bf16;
extern const Products avx512vnni_int8;
#elif defined(__aarch64__)
extern const Table neon_table;
extern const Products neon_bf16;
extern const Products neon_int8;
#elif defined(__wasm__)
extern const Table wasm_table;
extern const Products wasm_bf16;
extern const Products wasm_int8;
extern const Table wasm_fma_table;
extern const Products wasm_fma_bf16;
extern const Products wasm_fma_int8;
#endif

namespace {

#if defined(__x86_64__) && RNN_WITH_AVX2
// The 256-bit form of VNNI, which is apart from AVX-512's: __builtin_cpu_supports knows it in newer compilers alone.
bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
}
#endif

// The tables that this CPU and its operating system can run, worst first. To add an ISA: its table here, with
// a test of exactly the flags that meson.build compiles it with, and in native.cpp. RNN_WITH_... says what is built.
class Available {
 public:
  Available() {
#if RNN_WITH_SCALAR
    add(scalar_table);
    add(scalar_bf16);
    add(scalar_int8);
#endif
#if defined(__x86_64__)
    __builtin_cpu_init();
#if RNN_WITH_SSE2
    add(sse2_table);
    add(sse2_bf16);
    add(sse2_int8);
#endif
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
#if RNN_WITH_AVX2
    add(avx2_table);
    add(avx2_bf16);
    add(avx2_int8);
    if (has_avx_vnni()) add(avx2vnni_int8);
#endif
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512cd") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl"))
      return;
#if RNN_WITH_AVX512
    add(avx512_table);
    add(avx512_bf16);
    add(avx512_int8);
    if (__builtin_cpu_supports("avx512bf16")) {
      add(avx512bf16_bf16);
      amx_ = complete(avx512amx_bf16);
      List& list = lists_[static_cast<std::size_t>(Format::bf16)];
      list.begin[list.count] = amx_;  // counted only where it may be used
    }
    if (__builtin_cpu_supports("avx512vnni")) add(avx512vnni_int8);
#endif
#elif RNN_WITH_NEON
    add(neon_table);
    add(neon_bf16);
    add(neon_int8);
#elif RNN_WITH_WASM
    add(wasm_table);
    add(wasm_bf16);
    add(wasm_int8);
#elif RNN_WITH_WASM_FMA
    add(wasm_fma_table);
    add(wasm_fma_bf16);
    add(wasm_fma_int8);
#endif
  }
  Available(const Available&) = delete;
  Available& operator=(const Available&) = delete;

  TableList list(Format format) const {
    const List& tables = lists_[static_cast<std::size_t>(format)];
    const bool has_amx = format == Format::bf16 && amx() != nullptr;
    return {tables.begin, tables.begin + tables.count + (has_amx ? 1 : 0)};
  }
  // That of bf16 by AMX, or null: asked for when it is first looked for.
  const Table* amx() const {
    static const bool usable = amx_ != nullptr && request_amx();
    return usable ? amx_ : nullptr;
  }
  // The best table of `format` with the instruction set of one of f32.
  const Table* best(const Table* table, Format format) const {
    if (table == nullptr) return nullptr;
    std::size_t isa = 0;
    while (lists_[0].begin[isa] != table) ++isa;
    return best_[isa][static_cast<std::size_t>(format)];
  }

 private:
  static constexpr std::size_t kIsas = 4, kMost = 6;
  struct List {
    const Table* begin[kMost];
    std::size_t count = 0;
  };

  void add(const Table& table) {
    List& list = lists_[static_cast<std::size_t>(table.format)];
    list.begin[list.count++] = &table;
    best_[lists_[0].count - 1][static_cast<std::size_t>(table.format)] = &table;
  }
  void add(const Products& products) { add(*complete(products)); }
  // With everything else from the last table of f32.
  const Table* complete(const Products& products) {
    const List& plain = lists_[0];
    Table& table = lowp_[lowp_count_++];
    table = *plain.begin[plain.count - 1];
    static_cast<Products&>(table) = products;
    return &table;
  }

  List lists_[kFormats];
  const Table* best_[kIsas][kFormats] = {};
  Table lowp_[(kFormats - 1) * kMost];
  std::size_t lowp_count_ = 0;
  const Table* amx_ = nullptr;
};

const Available& available() {
  static const Available instance;
  return instance;
}

const Table* choose() {
  const TableList list = all();
  if (requested() == nullptr) return list.begin != list.end ? list.end[-1] : nullptr;
  for (const Table* const* i = list.begin; i != list.end; ++i)
    if (std::strcmp((*i)->name, requested()) == 0) return *i;
  return nullptr;
}

}  // namespace

TableList all(Format format) { return available().list(format); }

const Table* table(Format format) {
  static const Table* const chosen = choose();
  return available().best(chosen, format);
}

const Table* fast_table(std::size_t width) {
  const Table* const usual = table(Format::bf16);
  if (usual == nullptr || width < kAmxWidth) return usual;
  const Table* const amx = available().amx();
  return amx != nullptr ? amx : usual;
}

const char* requested() {
  static const char* const value = std::getenv("RNN_ISA");
  return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace rnn::kernels
