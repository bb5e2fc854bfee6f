#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "capi/sized.h"
#include "lib/formats/network_file.h"

using namespace rnn::capi;

namespace {

// path: what says the format where the options do not; NULL: nothing.
rnn_save_options_t read_save_options(const rnn_save_options_t* given, const char* path) {
  const rnn_save_options_t options = read_options(given, "options");
  check_flag(options.without_probe, "options.without_probe");
  return rnn::resolve_format(options, path);
}

rnn_load_options_t read_load_options(const rnn_load_options_t* given) {
  const rnn_load_options_t options = read_options(given, "options");
  check_flag(options.without_probe, "options.without_probe");
  if ((options.flags & ~uint32_t{RNN_FLAG_RELU}) != 0)
    throw rnn::Error(RNN_INVALID_ARGUMENT, "options.flags is %u; it must be 0 or RNN_FLAG_RELU",
                     options.flags);
  return options;
}

void load(const char* path, const rnn_load_options_t* options, const rnn_allocator_t* allocator,
          rnn_t** out) {
  check_pointer(path, "path");
  const rnn_load_options_t given = read_load_options(options);
  check_pointer(out, "out");
  const rnn::Allocator memory = read_allocator(allocator, "allocator");
  *out = memory.make<rnn_handle>(rnn::load_network(path, given, memory));
}

void save_memory(const rnn_t* rnn, const rnn_save_options_t* options, void* memory, size_t capacity,
                 size_t* size) {
  check_pointer(rnn, "rnn");
  const rnn_save_options_t given = read_save_options(options, nullptr);
  check_pointer(size, "size");
  if (capacity != 0) check_pointer(memory, "memory");
  const rnn::NetworkFile file(rnn->network.weights_ref(), given);
  const size_t needed = file.size();
  if (memory != nullptr) {
    if (capacity < needed)
      throw rnn::Error(RNN_INVALID_ARGUMENT, "capacity is %zu; the file needs %zu bytes", capacity, needed);
    file.write(memory);
  }
  *size = needed;
}

void load_memory(const void* memory, size_t size, const rnn_load_options_t* options,
                 const rnn_allocator_t* allocator, rnn_t** out) {
  check_pointer(memory, "memory");
  const rnn_load_options_t given = read_load_options(options);
  check_pointer(out, "out");
  const rnn::Allocator kept = read_allocator(allocator, "allocator");
  *out = kept.make<rnn_handle>(rnn::load_network_memory(memory, size, given, kept));
}

}  // namespace

rnn_status_t rnn_save(const rnn_t* rnn, const char* path) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(path, "path");
    rnn::save_network(rnn->network.weights_ref(), path, read_save_options(nullptr, nullptr));
  });
}

rnn_status_t rnn_save_as(const rnn_t* rnn, const char* path, const rnn_save_options_t* options) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(path, "path");
    rnn::save_network(rnn->network.weights_ref(), path, read_save_options(options, path));
  });
}

rnn_status_t rnn_load(const char* path, const rnn_allocator_t* allocator, rnn_t** out) {
  return guard(__func__, [&] { load(path, nullptr, allocator, out); });
}

rnn_status_t rnn_load_as(const char* path, const rnn_load_options_t* options,
                         const rnn_allocator_t* allocator, rnn_t** out) {
  return guard(__func__, [&] { load(path, options, allocator, out); });
}

rnn_status_t rnn_save_memory(const rnn_t* rnn, void* memory, size_t capacity, size_t* size) {
  return guard(__func__, [&] { save_memory(rnn, nullptr, memory, capacity, size); });
}

rnn_status_t rnn_save_memory_as(const rnn_t* rnn, const rnn_save_options_t* options, void* memory,
                                size_t capacity, size_t* size) {
  return guard(__func__, [&] { save_memory(rnn, options, memory, capacity, size); });
}

rnn_status_t rnn_load_memory(const void* memory, size_t size, const rnn_allocator_t* allocator, rnn_t** out) {
  return guard(__func__, [&] { load_memory(memory, size, nullptr, allocator, out); });
}

rnn_status_t rnn_load_memory_as(const void* memory, size_t size, const rnn_load_options_t* options,
                                const rnn_allocator_t* allocator, rnn_t** out) {
  return guard(__func__, [&] { load_memory(memory, size, options, allocator, out); });
}
