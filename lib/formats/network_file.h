// Networks as safetensors files: PyTorch's tensor names, the configuration in the metadata.
//
// A file without our metadata is taken for the state of a torch.nn.RNN with tanh, a torch.nn.GRU or LSTM, and
// embedding.weight, head.weight and head.bias, where they are there, for those of a torch.nn.Embedding and
// Linear; the cell and the sizes come from the shapes.
#pragma once

#include <cstddef>

#include "lib/formats/safetensors.h"
#include "lib/network/weights.h"

namespace rnn {

// Each throws Error(RNN_FILE_ERROR or RNN_BAD_FORMAT); see rnn_save, rnn_load and their memory forms.
void save_network(const Weights& weights, const char* path);
WeightsRef load_network(const char* path, const Allocator& allocator);

std::size_t network_file_size(const Weights& weights);
void save_network_memory(const Weights& weights, void* memory);  // [network_file_size] bytes
WeightsRef load_network_memory(const void* memory, std::size_t size, const Allocator& allocator);

// The network's part of a file. Checkpoints add to it under names that begin with these, which loading a
// network passes over.
constexpr char kTrainerTensors[] = "trainer.";
constexpr char kTrainerMetadata[] = "rnn.trainer.";
void add_network(const Weights& weights, safetensors::Writer& writer);  // weights outlive the writer
WeightsRef extract_network(const safetensors::Contents& contents, const Allocator& allocator);

// Write what the writer has collected; see write_file.
void save(const safetensors::Writer& writer, const char* path);

}  // namespace rnn
