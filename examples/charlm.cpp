// A character language model: three sentences first, then a text.
//
//   charlm [TEXT] [options]      --help lists them
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "command_line.h"
#include "language_model.h"
#include "model_file.h"
#include "sentences.h"
#include "text.h"

namespace {

namespace fs = std::filesystem;

constexpr char kDefaultText[] = "/usr/share/common-licenses/GPL-3";  // Debian's copy of a text of some length

struct Options {
  std::string path;
  std::string cell = "vanilla";
  bool bf16 = false;
  int check_seeds = 0;
  LanguageModelOptions model;
};

void add_options(CLI::App& app, Options& options) {
  LanguageModelOptions& model = options.model;
  app.add_option("text", options.path, "The file to learn; default: the GPL-3 of this machine");
  app.add_option("--hidden", model.hidden, "Hidden units of each layer")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--layers", model.layers, "Layers")->check(CLI::Range(1, 16))->capture_default_str();
  add_cell_option(app, options.cell);
  app.add_flag("--bf16", options.bf16, "Compute with bfloat16");
  app.add_option("--embedding", model.embedding,
                 "Size of a learned vector for each character; 0: none, one-hot")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--dropout", model.dropout, "Part of each layer's output that the next one does not see")
      ->capture_default_str();
  app.add_option("--seconds", model.seconds, "Time to train")->capture_default_str();
  app.add_option("--temperature", model.temperature, "Of the sample: low is safe, high is wild")
      ->capture_default_str();
  app.add_option("--prefix", model.prefix, "Start of the sample; default: the text's first word");
  app.add_option("--seed", model.seed, "Of weights, shuffling and sample")->capture_default_str();
  add_threads_option(app, model.threads);
  app.add_option("--out", model.out, "Where to save the model")->capture_default_str();
  app.add_option("--check-seeds", options.check_seeds, "Only learn the sentences, with so many seeds")
      ->check(CLI::Range(1, 1000000));
}

void run(Options& options) {
  LanguageModelOptions& model = options.model;
  model.cell = cell_of(options.cell);
  model.compute = options.bf16 ? RNN_COMPUTE_BF16 : RNN_COMPUTE_F32;
  if (!(model.seconds > 0 && model.seconds <= 1e6))
    throw std::runtime_error("--seconds must be above 0, up to 1000000");
  if (!(model.temperature > 0 && model.temperature <= 1e6))
    throw std::runtime_error("--temperature must be above 0, up to 1000000");
  if (!(model.dropout >= 0 && model.dropout < 1))
    throw std::runtime_error("--dropout must be 0 or more, below 1");
  if (model.dropout > 0 && model.layers == 1)
    throw std::runtime_error("--dropout acts between layers; it has no effect with one layer");
  check_model_path(model.out);
  check_writable(model.out);
  if (options.check_seeds > 0) {
    if (!check_sentences(model.seed, options.check_seeds))
      throw std::runtime_error("not all seeds learnt the sentences");
    return;
  }
  if (!options.path.empty()) model.text = read_text(options.path);
  if (!show_sentences(model.seed)) throw std::runtime_error("the sentences were not learnt");
  if (options.path.empty() && !fs::exists(kDefaultText)) {
    std::printf("%s is not on this machine; name a text to learn more\n", kDefaultText);
    return;
  }
  if (options.path.empty()) model.text = read_text(kDefaultText);
  show_language_model(model);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.model.out = (fs::path(argv[0]).parent_path() / "charlm.safetensors").string();
  CLI::App app("Learn three sentences, then a text, and write more of it.");
  add_options(app, options);
  return run_program("charlm", app, argc, argv, [&] {
    run(options);
    return 0;
  });
}
