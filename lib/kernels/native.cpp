// Prints the best instruction set of this CPU, for meson.build: that of the last table that dispatch.cpp would add.
#include <cstdio>

int main() {
  __builtin_cpu_init();
  const char* best = "sse2";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    best = "avx2";
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
      best = "avx512";
  }
  std::puts(best);
}
