#include "network_predictor.h"

#include <algorithm>
#include <cstdlib>

namespace pack {
namespace {

constexpr std::int32_t kBytes = 256;
constexpr std::size_t kPast = 1 << 20;
constexpr std::uint64_t kReplayedWindows = 64;  // that a replay reads before it goes elsewhere

rnn::Network make_network(const NetworkOptions& options) {
  auto config = rnn::sized<rnn_config_t>();
  config.cell = options.cell;
  config.input_size = config.output_size = kBytes;
  config.hidden_size = options.hidden;
  config.num_layers = options.layers;
  config.embedding_size = options.embedding;
  config.seed = 1;
  if (getenv("INIT")) config.init = atoi(getenv("INIT"));
  if (options.cell == RNN_CELL_LSTM) config.forget_bias = 1;
  return rnn::Network(config);
}

rnn::Trainer make_trainer(const rnn::Network& network, const NetworkOptions& options, int threads) {
  auto train = rnn::sized<rnn_train_options_t>();
  train.optimizer = RNN_OPTIMIZER_ADAM;
  train.learning_rate = options.learning_rate;
  train.clip_norm = getenv("CLIP") ? atof(getenv("CLIP")) : 1;
  if (getenv("B2")) train.beta2 = atof(getenv("B2"));
  if (getenv("B1")) train.beta1 = atof(getenv("B1"));
  if (getenv("SCHED")) {
    train.schedule = RNN_SCHEDULE_EXPONENTIAL;
    train.schedule_factor = 0.5;
    train.schedule_updates = atoi(getenv("SCHED"));
  }
  train.threads = threads;
  train.skip_not_finite = 1 << 30;
  return rnn::Trainer(network, &train);
}

}  // namespace

NetworkPredictor::NetworkPredictor(const NetworkOptions& options, int threads)
    : window_(options.window),
      stream_(make_network(options)),
      trainer_(make_trainer(stream_, options, threads)),
      past_(kPast),
      replayed_(options.replays),
      inputs_(window_ * (1 + options.replays)),
      targets_(inputs_.size()),
      lengths_(1 + options.replays, window_) {
  predict(0);
}

void NetworkPredictor::update(std::uint8_t byte) {
  past_[count_++ % kPast] = byte;
  if ((count_ - 1) % window_ == 0) train();
  predict(byte);
}

// The only place where floats become integers: logits become multiples of 1 / kStretchUnit, by one rounding, to the
// nearest, ties to even. Beyond 2^22 units there are no fractions; NaN counts as the lowest.
void NetworkPredictor::predict(std::uint8_t last) {
  stream_.step(last, logits_.data());
  constexpr float kMost = 1 << 20, kRound = 3 << 22;  // what is added to kRound keeps no fraction
  std::array<std::int32_t, kBytes> rounded;
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    float scaled = logits_[i] * kStretchUnit;
    scaled = scaled > -kMost ? scaled : -kMost;
    scaled = scaled < kMost ? scaled : kMost;
    rounded[i] = static_cast<std::int32_t>((scaled + kRound) - kRound);
  }
  const std::int32_t most = *std::max_element(rounded.begin(), rounded.end());
  for (std::size_t i = 0; i < rounded.size(); ++i)
    frequencies_[i] =
        (logistic_.exponential(std::min(most - rounded[i], Logistic::kExponentials - 1)) >> 8) + 1;
}

void NetworkPredictor::read(std::size_t sequence, std::uint64_t place) {
  for (std::size_t i = 0; i < window_; ++i) {
    inputs_[sequence * window_ + i] = past_[(place + i) % kPast];
    targets_[sequence * window_ + i] = past_[(place + i + 1) % kPast];
  }
}

void NetworkPredictor::train() {
  read(0, count_ - 1 - window_);
  const std::uint64_t first = count_ > kPast ? count_ - kPast : 0, places = count_ - window_ - first;
  const std::uint64_t windows = (count_ - 1) / window_;
  for (std::size_t r = 0; r < replayed_.size(); ++r) {
    std::uint64_t& place = replayed_[r];
    if (place < first || place >= first + places || (windows + r * 7) % kReplayedWindows == 0) {
      random_ = random_ * 0x5851F42D4C957F2D + 0x14057B7EF767814F;
      place = first + (random_ >> 33) % places;
    }
    read(1 + r, place);
    place += window_;
  }
  auto batch = rnn::sized<rnn_sequences_t>();
  batch.count = lengths_.size();
  batch.frames = inputs_.size();
  batch.lengths = lengths_.data();
  batch.indices = inputs_.data();
  batch.classes = targets_.data();
  trainer_.update(batch);
  trainer_.sync(stream_);
}

}  // namespace pack
