// Networks as ONNX files, in builds with the Meson option onnx.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "lib/formats/model.h"

namespace rnn {

// A graph of RNN, GRU or LSTM nodes (also ONNX Runtime's DynamicQuantizeLSTM), products with matrices, causal
// convolutions and activations, layer after layer, an embedding (Gather) or OneHot before them, and what exporters put
// between. What a network here cannot be is refused: 'unsupported: node "name" (Type): why'. Throws
// Error(RNN_BAD_FORMAT).
//
// metadata has the model's metadata_props, and onnx.pooling = last where the graph has no output but the one
// of the last step, mean or max where it pools the steps. An initial state comes back as RNN_INITIAL_FIXED.
Model read_onnx(const void* memory, std::size_t size);

// The network as a graph of opset 14 whose input is x [steps, sequences, I], or indices [steps, sequences]
// for an embedding, and whose outputs are y [steps, sequences, O] and the final states, final_h_l0 [D,
// sequences, H] and so on; final_past_l0 of a convolution has the last inputs that its next step reads. The
// initial states, initial_h_l0 and so on, are inputs with defaults [D, 1, H]: who gives them continues where
// another run ended. metadata becomes the model's metadata_props. Throws Error(RNN_UNSUPPORTED) for
// projections, layer normalisation, and more than a protobuf can hold.
std::string write_onnx(const Weights& weights, const std::map<std::string, std::string>& metadata);

}  // namespace rnn
