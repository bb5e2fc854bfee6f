// oneDNN's RNN primitives, the head as an inner product. Weights are reordered once into the formats that the
// primitives ask for.
#include <omp.h>

#include <algorithm>
#include <limits>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>

#include "bench/peers/peer.h"

namespace bench {
namespace {

using dnnl::memory;
using dnnl::prop_kind;
using Arguments = std::unordered_map<int, memory>;
using Tag = memory::format_tag;

constexpr auto kDirection = dnnl::rnn_direction::unidirectional_left2right;

dnnl::engine& cpu() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::dim dim(std::size_t n) { return static_cast<memory::dim>(n); }

memory::desc floats(const memory::dims& dims, Tag tag) { return {dims, memory::data_type::f32, tag}; }

memory filled(const memory::desc& desc, float value) {
  memory result(desc, cpu());
  std::fill_n(static_cast<float*>(result.get_data_handle()), desc.get_size() / sizeof(float), value);
  return result;
}

// A copy of `values`, whose format is `tag`, in that of `desc`.
memory reordered(std::vector<float> values, const memory::dims& dims, Tag tag, const memory::desc& desc) {
  memory from(floats(dims, tag), cpu(), values.data()), to(desc, cpu());
  dnnl::stream stream(cpu());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return to;
}

// In oneDNN's order of gates: for the GRU z, r, n; for the LSTM as ours.
std::vector<float> in_order(const naive::Network& model, std::vector<float> values) {
  if (model.cell == naive::Cell::gru) {
    const auto gate = static_cast<std::ptrdiff_t>(values.size() / 3);
    std::rotate(values.begin(), values.begin() + gate, values.begin() + 2 * gate);
  }
  return values;
}

// Of one layer, T steps of N streams. The GRU's second bias of n is as one gate more.
struct Shapes {
  memory::dims layer_dims, iter_dims, bias_dims;
  memory::desc src, state, layer, iter, bias, dst;

  Shapes(const naive::Network& model, const naive::Layer& weights, std::size_t T, std::size_t N)
      : layer_dims{1, 1, dim(weights.inputs), dim(model.gates()), dim(model.hidden)},
        iter_dims{1, 1, dim(model.hidden), dim(model.gates()), dim(model.hidden)},
        bias_dims{1, 1, dim(model.gates() + (weights.bias_hn.empty() ? 0 : 1)), dim(model.hidden)},
        src(floats({dim(T), dim(N), dim(weights.inputs)}, Tag::tnc)),
        state(floats({1, 1, dim(N), dim(model.hidden)}, Tag::ldnc)),
        layer(floats(layer_dims, Tag::any)),
        iter(floats(iter_dims, Tag::any)),
        bias(floats(bias_dims, Tag::ldgo)),
        dst(floats({dim(T), dim(N), dim(model.hidden)}, Tag::tnc)) {}
};

struct Vanilla {
  using Forward = dnnl::vanilla_rnn_forward;
  using Backward = dnnl::vanilla_rnn_backward;
  static Forward::primitive_desc forward(prop_kind kind, const Shapes& s) {
    return {cpu(), kind,   dnnl::algorithm::eltwise_tanh, kDirection, s.src, s.state, s.layer, s.iter, s.bias,
            s.dst, s.state};
  }
  static Backward::primitive_desc backward(const Shapes& s, const Forward::primitive_desc& hint) {
    return {cpu(),
            prop_kind::backward,
            dnnl::algorithm::eltwise_tanh,
            kDirection,
            s.src,
            s.state,
            s.layer,
            s.iter,
            s.bias,
            s.dst,
            s.state,
            s.src,
            s.state,
            s.layer,
            s.iter,
            s.bias,
            s.dst,
            s.state,
            hint};
  }
};

struct Gru {
  using Forward = dnnl::lbr_gru_forward;
  using Backward = dnnl::lbr_gru_backward;
  static Forward::primitive_desc forward(prop_kind kind, const Shapes& s) {
    return {cpu(), kind, kDirection, s.src, s.state, s.layer, s.iter, s.bias, s.dst, s.state};
  }
  static Backward::primitive_desc backward(const Shapes& s, const Forward::primitive_desc& hint) {
    return {cpu(),      prop_kind::backward,
            kDirection, s.src,
            s.state,    s.layer,
            s.iter,     s.bias,
            s.dst,      s.state,
            s.src,      s.state,
            s.layer,    s.iter,
            s.bias,     s.dst,
            s.state,    hint};
  }
};

struct Lstm {
  using Forward = dnnl::lstm_forward;
  using Backward = dnnl::lstm_backward;
  static Forward::primitive_desc forward(prop_kind kind, const Shapes& s) {
    return {cpu(),   kind,   kDirection, s.src, s.state, s.state,
            s.layer, s.iter, s.bias,     s.dst, s.state, s.state};
  }
  static Backward::primitive_desc backward(const Shapes& s, const Forward::primitive_desc& hint) {
    return {cpu(),      prop_kind::backward,
            kDirection, s.src,
            s.state,    s.state,
            s.layer,    s.iter,
            s.bias,     s.dst,
            s.state,    s.state,
            s.src,      s.state,
            s.state,    s.layer,
            s.iter,     s.bias,
            s.dst,      s.state,
            s.state,    hint};
  }
};

// A primitive with what it reads and writes.
struct Call {
  dnnl::primitive primitive;
  Arguments arguments;
};

void set_weights(Arguments& arguments, const naive::Network& model, const naive::Layer& weights,
                 const Shapes& shapes, const memory::desc& layer, const memory::desc& iter) {
  std::vector<float> bias = in_order(model, weights.bias);
  bias.insert(bias.end(), weights.bias_hn.begin(), weights.bias_hn.end());
  arguments[DNNL_ARG_BIAS] = reordered(bias, shapes.bias_dims, Tag::ldgo, shapes.bias);
  arguments[DNNL_ARG_WEIGHTS_LAYER] =
      reordered(in_order(model, weights.w_ih), shapes.layer_dims, Tag::ldgoi, layer);
  arguments[DNNL_ARG_WEIGHTS_ITER] =
      reordered(in_order(model, weights.w_hh), shapes.iter_dims, Tag::ldgoi, iter);
}

void set_states(Arguments& arguments, bool lstm, const memory::desc& state) {
  arguments[DNNL_ARG_SRC_ITER] = filled(state, 0.0f);
  arguments[DNNL_ARG_DST_ITER] = filled(state, 0.0f);
  if (!lstm) return;
  arguments[DNNL_ARG_SRC_ITER_C] = filled(state, 0.0f);
  arguments[DNNL_ARG_DST_ITER_C] = filled(state, 0.0f);
}

// The forward pass of one layer from `src`.
template <class Primitives>
Call forward_layer(const typename Primitives::Forward::primitive_desc& desc, const naive::Network& model,
                   const naive::Layer& weights, const Shapes& shapes, const memory& src) {
  Call call{typename Primitives::Forward(desc), {}};
  set_weights(call.arguments, model, weights, shapes, desc.weights_layer_desc(), desc.weights_iter_desc());
  set_states(call.arguments, model.cell == naive::Cell::lstm, shapes.state);
  call.arguments[DNNL_ARG_SRC_LAYER] = src;
  call.arguments[DNNL_ARG_DST_LAYER] = filled(shapes.dst, 0.0f);
  return call;
}

class OnednnInference final : public Inference {
 public:
  template <class Primitives>
  OnednnInference(Primitives, const naive::Network& model, std::size_t T, std::size_t N) : stream_(cpu()) {
    x_ = memory(floats({dim(T), dim(N), dim(model.inputs)}, Tag::tnc), cpu(), nullptr);
    memory h = x_;
    for (const naive::Layer& weights : model.layers) {
      const Shapes shapes(model, weights, T, N);
      const auto desc = Primitives::forward(prop_kind::forward_inference, shapes);
      calls_[0].push_back(forward_layer<Primitives>(desc, model, weights, shapes, h));
      h = calls_[0].back().arguments[DNNL_ARG_DST_LAYER];
    }
    add_head(model, dim(T * N), h);
    // The other parity: the states the other way.
    calls_[1] = calls_[0];
    for (Call& call : calls_[1]) {
      if (call.arguments.count(DNNL_ARG_SRC_ITER) != 0)
        std::swap(call.arguments[DNNL_ARG_SRC_ITER], call.arguments[DNNL_ARG_DST_ITER]);
      if (call.arguments.count(DNNL_ARG_SRC_ITER_C) != 0)
        std::swap(call.arguments[DNNL_ARG_SRC_ITER_C], call.arguments[DNNL_ARG_DST_ITER_C]);
    }
  }

  void run(const float* x, float* y) override {
    x_.set_data_handle(const_cast<float*>(x));
    y_.set_data_handle(y);
    for (const Call& call : calls_[parity_]) call.primitive.execute(stream_, call.arguments);
    stream_.wait();
    parity_ ^= 1;
  }

 private:
  void add_head(const naive::Network& model, memory::dim rows, const memory& h) {
    const memory::dims dims = {dim(model.outputs), dim(model.hidden)};
    const memory::desc src = floats({rows, dim(model.hidden)}, Tag::nc);
    const memory::desc bias = floats({dim(model.outputs)}, Tag::x);
    const memory::desc dst = floats({rows, dim(model.outputs)}, Tag::nc);
    const dnnl::inner_product_forward::primitive_desc desc(cpu(), prop_kind::forward_inference, src,
                                                           floats(dims, Tag::any), bias, dst);
    y_ = memory(dst, cpu(), nullptr);
    calls_[0].push_back({dnnl::inner_product_forward(desc),
                         {{DNNL_ARG_SRC, memory(src, cpu(), h.get_data_handle())},
                          {DNNL_ARG_WEIGHTS, reordered(model.w_ho, dims, Tag::oi, desc.weights_desc())},
                          {DNNL_ARG_BIAS, reordered(model.bias_o, {dim(model.outputs)}, Tag::x, bias)},
                          {DNNL_ARG_DST, y_}}});
  }

  dnnl::stream stream_;
  memory x_, y_;
  std::vector<Call> calls_[2];  // of even and odd calls of run
  int parity_ = 0;
};

// The recurrent layers alone, forward and backward, from a constant gradient of the last layer's states.
class OnednnTraining final : public Training {
 public:
  template <class Primitives>
  OnednnTraining(Primitives, const naive::Network& model, const Batch& batch) : stream_(cpu()) {
    memory h = one_hot(model.inputs, batch);
    for (const naive::Layer& weights : model.layers) {
      const Shapes shapes(model, weights, batch.T, batch.N);
      const auto desc = Primitives::forward(prop_kind::forward_training, shapes);
      calls_.push_back(forward_layer<Primitives>(desc, model, weights, shapes, h));
      calls_.back().arguments[DNNL_ARG_WORKSPACE] = memory(desc.workspace_desc(), cpu());
      h = calls_.back().arguments[DNNL_ARG_DST_LAYER];
    }
    memory d_h = filled(h.get_desc(), 1e-4f);
    for (std::size_t l = model.layers.size(); l-- > 0;) {
      calls_.push_back(backward_layer<Primitives>(model, model.layers[l], batch, calls_[l].arguments, d_h));
      d_h = calls_.back().arguments[DNNL_ARG_DIFF_SRC_LAYER];
    }
  }

  double update() override {
    for (const Call& call : calls_) call.primitive.execute(stream_, call.arguments);
    stream_.wait();
    return std::numeric_limits<double>::quiet_NaN();
  }

 private:
  static memory one_hot(std::size_t inputs, const Batch& batch) {
    memory x = filled(floats({dim(batch.T), dim(batch.N), dim(inputs)}, Tag::tnc), 0.0f);
    float* data = static_cast<float*>(x.get_data_handle());
    for (std::size_t i = 0; i < batch.T * batch.N; ++i)
      data[i * inputs + static_cast<std::size_t>(batch.indices[i])] = 1.0f;
    return x;
  }

  // Gradients of weights are added to those of the update before, as oneDNN does it.
  template <class Primitives>
  static Call backward_layer(const naive::Network& model, const naive::Layer& weights, const Batch& batch,
                             const Arguments& forward, const memory& d_h) {
    const Shapes shapes(model, weights, batch.T, batch.N);
    const auto desc = Primitives::backward(shapes, Primitives::forward(prop_kind::forward_training, shapes));
    Call call{typename Primitives::Backward(desc), forward};
    Arguments& arguments = call.arguments;
    set_weights(arguments, model, weights, shapes, desc.weights_layer_desc(), desc.weights_iter_desc());
    for (const auto& [state, gradient] : {std::pair(DNNL_ARG_SRC_ITER, DNNL_ARG_DIFF_SRC_ITER),
                                          std::pair(DNNL_ARG_SRC_ITER_C, DNNL_ARG_DIFF_SRC_ITER_C),
                                          std::pair(DNNL_ARG_DST_ITER, DNNL_ARG_DIFF_DST_ITER),
                                          std::pair(DNNL_ARG_DST_ITER_C, DNNL_ARG_DIFF_DST_ITER_C)})
      if (arguments.count(state) != 0) arguments[gradient] = filled(shapes.state, 0.0f);
    arguments[DNNL_ARG_DIFF_SRC_LAYER] = filled(shapes.src, 0.0f);
    arguments[DNNL_ARG_DIFF_DST_LAYER] = d_h;
    arguments[DNNL_ARG_DIFF_WEIGHTS_LAYER] = filled(desc.diff_weights_layer_desc(), 0.0f);
    arguments[DNNL_ARG_DIFF_WEIGHTS_ITER] = filled(desc.diff_weights_iter_desc(), 0.0f);
    arguments[DNNL_ARG_DIFF_BIAS] = filled(shapes.bias, 0.0f);
    return call;
  }

  dnnl::stream stream_;
  std::vector<Call> calls_;
};

template <class Result, class... Arguments>
std::unique_ptr<Result> make(const naive::Network& model, Arguments... arguments) {
  switch (model.cell) {
    case naive::Cell::vanilla:
      return std::make_unique<Result>(Vanilla(), model, arguments...);
    case naive::Cell::gru:
      return std::make_unique<Result>(Gru(), model, arguments...);
    case naive::Cell::lstm:
      return std::make_unique<Result>(Lstm(), model, arguments...);
  }
  return nullptr;
}

// Primitives keep the number of threads with which they were made, if it is the same when they run.
std::unique_ptr<Inference> make_inference(const naive::Network& model, std::size_t T, std::size_t N,
                                          int threads) {
  omp_set_num_threads(threads);
  return make<OnednnInference>(model, T, N);
}

std::unique_ptr<Training> make_training(const naive::Network& model, const Batch& batch, int threads) {
  omp_set_num_threads(threads);
  return make<OnednnTraining>(model, batch);
}

std::string version() {
  const dnnl_version_t* v = dnnl::version();
  std::string isa = "another";
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx2:
      isa = "AVX2";
      break;
    case dnnl::cpu_isa::avx512_core:
      isa = "AVX-512";
      break;
    case dnnl::cpu_isa::avx512_core_vnni:
      isa = "AVX-512 with VNNI";
      break;
    case dnnl::cpu_isa::avx512_core_bf16:
      isa = "AVX-512 with VNNI and BF16";
      break;
    case dnnl::cpu_isa::avx10_1_512_amx:
      isa = "AVX-512 with AMX";
      break;
    default:
      break;
  }
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch) + ", " +
         isa;
}

}  // namespace

std::vector<Peer> peers() {
  return {
      {"onednn", version(), make_inference, make_training,
       "the recurrent layers' forward and backward pass, without head, loss, optimizer and the reordering "
       "of weights"}};
}

}  // namespace bench
