// Networks as files, of every format that this build knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "lib/formats/contents.h"
#include "lib/network/weights.h"
#include "rnn/rnn.h"

namespace rnn {

// A network's file, to be written. Options are complete, their format is resolved; the weights outlive it.
// Throws Error(RNN_INVALID_ARGUMENT or RNN_UNSUPPORTED).
class NetworkFile {
 public:
  NetworkFile(const WeightsRef& weights, const rnn_save_options_t& options);

  std::size_t size() const;
  void write(void* memory) const;  // [size()] bytes

 private:
  std::int32_t format_;
  formats::Writer writer_;  // of a container
  std::string text_;        // of any other format
};

// The options with the format that a path's suffix (null: nothing) says where they say none. Throws
// Error(RNN_INVALID_ARGUMENT).
rnn_save_options_t resolve_format(rnn_save_options_t options, const char* path);

// Each throws Error; see rnn_save_as, rnn_load_as and their memory forms. Options are complete.
void save_network(const WeightsRef& weights, const char* path, const rnn_save_options_t& options);
WeightsRef load_network(const char* path, const rnn_load_options_t& options, const Allocator& allocator);
WeightsRef load_network_memory(const void* memory, std::size_t size, const rnn_load_options_t& options,
                               const Allocator& allocator);

// Whether a file, which begins with `head`, is of a kind that another library has and this one reads. Throws
// Error(RNN_BAD_FORMAT) for an archive whose directory is damaged.
bool is_other_model(const Source& source, const ByteRange& head);

// The network's part of a file. Checkpoints add to it under names that begin with these, which loading a
// network passes over.
constexpr char kTrainerTensors[] = "trainer.";
constexpr char kTrainerMetadata[] = "rnn.trainer.";
bool is_checkpoint(const formats::Contents& contents);
void add_network(const WeightsRef& weights, const rnn_save_options_t& options, formats::Writer& writer);
WeightsRef extract_network(const formats::Contents& contents, const rnn_load_options_t& options,
                           const Allocator& allocator);

}  // namespace rnn
