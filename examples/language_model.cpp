#include "language_model.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "progress.h"
#include "text.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMinimumText = 1000;
constexpr std::size_t kPieces = 40;   // of the text; they are read side by side
constexpr std::size_t kHoldOut = 10;  // each so many pieces one is not learnt, to tell how good the model is
constexpr std::size_t kMaximumCompared = 5000;  // characters of a piece that are used for that
constexpr std::size_t kWindow = 64;             // characters through which gradients flow
constexpr std::uint64_t kMaximumEpochs = 50;    // more would only learn the text by heart
constexpr std::uint64_t kValidations = 40;
constexpr std::size_t kSample = 600;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double evaluate(const rnn::Network& model, const rnn_sequences_t& data, int threads) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.threads = threads;
  return model.evaluate(data, &options).loss;
}

// The pieces of the text that are learnt, those that are not, and as many of the learnt ones to compare.
struct Split {
  explicit Split(const std::vector<std::int32_t>& text) {
    const std::size_t length = text.size() / kPieces;
    const std::size_t shown = std::min(length, kMaximumCompared);
    for (std::size_t i = 0; i < kPieces; ++i) {
      const std::int32_t* piece = text.data() + i * length;
      if (i % kHoldOut == kHoldOut / 2) {
        validation.add(piece, shown);
        continue;
      }
      training.add(piece, length);
      if (i % kHoldOut == 0) learnt.add(piece, shown);
    }
  }

  Sequences training;
  Sequences validation;
  Sequences learnt;
};

// How long to train: as many updates as fit into the time, though no more than are of use.
struct Plan {
  std::uint64_t updates;
  std::uint64_t validate_every;
  double characters;  // per update
};

class Training {
 public:
  Training(const LanguageModelOptions& options, const Split& split, const rnn::Network& start)
      : options_(options),
        training_(split.training.view()),
        validation_(split.validation.view()),
        start_(start.fork()),
        best_(start.fork()) {}

  // Returns a stream over the weights with the lowest validation loss.
  rnn::Network run() {
    plan_ = plan();
    rnn_train_options_t options = common_options();
    options.schedule = RNN_SCHEDULE_COSINE;
    options.schedule_updates = static_cast<std::int32_t>(plan_.updates);
    options.epochs = static_cast<std::int32_t>(plan_.updates / updates_per_epoch() + 1);
    options.validation = &validation_;
    options.validate_every = static_cast<std::int32_t>(plan_.validate_every);
    options.progress = [](const rnn_progress_t* progress, void* self) {
      return static_cast<Training*>(self)->report(*progress);
    };
    options.user = this;

    std::printf("  %llu updates of %.0f characters\n", static_cast<unsigned long long>(plan_.updates),
                plan_.characters);
    rnn::Trainer trainer(start_, &options);
    trainer_ = trainer.get();
    Progress bar(plan_.updates, plan_.characters);
    bar_ = &bar;
    trainer.run(training_);
    rnn::check(failure_);
    return std::move(best_);
  }

 private:
  rnn_train_options_t common_options() const {
    auto options = rnn::sized<rnn_train_options_t>();
    options.optimizer = RNN_ADAMW;
    options.learning_rate = 0.003f;
    options.weight_decay = 0.3f;
    options.clip_norm = 1;
    options.dropout = options_.dropout;
    options.batch_size = static_cast<std::int32_t>(training_.count);
    options.window = static_cast<std::int32_t>(kWindow);
    options.seed = options_.seed;
    options.threads = options_.threads;
    return options;
  }

  std::uint64_t updates_per_epoch() const { return (training_.lengths[0] + kWindow - 1) / kWindow; }

  // From the time that the first updates and a validation take.
  Plan plan() const {
    const double limit = std::min(1.0, options_.seconds / 10);
    const double update_seconds = measure_update(limit);
    const auto start = Clock::now();
    std::printf("  untrained: %.2f bits per character\n",
                bits(evaluate(start_, validation_, options_.threads)));
    const double left = options_.seconds - limit - kValidations * seconds_since(start);

    const auto affordable = static_cast<std::uint64_t>(std::max(1.0, left / update_seconds));
    const auto updates = std::min({affordable, kMaximumEpochs * updates_per_epoch(), std::uint64_t{1} << 30});
    Plan plan;
    plan.validate_every = std::max<std::uint64_t>(1, updates / kValidations);
    plan.updates = updates / plan.validate_every * plan.validate_every;
    plan.characters = static_cast<double>(training_.frames) / static_cast<double>(updates_per_epoch());
    return plan;
  }

  // The seconds that an update takes, from as many as are done within `limit` seconds.
  double measure_update(double limit) const {
    struct Stopwatch {
      double limit;
      Clock::time_point start;
      std::uint64_t updates;
    } stopwatch = {limit, Clock::now(), 0};
    rnn_train_options_t options = common_options();
    options.epochs = 1000;
    options.progress = [](const rnn_progress_t*, void* user) -> std::int32_t {
      auto& watch = *static_cast<Stopwatch*>(user);
      return ++watch.updates >= 2 && seconds_since(watch.start) >= watch.limit;
    };
    options.user = &stopwatch;
    rnn::Trainer(start_, &options).run(training_);
    return seconds_since(stopwatch.start) / static_cast<double>(stopwatch.updates);
  }

  // Returns whether to stop.
  std::int32_t report(const rnn_progress_t& progress) {
    if (progress.event == RNN_EVENT_VALIDATION) return report_validation(progress);
    if (progress.update == 1) training_loss_ = progress.loss;
    training_loss_ += 0.05 * (progress.loss - training_loss_);
    bar_->show(progress.update, remark(), false);
    return 0;
  }

  // Returns whether to stop: only here, so that the last validation counts the last updates.
  std::int32_t report_validation(const rnn_progress_t& progress) {
    if (progress.validation_loss < best_loss_) {
      best_loss_ = progress.validation_loss;
      failure_ = rnn_trainer_sync(trainer_, best_.get());
    }
    // A machine that has become slower since it was measured ends in time all the same.
    const bool is_late = bar_->seconds() > 1.1 * options_.seconds;
    const bool ended = progress.update >= plan_.updates || is_late || failure_ != RNN_OK;
    bar_->show(progress.update, remark(), ended);
    return ended;
  }

  std::string remark() const {
    char text[64];
    const int length = std::snprintf(text, sizeof text, "%.2f bits", bits(training_loss_));
    if (best_loss_ < std::numeric_limits<double>::infinity())
      std::snprintf(text + length, sizeof text - static_cast<std::size_t>(length), ", validation %.2f",
                    bits(best_loss_));
    return text;
  }

  const LanguageModelOptions& options_;
  const rnn_sequences_t training_;
  const rnn_sequences_t validation_;
  rnn::Network start_;
  rnn::Network best_;
  double best_loss_ = std::numeric_limits<double>::infinity();
  double training_loss_ = 0;
  rnn_status_t failure_ = RNN_OK;
  Plan plan_ = {};
  rnn_trainer_t* trainer_ = nullptr;
  Progress* bar_ = nullptr;
};

std::string first_word(const std::string& text) {
  const char* blanks = " \t\r\n";
  const std::size_t start = text.find_first_not_of(blanks);
  if (start == std::string::npos) return text.substr(0, 1);
  return text.substr(start, std::min<std::size_t>(text.find_first_of(blanks, start) - start, 20));
}

rnn::Network create(const LanguageModelOptions& options, const Alphabet& alphabet) {
  auto config = rnn::sized<rnn_config_t>();
  config.cell = options.cell;
  config.input_size = alphabet.size();
  config.embedding_size = options.embedding;
  config.hidden_size = options.hidden;
  config.output_size = alphabet.size();
  config.num_layers = options.layers;
  config.compute = options.compute;
  config.seed = options.seed;
  return rnn::Network(config);
}

void print_sample(rnn::Network& model, const LanguageModelOptions& options, const Alphabet& alphabet,
                  const std::string& prefix) {
  const auto prompt = alphabet.encode(prefix);
  auto generate = rnn::sized<rnn_generate_options_t>();
  generate.prompt = prompt.data();
  generate.prompt_count = prompt.size();
  generate.temperature = static_cast<float>(options.temperature);
  generate.seed = options.seed;
  const std::string sample = alphabet.decode(model.generate(generate, kSample));
  std::printf("A sample at temperature %g:\n\n%s\n", options.temperature, printable(prefix + sample).c_str());
}

}  // namespace

void show_language_model(const LanguageModelOptions& options) {
  if (options.text.size() < kMinimumText)
    throw std::invalid_argument("the text has " + std::to_string(options.text.size()) +
                                " bytes; it must have at least " + std::to_string(kMinimumText));
  const Alphabet alphabet(options.text);
  const std::string prefix = options.prefix.empty() ? first_word(options.text) : options.prefix;
  const Split split(alphabet.encode(options.text));
  alphabet.encode(prefix);  // an impossible prefix or file is found now, not after the training
  rnn::Network model = create(options, alphabet);
  model.save(options.out);

  std::printf("A text of %zu characters, %d different; %d hidden units, layers: %d\n", options.text.size(),
              alphabet.size(), options.hidden, options.layers);
  Training(options, split, model).run().save(options.out);
  model = rnn::Network::load(options.out);
  std::printf("  best model: %.2f bits per character in training, %.2f in validation; saved in %s\n",
              bits(evaluate(model, split.learnt.view(), options.threads)),
              bits(evaluate(model, split.validation.view(), options.threads)), options.out.c_str());
  print_sample(model, options, alphabet, prefix);
}
