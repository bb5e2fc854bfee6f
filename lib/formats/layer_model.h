// A Model whose layers may be any list: rnn_config_t.layers, or what other fields say where they can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lib/formats/functions.h"
#include "lib/formats/model.h"

namespace rnn {

// y[i] = scale[i] x[i] + shift[i]; empty: y = x.
struct Affine {
  std::vector<double> scale, shift;

  bool empty() const noexcept { return scale.empty(); }
  bool is_identity() const noexcept;
  Affine after(const Affine& first) const;
};

class LayerModel {
 public:
  // A layer's, by their names in a list without what stands before and "_reverse" behind: "weight_ih", "bias_hn"; of a
  // dense layer "weight", "bias", "slope". A bias may be left out.
  using Parameters = std::map<std::string, std::vector<float>>;

  Model model;  // without layers and their parameters

  std::size_t count() const noexcept { return layers_.size(); }

  // Each reads what is there so far; of its layer, flags without RNN_FLAG_NO_BIAS. place: in messages.
  void add_recurrent(const std::string& place, rnn_layer_t layer, std::vector<Parameters> directions);
  // Of a convolution, too, whose weight is [size, K X].
  void add_dense(const std::string& place, rnn_layer_t layer, std::vector<float> weight,
                 std::vector<float> bias);
  // Of a grouped one: the weight is [size, K, X / groups], and becomes that of one group, with zeros between.
  void add_grouped(const std::string& place, const rnn_layer_t& layer, std::vector<float> weight,
                   std::vector<float> bias, std::size_t groups);
  // Of `width` values: part of the dense layer before it, or one of its own.
  void add_function(const std::string& place, formats::Function function, std::size_t width);
  // Part of the dense layer before it, or of what comes behind it.
  void add_affine(const Affine& affine);
  // What comes next becomes no part of what is there. width: of the inputs, if a first layer is wanted that gives
  // them; 0: none is.
  void close(const std::string& place, std::size_t width = 0);
  // What the last layer reads is added to what it gives; false: something is behind it.
  bool add_residual();

  // What there is so far is pooled, by RNN_POOLING_MEAN or RNN_POOLING_MAX: its last layer becomes one that is.
  void end_steps(const std::string& place, std::int32_t pooling, std::size_t width);

  // The last layer's matrix is the embedding, and the layer the head.
  void tie_head();

  // Throws Error(RNN_UNSUPPORTED) where there is no layer, or where a configuration may not be so.
  Model build(const std::string& place) &&;

 private:
  void add(const std::string& place, const rnn_layer_t& layer, Parameters parameters);
  void add_diagonal(const std::string& place, formats::Function function, std::size_t width);
  void count_added(const std::string& place, std::size_t rows, std::size_t columns);
  void set_function(formats::Function function);
  void settle_biases();

  std::vector<rnn_layer_t> layers_;
  std::vector<Parameters> parameters_;
  bool is_open_ = false;              // the last layer is W x + b, and may still change
  Affine pending_;                    // of what the last layer gives, to be part of what reads it
  std::size_t held_ = 0, added_ = 0;  // numbers of the file, and of matrices that it does not have so
};

}  // namespace rnn
