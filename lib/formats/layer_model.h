// A Model whose layers may be any list: rnn_config_t.layers, or what other fields say where they can.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "lib/formats/model.h"

namespace rnn {

class LayerModel {
 public:
  // A layer's, by their names in a list without what stands before: "weight_ih", "weight_ih_reverse", "bias_hn"; of a
  // dense layer "weight", "bias", "slope".
  using Parameters = std::map<std::string, std::vector<float>>;

  Model model;  // without layers and their parameters

  std::size_t count() const noexcept { return layers_.size(); }
  rnn_layer_t& last() noexcept { return layers_.back(); }
  const rnn_layer_t& last() const noexcept { return layers_.back(); }
  Parameters& last_parameters() noexcept { return parameters_.back(); }

  // Behind those that are there; last_parameters() are then its own, and empty.
  void add(const rnn_layer_t& layer);

  // At least one layer has been added. Throws Error(RNN_UNSUPPORTED) where a configuration may not be so.
  Model build() &&;

 private:
  std::vector<rnn_layer_t> layers_;
  std::vector<Parameters> parameters_;
};

}  // namespace rnn
