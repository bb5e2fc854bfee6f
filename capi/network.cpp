#include <utility>

#include "capi/arguments.h"
#include "capi/guard.h"
#include "capi/handle.h"
#include "capi/sized.h"
#include "lib/kernels/dispatch.h"
#include "lib/network/init.h"
#include "lib/network/layer_list.h"

using namespace rnn::capi;

namespace {

// The caller's list, whose elements may be of an older or a newer rnn.h.
rnn::Buffer<rnn_layer_t> read_layers(const rnn::Allocator& allocator, rnn_config_t& config) {
  if (config.layers == nullptr) return {};
  rnn::check_layer_count(config);
  rnn::Buffer<rnn_layer_t> layers = read_sized_array(allocator, config.layers, config.layer_count, "layers");
  config.layers = layers.data();
  return layers;
}

// Check the config, whose list is read into layers, and resolve its defaults. The messages of the core begin with
// the name of a field.
rnn_config_t resolve(const rnn::Allocator& allocator, rnn_config_t config, rnn::Buffer<rnn_layer_t>& layers) {
  try {
    layers = read_layers(allocator, config);
    const rnn_config_t resolved = rnn::resolve(config);
    rnn::check_effects(resolved);
    return resolved;
  } catch (const rnn::Error& error) {
    throw rnn::Error(error.status(), "config.%s", error.what());
  }
}

}  // namespace

#define RNN_STRING_OF(x) #x
#define RNN_STRING(x) RNN_STRING_OF(x)

const char* rnn_version(void) {
  return RNN_STRING(RNN_VERSION_MAJOR) "." RNN_STRING(RNN_VERSION_MINOR) "." RNN_STRING(RNN_VERSION_PATCH);
}

const char* rnn_isa(void) {
  const rnn::kernels::Table* table = rnn::kernels::table();
  return table != nullptr ? table->name : "none";
}

rnn_status_t rnn_create(const rnn_config_t* config, rnn_t** out) {
  return guard(__func__, [&] {
    const rnn_config_t given = read_sized(config, "config");
    check_pointer(out, "out");
    const rnn::Allocator allocator = read_allocator(given.allocator, "config.allocator");
    rnn::Buffer<rnn_layer_t> layers;
    const rnn_config_t resolved = resolve(allocator, given, layers);
    rnn::WeightsRef weights = rnn::WeightsRef::make(resolved, allocator);
    rnn::initialize(weights.mutate());
    *out = allocator.make<rnn_handle>(std::move(weights));
  });
}

rnn_status_t rnn_fork(const rnn_t* rnn, rnn_t** out) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(out, "out");
    *out = rnn->network.allocator().make<rnn_handle>(rnn->network);
  });
}

rnn_status_t rnn_clone(const rnn_t* rnn, rnn_t** out) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(out, "out");
    rnn::WeightsRef weights = rnn->network.weights_ref().copy();
    rnn_handle* clone = rnn->network.allocator().make<rnn_handle>(rnn->network);
    clone->network.use(std::move(weights));
    *out = clone;
  });
}

rnn_status_t rnn_convert(const rnn_t* rnn, int32_t compute, rnn_t** out) {
  return guard(__func__, [&] {
    check_pointer(rnn, "rnn");
    check_pointer(out, "out");
    rnn::check_compute(compute);
    rnn::WeightsRef weights = rnn->network.weights_ref().converted(compute);
    rnn_handle* converted = rnn->network.allocator().make<rnn_handle>(rnn->network);
    converted->network.use(std::move(weights));
    *out = converted;
  });
}

rnn_status_t rnn_sync(rnn_t* stream, const rnn_t* source) {
  return guard(__func__, [&] {
    check_pointer(stream, "stream");
    check_pointer(source, "source");
    rnn::check_same_architecture(stream->network.weights().config(), "stream",
                                 source->network.weights().config(), "source");
    stream->network.use(source->network.weights_ref());
  });
}

void rnn_destroy(rnn_t* rnn) {
  if (rnn != nullptr) rnn->network.allocator().destroy(rnn);
}

rnn_status_t rnn_output_size(const rnn_t* rnn, size_t* size) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (size == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "size is NULL");
  *size = rnn->network.weights().output_size();
  return RNN_OK;
}

rnn_status_t rnn_get_config(const rnn_t* rnn, rnn_config_t* out) {
  if (rnn == nullptr) return fail(__func__, RNN_INVALID_ARGUMENT, "rnn is NULL");
  if (const rnn_status_t status = check_out(__func__, out, "out")) return status;
  write_sized(rnn->network.weights().config(), out);
  return RNN_OK;
}
