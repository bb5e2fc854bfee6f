// rnn info: what a model is.
#include <filesystem>
#include <memory>
#include <vector>

#include "../model_file.h"
#include "common.h"
#include "kinds.h"
#include "layers.h"

namespace {

struct Info {
  std::string path;
  bool json = false;
};

constexpr const char* kInitialStates[] = {"zero", "fixed", "trained"};

// What is 0, and so the default, is left out.
Json layers_of(const rnn_config_t& config) {
  Json layers = Json::array();
  for (std::size_t l = 0; l < config.layer_count; ++l) {
    const rnn_layer_t& layer = config.layers[l];
    Json described = {{"kind", name_of_kind(layer.kind)}, {"size", layer.size}};
    if (layer.activation != 0) described["activation"] = name_of_activation(layer.activation);
    if (layer.alpha != 0) described["alpha"] = layer.alpha;
    if (layer.beta != 0) described["beta"] = layer.beta;
    if (layer.gate_activation != 0) described["gate_activation"] = name_of_activation(layer.gate_activation);
    if (layer.gate_alpha != 0) described["gate_alpha"] = layer.gate_alpha;
    if (layer.gate_beta != 0) described["gate_beta"] = layer.gate_beta;
    if (layer.output_activation != 0)
      described["output_activation"] = name_of_activation(layer.output_activation);
    if (layer.output_alpha != 0) described["output_alpha"] = layer.output_alpha;
    if (layer.output_beta != 0) described["output_beta"] = layer.output_beta;
    if (layer.clip != 0) described["clip"] = layer.clip;
    if (layer.zoneout_h != 0) described["zoneout_h"] = layer.zoneout_h;
    if (layer.zoneout_c != 0) described["zoneout_c"] = layer.zoneout_c;
    if (layer.direction != 0) described["direction"] = name_of_direction(layer.direction);
    if (layer.projection_size != 0) described["projection_size"] = layer.projection_size;
    if (layer.kernel_size != 0) described["kernel_size"] = layer.kernel_size;
    if (layer.dilation != 0) described["dilation"] = layer.dilation;
    if (layer.flags != 0) described["options"] = names_of_flags(layer.flags);
    layers.push_back(described);
  }
  return layers;
}

Json parameters_of(const rnn::Network& network) {
  Json parameters = Json::array();
  for (std::size_t i = 0; i < network.parameter_count(); ++i) {
    const rnn_parameter_t parameter = network.parameter(i);
    parameters.push_back({{"name", parameter.name},
                          {"rows", parameter.rows},
                          {"columns", parameter.columns},
                          {"values", parameter.rows * parameter.columns}});
  }
  return parameters;
}

Json metadata_of(const rnn::Network& network) {
  Json metadata = Json::object();
  for (const std::string& key : network.metadata_keys()) metadata[key] = network.get_metadata(key.c_str());
  return metadata;
}

Json describe(const rnn::Network& network, const std::string& path) {
  const rnn_config_t config = network.config();
  const Json parameters = parameters_of(network);
  std::size_t values = 0;
  for (const Json& parameter : parameters) values += parameter["values"].get<std::size_t>();
  return {{"file", path},
          {"file_bytes", std::filesystem::file_size(std::filesystem::u8path(path))},
          {"kind", is_checkpoint(network, path) ? "checkpoint" : "model"},
          {"of", name_of_kind(kind_of(network))},
          {"cell", config.cell != 0 ? name_of_kind(config.cell) : ""},
          {"input_size", config.input_size},
          {"hidden_size", config.hidden_size},
          {"output_size", network.output_size()},
          {"num_layers", config.num_layers},
          {"projection_size", config.projection_size},
          {"embedding_size", config.embedding_size},
          {"skip", config.skip},
          {"initial_state", kInitialStates[config.initial_state]},
          {"compute", name_of_compute(config.compute)},
          {"options", names_of_flags(config.flags)},
          {"layers", layers_of(config)},
          {"state_size", network.state_size()},
          {"values", values},
          {"bytes", values * sizeof(float)},
          {"parameters", parameters},
          {"metadata", metadata_of(network)}};
}

// For a line: its first characters.
std::string shortened(const std::string& text) {
  constexpr std::size_t kMost = 60;
  const std::string first = first_characters(text, kMost);
  return one_line(first) + (first.size() < text.size() ? "..." : "");
}

void print_text(const Json& info, const rnn_config_t& config) {
  for (const auto& [key, value] : info.items()) {
    const bool is_nothing = value.empty() || value == 0 || value == "" || value.is_object() ||
                            key == "layers" || key == "parameters";
    if (is_nothing && key != "output_size") continue;
    print("%-16s %s\n", key.c_str(),
          value.is_string() ? one_line(value.get<std::string>()).c_str() : value.dump().c_str());
  }
  if (config.layer_count > 0) print("layers\n");
  for (std::size_t l = 0; l < config.layer_count; ++l)
    print("  %-3zu %s\n", l, text_of(config.layers[l]).c_str());
  print("parameters\n");
  for (const Json& parameter : info["parameters"])
    print("  %-20s %6zu x %zu\n", one_line(parameter["name"].get<std::string>()).c_str(),
          parameter["rows"].get<std::size_t>(), parameter["columns"].get<std::size_t>());
  if (!info["metadata"].empty()) print("metadata\n");
  for (const auto& [key, value] : info["metadata"].items())
    print("  %-20s %s\n", shortened(key).c_str(), shortened(value.get<std::string>()).c_str());
}

void run(const Info& info) {
  const rnn::Network network = rnn::Network::load(info.path);
  const Json found = describe(network, info.path);
  info.json ? print(found) : print_text(found, network.config());
}

}  // namespace

void add_info(CLI::App& program) {
  const auto info = std::make_shared<Info>();
  CLI::App& command =
      *program.add_subcommand("info", "Say what a model is: cell, sizes, parameters, metadata");
  command.add_option("model", info->path, "A model's file")->required()->type_name("FILE");
  add_json_flag(command, info->json);
  command.footer(
      "Examples:\n"
      "  rnn info model.safetensors\n"
      "  rnn info model.safetensors --json");
  command.callback([info] { run(*info); });
}
