// Memory that is counted and refused.
#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "common.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define RNN_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RNN_SANITIZED 1
#endif
#if defined(__GLIBC__) && !defined(RNN_SANITIZED)
#define RNN_REPLACES_MALLOC 1
#endif

// Of the allocations that this thread makes while it watches.
struct Watch {
  bool on = false;
  long left = -1;  // allocations until one fails; -1: never
  long count = 0;
  long kept = 0;  // blocks allocated and not freed
};
extern thread_local Watch watch;

class Watching {
 public:
  explicit Watching(long left = -1) { watch = {true, left, 0, 0}; }
  ~Watching() { watch.on = false; }
  long count() const { return watch.count; }
  long kept() const { return watch.kept; }
};

// Allocation functions that know what they gave out.
class Hooks {
 public:
  Hooks() : functions_(sized<rnn_allocator_t>()) {
    functions_.allocate = [](size_t size, size_t alignment, void* user) {
      return static_cast<Hooks*>(user)->allocate(size, alignment);
    };
    functions_.deallocate = [](void* memory, size_t size, size_t alignment, void* user) {
      static_cast<Hooks*>(user)->deallocate(memory, size, alignment);
    };
    functions_.user = this;
  }
  ~Hooks() { EXPECT_EQ(blocks(), 0u); }
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  const rnn_allocator_t* get() const { return &functions_; }
  void fail_after(long left) { left_ = left; }
  size_t blocks() const { return blocks_.size(); }

 private:
  void* allocate(size_t size, size_t alignment) {
    const bool watched = std::exchange(watch.on, false);
    void* memory = nullptr;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      EXPECT_NE(size, 0u);
      EXPECT_EQ(alignment & (alignment - 1), 0u);
      const bool refused = left_ == 0;
      if (left_ > 0) --left_;
      if (!refused) {
        memory = ::operator new (size, std::align_val_t{alignment});
        std::memset(memory, 0xcc, size);
        blocks_[memory] = size;
      }
    }
    watch.on = watched;
    return memory;
  }
  void deallocate(void* memory, size_t size, size_t alignment) {
    const bool watched = std::exchange(watch.on, false);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto block = blocks_.find(memory);
      if (block == blocks_.end()) {
        ADD_FAILURE() << "memory that these functions did not give";
      } else {
        EXPECT_EQ(block->second, size);
        blocks_.erase(block);
        ::operator delete (memory, std::align_val_t{alignment});
      }
    }
    watch.on = watched;
  }

  rnn_allocator_t functions_;
  std::mutex mutex_;
  std::map<void*, size_t> blocks_;
  long left_ = -1;
};

inline Network create(const Hooks& hooks, rnn_config_t c) {
  c.allocator = hooks.get();
  return ::create(c);
}

inline const rnn_config_t kConfig = config(5, 20, 5, 2);

// Lets the call's allocations by the hooks, and then all of this thread's, fail one after the other, until
// the call succeeds. A call that fails says so, keeps no memory and changes nothing that `look` sees.
void fail_each(Hooks& hooks, const std::function<rnn_status_t()>& call, const std::function<Floats()>& look,
               bool also_malloc = true);

inline Floats look_at(const Network& network) {
  Floats all = weights(network);
  const Floats s = state(network);
  all.insert(all.end(), s.begin(), s.end());
  return all;
}

// 1 if the streams, whose inputs are vectors, share weights: then what stops rnn_step_many, before it changes
// anything, is that x and y overlap.
inline float sharing(const rnn_t* a, const rnn_t* b) {
  float values[512] = {};
  rnn_t* const streams[] = {const_cast<rnn_t*>(a), const_cast<rnn_t*>(b)};
  const rnn_status_t status = rnn_step_many(streams, 2, values, values);
  EXPECT_TRUE(status == RNN_INVALID_ARGUMENT || status == RNN_MISMATCH) << rnn_last_error();
  return status == RNN_INVALID_ARGUMENT ? 1.0f : 0.0f;
}

inline Floats nothing() { return {}; }
