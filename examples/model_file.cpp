#include "model_file.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

void save_model(const rnn::Network& network, const Vocabulary& vocabulary, const std::string& path) {
  rnn::Network model = network.fork();
  model.set_metadata(kVocabularyKey, vocabulary.json().c_str());
  auto options = rnn::sized<rnn_save_options_t>();
  const bool is_binary = std::filesystem::path(path).extension() == ".rnn";
  options.format = is_binary ? RNN_FORMAT_BINARY : RNN_FORMAT_SAFETENSORS;
  model.save_as(path, &options);
}

bool has_vocabulary(const rnn::Network& network) {
  const auto keys = network.metadata_keys();
  return std::find(keys.begin(), keys.end(), kVocabularyKey) != keys.end();
}

Vocabulary vocabulary_of(const rnn::Network& network, const std::string& path) {
  if (!has_vocabulary(network))
    throw std::invalid_argument(path + ": the model has no vocabulary in its metadata, as rnn train saves it");
  const Vocabulary vocabulary = Vocabulary::parse(network.get_metadata(kVocabularyKey));
  const rnn_config_t config = network.config();
  if (config.input_size != vocabulary.size() || config.output_size != vocabulary.size())
    throw std::invalid_argument(path + ": the vocabulary has " + std::to_string(vocabulary.size()) +
                                " characters; the network has " + std::to_string(config.input_size) +
                                " inputs and " + std::to_string(config.output_size) + " outputs");
  return vocabulary;
}
