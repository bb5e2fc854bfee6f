#include "lib/network/metadata.h"

#include <cstring>
#include <string>

#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "lib/network/error.h"
#include "lib/network/text.h"

using namespace rnn::capi;

rnn_status_t rnn_set_metadata(rnn_t* rnn, const char* key, const char* value) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(key, "key");
    rnn::Metadata::check(key, value != nullptr ? value : "");
    if (value == nullptr && rnn->network.weights().metadata().find(key) == nullptr) return;
    rnn->network.change_weights([&](rnn::Weights& weights) {
      if (value != nullptr)
        weights.metadata().set(weights.allocator(), key, value);
      else
        weights.metadata().remove(weights.allocator(), key);
    });
  });
}

rnn_status_t rnn_get_metadata(const rnn_t* rnn, const char* key, char* value, size_t capacity, size_t* size) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(key, "key");
    check_pointer(size, "size");
    if (capacity != 0) check_pointer(value, "value");
    const char* found = rnn->network.weights().metadata().find(key);
    if (found == nullptr)
      throw rnn::Error(RNN_NOT_FOUND, "no metadata has the key %s", rnn::quote(key).c_str());
    const size_t needed = std::strlen(found) + 1;
    if (value != nullptr) {
      if (capacity < needed)
        throw rnn::Error(RNN_INVALID_ARGUMENT, "capacity is %zu; the value needs %zu bytes", capacity,
                         needed);
      std::memcpy(value, found, needed);
    }
    *size = needed;
  });
}

rnn_status_t rnn_metadata_count(const rnn_t* rnn, size_t* count) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (count == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "count is NULL");
  *count = rnn->network.weights().metadata().count();
  return RNN_OK;
}

rnn_status_t rnn_metadata_key(const rnn_t* rnn, size_t index, const char** key) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (key == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "key is NULL");
  const rnn::Metadata& metadata = rnn->network.weights().metadata();
  if (index >= metadata.count())
    return fail(__func__, RNN_INVALID_ARGUMENT, "index is %zu; this network has %zu texts", index,
                metadata.count());
  *key = metadata.key(index);
  return RNN_OK;
}
