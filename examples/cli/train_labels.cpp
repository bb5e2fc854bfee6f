// rnn train --labels: classes of sequences of characters.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "../character_training.h"
#include "../model_file.h"
#include "labels.h"
#include "train.h"

namespace {

constexpr int kHidden = 128;  // unless --hidden says more

std::vector<std::string> sorted_labels(const LabelledTexts& texts) {
  std::vector<std::string> labels = texts.labels;
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  if (labels.size() < 2)
    throw std::runtime_error(texts.name + " has one label, " + labels[0] + "; there must be two at least");
  return labels;
}

Vocabulary vocabulary_of(const LabelledTexts& texts) {
  std::string all;
  for (const std::string& text : texts.texts) all += text;
  return Vocabulary(Text(all));
}

// That part of the texts of each label, at even distances.
void hold_out(const LabelledTexts& all, double part, LabelledTexts& learnt, LabelledTexts& validated) {
  learnt.name = validated.name = all.name;
  std::map<std::string, std::size_t> seen;
  for (std::size_t line = 0; line < all.texts.size(); ++line) {
    const auto number = static_cast<double>(seen[all.labels[line]]++);
    const bool is_held_out = std::floor((number + 1) * part) > std::floor(number * part);
    LabelledTexts& to = is_held_out ? validated : learnt;
    to.labels.push_back(all.labels[line]);
    to.texts.push_back(all.texts[line]);
  }
  if (validated.texts.empty())
    throw std::runtime_error(all.name +
                             " has too few texts of each label to hold a part of them out for validation");
}

}  // namespace

void train_labels(const Train& given, const CLI::App& command) {
  Train train = given;
  check_other_options(train, command);
  check_effect(command, "--window", false, "gradients flow through whole texts");
  if (command.count("--hidden") == 0) train.shape.hidden = kHidden;
  const LabelledTexts all = LabelledTexts::read(train.labels, true);
  const std::vector<std::string> labels = sorted_labels(all);
  const double part = held_out(train.validation);
  LabelledTexts own, held;
  if (part > 0)
    hold_out(all, part, own, held);
  else
    held = LabelledTexts::read(train.validation, true);
  const LabelledTexts& texts = part > 0 ? own : all;
  const Vocabulary vocabulary = vocabulary_of(all);
  const LabelData learnt = data_of(texts, vocabulary, labels), validated = data_of(held, vocabulary, labels);

  TrainingData data;
  data.training = learnt.view();
  data.validation = validated.view();
  data.metadata = {{kVocabularyKey, vocabulary.json()}, {kLabelsKey, json_of_labels(labels)}};
  const std::size_t batch = std::min(train.batch, learnt.count());
  data.updates_per_epoch = (learnt.count() + batch - 1) / batch;
  data.units_per_update = static_cast<double>(learnt.count()) / static_cast<double>(data.updates_per_epoch);
  data.unit = "texts";
  data.guess = std::log(static_cast<double>(labels.size()));

  const rnn::Network start =
      new_or_resumed(train, command, vocabulary.size(), static_cast<std::int32_t>(labels.size()));
  rnn_train_options_t options = options_of(train, batch);
  options.window = 0;
  Training training(start, data, options);
  const CharacterPlan plan = plan_of(train, training);
  const CharacterResult result = carry_out(train, command, start, training, plan, nullptr);
  const rnn::Network model = rnn::Network::load(result.model);
  const auto evaluate = [&](const rnn_sequences_t& sequences) {
    return Training::evaluate(model, sequences, train.threads, train.lanes);
  };
  const rnn_evaluation_t of_learnt = evaluate(data.training), of_validation = evaluate(data.validation);
  show(train, command, data.unit, plan, result,
       {text_of_labels(of_learnt), text_of_labels(of_validation), json_of_label_loss(of_learnt),
        json_of_label_loss(of_validation)});
  end_stopped(result);
}
