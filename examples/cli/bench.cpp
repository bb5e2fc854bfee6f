// rnn bench: how fast a network is on this machine.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "../model_file.h"
#include "common.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kShortest =
    2e-6;  // seconds of what is timed at once; reading the clock takes about 1 % of them
constexpr std::size_t kMostSamples = 1'000'000;

struct Bench {
  std::string model;
  Shape shape;
  int inputs = 64;
  int outputs = 64;
  bool indices = false;
  std::size_t batch = 32;
  std::size_t steps = 100;
  double seconds = 1;
  int threads = 0;
  bool json = false;
};

struct Latency {
  double median, p99, p999;  // seconds of a step
  std::size_t together;      // steps that were timed at once
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Batches of random data for a network.
class Data {
 public:
  Data(const rnn::Network& network, const Bench& bench, bool indices)
      : lengths_(bench.batch, bench.steps),
        inputs_(static_cast<std::size_t>(network.config().input_size)),
        outputs_(network.output_size()) {
    std::mt19937_64 random(1);
    const std::size_t frames = bench.batch * bench.steps;
    const auto draw = [&](std::size_t n) { return static_cast<std::int32_t>(random() % n); };
    for (std::size_t i = 0; i < frames; ++i) classes_.push_back(draw(outputs_));
    for (std::size_t i = 0; indices && i < frames; ++i) indices_.push_back(draw(inputs_));
    for (std::size_t i = 0; !indices && i < frames * inputs_; ++i)
      floats_.push_back(static_cast<float>(random() % 2001) / 1000 - 1);
  }

  std::size_t frames() const { return classes_.size(); }
  std::size_t outputs() const { return outputs_; }
  rnn_sequences_t view() const {
    auto view = rnn::sized<rnn_sequences_t>();
    view.count = lengths_.size();
    view.frames = frames();
    view.lengths = lengths_.data();
    view.inputs = floats_.empty() ? nullptr : floats_.data();
    view.indices = floats_.empty() ? indices_.data() : nullptr;
    view.classes = classes_.data();
    return view;
  }
  void step(rnn::Network& network, std::size_t frame, float* y) const {
    if (floats_.empty()) return network.step(indices_[frame], y);
    network.step(floats_.data() + frame * inputs_, y);
  }

 private:
  std::vector<std::size_t> lengths_;
  std::vector<std::int32_t> indices_;
  std::vector<float> floats_;
  std::vector<std::int32_t> classes_;
  std::size_t inputs_;
  std::size_t outputs_ = 0;
};

Latency measure_steps(rnn::Network& network, const Data& data, double seconds) {
  std::vector<float> y(data.outputs());
  std::size_t frame = 0;
  const auto time = [&](std::size_t steps) {
    const Clock::time_point start = Clock::now();
    for (std::size_t i = 0; i < steps; ++i, frame = frame + 1 == data.frames() ? 0 : frame + 1)
      data.step(network, frame, y.data());
    return seconds_since(start) / static_cast<double>(steps);
  };
  time(100);
  const auto together = static_cast<std::size_t>(std::ceil(std::max(1.0, kShortest / time(100))));
  std::vector<double> times(kMostSamples);  // filled here: no page faults between the steps
  std::size_t count = 0;
  for (const Clock::time_point start = Clock::now();
       count < times.size() && (count == 0 || seconds_since(start) < seconds);)
    times[count++] = time(together);
  times.resize(count);
  std::sort(times.begin(), times.end());
  const auto quantile = [&](double q) {
    return times[static_cast<std::size_t>(q * static_cast<double>(count - 1))];
  };
  return {quantile(0.5), quantile(0.99), quantile(0.999), together};
}

// Time steps in a second: the median of as many calls as are done in the time, two at least.
double measure_rate(std::size_t steps, double seconds, const std::function<void()>& call) {
  call();
  std::vector<double> times;
  for (const Clock::time_point begin = Clock::now(); times.size() < 2 || seconds_since(begin) < seconds;) {
    const Clock::time_point start = Clock::now();
    call();
    times.push_back(seconds_since(start));
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return static_cast<double>(steps) / times[times.size() / 2];
}

double measure_forward(rnn::Network& network, const Data& data, double seconds) {
  std::vector<float> y(data.frames() * data.outputs());
  return measure_rate(data.frames(), seconds, [&] { network.forward(data.view(), y.data()); });
}

double measure_training(const rnn::Network& network, const Data& data, const Bench& bench) {
  auto options = rnn::sized<rnn_train_options_t>();
  options.threads = bench.threads;
  options.stateless_windows = 1;
  options.learning_rate = 1e-6f;  // random targets are not to be learnt
  rnn::Trainer trainer(network, &options);
  return measure_rate(data.frames(), bench.seconds, [&] { trainer.update(data.view()); });
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "";
}

struct Speed {
  std::optional<Latency> step;     // not of bidirectional networks
  double forward;                  // steps a second
  std::optional<double> training;  // not with 8-bit weights
};

struct Report {
  rnn_config_t config;
  bool indices;
  int threads;
  Speed speed;
  std::optional<Speed> floats;  // of the same network in float, if it computes with other numbers
};

Json json_of(const Speed& speed) {
  Json json = {
      {"step", nullptr}, {"forward_steps_per_second", speed.forward}, {"training_steps_per_second", nullptr}};
  if (speed.step)
    json["step"] = {{"median_ns", 1e9 * speed.step->median},
                    {"p99_ns", 1e9 * speed.step->p99},
                    {"p99.9_ns", 1e9 * speed.step->p999},
                    {"timed_together", speed.step->together}};
  if (speed.training) json["training_steps_per_second"] = *speed.training;
  return json;
}

Json json_of(const Report& report, const Bench& bench) {
  Json json = {{"rnn", rnn_version()},
               {"cpu", cpu_name()},
               {"isa", rnn_isa()},
               {"threads", report.threads},
               {"network", summary(report.config)},
               {"indices", report.indices},
               {"sequences", bench.batch},
               {"steps", bench.steps}};
  json.update(json_of(report.speed));
  if (report.floats) json["float"] = json_of(*report.floats);
  return json;
}

void print_text(const Report& report, const Bench& bench) {
  const std::string cpu = cpu_name();
  const Speed& speed = report.speed;
  print("%s%s, rnn %s\n", cpu.empty() ? "" : (one_line(cpu) + ", ").c_str(), rnn_isa(), rnn_version());
  print("%s%s\n", summary(report.config).c_str(), report.indices ? ", given as indices" : "");
  if (speed.step)
    print("step       median %.3f us, 99 %% %.3f us, 99.9 %% %.3f us (timed %zu at once)\n",
          1e6 * speed.step->median, 1e6 * speed.step->p99, 1e6 * speed.step->p999, speed.step->together);
  print("sequences  %.0f steps/s, %zu of %zu steps, 1 thread\n", speed.forward, bench.batch, bench.steps);
  if (speed.training)
    print("training   %.0f steps/s, the same batch, threads: %d\n", *speed.training, report.threads);
  if (!report.floats) return;
  print("time       of that in float:");
  if (speed.step) print(" step %.2f,", speed.step->median / report.floats->step->median);
  print(" sequences %.2f", report.floats->forward / speed.forward);
  if (speed.training) print(", training %.2f", *report.floats->training / *speed.training);
  print("\n");
}

bool reads_backwards(const rnn_config_t& config) {
  const auto is_reverse = [](const rnn_layer_t& layer) { return layer.direction != RNN_DIRECTION_FORWARD; };
  return (config.flags & RNN_FLAG_BIDIRECTIONAL) != 0 ||
         std::any_of(config.layers, config.layers + config.layer_count, is_reverse);
}

void check_size(const rnn::Network& network, const Bench& bench) {
  const rnn_config_t config = network.config();
  constexpr std::size_t kMost = std::size_t{1} << 28;
  std::int32_t widest = config.hidden_size;
  for (std::size_t l = 0; l < config.layer_count; ++l) widest = std::max(widest, config.layers[l].size);
  const auto width = static_cast<std::size_t>(config.input_size) + network.output_size() +
                     2 * static_cast<std::size_t>(widest);
  if (bench.batch * bench.steps > kMost / width)
    throw UsageError("--batch, --steps: so many steps of this network take too much memory");
}

Speed measure(rnn::Network& network, const Data& data, const Bench& bench) {
  const rnn_config_t config = network.config();
  Speed speed = {};
  if (!reads_backwards(config)) speed.step = measure_steps(network, data, bench.seconds);
  speed.forward = measure_forward(network, data, bench.seconds);
  if (config.compute != RNN_COMPUTE_INT8) speed.training = measure_training(network, data, bench);
  return speed;
}

void run(const Bench& bench, const CLI::App& command) {
  rnn::Network network = bench.model.empty() ? bench.shape.network(bench.inputs, bench.outputs)
                                             : rnn::Network::load(bench.model);
  Report report = {};
  report.config = network.config();
  report.indices = bench.indices || report.config.embedding_size > 0 || has_metadata(network, kVocabularyKey);
  report.threads = bench.threads > 0 ? bench.threads : static_cast<int>(std::thread::hardware_concurrency());
  const bool is_trained = report.config.compute != RNN_COMPUTE_INT8;
  check_effect(command, "--threads", is_trained, "8-bit weights are not trained, and all else takes one");
  check_effect(command, "--residual", report.config.num_layers > 1, "the network has one layer");
  check_size(network, bench);
  const Data data(network, bench, report.indices);
  report.speed = measure(network, data, bench);
  if (report.config.compute != RNN_COMPUTE_F32) {
    rnn::Network floats = network.convert(RNN_COMPUTE_F32);
    report.floats = measure(floats, data, bench);
  }
  bench.json ? print(json_of(report, bench)) : print_text(report, bench);
}

}  // namespace

void add_bench(CLI::App& program) {
  const auto bench = std::make_shared<Bench>();
  CLI::App& command = *program.add_subcommand("bench", "Measure how fast a network is on this machine");
  command.footer(
      "RNN_ISA=avx2 rnn bench ... measures a lower instruction set.\n"
      "\n"
      "Examples:\n"
      "  rnn bench model.safetensors\n"
      "  rnn bench --cell lstm --hidden 512 --compute bf16 --threads 1");
  CLI::Option* model =
      command.add_option("model", bench->model, "A model's file; default: the network of the options below")
          ->check(not_empty())
          ->type_name("FILE");
  add_shape_options(command, bench->shape);
  command.add_option("--inputs", bench->inputs, "Inputs")
      ->check(CLI::Range(1, 1048576))
      ->capture_default_str();
  command.add_option("--outputs", bench->outputs, "Outputs of a head; 0: none")
      ->check(CLI::Range(0, 1048576))
      ->capture_default_str();
  for (CLI::Option* option : command.get_options())  // so far those of the network
    if (option != model && option != command.get_help_ptr()) model->excludes(option);
  command.add_flag("--indices", bench->indices,
                   "Give inputs as indices, one-hot, as models with a vocabulary have them");
  command.add_option("--batch", bench->batch, "Sequences that are run and trained on at a time")
      ->check(whole_number(1, 65536))
      ->capture_default_str();
  command.add_option("--steps", bench->steps, "Steps of each of them")
      ->check(whole_number(1, 65536))
      ->capture_default_str();
  command.add_option("--seconds", bench->seconds, "Time for each measurement")
      ->check(number(0.001, 1000))
      ->capture_default_str();
  add_threads_option(command, bench->threads);
  add_json_flag(command, bench->json);
  command.callback([bench, &command] { run(*bench, command); });
}
