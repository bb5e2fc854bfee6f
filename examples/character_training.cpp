#include "character_training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

#include "model_file.h"
#include "progress.h"

namespace {

namespace fs = std::filesystem;

using Clock = std::chrono::steady_clock;

constexpr std::int32_t kWindow = 64;          // characters through which gradients flow
constexpr std::uint64_t kHistoryRows = 1000;  // of a run, beside those of validations
constexpr double kRise = 0.25;                // of the loss of guessing, which tells a run that diverges

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What happens between the updates of a run. The losses of validations are those of
// CharacterTraining::evaluate, so that trainings with different options, such as label smoothing, compare.
class Run {
 public:
  Run(const CharacterPlan& plan, const CharacterRun& files, const TrainingData& data,
      const rnn_train_options_t& options)
      : plan_(plan),
        files_(files),
        data_(data),
        options_(options),
        ranks_(options.collective),
        had_model_(fs::exists(fs::u8path(files.model))),
        file_(fs::exists(fs::u8path(unfinished(files.model))) || (had_model_ && files.resume.empty())
                  ? unfinished(files.model)
                  : files.model) {}

  CharacterResult run(const rnn::Network& start) {
    rnn_train_options_t options = options_;
    options.progress = [](const rnn_progress_t* progress, void* self) {
      return static_cast<Run*>(self)->report(*progress);
    };
    options.user = this;
    rnn::Trainer trainer(start, &options);
    trainer_ = &trainer;
    try {
      if (!files_.resume.empty()) trainer.load(files_.resume);
      if (files_.log != nullptr) files_.log->begin(trainer);
      if (!files_.resume.empty()) find_best(start);
      if (files_.resume.empty() && checkpoint_at(files_.checkpoint, 0) != files_.checkpoint)
        save(checkpoint_at(files_.checkpoint, 0));
      trainer.run(data_.training);
      if (failure_) std::rethrow_exception(failure_);
      if (files_.log != nullptr && !result_.interrupted) files_.log->end(result_.updates);
      if (!best_) save_best(trainer.network());
      settle(!result_.interrupted);
    } catch (const std::bad_alloc&) {
      settle(false);
      throw;
    } catch (const std::exception& error) {
      settle(false);
      if (!best_) throw;
      throw std::runtime_error(error.what() + ("; the best model so far is in " + result_.model));
    }
    result_.seconds = seconds_since(start_);
    if (bar_) bar_->show(result_.updates, remark(), true);
    return result_;
  }

 private:
  // Of the run that is resumed.
  void find_best(const rnn::Network& start) {
    if (!ranks_.is_first()) return;
    if (fs::exists(fs::u8path(file_))) {
      best_ = load_best(start);
      best_loss_ = validation_loss(*best_, nullptr);
    } else {
      best_loss_ = validation_loss(start, nullptr);
      save_best(start.fork());
    }
  }

  double validation_loss(const rnn::Network& network, const rnn_collective_t* collective) const {
    return Training::evaluate(network, data_.validation, options_.threads, options_.lanes, collective).loss;
  }

  // The best network of the run that is resumed: the file may be of another.
  rnn::Network load_best(const rnn::Network& start) const {
    rnn::Network best = rnn::Network::load(file_);
    for (const auto& [key, value] : data_.metadata)
      if (!has_metadata(best, key) || best.get_metadata(key.c_str()) != value)
        throw std::runtime_error(file_ + " is not of the run in " + files_.resume + ": it has another " +
                                 key);
    try {
      start.fork().sync(best);
    } catch (const rnn::exception& error) {
      throw std::runtime_error(file_ + " is not of the run in " + files_.resume + ": " + error.what());
    }
    return best;
  }

  void save_best(rnn::Network network) {
    if (ranks_.is_first()) save_model(network, data_.metadata, file_);
    best_ = std::move(network);
  }

  // At the end of the run: a model that was there before it gives way to that of a finished one alone.
  void settle(bool is_finished) {
    result_.model = file_;
    if (!best_ || !ranks_.is_first() || file_ == files_.model || (had_model_ && !is_finished)) return;
    save_model(*best_, data_.metadata, files_.model);
    result_.model = files_.model;
    fs::remove(fs::u8path(file_));
  }

  // Returns whether to stop.
  std::int32_t report(const rnn_progress_t& progress) noexcept {
    try {
      return report_update(progress);
    } catch (...) {
      failure_ = std::current_exception();
      return 1;
    }
  }

  bool report_update(const rnn_progress_t& progress) {
    if (result_.updates == 0) begin(progress);
    if (progress.update > plan_.updates) return true;  // all was done before; this update is for nobody
    result_.updates = progress.update;
    result_.skipped = progress.skipped_updates;
    result_.characters += data_.units_per_update;
    training_loss_ += 0.05 * (progress.loss - training_loss_);
    if (bar_) bar_->show(progress.update, remark(), false);
    warn_of_rise();
    result_.interrupted = ranks_.any(files_.interrupted != nullptr && files_.interrupted->load());
    const bool is_validated = progress.update % plan_.validate_every == 0;
    const bool may_end = is_validated || result_.interrupted;
    if (files_.log != nullptr) files_.log->go_on(*trainer_, progress.update, may_end);
    const bool ends = is_validated ? validate() : result_.interrupted;
    add_to_history(progress, is_validated, ends);
    if (may_end && !files_.checkpoint.empty())
      save(checkpoint_at(files_.checkpoint, progress.update));
    else if (result_.interrupted && !files_.stopped.empty())
      save(files_.stopped);
    return ends;
  }

  void add_to_history(const rnn_progress_t& progress, bool is_validated, bool ends) {
    if (files_.history == nullptr) return;
    loss_sum_ += progress.loss;
    ++losses_;
    if (!is_validated && !ends && progress.update % (plan_.updates / kHistoryRows + 1) != 0) return;
    LossRow row;
    row.update = progress.update;
    row.units = static_cast<double>(progress.update) * data_.units_per_update;
    row.training = loss_sum_ / losses_;
    if (is_validated) row.validation = validation_loss_;
    files_.history->add(row);
    loss_sum_ = losses_ = 0;
  }

  void save(const std::string& checkpoint) {
    trainer_->save(checkpoint);
    result_.checkpoint = checkpoint;
  }

  // Once, if the smoothed loss is far above its lowest.
  void warn_of_rise() {
    lowest_loss_ = std::min(lowest_loss_, training_loss_);
    if (has_warned_ || files_.warn == nullptr || training_loss_ <= lowest_loss_ + kRise * data_.guess) return;
    has_warned_ = true;
    char text[160];
    std::snprintf(text, sizeof text,
                  "the training diverges: its loss was %.3f and is %.3f after %llu updates; a lower "
                  "--learning-rate may help",
                  lowest_loss_, training_loss_, static_cast<unsigned long long>(result_.updates));
    if (bar_) bar_->leave_line();
    files_.warn(text);
  }

  void begin(const rnn_progress_t& progress) {
    result_.updates = progress.update - 1;
    training_loss_ = progress.loss;
    if (files_.out != nullptr && progress.update <= plan_.updates)
      bar_.emplace(plan_.updates, data_.units_per_update, data_.unit, files_.out, progress.update);
  }

  // Only here a run ends of its own, so that the last validation counts the last updates.
  bool validate() {
    rnn::Network network = trainer_->network();
    const double loss = validation_loss(network, options_.collective);
    if (!std::isfinite(loss))
      throw std::runtime_error("the validation loss after " + std::to_string(result_.updates) +
                               " updates is not finite; a lower learning rate may help");
    validation_loss_ = loss;
    if (loss < best_loss_) {
      save_best(std::move(network));
      best_loss_ = loss;
    }
    const bool ended = result_.updates >= plan_.updates || seconds_since(start_) > files_.seconds;
    if (ended) result_.interrupted = false;
    return ended || result_.interrupted;
  }

  std::string remark() const {
    char text[96], validation[32] = "";
    if (data_.unit != "characters") {
      if (std::isfinite(best_loss_))
        std::snprintf(validation, sizeof validation, ", validation %.4f", best_loss_);
      std::snprintf(text, sizeof text, "loss %.4f%s", training_loss_, validation);
      return text;
    }
    if (std::isfinite(best_loss_))
      std::snprintf(validation, sizeof validation, ", validation %.2f", bits(best_loss_));
    std::snprintf(text, sizeof text, "%.2f bits%s, perplexity %.2f, loss %.3f", bits(training_loss_),
                  validation, std::exp(training_loss_), training_loss_);
    return text;
  }

  const CharacterPlan plan_;
  const CharacterRun& files_;
  const TrainingData& data_;
  const rnn_train_options_t options_;
  const Ranks ranks_;
  const bool had_model_;
  const std::string file_;  // for the best network, until the run ends
  const Clock::time_point start_ = Clock::now();
  rnn::Trainer* trainer_ = nullptr;
  std::optional<Progress> bar_;
  double training_loss_ = 0;          // smoothed
  double loss_sum_ = 0, losses_ = 0;  // since the last row of the history
  double validation_loss_ = 0;        // the last one
  double lowest_loss_ = std::numeric_limits<double>::infinity();
  bool has_warned_ = false;
  std::optional<rnn::Network> best_;
  double best_loss_ = std::numeric_limits<double>::infinity();
  std::exception_ptr failure_;
  CharacterResult result_;
};

TrainingData data_of(const Vocabulary& vocabulary, const CharacterData& data,
                     const rnn_train_options_t& options) {
  const std::size_t steps = data.training.frames() / data.training.count();
  const auto window = static_cast<std::size_t>(options.window);
  TrainingData result;
  result.training = data.training.view();
  result.validation = data.validation.view();
  result.metadata = {{kVocabularyKey, vocabulary.json()}};
  result.digest = data.digest;
  result.updates_per_epoch = (steps + window - 1) / window;
  result.units_per_update =
      static_cast<double>(data.batch * steps) / static_cast<double>(result.updates_per_epoch);
  result.guess = std::log(static_cast<double>(vocabulary.size()));
  return result;
}

}  // namespace

std::vector<std::uint64_t> Ranks::all(std::uint64_t value) const {
  if (collective_ == nullptr) return {value};
  const auto count = static_cast<std::size_t>(collective_->ranks);
  std::vector<std::uint64_t> values(count);
  const std::vector<std::size_t> sizes(count, sizeof value);
  if (collective_->gather(&value, values.data(), sizes.data(), collective_->user) != 0)
    throw std::runtime_error("the ranks cannot exchange data");
  return values;
}

void Ranks::check_same(const std::string& name, std::uint64_t value) const {
  if (first(value) != value) throw std::runtime_error(name + " is not the same as on rank 0");
}

bool Ranks::any(bool here) const {
  const std::vector<std::uint64_t> values = all(here ? 1 : 0);
  return std::any_of(values.begin(), values.end(), [](std::uint64_t value) { return value != 0; });
}

std::vector<std::uint64_t> Ranks::gather(const std::vector<std::uint64_t>& values) const {
  if (collective_ == nullptr) return values;
  std::vector<std::size_t> sizes;
  std::size_t count = 0;
  for (const std::uint64_t size : all(values.size())) {
    sizes.push_back(static_cast<std::size_t>(size) * sizeof values[0]);
    count += static_cast<std::size_t>(size);
  }
  std::vector<std::uint64_t> gathered(count);
  if (collective_->gather(values.data(), gathered.data(), sizes.data(), collective_->user) != 0)
    throw std::runtime_error("the ranks cannot exchange data");
  return gathered;
}

std::string checkpoint_at(const std::string& path, std::uint64_t update) {
  static const std::string kPlace = "{update}";
  const std::size_t place = path.find(kPlace);
  return place == path.npos ? path : std::string(path).replace(place, kPlace.size(), std::to_string(update));
}

std::string unfinished(const std::string& model) {
  const fs::path path = fs::u8path(model);
  return (path.parent_path() / path.stem()).string() + ".unfinished" + path.extension().string();
}

CharacterPlan plan_updates(std::uint64_t updates, std::uint64_t validations) {
  const std::uint64_t every = std::max<std::uint64_t>(1, updates / validations);
  return {(updates + every - 1) / every * every, every};
}

rnn_train_options_t Training::default_options(std::size_t batch) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.optimizer = RNN_OPTIMIZER_ADAMW;
  options.learning_rate = 0.003f;
  options.weight_decay = 0.3f;
  options.clip_norm = 1;
  options.batch_size = static_cast<std::int32_t>(batch);
  options.window = kWindow;
  options.schedule = RNN_SCHEDULE_COSINE;
  return options;
}

CharacterTraining::CharacterTraining(const rnn::Network& start, const Vocabulary& vocabulary,
                                     const CharacterData& data, const rnn_train_options_t& options)
    : Training(start, data_of(vocabulary, data, options), options) {}

CharacterPlan Training::plan_seconds(double seconds, std::uint64_t most_updates,
                                     std::uint64_t validations) const {
  const double limit = std::min(1.0, seconds / 10);
  const double update_seconds = measure_update(limit);
  const auto start = Clock::now();
  evaluate(start_, data_.validation, options_.threads, options_.lanes, options_.collective);
  const double left = seconds - limit - static_cast<double>(validations) * seconds_since(start);
  const auto affordable = static_cast<std::uint64_t>(std::max(1.0, left / update_seconds));
  const std::uint64_t updates = std::min({affordable, most_updates, std::uint64_t{1} << 30});
  return plan_updates(Ranks(options_.collective).first(updates), validations);
}

// The seconds that an update takes, from as many as are done within `limit` seconds.
double Training::measure_update(double limit) const {
  struct Stopwatch {
    double limit;
    Clock::time_point start;
    std::uint64_t updates;
  } stopwatch = {limit, Clock::now(), 0};
  rnn_train_options_t options = options_for({1, 1});
  options.epochs = 1000;
  options.progress = [](const rnn_progress_t*, void* user) -> std::int32_t {
    auto& watch = *static_cast<Stopwatch*>(user);
    return ++watch.updates >= 2 && seconds_since(watch.start) >= watch.limit;
  };
  options.user = &stopwatch;
  rnn::Trainer(start_, &options).run(data_.training);
  return seconds_since(stopwatch.start) / static_cast<double>(stopwatch.updates);
}

rnn_train_options_t Training::options_for(const CharacterPlan& plan) const {
  rnn_train_options_t options = options_;
  options.epochs = std::numeric_limits<std::int32_t>::max();
  if (options.schedule == RNN_SCHEDULE_CONSTANT || options.schedule_updates != 0) return options;
  const std::uint64_t unit = options.schedule_by_epoch != 0 ? updates_per_epoch() : 1;
  const auto end = static_cast<std::int32_t>((plan.updates + unit - 1) / unit);
  options.schedule_updates = std::max(1, end - options.schedule_start);
  return options;
}

CharacterResult Training::run(const CharacterPlan& plan, const CharacterRun& files) {
  const Ranks ranks(options_.collective);
  ranks.check_same("the text", data_.digest);
  ranks.check_same("the number of updates", plan.updates);
  ranks.check_same("how often to validate", plan.validate_every);
  ranks.check_same("whether there is a checkpoint to go on from", files.resume.empty() ? 0 : 1);
  ranks.check_same("whether to save checkpoints", files.checkpoint.empty() ? 0 : 1);
  return Run(plan, files, data_, options_for(plan)).run(start_);
}

rnn_evaluation_t Training::evaluate(const rnn::Network& network, const rnn_sequences_t& sequences,
                                    int threads, int lanes, const rnn_collective_t* collective) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.threads = threads;
  options.lanes = lanes;
  rnn_collective_t whole;
  if (collective != nullptr) {
    whole = *collective;
    whole.own_sequences = 0;
    options.collective = &whole;
  }
  return network.evaluate(sequences, &options);
}
