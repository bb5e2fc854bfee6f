// A mono effect, such as the model of an amplifier, as an audio host runs it, and a host that plays through it.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <memory>
#include <rnn/rnn.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

// [model]
// A network with what its file says beside it. Made and destroyed where waiting is allowed.
struct Model {
  Model(const std::string& path, double sample_rate, std::size_t block) : network(rnn::Network::load(path)) {
    in_gain = decibels("in_gain");
    out_gain = decibels("out_gain");
    for (const char* key : {"sample_rate", "samplerate"}) {
      const double trained = number(key, sample_rate);
      if (sample_rate > trained) network.set_delay(static_cast<float>(sample_rate / trained));
    }
    network.reserve_block(block);
    const float silence = 0;
    float y;
    for (int i = 0; i < 4096; ++i) network.step(&silence, &y);  // it settles before it is heard
  }

  void process(const float* in, float* scratch, float* out, std::size_t n) noexcept {
    for (std::size_t i = 0; i < n; ++i) scratch[i] = in_gain * in[i];
    rnn_step_block(network.get(), scratch, n, out);
    for (std::size_t i = 0; i < n; ++i) out[i] *= out_gain;
  }

  rnn::Network network;
  float in_gain, out_gain;

 private:
  double number(const char* key, double otherwise) const {
    for (const std::string& known : network.metadata_keys())
      if (known == key) return std::stod(network.get_metadata(key));
    return otherwise;
  }
  float decibels(const char* key) const { return static_cast<float>(std::pow(10, number(key, 0) / 20)); }
};

// [effect]
class Effect {
 public:
  ~Effect() {
    for (Model* model : {in_use_, next_.load(), old_.load()}) delete model;
  }

  // While no audio runs: the host says at what rate and in what blocks it will play.
  void prepare(double sample_rate, std::size_t block) {
    sample_rate_ = sample_rate;
    scratch_.resize(block);
    fading_.resize(block);
  }

  // On any thread but the audio thread, and one at a time: it reads a file, allocates and may wait. Throws
  // rnn::exception, and then the effect plays on as it did.
  void load(const std::string& path) {
    auto model = std::make_unique<Model>(path, sample_rate_, scratch_.size());
    delete old_.exchange(nullptr);           // what the audio thread has done with
    delete next_.exchange(model.release());  // and what it has never taken
  }

  // On the audio thread: neither allocates, locks nor waits. in and out may be the same.
  void process(const float* in, float* out, std::size_t n) noexcept {
    for (const std::size_t block = scratch_.size(); n > 0;) {
      const std::size_t now = std::min(n, block);
      process_block(in, out, now);
      in += now, out += now, n -= now;
    }
  }

 private:
  void process_block(const float* in, float* out, std::size_t n) noexcept {
    // There is room for one model that is done with; while it is not collected the next one waits.
    Model* model = old_.load() == nullptr ? next_.exchange(nullptr) : nullptr;
    if (model != nullptr) model->process(in, scratch_.data(), fading_.data(), n);
    if (in_use_ != nullptr)
      in_use_->process(in, scratch_.data(), out, n);
    else if (out != in)
      std::copy(in, in + n, out);
    if (model == nullptr) return;
    for (std::size_t i = 0; i < n; ++i)  // from one to the other within a block, without a click
      out[i] += (fading_[i] - out[i]) * static_cast<float>(i + 1) / static_cast<float>(n);
    old_.store(std::exchange(in_use_, model));
  }

  double sample_rate_ = 48000;
  std::vector<float> scratch_, fading_;
  Model* in_use_ = nullptr;  // the audio thread's
  std::atomic<Model*> next_{nullptr}, old_{nullptr};
};

// [host]
// Stand-ins for trained models: networks of one sample rate, in files with the metadata that Model reads.
void save_model(const std::string& path, std::uint64_t seed) {
  auto config = rnn::sized<rnn_config_t>();
  config.cell = RNN_CELL_LSTM;
  config.input_size = config.output_size = 1;
  config.hidden_size = 16;
  config.seed = seed;
  rnn::Network network(config);
  network.set_metadata("sample_rate", "48000");
  network.set_metadata("in_gain", "6");
  network.set_metadata("out_gain", "-6");
  network.save(path);
}

}  // namespace

int main() {
  save_model("clean.rnn.safetensors", 1);
  save_model("lead.rnn.safetensors", 2);

  constexpr std::size_t kBlock = 64;
  Effect effect;
  effect.prepare(96000, kBlock);
  effect.load("clean.rnn.safetensors");

  std::atomic<int> played{0};
  std::atomic<bool> stop{false};
  float largest_jump = 0;
  std::thread audio([&] {  // as the host calls it, block after block
    float block[kBlock], last = 0;
    for (int b = 0; !stop; played = ++b) {
      for (std::size_t i = 0; i < kBlock; ++i)
        block[i] = 0.5f * std::sin(0.02f * static_cast<float>(b * kBlock + i));
      effect.process(block, block, kBlock);
      for (const float y : block) {
        if (b > 0) largest_jump = std::max(largest_jump, std::fabs(y - last));
        last = y;
      }
    }
  });
  while (played < 100) std::this_thread::yield();
  effect.load("lead.rnn.safetensors");  // while it plays
  try {
    effect.load("missing.safetensors");
  } catch (const rnn::exception& error) {
    std::printf("%s\n", error.what());
  }
  const int then = played;
  while (played < then + 100) std::this_thread::yield();
  stop = true;
  audio.join();
  std::printf("at least 200 blocks played: %s; without a click: %s\n", played >= 200 ? "yes" : "no",
              largest_jump < 0.05f ? "yes" : "no");
  return 0;
}
