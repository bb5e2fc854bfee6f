// Forecast the yearly number of sunspots one year ahead, and see what a network adds to simple means.
//
//   sunspots [options]      --help lists them
//
// The numbers are those of 1700..2008 in sunspots.csv. Each span of years is forecast by what has seen only
// the years before it. (The network's settings were chosen with all the numbers at hand, so what it adds is
// a little flattered.)
//
//   persistence     next year is as this year
//   autoregression  a weighted sum of the last nine years, by least squares; or of their logarithms
//   network         the mean forecast of many LSTMs of 4 hidden units, which read and forecast logarithms
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <rnn/rnn.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "command_line.h"
#include "plot.h"
#include "progress.h"

namespace {

namespace fs = std::filesystem;

constexpr int kFirstLearnt = 1711;  // what comes before only warms up
constexpr int kHeldOut = 35;        // years that a network does not learn: they tell when to stop
constexpr std::size_t kOrder = 9;   // of the autoregression

// The spans, each up to the next; the end of the data ends the last.
constexpr std::array<int, 4> kSpans = {1851, 1886, 1921, 1956};

struct Options {
  std::string file;
  int networks = 21;
  int hidden = 4;
  int updates = 1500;
  std::uint64_t seed = 1;
  std::string plot;
  bool check = false;
};

// A number for each year.
struct Series {
  int first_year = 0;
  std::vector<double> values;

  int end_year() const { return first_year + static_cast<int>(values.size()); }
  std::size_t place(int year) const { return static_cast<std::size_t>(year - first_year); }
};

Series read(const std::string& path) {
  std::ifstream file(path);
  Series series;
  for (std::string line; std::getline(file, line);) {
    int year;
    char comma;
    double value;
    std::istringstream words(line);
    if (!(words >> year >> comma >> value)) continue;  // a comment or the heading
    if (series.values.empty()) series.first_year = year;
    if (series.place(year) != series.values.size())
      throw std::runtime_error(path + ": " + std::to_string(year) + " does not follow the year before");
    series.values.push_back(value);
  }
  if (series.values.empty()) throw std::runtime_error("cannot read sunspots from " + path);
  if (series.first_year + static_cast<int>(kOrder) > kFirstLearnt || series.end_year() <= kSpans.back())
    throw std::runtime_error(path + " must have the years from " +
                             std::to_string(kFirstLearnt - static_cast<int>(kOrder)) + " to " +
                             std::to_string(kSpans.back()));
  return series;
}

// The sunspots' ups and downs grow with their number; those of this logarithm hardly do.
double compress(double number) { return std::log(number + 10); }
double expand(double value) { return std::exp(value) - 10; }

// ---- Forecasts ------------------------------------------------------------------------------------------

// Element i is of year first_year + i, made from the years before it, by what has learnt the years before a
// span.
using Forecast = std::vector<double>;

Forecast persistence(const Series& series) {
  Forecast forecast(1);  // of the first year there is none
  forecast.insert(forecast.end(), series.values.begin(), series.values.end() - 1);
  return forecast;
}

constexpr std::size_t kUnknowns = kOrder + 1;  // the weights of the years before, and a constant
using Vector = std::array<double, kUnknowns>;

Vector regressors(const Series& series, std::size_t place) {
  Vector row;
  for (std::size_t lag = 1; lag <= kOrder; ++lag) row[lag - 1] = series.values[place - lag];
  row[kOrder] = 1;
  return row;
}

// Solve a x = b for a symmetric and positive definite, by elimination.
Vector solve(std::array<Vector, kUnknowns> a, Vector b) {
  for (std::size_t k = 0; k < kUnknowns; ++k)
    for (std::size_t i = k + 1; i < kUnknowns; ++i) {
      const double factor = a[i][k] / a[k][k];
      for (std::size_t j = k; j < kUnknowns; ++j) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  for (std::size_t k = kUnknowns; k-- > 0;) {
    for (std::size_t j = k + 1; j < kUnknowns; ++j) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

Forecast autoregression(const Series& series, int span) {
  std::array<Vector, kUnknowns> a = {};
  Vector b = {};
  for (std::size_t t = kOrder; t < series.place(span); ++t) {
    const Vector row = regressors(series, t);
    for (std::size_t i = 0; i < kUnknowns; ++i) {
      for (std::size_t j = 0; j < kUnknowns; ++j) a[i][j] += row[i] * row[j];
      b[i] += row[i] * series.values[t];
    }
  }
  const Vector weights = solve(a, b);
  Forecast forecast(series.values.size());
  for (std::size_t t = kOrder; t < forecast.size(); ++t) {
    const Vector row = regressors(series, t);
    for (std::size_t i = 0; i < kUnknowns; ++i) forecast[t] += weights[i] * row[i];
  }
  return forecast;
}

Forecast logarithmic_autoregression(Series series, int span) {
  for (double& value : series.values) value = compress(value);
  Forecast forecast = autoregression(series, span);
  for (double& value : forecast) value = expand(value);
  return forecast;
}

// The years before `end_year` as the network reads them: each year's number, and the next one's as its
// target.
class Steps {
 public:
  Steps(const Series& series, int end_year)
      : first_(series.first_year), frames_(series.place(end_year) - 1), weights_(frames_) {
    for (std::size_t t = 0; t <= frames_; ++t)
      values_.push_back(static_cast<float>(compress(series.values[t]) / 2 - 1.5));  // about -1..1
  }

  // Whether the forecasts of the years [first, end) count; at first none does.
  void weigh(int first, int end, float weight) {
    std::fill(weights_.begin() + (first - first_ - 1), weights_.begin() + (end - first_ - 1), weight);
  }

  std::size_t frames() const { return frames_; }
  rnn_sequences_t view() const {
    auto sequences = rnn::sized<rnn_sequences_t>();
    sequences.count = 1;
    sequences.frames = frames_;
    sequences.lengths = &frames_;
    sequences.inputs = values_.data();
    sequences.targets = values_.data() + 1;
    sequences.weights = weights_.data();
    return sequences;
  }

 private:
  const int first_;
  const std::size_t frames_;
  std::vector<float> values_;
  std::vector<float> weights_;
};

// Learn the years before the span but for some, whose forecasts choose the best weights.
rnn::Network learn(const Series& series, int span, int member, const Options& options) {
  const int held_out = kFirstLearnt + kHeldOut * (member % ((span - kFirstLearnt) / kHeldOut));
  Steps training(series, span);
  training.weigh(kFirstLearnt, span, 1);
  training.weigh(held_out, held_out + kHeldOut, 0);
  Steps validation(series, held_out + kHeldOut);
  validation.weigh(held_out, held_out + kHeldOut, 1);
  const rnn_sequences_t validation_view = validation.view();

  auto config = rnn::sized<rnn_config_t>();
  config.cell = RNN_CELL_LSTM;
  config.input_size = 1;
  config.hidden_size = options.hidden;
  config.output_size = 1;
  config.seed = options.seed + static_cast<std::uint64_t>(member);
  rnn::Network network(config);

  auto train = rnn::sized<rnn_train_options_t>();
  train.learning_rate = 0.003f;
  train.clip_norm = 1;
  train.epochs = options.updates;  // each is one update: there is one sequence
  train.validation = &validation_view;
  train.validate_every = 10;
  train.restore_best = 1;
  train.threads = 1;  // too little work to share
  network.train(training.view(), &train);
  return network;
}

Forecast network(const Series& series, int span, const Options& options,
                 const std::function<void()>& progress) {
  const Steps steps(series, series.end_year());
  std::vector<float> y(steps.frames());
  Forecast forecast(series.values.size());
  for (int member = 0; member < options.networks; ++member) {
    learn(series, span, member, options).forward(steps.view(), y.data());
    for (std::size_t t = 0; t < y.size(); ++t) forecast[t + 1] += expand(2 * y[t] + 3) / options.networks;
    progress();
  }
  return forecast;
}

// ---- Comparison -----------------------------------------------------------------------------------------

struct Row {
  std::string name;
  std::array<double, kSpans.size()> errors;
  Forecast forecast;  // of the last span
};

int end_of(const Series& series, std::size_t span) {
  return span + 1 < kSpans.size() ? kSpans[span + 1] : series.end_year();
}

// make(span) is the forecast.
template <class Make>
Row compare(const Series& series, const std::string& name, Make make) {
  Row row = {name, {}, {}};
  for (std::size_t span = 0; span < kSpans.size(); ++span) {
    row.forecast = make(kSpans[span]);
    const int end = end_of(series, span);
    double sum = 0;
    for (std::size_t t = series.place(kSpans[span]); t < series.place(end); ++t)
      sum += std::pow(row.forecast[t] - series.values[t], 2);
    row.errors[span] = std::sqrt(sum / (end - kSpans[span]));
  }
  return row;
}

std::vector<Row> compare_all(const Series& series, const Options& options) {
  const auto total = static_cast<std::uint64_t>(options.networks) * kSpans.size();
  Progress bar(total, options.updates, "updates", stderr);
  std::uint64_t done = 0;
  const auto progress = [&] {
    ++done;
    bar.show(done, "networks", done == total);
  };
  return {compare(series, "persistence", [&](int) { return persistence(series); }),
          compare(series, "autoregression", [&](int span) { return autoregression(series, span); }),
          compare(series, "autoregression of logarithms",
                  [&](int span) { return logarithmic_autoregression(series, span); }),
          compare(series, "mean of " + std::to_string(options.networks) + " networks",
                  [&](int span) { return network(series, span, options, progress); })};
}

void draw(const Series& series, const std::vector<Row>& rows, const std::string& path) {
  Plot plot{
      "Sunspots, forecast one year ahead", "year", "sunspots", false, {{"observed", {}, series.values}}};
  for (const Row& row : rows) plot.curves.push_back({row.name, {}, row.forecast});
  for (Curve& curve : plot.curves) {
    curve.y.erase(curve.y.begin(),
                  curve.y.begin() + static_cast<std::ptrdiff_t>(series.place(kSpans.back())));
    for (std::size_t i = 0; i < curve.y.size(); ++i)
      curve.x.push_back(kSpans.back() + static_cast<double>(i));
  }
  write_plot(plot, path);
  std::printf("The last span's forecasts are in %s\n", path.c_str());
}

int run(const Options& options) {
  if (!options.plot.empty()) check_plot(options.plot);
  const Series series = read(options.file);
  const std::vector<Row> rows = compare_all(series, options);

  std::printf("Root mean squared error      ");
  for (std::size_t span = 0; span < kSpans.size(); ++span)
    std::printf("  %d..%d", kSpans[span], end_of(series, span) - 1);
  for (const Row& row : rows) {
    std::printf("\n  %-27s", row.name.c_str());
    for (const double error : row.errors) std::printf("  %10.2f", error);
  }
  std::printf("\n");
  if (!options.plot.empty()) draw(series, rows, options.plot);
  return options.check && rows[3].errors.back() >= std::min(rows[0].errors.back(), rows[1].errors.back());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.file = (fs::path(argv[0]).parent_path() / "sunspots.csv").string();
  CLI::App app("Forecast the number of sunspots one year ahead.");
  app.add_option("file", options.file, "Lines \"year,number\"")->capture_default_str();
  app.add_option("--networks", options.networks, "Of which the mean forecast is taken, in each span")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--hidden", options.hidden, "Hidden units")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--updates", options.updates, "Of each network")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of the first network's weights")->capture_default_str();
  app.add_option("--plot", options.plot, "Draw the forecasts into this SVG file, by gnuplot");
  app.add_flag("--check", options.check,
               "Exit status 1 unless the networks beat persistence and autoregression in the last span");
  return run_program("sunspots", app, argc, argv, [&] { return run(options); });
}
