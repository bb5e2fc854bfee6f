#include "model_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

void check_model_path(const std::string& path) {
  const std::string suffix = std::filesystem::u8path(path).extension().string();
  if (suffix != ".safetensors" && suffix != ".rnn")
    throw std::invalid_argument("a model is saved as .safetensors or .rnn, not as " +
                                (suffix.empty() ? path + ", which has no suffix" : suffix));
}

// The library writes a new file beside the old one, which it then replaces.
void check_writable(const std::string& path) {
  const std::filesystem::path file = std::filesystem::u8path(path);
  const bool exists = std::filesystem::exists(file);
  if (exists && !std::filesystem::is_regular_file(file))
    throw std::runtime_error("cannot write " + path + ": not a regular file");
  const std::string folder = (std::filesystem::weakly_canonical(file).parent_path() / ".").string();
  if ((exists && access(path.c_str(), W_OK) != 0) || access(folder.c_str(), W_OK) != 0)
    throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
}

void save_model(const rnn::Network& network, const Metadata& metadata, const std::string& path) {
  rnn::Network model = network.fork();
  for (const auto& [key, value] : metadata) model.set_metadata(key.c_str(), value.c_str());
  model.save_as(path);
}

// A trainer takes it, or says that it is the run of a trainer with other options.
bool is_checkpoint(const rnn::Network& network, const std::string& path) {
  if (network.config().compute == RNN_COMPUTE_INT8) return false;  // cannot be trained
  try {
    rnn::Trainer(network).load(path);
    return true;
  } catch (const rnn::exception& error) {
    return error.status() == RNN_MISMATCH;
  }
}

bool has_metadata(const rnn::Network& network, const std::string& key) {
  const auto keys = network.metadata_keys();
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

Vocabulary vocabulary_of(const rnn::Network& network, const std::string& path) {
  if (!has_metadata(network, kVocabularyKey))
    throw std::invalid_argument(
        path + (is_checkpoint(network, path)
                    ? ": a checkpoint, from which rnn train --resume goes on, has no vocabulary"
                    : ": the model has no vocabulary in its metadata, as rnn train saves it"));
  const Vocabulary vocabulary = Vocabulary::parse(network.get_metadata(kVocabularyKey));
  const rnn_config_t config = network.config();
  if (config.input_size != vocabulary.size() ||
      network.output_size() != static_cast<std::size_t>(vocabulary.size()))
    throw std::invalid_argument(path + ": the vocabulary has " + std::to_string(vocabulary.size()) +
                                " characters; the network has " + std::to_string(config.input_size) +
                                " inputs and " + std::to_string(network.output_size()) + " outputs");
  return vocabulary;
}
