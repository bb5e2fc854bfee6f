// bits [FILE]: a hash of what is computed from fixed numbers, one line for each kernel, for a network and for
// its training, printed or compared with the lines of FILE. The promise is that they are the same on every
// CPU.
//
// When results change on purpose: build/tests/kernels/bits >tests/kernels/bits.txt
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"
#include "rnn/rnn.h"

namespace rnn::kernels {
namespace {

std::vector<std::string> lines;

std::vector<float> numbers(std::size_t n, unsigned seed, float reach = 1.0f) {
  std::mt19937 random(seed);
  std::vector<float> values(n);
  for (float& x : values) x = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f * reach;
  return values;
}

// FNV-1a, 64 bits.
void add(const char* name, const std::vector<float>& values) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const float value : values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; ++i) hash = (hash ^ (bits >> 8 * i & 0xff)) * 0x100000001b3;
  }
  char line[64];
  std::snprintf(line, sizeof line, "%-14s %016" PRIx64, name, hash);
  lines.push_back(line);
}

Rows rows(const std::vector<float>& values, std::size_t stride) { return {values.data(), stride, nullptr}; }

// A matrix of numbers, packed.
class Packed {
 public:
  Packed(const Table& table, std::size_t rows, std::size_t depth, std::size_t gates,
         const std::vector<float>& w)
      : panels_{nullptr, rows, depth, gates}, memory_(packed_size(table, panels_) + 16) {
    float* aligned = memory_.data();
    while (reinterpret_cast<std::uintptr_t>(aligned) % 64 != 0) ++aligned;
    pack(table, panels_, {w.data(), depth, 1, 0}, 0, panel_count(table, panels_), aligned);
    panels_.data = aligned;
  }
  const Panels& panels() const { return panels_; }

 private:
  Panels panels_;
  std::vector<float> memory_;
};

MutableRows writable(std::vector<float>& values, std::size_t stride) {
  return {values.data(), stride, nullptr};
}

void products(const Table& table) {
  constexpr std::size_t M = 11, H = 80, K = 61;  // H needs no padding
  const std::vector<float> w = numbers(H * K, 1), x = numbers(M * K, 2), init = numbers(M * H, 3);
  std::vector<float> y(M * H), c(H * H);
  const Packed packed(table, H, K, 0, w);
  table.gemm(packed.panels(), M, rows(x, K), rows(init, H), H, writable(y, H));
  add("gemm", y);
  table.gemm_tn(H, H, M, y.data(), H, init.data(), H, c.data(), H, false);
  add("gemm_tn", c);

  std::vector<float> h(M * H), d(M * H);
  const Packed square(table, H, H, 0, numbers(H * H, 4, 0.2f));
  CellForward step{};
  step.w = square.panels();
  step.M = M;
  step.H = H;
  step.x = rows(init, H);
  step.gates = writable(y, H);
  step.h = writable(h, H);
  table.vanilla_forward(step);
  add("forward", h);
  CellBackward back{};
  back.w = square.panels();
  back.M = M;
  back.M_product = M - 3;
  back.H = H;
  back.x = rows(init, H);
  back.d_h = rows(y, H);
  back.gates = writable(d, H);
  back.h = rows(h, H);
  table.vanilla_backward(back);
  add("backward", d);
}

// In another format than f32: one matrix with few rows, and one deep enough to go by chunks.
void lowp_products(Format format, const char* name, const char* tn_name) {
  constexpr std::size_t M = 11, H = 64, N = 80, K = 2100;
  const Table& lowp = *table(format);
  const std::vector<float> w = numbers(N * K, 1), x = numbers(M * K, 2), init = numbers(M * N, 3);
  std::vector<float> few(M * H), deep(M * N), c(N * N);
  lowp.gemm(Packed(lowp, H, 61, 0, w).panels(), M, rows(x, K), rows(init, N), H, writable(few, H));
  lowp.gemm(Packed(lowp, N, K, 0, w).panels(), M, rows(x, K), rows(init, N), N, writable(deep, N));
  few.insert(few.end(), deep.begin(), deep.end());
  add(name, few);
  if (lowp.gemm_tn == nullptr) return;
  lowp.gemm_tn(N, N, M, deep.data(), N, init.data(), N, c.data(), N, false);
  add(tn_name, c);
}

// Long sums, of few rows and of more: a single x, and several.
void long_sums(Format format, std::size_t K, const char* name, const char* tn_name) {
  constexpr std::size_t M = 7, N = 80, H = 48, R = 203;
  const Table& chosen = *table(format);
  const std::vector<float> w = numbers(N * K, 1), x = numbers(M * K, 2), a = numbers(R * N, 3);
  const Rows none{nullptr, 0, nullptr};
  std::vector<float> all;
  for (const std::size_t rows_of_w : {H, N})
    for (const std::size_t count : {std::size_t{1}, M}) {
      std::vector<float> y(count * rows_of_w);
      chosen.gemm(Packed(chosen, rows_of_w, K, 0, w).panels(), count, rows(x, K), none, rows_of_w,
                  writable(y, rows_of_w));
      all.insert(all.end(), y.begin(), y.end());
    }
  add(name, all);
  std::vector<float> c = numbers(N * N, 4);
  chosen.gemm_tn(N, N, R, a.data(), N, a.data(), N, c.data(), N, true);
  add(tn_name, c);
}

// One step of a cell with G gates and what it leaves, forward and then backward.
class Step {
 public:
  Step(const Table& table, std::size_t gates, std::size_t kept = 1)
      : table_(table),
        G(gates),
        kept_stride_(kept * H),
        w_(table, gates * H, H, gates, numbers(gates * H * H, 11, 0.2f)),
        reset_(table, 2 * H, H, 2, numbers(2 * H * H, 11, 0.2f)),
        new_gate_(table, H, H, 0, numbers(H * H, 12, 0.2f)),
        back_(table, H, gates * H, 0, numbers(gates * H * H, 13, 0.2f)),
        h_prev_(numbers(M * H, 14)),
        c_prev_(numbers(M * H, 15)),
        d_(numbers(M * gates * H, 16)),
        d_h_(numbers(M * H, 17)),
        vectors_(numbers(3 * H, 18)),
        gates_(numbers(M * gates * H, 19)),
        kept_(M * kept_stride_),
        h_(M * H),
        c_(M * H),
        carry_(numbers(M * H, 20)) {}

  void run(const char* name, const char* back_name, void (*Table::*forward)(const CellForward&),
           void (*Table::*backward)(const CellBackward&)) {
    (table_.*forward)(forward_step(w_.panels(), h_prev_));
    add(name, all({&gates_, &kept_, &h_, &c_}));
    (table_.*backward)(backward_step(back_.panels(), rows(d_, G * H), M - 3));
    add(back_name, all({&gates_, &kept_, &carry_}));
  }

  // The GRU with the reset gate before the product.
  void run_before(const char* name, const char* back_name) {
    table_.gru_before_forward(forward_step(reset_.panels(), h_prev_));
    table_.gru_before_forward_state(forward_step(new_gate_.panels(), kept_));
    add(name, all({&gates_, &kept_, &h_}));
    table_.gru_before_backward_state(backward_step(back_.panels(), rows(d_, G * H), M - 3));
    table_.gru_before_backward(backward_step(new_gate_.panels(), {&gates_[2 * H], G * H, nullptr}, M));
    add(back_name, all({&gates_, &carry_}));
  }

 private:
  static constexpr std::size_t M = 11, H = 37;

  static std::vector<float> all(std::initializer_list<const std::vector<float>*> parts) {
    std::vector<float> values;
    for (const std::vector<float>* part : parts) values.insert(values.end(), part->begin(), part->end());
    return values;
  }
  CellForward forward_step(const Panels& w, const std::vector<float>& x) {
    return {w,
            M,
            H,
            rows(x, H),
            writable(gates_, G * H),
            rows(h_prev_, H),
            rows(c_prev_, H),
            {nullptr, &vectors_[0], &vectors_[H], &vectors_[2 * H]},
            writable(kept_, kept_stride_),
            writable(h_, H),
            writable(c_, H),
            nullptr,
            {},
            {}};
  }
  CellBackward backward_step(const Panels& w, const Rows& x, std::size_t M_product) {
    return {w,
            M,
            M_product,
            H,
            x,
            rows(d_h_, H),
            writable(gates_, G * H),
            rows(h_prev_, H),
            rows(h_, H),
            rows(c_prev_, H),
            rows(c_, H),
            {nullptr, &vectors_[0], &vectors_[H], &vectors_[2 * H]},
            writable(kept_, kept_stride_),
            writable(carry_, H),
            writable(carry_, H),
            {}};
  }

  const Table& table_;
  const std::size_t G, kept_stride_;
  const Packed w_, reset_, new_gate_, back_;
  const std::vector<float> h_prev_, c_prev_, d_, d_h_, vectors_;
  std::vector<float> gates_, kept_, h_, c_, carry_;
};

void cells(const Table& table) {
  Step(table, 1).run("relu", "relu_back", &Table::relu_forward, &Table::relu_backward);
  Step(table, 4).run("lstm", "lstm_back", &Table::lstm_forward, &Table::lstm_backward);
  Step(table, 4, 3)
      .run("peephole", "peephole_back", &Table::lstm_peephole_forward, &Table::lstm_peephole_backward);
  Step(table, 3).run("coupled", "coupled_back", &Table::lstm_coupled_forward, &Table::lstm_coupled_backward);
  Step(table, 3, 2)
      .run("coupled_peep", "coupled_peep_back", &Table::lstm_coupled_peephole_forward,
           &Table::lstm_coupled_peephole_backward);
  Step(table, 3).run("gru", "gru_back", &Table::gru_forward, &Table::gru_backward);
  Step(table, 3).run_before("gru_reset", "gru_reset_back");
  Step(table, 2).run("mingru", "mingru_back", &Table::mingru_forward, &Table::mingru_backward);
  Step(table, 3).run("minlstm", "minlstm_back", &Table::minlstm_forward, &Table::minlstm_backward);
}

// Each activation of a layer without recurrence, what it makes of some rows and of their gradients.
void dense(const Table& table) {
  constexpr std::size_t M = 7, H = 101;
  const std::vector<float> d = numbers(M * H, 29), slopes = numbers(H, 30);
  std::vector<float> out, y(M * H), kept(M * H);
  for (std::int32_t kind = 0; kind <= static_cast<std::int32_t>(ActivationKind::thresholded_relu); ++kind) {
    std::vector<float> gates = numbers(M * H, 28, 9.0f);
    const Activation activation = {static_cast<ActivationKind>(kind), 0.3f, 0.6f};
    CellForward step{};
    step.M = M;
    step.H = H;
    step.vectors[1] = slopes.data();
    step.gates = writable(gates, H);
    step.h = writable(y, H);
    step.activation = activation;
    table.dense_forward(step);
    CellBackward back{};
    back.M = M;
    back.H = H;
    back.vectors[1] = slopes.data();
    back.d_h = rows(d, H);
    back.gates = writable(gates, H);
    back.h = rows(y, H);
    back.kept = writable(kept, H);
    back.activation = activation;
    table.dense_backward(back);
    for (const std::vector<float>* part : {&y, &gates, &kept})
      out.insert(out.end(), part->begin(), part->end());
  }
  add("dense", out);
}

void norms(const Table& table) {
  constexpr std::size_t M = 5, N = 83;
  const std::vector<float> x = numbers(M * N, 21), dy = numbers(M * N, 22), gain = numbers(N, 23);
  const std::vector<float> bias = numbers(N, 24);
  std::vector<float> v(M * N), y(M * N), deviation(M), sums(N);
  table.layer_norm(M, N, rows(x, N), gain.data(), bias.data(), writable(v, N), deviation.data(),
                   writable(y, N));
  add("layer_norm", y);
  table.layer_norm_backward(M, N, rows(dy, N), gain.data(), rows(v, N), deviation.data(), writable(y, N));
  add("norm_back", y);
  table.product_sums(M, N, x.data(), N, dy.data(), N, sums.data());
  add("product_sums", sums);
  const std::uint64_t row_numbers[M] = {26, 27, 28, 29, 30};
  table.dropout(M, N, rows(x, N), 25, row_numbers, 0x60000000u, 1.6f, writable(y, N));
  add("dropout", y);
  std::vector<float> mean = numbers(160, 27);
  table.average(mean.size(), 0.1f, x.data(), mean.data());
  add("average", mean);
}

void losses(const Table& table) {
  constexpr std::size_t M = 5, N = 80;
  const std::int32_t classes[M] = {0, 79, 3, 4, 40};
  const std::vector<float> y = numbers(M * N, 5, 9.0f), targets = numbers(M * N, 6), scale = numbers(M, 7);
  std::vector<float> out = y, loss(M);
  SoftmaxRow found[M];
  table.softmax_cross_entropy(M, N, out.data(), N, classes, scale.data(), found);
  for (const SoftmaxRow& row : found) out.insert(out.end(), {row.sum, row.gap});
  add("cross_entropy", out);
  out = y;
  std::vector<float> rest(M);
  table.smoothed_cross_entropy(M, N, out.data(), N, classes, targets.data() + N, targets.data(), 0.5f,
                               scale.data(), found, rest.data());
  for (const SoftmaxRow& row : found) out.insert(out.end(), {row.sum, row.gap});
  out.insert(out.end(), rest.begin(), rest.end());
  add("smoothed", out);
  out = y;
  table.squared_error(M, N, out.data(), N, targets.data(), N, scale.data(), loss.data());
  out.insert(out.end(), loss.begin(), loss.end());
  add("squared_error", out);
  out = y;
  table.binary_cross_entropy(M, N, out.data(), N, targets.data(), N, scale.data(), loss.data());
  out.insert(out.end(), loss.begin(), loss.end());
  add("binary", out);
  table.softmax(M * N - 3, y.data(), 0.7f, out.data());
  add("softmax", out);
  add("sum_squares", {table.sum_squares(M * N - 3, y.data())});
}

void arrays(const Table& table) {
  const std::vector<float> x = numbers(10000, 8, 20.0f);
  std::vector<float> y(x.size());
  table.tanh(x.data(), y.data(), x.size());
  add("tanh", y);
  table.sigmoid(x.data(), y.data(), x.size());
  add("sigmoid", y);
  table.exp(x.data(), y.data(), x.size());
  add("exp", y);

  std::vector<float> m(x.size()), v(x.size());
  const Update u = {Rule::adam, false, 0.1f, 0, 0.9f, 0.99f, 1e-5f, 0.01f, 0.7f, 5.0f};
  table.update(u, x.size(), y.data(), x.data(), m.data(), v.data());
  add("update", y);
}

void check(rnn_status_t status) {
  if (status != RNN_OK) throw std::runtime_error(rnn_last_error());
}

// Outputs of ragged sequences, and the outputs again after some updates.
rnn_config_t config_of(std::int32_t cell, std::uint32_t flags) {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.cell = cell;
  config.flags = flags;
  config.input_size = 13;
  config.hidden_size = 45;
  config.output_size = 13;
  config.num_layers = 2;
  config.seed = 1;
  return config;
}

// Ragged sequences of indices and classes.
struct Text {
  explicit Text(std::vector<std::size_t> all = {7, 31, 1, 12, 12, 29, 30, 3}) : lengths(std::move(all)) {
    for (const std::size_t length : lengths)
      for (std::size_t t = 0; t < length; ++t) {
        indices.push_back(static_cast<std::int32_t>((t * t + length) % 13));
        classes.push_back(static_cast<std::int32_t>((t + length) % 13));
      }
    data.struct_size = sizeof data;
    data.count = lengths.size();
    data.frames = indices.size();
    data.lengths = lengths.data();
    data.indices = indices.data();
    data.classes = classes.data();
  }

  std::vector<std::size_t> lengths;
  std::vector<std::int32_t> indices, classes;
  rnn_sequences_t data = {};
};

// The outputs, which depend on all weights.
void add_outputs(const char* name, rnn_t* rnn, const rnn_sequences_t& data) {
  std::vector<float> y(data.frames * 13);
  check(rnn_forward(rnn, &data, nullptr, y.data()));
  add(name, y);
}

void train(const char* name, rnn_t* rnn, const rnn_sequences_t& data, const rnn_train_options_t& options) {
  const rnn_status_t status = rnn_train(rnn, &data, &options);
  if (status == RNN_UNSUPPORTED) return;  // built without training
  check(status);
  add_outputs(name, rnn, data);
}

void network(const char* name, const char* trained, std::int32_t cell, std::uint32_t flags) {
  const rnn_config_t config = config_of(cell, flags);
  rnn_t* rnn = nullptr;
  check(rnn_create(&config, &rnn));
  const Text text;
  add_outputs(name, rnn, text.data);
  rnn_train_options_t options = {};
  options.struct_size = sizeof options;
  options.learning_rate = 0.01f;
  options.epochs = 5;
  options.batch_size = 5;
  options.clip_norm = 1;
  train(trained, rnn, text.data, options);
  rnn_destroy(rnn);
}

// Two sequences of numbers of a magnitude, and targets of another.
struct Numbers {
  static constexpr std::size_t kOutputs = 13;

  Numbers(std::size_t inputs, std::size_t first, std::size_t second, float reach, float target_reach)
      : lengths{first, second},
        x(numbers((first + second) * inputs, 1, reach)),
        targets(numbers((first + second) * kOutputs, 2, target_reach)) {
    data.struct_size = sizeof data;
    data.count = 2;
    data.frames = first + second;
    data.lengths = lengths;
    data.inputs = x.data();
    data.targets = targets.data();
  }

  std::size_t lengths[2];
  std::vector<float> x, targets;
  rnn_sequences_t data = {};
};

// An update of a layer whose sums over inputs, and backwards over gates, are long.
void wide(const char* name) {
  rnn_config_t config = config_of(RNN_CELL_LSTM, 0);
  config.input_size = 1030;
  config.hidden_size = 257;
  config.num_layers = 1;
  rnn_t* rnn = nullptr;
  check(rnn_create(&config, &rnn));
  const Numbers batch(config.input_size, 3, 2, 1.0f, 1.0f);
  rnn_train_options_t options = {};
  options.struct_size = sizeof options;
  options.loss = RNN_LOSS_SQUARED_ERROR;
  options.epochs = 2;
  train(name, rnn, batch.data, options);
  rnn_destroy(rnn);
}

// Numbers and gradients of which many are subnormal, or would be if they were not zero.
void tiny(const char* name, const char* trained, std::int32_t cell) {
  rnn_config_t config = config_of(cell, 0);
  config.init = RNN_INIT_XAVIER_UNIFORM;
  config.num_layers = 1;
  config.skip = 5;
  rnn_t* rnn = nullptr;
  check(rnn_create(&config, &rnn));
  const Numbers batch(config.input_size, 30, 40, 0x1p-123f, 0x1p-114f);
  add_outputs(name, rnn, batch.data);
  rnn_train_options_t options = {};
  options.struct_size = sizeof options;
  options.loss = RNN_LOSS_SQUARED_ERROR;
  options.optimizer = RNN_OPTIMIZER_SGD;
  options.learning_rate = 0.3f;
  options.momentum = 0.9f;
  options.epochs = 3;
  train(trained, rnn, batch.data, options);
  rnn_destroy(rnn);
}

// An update of so many steps that blocks of them are summed apart.
void long_run(const char* name) {
  rnn_config_t config = config_of(RNN_CELL_GRU, 0);
  config.hidden_size = 8;
  rnn_t* rnn = nullptr;
  check(rnn_create(&config, &rnn));
  const Text text({2100, 2310, 1999, 2000});
  rnn_train_options_t options = {};
  options.struct_size = sizeof options;
  options.batch_size = 4;
  options.epochs = 1;
  train(name, rnn, text.data, options);
  rnn_destroy(rnn);
}

// With all that depends on the order of sums or is drawn at random.
void lanes(const char* name, std::int32_t cell, std::int32_t compute) {
  rnn_config_t config = config_of(cell, 0);
  config.compute = compute;
  rnn_t* rnn = nullptr;
  check(rnn_create(&config, &rnn));
  const Text text;
  rnn_train_options_t options = {};
  options.struct_size = sizeof options;
  options.learning_rate = 0.01f;
  options.epochs = 13;
  options.batch_size = 8;
  options.lanes = 4;
  options.window = 5;
  options.accumulate = 2;
  options.clip_norm = 0.1f;
  options.dropout = options.output_dropout = options.recurrent_dropout = 0.2f;
  options.scheduled_sampling = 0.2f;
  options.average = 0.9f;
  options.validation = &text.data;
  options.validate_every = 3;
  options.patience = 5;
  options.restore_best = 1;
  train(name, rnn, text.data, options);
  rnn_destroy(rnn);
}

// Whether a file has the lines found.
int compare(const char* path) {
  std::ifstream file(path);
  std::set<std::string> expected;
  for (std::string line; std::getline(file, line);) expected.insert(line);
  int different = 0;
  for (const std::string& found : lines) {
    if (expected.count(found) != 0) continue;
    std::fprintf(stderr, "not expected: %s\n", found.c_str());
    ++different;
  }
  return different == 0 ? 0 : 1;
}

}  // namespace
}  // namespace rnn::kernels

int main(int argc, char** argv) {
  using namespace rnn::kernels;
  const Table* const chosen = table();
  if (chosen == nullptr) return std::puts("no such instruction set here"), 77;
  products(*chosen);
  lowp_products(Format::bf16, "gemm_bf16", "gemm_tn_bf16");
  lowp_products(Format::int8, "gemm_int8", nullptr);
  cells(*chosen);
  dense(*chosen);
  norms(*chosen);
  losses(*chosen);
  arrays(*chosen);
  network("network", "trained", RNN_CELL_VANILLA, 0);
  network("network_gru", "trained_gru", RNN_CELL_GRU, RNN_FLAG_LAYER_NORM);
  network("network_reset", "trained_reset", RNN_CELL_GRU, RNN_FLAG_RESET_BEFORE);
  network("network_lstm", "trained_lstm", RNN_CELL_LSTM, RNN_FLAG_BIDIRECTIONAL);
  network("network_peephole", "trained_peephole", RNN_CELL_LSTM, RNN_FLAG_PEEPHOLES | RNN_FLAG_LAYER_NORM);
  network("network_coupled", "trained_coupled", RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES | RNN_FLAG_RESIDUAL);
  network("network_both", "trained_both", RNN_CELL_LSTM, RNN_FLAG_COUPLED_GATES | RNN_FLAG_PEEPHOLES);
  network("network_mingru", "trained_mingru", RNN_CELL_MIN_GRU, RNN_FLAG_RESIDUAL);
  network("network_minlstm", "trained_minlstm", RNN_CELL_MIN_LSTM, RNN_FLAG_RESIDUAL);
  lanes("lanes", RNN_CELL_VANILLA, RNN_COMPUTE_F32);
  lanes("lanes_gru", RNN_CELL_GRU, RNN_COMPUTE_F32);
  lanes("lanes_lstm", RNN_CELL_LSTM, RNN_COMPUTE_F32);
  lanes("lanes_bf16", RNN_CELL_LSTM, RNN_COMPUTE_BF16);
  long_sums(Format::f32, 2500, "long_gemm", "long_gemm_tn");
  long_sums(Format::bf16, 4999, "long_gemm_bf16", "long_gemm_tn_bf16");
  wide("long_wide");
  long_run("long_run");
  tiny("tiny", "trained_tiny", RNN_CELL_VANILLA);
  tiny("tiny_gru", "trained_tiny_gru", RNN_CELL_GRU);
  tiny("tiny_lstm", "trained_tiny_lstm", RNN_CELL_LSTM);
  if (argc > 1) return compare(argv[1]);
  for (const std::string& line : lines) std::puts(line.c_str());
  return 0;
}
