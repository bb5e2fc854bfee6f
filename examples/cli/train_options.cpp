// The options of rnn train.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <vector>

#include "log.h"
#include "ranks.h"
#include "train.h"

namespace {

const std::map<std::string, std::int32_t> kSchedules = {{"constant", RNN_SCHEDULE_CONSTANT},
                                                        {"step", RNN_SCHEDULE_STEP},
                                                        {"exponential", RNN_SCHEDULE_EXPONENTIAL},
                                                        {"cosine", RNN_SCHEDULE_COSINE}};

std::vector<std::string> schedule_names() {
  std::vector<std::string> names;
  for (const auto& [name, value] : kSchedules) names.push_back(name);
  return names;
}

void add_length_options(CLI::App& command, Train& train) {
  CLI::Option* updates =
      command.add_option("--updates", train.updates, "How long to train, about; default: 2000")
          ->check(whole_number(1, kMostUpdates));
  CLI::Option* epochs = command.add_option("--epochs", train.epochs, "The same in passes over the text")
                            ->check(whole_number(1, kMostUpdates))
                            ->excludes(updates);
  command.add_option("--seconds", train.seconds, "The same in time, about")
      ->check(number(0.1, 1e7))
      ->excludes(updates)
      ->excludes(epochs);
}

// What is learnt instead of a text.
void add_other_data_options(CLI::App& command, Train& train, CLI::Option* text) {
  CLI::Option* const csv =
      command
          .add_option("--csv", train.csv,
                      "Learn to forecast a series, a file of comma-separated values with a row for\n"
                      "each time, the oldest first; -: standard input")
          ->check(not_empty())
          ->type_name("FILE")
          ->excludes(text);
  command
      .add_option("--labels", train.labels,
                  "Learn to classify sequences, a file with a label, a tab and a text on each\n"
                  "line; -: standard input")
      ->check(not_empty())
      ->type_name("FILE")
      ->excludes(text)
      ->excludes(csv);
  command.add_option("--target", train.target, "With --csv: the column whose next values are forecast")
      ->check(not_empty())
      ->needs(csv);
  command
      .add_option("--inputs", train.inputs,
                  "With --csv: the columns that are read, as a,b,c; default: all whose first\n"
                  "value is a number, but none that only counts the rows")
      ->check(not_empty())
      ->needs(csv);
  command.add_option("--horizon", train.horizon, "With --csv: how many values are forecast from each row")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str()
      ->needs(csv);
  command
      .add_flag("--no-header", train.no_header,
                "With --csv: the first row has values, too; the columns are called 1, 2, ...")
      ->needs(csv);
}

void add_file_options(CLI::App& command, Train& train) {
  CLI::Option* const text =
      command.add_option("text", train.text, "The file to learn; -: standard input")->type_name("FILE");
  add_other_data_options(command, train, text);
  command
      .add_option("-o,--out", train.model,
                  "Where to save the model of the best validation, .safetensors or .rnn.\n"
                  "A file that is there is replaced at the end of the training; until then,\n"
                  "and if it is stopped, the best model is in OUT.unfinished.SUFFIX")
      ->type_name("FILE")
      ->capture_default_str();
  command
      .add_option("--validation", train.validation,
                  "What tells which model is the best: a file, or the part that is not learnt:\n"
                  "of a text in four places, 100000 characters at most; of a series its last\n"
                  "rows; of the texts of each label as many, at even distances")
      ->type_name("FILE")
      ->capture_default_str();
  command
      .add_option("--checkpoint", train.checkpoint,
                  "Where to save what --resume takes, at each validation; {update} becomes the\n"
                  "number of updates, so that all are kept, one of the beginning, too. Without it\n"
                  "a training that is stopped saves one in OUT.unfinished.checkpoint")
      ->check(not_empty())
      ->type_name("FILE");
  command
      .add_option("--init", train.init,
                  "Begin with the weights and the vocabulary of a model that rnn train has\n"
                  "saved, whose shape is kept. Characters that only the text has are added;\n"
                  "their weights are new")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  command.add_flag("--keep-vocabulary", train.keep_vocabulary,
                   "With --init: characters that the model does not know are an error");
  command
      .add_option("--resume", train.resume,
                  "Go on from a checkpoint, with the same text, options, --init and --out;\n"
                  "the model's shape is the checkpoint's, the learning rate that of\n"
                  "--learning-rate. Without --checkpoint the next ones replace it")
      ->check(CLI::ExistingFile)
      ->type_name("FILE")
      ->excludes(command.get_option("--seconds"));
}

void add_training_options(CLI::App& command, Train& train) {
  command.add_option("--validations", train.validations, "How often to validate")
      ->check(whole_number(1, kMostUpdates))
      ->capture_default_str();
  command.add_option("--batch", train.batch, "Pieces of the text that are read side by side")
      ->check(whole_number(1, 65536))
      ->capture_default_str();
  command.add_option("--window", train.window, "Characters through which gradients flow")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command.add_option("--learning-rate", train.learning_rate, "Of AdamW; falls by --schedule")
      ->check(number(1e-9, 100))
      ->capture_default_str();
  command.add_option("--weight-decay", train.weight_decay, "Of AdamW")
      ->check(number(0, 1000))
      ->capture_default_str();
  command
      .add_option("--lanes", train.lanes,
                  "A power of two: the parts of the batch whose gradients are computed apart\n"
                  "and then added, by threads and by ranks. The model depends on it, but not\n"
                  "on how many threads and ranks there are")
      ->check(power_of_two(1024))
      ->capture_default_str();
  command
      .add_option("--dropout", train.dropout, "Part of each layer's output that the next one does not see")
      ->check(number(0, 0.999))
      ->capture_default_str();
  command
      .add_option("--output-dropout", train.output_dropout,
                  "Part of the last layer's output that the head does not see")
      ->check(number(0, 0.999))
      ->capture_default_str();
  command
      .add_option("--recurrent-dropout", train.recurrent_dropout,
                  "Part of the state that the gates do not see, the same units all along a\n"
                  "piece of the text")
      ->check(number(0, 0.999))
      ->capture_default_str();
  command
      .add_option("--label-smoothing", train.label_smoothing,
                  "Part of each target that is spread over all characters. The training loss\n"
                  "of the progress is with it; that of validation, which tells the best model,\n"
                  "and those at the end are without")
      ->check(number(0, 0.999))
      ->capture_default_str();
  command.add_option("--average", train.average, "Decay of a moving average of the weights; 0: none")
      ->check(number(0, 0.999999))
      ->capture_default_str();
  command
      .add_option("--skip-not-finite", train.skip_not_finite,
                  "Skip so many updates in a row whose loss or gradient is not finite; one\n"
                  "more is an error")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
}

void add_schedule_options(CLI::App& command, Train& train) {
  command
      .add_option("--schedule", train.schedule,
                  "How the learning rate falls: constant, not at all; step, at once by a\n"
                  "factor after each --schedule-updates; exponential, the same bit by bit;\n"
                  "cosine, to that factor over all of them")
      ->transform(CLI::IsMember(schedule_names(), CLI::ignore_case))
      ->capture_default_str();
  command
      .add_option("--schedule-factor", train.schedule_factor, "The factor; default: 0 for cosine, else 0.1")
      ->check(number(0, 1));
  command
      .add_option("--schedule-updates", train.schedule_updates,
                  "How many; default for cosine: all that follow --schedule-start")
      ->check(CLI::Range(1, 1 << 30));
  command.add_option("--schedule-start", train.schedule_start, "Updates before the rate begins to fall")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  command.add_flag("--schedule-by-epoch", train.schedule_by_epoch,
                   "Count passes over the text, not updates, in these two options; of step\n"
                   "and exponential --schedule-updates is then 1 by default");
}

}  // namespace

rnn_train_options_t options_of(const Train& train, const CharacterData& data) {
  return options_of(train, data.batch);
}

rnn_train_options_t options_of(const Train& train, std::size_t batch) {
  rnn_train_options_t options = Training::default_options(batch);
  options.window = train.window;
  options.learning_rate = train.learning_rate;
  options.weight_decay = train.weight_decay;
  options.dropout = train.dropout;
  options.output_dropout = train.output_dropout;
  options.recurrent_dropout = train.recurrent_dropout;
  options.average = train.average;
  options.label_smoothing = train.label_smoothing;
  const auto schedule = kSchedules.find(train.schedule);
  if (schedule == kSchedules.end()) throw UsageError("there is no schedule " + train.schedule);
  options.schedule = schedule->second;
  options.schedule_factor = train.schedule_factor;
  options.schedule_updates = train.schedule_updates;
  options.schedule_start = train.schedule_start;
  options.schedule_by_epoch = train.schedule_by_epoch;
  if (train.schedule != "constant" && train.schedule != "cosine" && train.schedule_updates == 0)
    options.schedule_updates = 1;  // an epoch
  options.skip_not_finite = train.skip_not_finite;
  options.seed = train.shape.seed;
  options.threads = train.threads;
  options.lanes = train.lanes;
  options.collective = ranks();
  return options;
}

void add_train_options(CLI::App& command, Train& train) {
  add_length_options(command, train);
  add_file_options(command, train);
  add_log_options(command, train);
  command
      .add_option("--history", train.history,
                  "Write the losses as the training goes on, a CSV that rnn plot draws; with\n"
                  "--resume go on in that of the run before")
      ->check(not_empty())
      ->type_name("FILE");
  add_shape_options(command, train.shape);
  add_training_options(command, train);
  add_schedule_options(command, train);
}

double held_out(const std::string& validation) {
  char* end = nullptr;
  const double part = std::strtod(validation.c_str(), &end);
  const bool is_number = end != validation.c_str() && *end == '\0';
  if (is_number && part > 0 && part < 1) return part;
  if (std::filesystem::exists(std::filesystem::u8path(validation))) return 0;
  if (is_number) throw UsageError("--validation: " + validation + " must be between 0 and 1");
  throw std::runtime_error("--validation: there is no file " + validation + ", and it is not a number");
}
