#include "bench/sides.h"

#if defined(RNN_BENCH_TBB)
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>
#endif

#include <memory>
#include <utility>
#include <vector>

#include "bench/networks.h"

namespace bench {
namespace {

// The status is not looked at: it would keep the call from being the last thing here, a nanosecond or two.
class Step final : public Inference {
 public:
  explicit Step(rnn::Network network) : network_(std::move(network)), handle_(network_.get()) {}
  void run(const float* x, float* y) override { rnn_step(handle_, x, y); }
  bool takes_indices() const override { return true; }
  void run(const std::int32_t* indices, float* y) override { rnn_step_index(handle_, *indices, y); }

 private:
  rnn::Network network_;
  rnn_t* handle_;
};

#if defined(RNN_BENCH_TBB)
bool can_run_on(int threads, std::size_t streams) { return static_cast<std::size_t>(threads) <= streams; }

// Runs body(i) for i < count, each on a thread of its own.
class Workers {
 public:
  explicit Workers(int count) : count_(static_cast<std::size_t>(count)), arena_(count) {}
  std::size_t count() const { return count_; }

  template <class Body>
  void run(const Body& body) {
    if (count_ == 1) return body(0);
    arena_.execute([&] { tbb::parallel_for(std::size_t{0}, count_, body, tbb::static_partitioner()); });
  }

 private:
  std::size_t count_;
  tbb::task_arena arena_;
};
#else
bool can_run_on(int threads, std::size_t) { return threads == 1; }

class Workers {
 public:
  explicit Workers(int) {}
  std::size_t count() const { return 1; }

  template <class Body>
  void run(const Body& body) {
    body(0);
  }
};
#endif

// One step of each of N streams.
class Streams final : public Inference {
 public:
  Streams(const rnn::Network& network, std::size_t N, int threads) : workers_(threads) {
    const rnn_config_t config = network.config();
    I_ = static_cast<std::size_t>(config.input_size);
    O_ = static_cast<std::size_t>(config.output_size);
    for (std::size_t n = 0; n < N; ++n) {
      streams_.push_back(network.fork());
      handles_.push_back(streams_.back().get());
    }
  }
  void run(const float* x, float* y) override { step(x, I_, y); }
  bool takes_indices() const override { return true; }
  void run(const std::int32_t* indices, float* y) override { step(indices, 1, y); }

 private:
  template <class X>
  void step(const X* x, std::size_t width, float* y) {
    workers_.run([&](std::size_t i) {
      const std::size_t begin = i * handles_.size() / workers_.count();
      const std::size_t end = (i + 1) * handles_.size() / workers_.count();
      rnn::Network::step_many({&handles_[begin], end - begin}, x + begin * width, y + begin * O_);
    });
  }

  Workers workers_;
  std::size_t I_, O_;
  std::vector<rnn::Network> streams_;
  std::vector<rnn_t*> handles_;
};

// T steps of each of N streams, by rnn_forward.
class Sequences final : public Inference {
 public:
  Sequences(const rnn::Network& network, std::size_t T, std::size_t N, int threads)
      : workers_(threads), T_(T), N_(N), lengths_(N, T), S_(network.state_size()) {
    const rnn_config_t config = network.config();
    I_ = static_cast<std::size_t>(config.input_size);
    O_ = static_cast<std::size_t>(config.output_size);
    for (int i = 0; i < threads; ++i) networks_.push_back(network.fork());
    before_.resize(N * S_);
    after_.resize(N * S_);
    for (std::size_t n = 0; n < N; ++n) network.get_state({&before_[n * S_], S_});
  }
  bool batch_first() const override { return true; }
  bool takes_indices() const override { return true; }
  void run(const float* x, float* y) override { forward(x, I_, &rnn_sequences_t::inputs, y); }
  void run(const std::int32_t* indices, float* y) override {
    forward(indices, 1, &rnn_sequences_t::indices, y);
  }

 private:
  template <class X>
  void forward(const X* x, std::size_t width, const X* rnn_sequences_t::*inputs, float* y) {
    workers_.run([&](std::size_t i) {
      const std::size_t begin = i * N_ / workers_.count(), end = (i + 1) * N_ / workers_.count();
      auto sequences = rnn::sized<rnn_sequences_t>();
      sequences.count = end - begin;
      sequences.frames = sequences.count * T_;
      sequences.lengths = lengths_.data();
      sequences.*inputs = x + begin * T_ * width;
      auto options = rnn::sized<rnn_forward_options_t>();
      options.initial_states = &before_[begin * S_];
      options.final_states = &after_[begin * S_];
      networks_[i].forward(sequences, y + begin * T_ * O_, &options);
    });
    before_.swap(after_);
  }

  Workers workers_;
  std::size_t T_, N_, I_, O_;
  std::vector<std::size_t> lengths_;
  std::size_t S_;                       // numbers of a stream's state
  std::vector<rnn::Network> networks_;  // one a worker
  std::vector<float> before_, after_;   // [N, S]
};

template <std::int32_t compute>
std::unique_ptr<Inference> library_inference(const naive::Network& model, std::size_t T, std::size_t N,
                                             int threads) {
  if (!can_run_on(threads, N)) return nullptr;
  rnn::Network network = library_copy(model).convert(compute);
  if (T > 1) return std::make_unique<Sequences>(network, T, N, threads);
  if (N > 1) return std::make_unique<Streams>(network, N, threads);
  return std::make_unique<Step>(std::move(network));
}

// [T, N] -> [N, T]
std::vector<std::int32_t> batch_first(const Batch& batch, const std::int32_t* x) {
  std::vector<std::int32_t> result;
  for (std::size_t n = 0; n < batch.N; ++n)
    for (std::size_t t = 0; t < batch.T; ++t) result.push_back(x[t * batch.N + n]);
  return result;
}

class LibraryTraining final : public Training {
 public:
  LibraryTraining(const Batch& batch, rnn::Trainer trainer)
      : text_(batch_first(batch, batch.indices), batch_first(batch, batch.classes), batch.N),
        trainer_(std::move(trainer)) {}
  double update() override { return trainer_.update(text_.sequences()).loss; }

 private:
  Text text_;
  rnn::Trainer trainer_;
};

template <std::int32_t compute, std::int32_t lanes = 1>
std::unique_ptr<Training> library_training(const naive::Network& model, const Batch& batch, int threads) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.learning_rate = kLearningRate;
  options.stateless_windows = 1;
  options.threads = threads;
  options.batch_size = static_cast<std::int32_t>(batch.N);
  options.lanes = lanes;
  return std::make_unique<LibraryTraining>(batch,
                                           rnn::Trainer(library_copy(model).convert(compute), &options));
}

class NaiveInference final : public Inference {
 public:
  NaiveInference(const naive::Network& model, std::size_t T, std::size_t N)
      : T_(T), I_(model.inputs), O_(model.outputs), streams_(N, naive::Stream(model)) {}
  void run(const float* x, float* y) override {
    for (std::size_t t = 0; t < T_; ++t)
      for (naive::Stream& stream : streams_) {
        stream.step(x, y);
        x += I_;
        y += O_;
      }
  }
  bool takes_indices() const override { return true; }
  void run(const std::int32_t* indices, float* y) override {
    for (std::size_t t = 0; t < T_; ++t)
      for (naive::Stream& stream : streams_) {
        stream.step(*indices++, y);
        y += O_;
      }
  }

 private:
  std::size_t T_, I_, O_;
  std::vector<naive::Stream> streams_;
};

std::unique_ptr<Inference> naive_inference(const naive::Network& model, std::size_t T, std::size_t N,
                                           int threads) {
  if (threads != 1) return nullptr;
  return std::make_unique<NaiveInference>(model, T, N);
}

class NaiveTraining final : public Training {
 public:
  NaiveTraining(const naive::Network& model, const Batch& batch)
      : network_(model),
        trainer_(network_, kLearningRate),
        T_(batch.T),
        N_(batch.N),
        indices_(batch_first(batch, batch.indices)),
        classes_(batch_first(batch, batch.classes)) {}
  double update() override { return trainer_.update(indices_.data(), classes_.data(), N_, T_); }

 private:
  naive::Network network_;
  naive::Trainer trainer_;
  std::size_t T_, N_;
  std::vector<std::int32_t> indices_, classes_;
};

std::unique_ptr<Training> naive_training(const naive::Network& model, const Batch& batch, int threads) {
  if (threads != 1) return nullptr;
  return std::make_unique<NaiveTraining>(model, batch);
}

}  // namespace

const Peer& librnn_side() {
  static const Peer side{"rnn", rnn_version(), library_inference<RNN_COMPUTE_F32>,
                         library_training<RNN_COMPUTE_F32>, ""};
  return side;
}

const Peer& bf16_side() {
  static const Peer side{
      "rnn_bf16", rnn_version(), library_inference<RNN_COMPUTE_BF16>, library_training<RNN_COMPUTE_BF16>, "",
      2};
  return side;
}

const Peer& int8_side() {
  static const Peer side{"rnn_int8", rnn_version(), library_inference<RNN_COMPUTE_INT8>, nullptr, "", 1};
  return side;
}

const std::vector<Peer>& lanes_sides() {
  static const std::vector<Peer> sides{
      {"rnn_lanes2", rnn_version(), nullptr, library_training<RNN_COMPUTE_F32, 2>, ""},
      {"rnn_lanes4", rnn_version(), nullptr, library_training<RNN_COMPUTE_F32, 4>, ""},
      {"rnn_lanes16", rnn_version(), nullptr, library_training<RNN_COMPUTE_F32, 16>, ""}};
  return sides;
}

const Peer& naive_side() {
  static const Peer side{"naive", "", naive_inference, naive_training, ""};
  return side;
}

}  // namespace bench
