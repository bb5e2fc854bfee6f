// PyTorch from C++, eager: nn::RNN, GRU and LSTM for sequences, their cells step by step, and training as its
// users write it.
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "bench/peers/peer.h"

namespace bench {
namespace {

namespace nn = torch::nn;
using naive::Cell;
using torch::Tensor;

std::int64_t signed_size(std::size_t n) { return static_cast<std::int64_t>(n); }

// Debian's PyTorch has its matrix products from whichever BLAS is installed; OpenBLAS has threads of its own.
template <class Function>
Function* blas_function(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

void set_threads(int threads) {
  if (at::get_num_threads() == threads) return;
  at::set_num_threads(threads);
  if (const auto set = blas_function<void(int)>("openblas_set_num_threads")) set(threads);
}

std::string version() {
  std::string result = "PyTorch " TORCH_VERSION;
#if TORCH_VERSION_MAJOR >= 2
  result += ", CPU capability " + at::get_cpu_capability();
#endif
  const auto config = blas_function<char*()>("openblas_get_config");
  if (config != nullptr) result += std::string(", ") + config();
  return result;
}

void copy(const std::vector<float>& values, Tensor parameter) {
  torch::NoGradGuard guard;
  TORCH_CHECK(values.size() == static_cast<std::size_t>(parameter.numel()));
  std::memcpy(parameter.data_ptr<float>(), values.data(), values.size() * sizeof(float));
}

// PyTorch has two biases for each gate: ours is the first, and the second is zero but for the GRU's n.
void copy_biases(const naive::Layer& layer, Tensor ih, Tensor hh) {
  std::vector<float> second(layer.bias.size());
  std::copy(layer.bias_hn.rbegin(), layer.bias_hn.rend(), second.rbegin());
  copy(layer.bias, ih);
  copy(second, hh);
}

nn::Linear make_head(const naive::Network& model) {
  nn::Linear head(signed_size(model.hidden), signed_size(model.outputs));
  copy(model.w_ho, head->weight);
  copy(model.bias_o, head->bias);
  return head;
}

// Of nn::RNN, GRU or LSTM.
template <class Layers>
Layers make_layers(const naive::Network& model) {
  using Options = decltype(Layers::Impl::options);
  Layers layers(Options(signed_size(model.inputs), signed_size(model.hidden))
                    .num_layers(signed_size(model.layers.size())));
  const auto parameters = layers->named_parameters();
  for (std::size_t l = 0; l < model.layers.size(); ++l) {
    const std::string suffix = "_l" + std::to_string(l);
    copy(model.layers[l].w_ih, parameters["weight_ih" + suffix]);
    copy(model.layers[l].w_hh, parameters["weight_hh" + suffix]);
    copy_biases(model.layers[l], parameters["bias_ih" + suffix], parameters["bias_hh" + suffix]);
  }
  return layers;
}

// The states of all layers as sequences have them, [L, N, H], or of one as a cell has it, [N, H].
struct State {
  Tensor h, c;
};

template <class Module>
Tensor forward(Module& module, const Tensor& x, State& state) {
  if constexpr (std::is_same_v<Module, nn::RNN> || std::is_same_v<Module, nn::GRU>) {
    Tensor y;
    std::tie(y, state.h) = module->forward(x, state.h);
    return y;
  } else if constexpr (std::is_same_v<Module, nn::LSTM>) {
    auto [y, next] = module->forward(x, std::make_tuple(state.h, state.c));
    std::tie(state.h, state.c) = next;
    return y;
  } else if constexpr (std::is_same_v<Module, nn::LSTMCell>) {
    std::tie(state.h, state.c) = module->forward(x, std::make_tuple(state.h, state.c));
    return state.h;
  } else {
    return state.h = module->forward(x, state.h);
  }
}

// What both ways of inference share: the input's tensor and the head.
class Forward : public Inference {
 public:
  Forward(const naive::Network& model, at::IntArrayRef input_shape, int threads)
      : x_(torch::empty(input_shape)), head_(make_head(model)), threads_(threads) {}

  void run(const float* x, float* y) override {
    const c10::InferenceMode guard;
    set_threads(threads_);
    std::memcpy(x_.data_ptr<float>(), x, x_.nbytes());
    const Tensor result = head_->forward(layers(x_));
    std::memcpy(y, result.data_ptr<float>(), result.nbytes());
  }

 protected:
  virtual Tensor layers(const Tensor& x) = 0;

 private:
  Tensor x_;
  nn::Linear head_;
  const int threads_;
};

template <class Layers>
class Sequences final : public Forward {
 public:
  Sequences(const naive::Network& model, std::size_t T, std::size_t N, int threads)
      : Forward(model, {signed_size(T), signed_size(N), signed_size(model.inputs)}, threads),
        layers_(make_layers<Layers>(model)) {
    state_.h = torch::zeros({signed_size(model.layers.size()), signed_size(N), signed_size(model.hidden)});
    state_.c = state_.h.clone();
  }

 private:
  Tensor layers(const Tensor& x) override { return forward(layers_, x, state_); }

  Layers layers_;
  State state_;
};

template <class Module>
class Cells final : public Forward {
 public:
  Cells(const naive::Network& model, std::size_t N, int threads)
      : Forward(model, {signed_size(N), signed_size(model.inputs)}, threads) {
    for (const naive::Layer& layer : model.layers) {
      Module cell(signed_size(layer.inputs), signed_size(model.hidden));
      copy(layer.w_ih, cell->weight_ih);
      copy(layer.w_hh, cell->weight_hh);
      copy_biases(layer, cell->bias_ih, cell->bias_hh);
      const Tensor zero = torch::zeros({signed_size(N), signed_size(model.hidden)});
      cells_.push_back({cell, {zero, zero}});
    }
  }

 private:
  Tensor layers(const Tensor& x) override {
    Tensor h = x;
    for (auto& [cell, state] : cells_) h = forward(cell, h, state);
    return h;
  }

  std::vector<std::pair<Module, State>> cells_;
};

template <class Layers>
class Updates final : public Training {
 public:
  Updates(const naive::Network& model, const Batch& batch, int threads)
      : layers_(make_layers<Layers>(model)),
        head_(make_head(model)),
        optimizer_(layers_->parameters(), torch::optim::AdamOptions(kLearningRate)),
        threads_(threads) {
    optimizer_.add_param_group(head_->parameters());
    const auto T = signed_size(batch.T), N = signed_size(batch.N);
    const auto long_tensor = [&](const std::int32_t* values) {
      return torch::from_blob(const_cast<std::int32_t*>(values), {T, N}, torch::kInt32).to(torch::kInt64);
    };
    x_ = nn::functional::one_hot(long_tensor(batch.indices), signed_size(model.inputs)).to(torch::kFloat32);
    classes_ = long_tensor(batch.classes).flatten();
  }

  double update() override {
    set_threads(threads_);
    optimizer_.zero_grad();
    const Tensor logits = head_->forward(std::get<0>(layers_->forward(x_)));
    const Tensor loss = nn::functional::cross_entropy(logits.flatten(0, 1), classes_);
    loss.backward();
    optimizer_.step();
    return loss.item<double>();
  }

 private:
  Layers layers_;
  nn::Linear head_;
  torch::optim::Adam optimizer_;
  Tensor x_, classes_;  // [T, N, V] one-hot, [T * N]
  const int threads_;
};

std::unique_ptr<Inference> make_sequences(const naive::Network& model, std::size_t T, std::size_t N,
                                          int threads) {
  switch (model.cell) {
    case Cell::vanilla:
      return std::make_unique<Sequences<nn::RNN>>(model, T, N, threads);
    case Cell::gru:
      return std::make_unique<Sequences<nn::GRU>>(model, T, N, threads);
    case Cell::lstm:
      return std::make_unique<Sequences<nn::LSTM>>(model, T, N, threads);
  }
  return nullptr;
}

std::unique_ptr<Inference> make_cells(const naive::Network& model, std::size_t T, std::size_t N,
                                      int threads) {
  if (T != 1) return nullptr;
  switch (model.cell) {
    case Cell::vanilla:
      return std::make_unique<Cells<nn::RNNCell>>(model, N, threads);
    case Cell::gru:
      return std::make_unique<Cells<nn::GRUCell>>(model, N, threads);
    case Cell::lstm:
      return std::make_unique<Cells<nn::LSTMCell>>(model, N, threads);
  }
  return nullptr;
}

std::unique_ptr<Training> make_training(const naive::Network& model, const Batch& batch, int threads) {
  switch (model.cell) {
    case Cell::vanilla:
      return std::make_unique<Updates<nn::RNN>>(model, batch, threads);
    case Cell::gru:
      return std::make_unique<Updates<nn::GRU>>(model, batch, threads);
    case Cell::lstm:
      return std::make_unique<Updates<nn::LSTM>>(model, batch, threads);
  }
  return nullptr;
}

}  // namespace

std::vector<Peer> peers() {
  return {{"torch", version(), make_sequences, make_training, ""},
          {"torch_cell", version(), make_cells, nullptr, ""}};
}

}  // namespace bench
