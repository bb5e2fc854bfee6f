#include <utility>

#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "lib/formats/network_file.h"

using namespace rnn::capi;

rnn_status_t rnn_save(const rnn_t* rnn, const char* path) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(path, "path");
    rnn::save_network(rnn->network.weights(), path);
  });
}

rnn_status_t rnn_load(const char* path, const rnn_allocator_t* allocator, rnn_t** out) {
  return guard(__func__, [&] {
    check_pointer(path, "path");
    check_pointer(out, "out");
    const rnn::Allocator memory = read_allocator(allocator, "allocator");
    *out = memory.make<rnn_handle>(rnn::load_network(path, memory));
  });
}

rnn_status_t rnn_save_memory(const rnn_t* rnn, void* memory, size_t capacity, size_t* size) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(size, "size");
    if (capacity != 0) check_pointer(memory, "memory");
    const size_t needed = rnn::network_file_size(rnn->network.weights());
    if (memory != nullptr) {
      if (capacity < needed)
        throw rnn::Error(RNN_INVALID_ARGUMENT, "capacity is %zu; the file needs %zu bytes", capacity, needed);
      rnn::save_network_memory(rnn->network.weights(), memory);
    }
    *size = needed;
  });
}

rnn_status_t rnn_load_memory(const void* memory, size_t size, const rnn_allocator_t* allocator, rnn_t** out) {
  return guard(__func__, [&] {
    check_pointer(memory, "memory");
    check_pointer(out, "out");
    const rnn::Allocator kept = read_allocator(allocator, "allocator");
    *out = kept.make<rnn_handle>(rnn::load_network_memory(memory, size, kept));
  });
}
