#include "labels.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "../model_file.h"
#include "csv.h"

namespace {

std::string place_of(const LabelledTexts& texts, std::size_t line) {
  return texts.name + ", line " + std::to_string(line + 1);
}

// The bytes of the character that begins here, in UTF-8.
std::size_t length_at(const std::string& text, std::size_t place) {
  const auto byte = static_cast<unsigned char>(text[place]);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

std::vector<std::int32_t> known_of(const std::string& text, const Vocabulary& vocabulary,
                                   std::size_t& left_out) {
  try {
    return vocabulary.encode(text);
  } catch (const std::invalid_argument&) {  // one of them is not known: see which
  }
  std::vector<std::int32_t> indices;
  for (std::size_t place = 0; place < text.size(); place += length_at(text, place)) {
    try {
      const std::vector<std::int32_t> one = vocabulary.encode(text.substr(place, length_at(text, place)));
      indices.insert(indices.end(), one.begin(), one.end());
    } catch (const std::invalid_argument&) {
      ++left_out;
    }
  }
  return indices;
}

}  // namespace

LabelledTexts LabelledTexts::read(const std::string& path, bool has_labels) {
  std::string all = read_utf8(path);
  all.erase(all.find_last_not_of("\r\n") + 1);  // empty lines at the end are no texts
  LabelledTexts result;
  result.name = path;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    std::string line = all.substr(begin, end - begin);
    begin = end + 1;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const std::size_t tab = line.find('\t');
    const std::string place = place_of(result, result.texts.size());
    if (has_labels && tab == line.npos)
      throw std::runtime_error(place + " has no tab between a label and a text");
    if (has_labels && tab == 0) throw std::runtime_error(place + ": there is no label before the tab");
    if (!has_labels && tab != line.npos)
      throw std::runtime_error(place + " has a tab; texts to classify have no label, which rnn eval takes");
    if (has_labels) result.labels.push_back(line.substr(0, tab));
    result.texts.push_back(has_labels ? line.substr(tab + 1) : line);
    if (result.texts.back().empty()) throw std::runtime_error(place + ": the text is empty");
  }
  if (result.texts.empty()) throw std::runtime_error(path + " is empty");
  return result;
}

std::string json_of_labels(const std::vector<std::string>& labels) { return Json(labels).dump(); }

std::vector<std::string> labels_of(const rnn::Network& network, const std::string& path) {
  std::vector<std::string> labels;
  try {
    Json::parse(network.get_metadata(kLabelsKey)).get_to(labels);
  } catch (const Json::exception&) {
    throw std::invalid_argument(path + ": its metadata \"labels\" is not as rnn train --labels writes it");
  }
  if (labels.size() != network.output_size())
    throw std::invalid_argument(path + ": it has " + std::to_string(labels.size()) +
                                " labels; the network has " + std::to_string(network.output_size()) +
                                " outputs");
  return labels;
}

Vocabulary classifier_vocabulary(const rnn::Network& network, const std::string& path) {
  if (!has_metadata(network, kVocabularyKey))
    throw std::invalid_argument(path + ": the model has labels, and no vocabulary, in its metadata");
  const Vocabulary vocabulary = Vocabulary::parse(network.get_metadata(kVocabularyKey));
  if (network.config().input_size != vocabulary.size())
    throw std::invalid_argument(path + ": the vocabulary has " + std::to_string(vocabulary.size()) +
                                " characters; the network has " +
                                std::to_string(network.config().input_size) + " inputs");
  return vocabulary;
}

void LabelData::add(const LabelledTexts& texts, std::size_t line, const Vocabulary& vocabulary,
                    std::int32_t label) {
  const std::vector<std::int32_t> known = known_of(texts.texts[line], vocabulary, left_out_);
  if (known.empty())
    throw std::runtime_error(place_of(texts, line) + ": the model knows none of its characters");
  lengths_.push_back(known.size());
  indices_.insert(indices_.end(), known.begin(), known.end());
  classes_.push_back(label);
}

rnn_sequences_t LabelData::view() const {
  auto view = rnn::sized<rnn_sequences_t>();
  view.count = lengths_.size();
  view.frames = indices_.size();
  view.lengths = lengths_.data();
  view.indices = indices_.data();
  view.classes = classes_.data();
  view.pooling = RNN_POOLING_LAST;
  return view;
}

LabelData data_of(const LabelledTexts& texts, const Vocabulary& vocabulary,
                  const std::vector<std::string>& labels) {
  LabelData data;
  for (std::size_t line = 0; line < texts.texts.size(); ++line) {
    const auto found = std::find(labels.begin(), labels.end(), texts.labels[line]);
    if (found == labels.end())
      throw std::runtime_error(place_of(texts, line) + ": the label " + texts.labels[line] +
                               " is not one of the model's");
    data.add(texts, line, vocabulary, static_cast<std::int32_t>(found - labels.begin()));
  }
  if (data.left_out() > 0)
    note(texts.name + ": " + std::to_string(data.left_out()) +
         " characters that the model does not know are left out");
  return data;
}

std::string text_of_labels(const rnn_evaluation_t& evaluation) {
  char text[160];
  std::snprintf(text, sizeof text, "%.4f nats, %.2f %% of %.0f texts right", evaluation.loss,
                100 * evaluation.accuracy, evaluation.weight);
  return text;
}

Json json_of_label_loss(const rnn_evaluation_t& evaluation) {
  return {{"texts", static_cast<std::uint64_t>(evaluation.weight)},
          {"loss", evaluation.loss},
          {"accuracy", evaluation.accuracy}};
}
