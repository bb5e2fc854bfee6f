#include "memory.h"

#include <cerrno>
#include <cstdlib>

thread_local Watch watch;

#if RNN_REPLACES_MALLOC
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

static bool refuse() {
  if (!watch.on) return false;
  ++watch.count;
  if (watch.left == 0) return true;
  if (watch.left > 0) --watch.left;
  ++watch.kept;
  return false;
}

void* malloc(size_t size) { return refuse() ? nullptr : __libc_malloc(size); }
void* calloc(size_t n, size_t size) { return refuse() ? nullptr : __libc_calloc(n, size); }
void* realloc(void* memory, size_t size) {
  if (memory == nullptr) return malloc(size);
  if (watch.on && watch.left == 0) return nullptr;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  return refuse() ? nullptr : __libc_memalign(alignment, size);
}
void* memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
int posix_memalign(void** out, size_t alignment, size_t size) {
  void* memory = aligned_alloc(alignment, size);
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}
void free(void* memory) {
  if (watch.on && memory != nullptr) --watch.kept;
  __libc_free(memory);
}
}
#endif

void fail_each(Hooks& hooks, const std::function<rnn_status_t()>& call, const std::function<Floats()>& look,
               bool also_malloc) {
  for (const bool by_malloc : {false, true}) {
    const size_t blocks = hooks.blocks();
#if !RNN_REPLACES_MALLOC
    if (by_malloc) break;
#endif
    if (by_malloc && !also_malloc) break;
    const Floats before = look();
    for (long n = 0;; ++n) {
      ASSERT_LT(n, 10000);
      rnn_status_t status;
      if (by_malloc) {
        const Watching fail(n);
        status = call();
      } else {
        hooks.fail_after(n);
        status = call();
        hooks.fail_after(-1);
      }
      if (status == RNN_OK) {
        if (!by_malloc) {
          EXPECT_GT(n, 0) << "nothing was allocated";
        }
        break;
      }
      EXPECT_EQ(status, RNN_OUT_OF_MEMORY) << rnn_last_error();
      EXPECT_NE(std::string(rnn_last_error()).find("memory"), std::string::npos) << rnn_last_error();
      EXPECT_EQ(hooks.blocks(), blocks) << "after allocation " << n << (by_malloc ? " of malloc" : "");
      ASSERT_TRUE(same_bits(look(), before)) << "after allocation " << n << (by_malloc ? " of malloc" : "");
    }
  }
}
