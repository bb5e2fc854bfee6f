// bits [FILE]: a hash of what is computed from fixed numbers, one line for each kernel, for a network and for
// its training, printed or compared with the lines of FILE. The promise is that they are the same on every
// CPU with fused multiply-add; without one (sse2) this exits with 77.
//
// When results change on purpose: build/tests/kernels/bits >tests/kernels/bits.txt
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
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
  for (float& x : values) x = static_cast<float>(static_cast<std::int32_t>(random())) * (0x1p-31f * reach);
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

void products(const Table& table) {
  constexpr std::size_t M = 11, H = 80, K = 61;  // H needs no padding
  const std::vector<float> w = numbers(H * K, 1), x = numbers(M * K, 2), init = numbers(M * H, 3);
  std::vector<float> packed(packed_size(table, H, K) + 16), y(M * H), c(H * H);
  float* aligned = packed.data();
  while (reinterpret_cast<std::uintptr_t>(aligned) % 64 != 0) ++aligned;
  pack(table, H, K, w.data(), K, 1, 0, panel_count(table, H), aligned);
  table.gemm({aligned, H, K}, M, rows(x, K), rows(init, H), H, {y.data(), H, nullptr});
  add("gemm", y);
  table.gemm_tn(H, H, M, y.data(), H, init.data(), H, c.data(), H);
  add("gemm_tn", c);

  const std::vector<float> v = numbers(H * H, 4, 0.2f);
  std::vector<float> square(packed_size(table, H, H) + 16), h(M * H), d(M * H);
  aligned = square.data();
  while (reinterpret_cast<std::uintptr_t>(aligned) % 64 != 0) ++aligned;
  pack(table, H, H, v.data(), H, 1, 0, panel_count(table, H), aligned);
  table.vanilla_forward({aligned, H, H}, M, rows(init, H), rows(y, H), H, {h.data(), H, nullptr});
  add("forward", h);
  table.vanilla_backward({aligned, H, H}, M, M - 3, rows(init, H), rows(y, H), rows(h, H), H,
                         {d.data(), H, nullptr});
  add("backward", d);
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
void network() {
  rnn_config_t config = {};
  config.struct_size = sizeof config;
  config.input_size = 13;
  config.hidden_size = 45;
  config.output_size = 13;
  config.num_layers = 2;
  config.seed = 1;
  rnn_t* rnn = nullptr;
  check(rnn_create(&config, &rnn));

  const std::vector<std::size_t> lengths = {7, 31, 1, 12, 12, 29, 30, 3};
  std::vector<std::int32_t> indices, classes;
  for (const std::size_t length : lengths)
    for (std::size_t t = 0; t < length; ++t) {
      indices.push_back(static_cast<std::int32_t>((t * t + length) % 13));
      classes.push_back(static_cast<std::int32_t>((t + length) % 13));
    }
  rnn_sequences_t data = {};
  data.struct_size = sizeof data;
  data.count = lengths.size();
  data.frames = indices.size();
  data.lengths = lengths.data();
  data.indices = indices.data();
  data.classes = classes.data();
  std::vector<float> y(data.frames * 13);
  check(rnn_forward(rnn, &data, nullptr, y.data()));
  add("network", y);

  rnn_train_options_t options = {};
  options.struct_size = sizeof options;
  options.learning_rate = 0.01f;
  options.epochs = 5;
  options.batch_size = 5;
  options.clip_norm = 1;
  const rnn_status_t status = rnn_train(rnn, &data, &options);
  if (status != RNN_UNSUPPORTED) {  // built without training
    check(status);
    check(rnn_forward(rnn, &data, nullptr, y.data()));
    add("trained", y);
  }
  rnn_destroy(rnn);
}

// The lines of a file begin with those found.
int compare(const char* path) {
  std::ifstream file(path);
  std::string line;
  int different = 0;
  for (const std::string& found : lines) {
    if (!std::getline(file, line)) line = "no line";
    if (line == found) continue;
    std::fprintf(stderr, "found %s, expected %s\n", found.c_str(), line.c_str());
    ++different;
  }
  return different == 0 ? 0 : 1;
}

}  // namespace
}  // namespace rnn::kernels

int main(int argc, char** argv) {
  using namespace rnn::kernels;
  const Table* const chosen = table();
  if (chosen == nullptr || std::strcmp(chosen->name, "sse2") == 0)
    return std::puts("no fused multiply-add here"), 77;
  products(*chosen);
  losses(*chosen);
  arrays(*chosen);
  network();
  if (argc > 1) return compare(argv[1]);
  for (const std::string& line : lines) std::puts(line.c_str());
  return 0;
}
