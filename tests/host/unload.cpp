// A host that loads a plugin, lets it train, and unloads it, many times: unload PLUGIN CYCLES THREADS. Each
// cycle is on a thread of its own. Nothing crashes, then or when the process ends, and memory does not grow.
#include <dlfcn.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

namespace {

long resident() {
  long size = 0, pages = 0;
  std::ifstream("/proc/self/statm") >> size >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

void cycle(const char* path, std::int32_t threads) {
  void* const plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(1);
  }
  const auto run = reinterpret_cast<bool (*)(std::int32_t)>(dlsym(plugin, "guest_run"));
  if (run == nullptr || !run(threads)) {
    std::fprintf(stderr, "the plugin failed\n");
    std::exit(1);
  }
  dlclose(plugin);
}

}  // namespace

int main(int, char** arguments) {
  const char* const path = arguments[1];
  const int cycles = std::atoi(arguments[2]), settled = cycles / 10;
  const auto threads = static_cast<std::int32_t>(std::atoi(arguments[3]));
  long before = 0;
  for (int i = 0; i < cycles; ++i) {
    if (i == settled) before = resident();
    std::thread(cycle, path, threads).join();
  }
  const long growth = resident() - before;
  // oneTBB's workers wake up, and go to sleep again.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  if (growth > 8 << 20) {
    std::fprintf(stderr, "%d cycles took %ld bytes\n", cycles - settled, growth);
    return 1;
  }
  return 0;
}
