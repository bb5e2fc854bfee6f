// rnn plot: the curves of losses.
#include "../plot.h"

#include <cmath>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "common.h"
#include "history.h"

namespace {

struct Options {
  std::vector<std::string> histories;
  std::string out;
  bool logarithmic = false;
};

// Those of the training, and of the validations if there are two of them.
void add_curves(Plot& plot, const std::string& path, const std::string& before) {
  Curve training{before + "training", {}, {}}, validation{before + "validation", {}, {}};
  for (const LossRow& row : read_history(path)) {
    training.x.push_back(static_cast<double>(row.update));
    training.y.push_back(row.training);
    if (std::isnan(row.validation)) continue;
    validation.x.push_back(static_cast<double>(row.update));
    validation.y.push_back(row.validation);
  }
  if (training.x.size() < 2)
    throw std::runtime_error(path + " has " + std::to_string(training.x.size()) +
                             " rows; a curve takes two at least");
  plot.curves.push_back(training);
  if (validation.x.size() > 1) plot.curves.push_back(validation);
}

void run(const Options& options) {
  const std::string out =
      options.out.empty() ? std::filesystem::u8path(options.histories[0]).replace_extension(".svg").string()
                          : options.out;
  Plot plot;
  plot.title = "Loss";
  plot.x_label = "updates";
  plot.y_label = "loss";
  plot.is_logarithmic = options.logarithmic;
  for (const std::string& path : options.histories) {
    check_not_same("--out", out, "the history", path);
    add_curves(plot, path, options.histories.size() > 1 ? path + ", " : "");
  }
  check_plot(out);
  write_plot(plot, out);
  print("%s\n", one_line(out).c_str());
}

}  // namespace

void add_plot(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *program.add_subcommand("plot", "Draw the losses of trainings, as SVG by gnuplot");
  command.add_option("history", options->histories, "Files of rnn train --history")
      ->required()
      ->check(not_empty())
      ->type_name("FILE");
  command
      .add_option("-o,--out", options->out, "Where to draw; default: the first history with the suffix .svg")
      ->check(not_empty())
      ->type_name("FILE");
  command.add_flag("--logarithmic", options->logarithmic, "A logarithmic axis for the loss");
  command.footer(
      "The loss of a training is the mean since the row before, with dropout and label smoothing, if any.\n"
      "\n"
      "Examples:\n"
      "  rnn plot run.csv\n"
      "  rnn plot gru.csv lstm.csv -o both.svg");
  command.callback([options] { run(*options); });
}
