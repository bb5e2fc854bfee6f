// RTNeural, whose networks have their sizes in their types: those of make_inference. Compiled once for each
// of its backends, which meson.build names in RNN_PEER_FUNCTION, with its users' flags.
#define EIGEN_STACK_ALLOCATION_LIMIT 0  // the largest models are more than its 128 KB; they are on the heap
#include <RTNeural/RTNeural.h>

#include <algorithm>

#include "bench/peers/isa.h"
#include "bench/peers/peer.h"

#define RNN_STRING_(x) #x
#define RNN_STRING(x) RNN_STRING_(x)

namespace bench {

Peer RNN_PEER_FUNCTION();

namespace {

using Matrix = std::vector<std::vector<float>>;

template <int I, int H>
using Gru = RTNEURAL_NAMESPACE::GRULayerT<float, I, H>;
template <int I, int H>
using Lstm = RTNEURAL_NAMESPACE::LSTMLayerT<float, I, H>;

// For gate g of RTNeural's, that of ours which it is: Keras' order, z r n for the GRU, i f g o for the LSTM.
std::size_t our_gate(naive::Cell cell, std::size_t g) {
  return cell == naive::Cell::gru && g < 2 ? 1 - g : g;
}

// Ours is w[G*H, columns]; theirs [columns][G*H].
Matrix transposed(const naive::Network& model, const std::vector<float>& w, std::size_t columns) {
  const std::size_t H = model.hidden, rows = model.gates() * H;
  Matrix result(columns, std::vector<float>(rows));
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t ours = our_gate(model.cell, i / H) * H + i % H;
    for (std::size_t j = 0; j < columns; ++j) result[j][i] = w[ours * columns + j];
  }
  return result;
}

template <int I, int H>
void set_bias(Gru<I, H>& layer, const naive::Network& model) {
  const Matrix bias = transposed(model, model.layers[0].bias, 1);
  std::vector<float> recurrent(3 * H);
  std::copy(model.layers[0].bias_hn.begin(), model.layers[0].bias_hn.end(), recurrent.begin() + 2 * H);
  layer.setBVals({bias[0], recurrent});
}

template <int I, int H>
void set_bias(Lstm<I, H>& layer, const naive::Network& model) {
  layer.setBVals(model.layers[0].bias);
}

template <template <int, int> class Layer, int I, int H, int O>
class Model : public Inference {
 public:
  Model(const naive::Network& model, std::size_t T) : T_(T) {
    auto& layer = model_.template get<0>();
    layer.setWVals(transposed(model, model.layers[0].w_ih, I));
    layer.setUVals(transposed(model, model.layers[0].w_hh, H));
    set_bias(layer, model);
    auto& head = model_.template get<1>();
    Matrix w(O);
    for (std::size_t i = 0; i < O; ++i) w[i].assign(&model.w_ho[i * H], &model.w_ho[i * H] + H);
    head.setWeights(w);
    head.setBias(model.bias_o.data());
    model_.reset();
  }

  void run(const float* x, float* y) override {
    for (std::size_t t = 0; t < T_; ++t) {
      std::copy_n(x + t * I, I, input_);  // aligned and padded, as forward wants it
      model_.forward(input_);
      std::copy_n(model_.getOutputs(), O, y + t * O);
    }
  }

 private:
  const std::size_t T_;
  RTNEURAL_NAMESPACE::ModelT<float, I, O, Layer<I, H>, RTNEURAL_NAMESPACE::DenseT<float, H, O>> model_;
  alignas(64) float input_[(I + 15) / 16 * 16] = {};
};

template <int I, int H, int O>
bool make(const naive::Network& model, std::size_t T, std::unique_ptr<Inference>& result) {
  if (model.inputs != I || model.hidden != H || model.outputs != O) return false;
  if (model.cell == naive::Cell::gru)
    result = std::make_unique<Model<Gru, I, H, O>>(model, T);
  else
    result = std::make_unique<Model<Lstm, I, H, O>>(model, T);
  return true;
}

// One stream, one layer; it has no vanilla cell.
std::unique_ptr<Inference> make_inference(const naive::Network& model, std::size_t T, std::size_t N,
                                          int threads) {
  std::unique_ptr<Inference> result;
  if (N != 1 || threads != 1 || model.cell == naive::Cell::vanilla || model.layers.size() != 1) return result;
  (void)(make<1, 16, 1>(model, T, result) || make<1, 40, 1>(model, T, result) ||
         make<65, 128, 65>(model, T, result) || make<128, 256, 128>(model, T, result));
  return result;
}

}  // namespace

Peer RNN_PEER_FUNCTION() {
#if RTNEURAL_USE_XSIMD
  const std::string version = "xsimd " RNN_STRING(XSIMD_VERSION_MAJOR) "." RNN_STRING(XSIMD_VERSION_MINOR);
  const std::string isa = xsimd::default_arch::name();
#else
  const std::string version = "Eigen " RNN_STRING(EIGEN_WORLD_VERSION) "." RNN_STRING(
      EIGEN_MAJOR_VERSION) "." RNN_STRING(EIGEN_MINOR_VERSION);
  const std::string isa = Eigen::SimdInstructionSetsInUse();
#endif
  return {RNN_STRING(RNN_PEER_FUNCTION),
          "RTNeural on " + version + ", " + isa,
          make_inference,
          nullptr,
          "",
          sizeof(float),
          RNN_PEER_ISA};
}

}  // namespace bench
