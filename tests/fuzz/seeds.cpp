// Writes small right files for fuzzers to begin with: seeds FOLDER writes into FOLDER/NAME for each fuzzer
// NAME.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "rnn/rnn.h"
#include "tests/formats/hdf5_by_hand.h"
#include "tests/formats/json_examples.h"
#include "tests/formats/zip_by_hand.h"
#include "tests/fuzz/trainers.h"

namespace {

void check(rnn_status_t status) {
  if (status != RNN_OK) throw std::runtime_error(rnn_last_error());
}

rnn_config_t config(int i) {
  rnn_config_t config{};
  config.struct_size = sizeof config;
  config.input_size = 1 + i % 3;
  config.hidden_size = 1 + i / 3;
  config.output_size = i % 2 == 0 ? 1 : 0;
  config.num_layers = 1 + i / 4;
  config.initial_state = i % 3;
  config.flags = i % 4 == 3 ? RNN_FLAG_NO_BIAS : 0;
  return config;
}

void write_networks(const std::string& folder, const char* suffix) {
  for (int i = 0; i < 8; ++i) {
    const rnn_config_t c = config(i);
    rnn_t* rnn = nullptr;
    check(rnn_create(&c, &rnn));
    check(rnn_set_metadata(rnn, "key", "value"));
    check(rnn_save_as(rnn, (folder + "/seed" + std::to_string(i) + suffix).c_str(), nullptr));
    rnn_destroy(rnn);
  }
}

// Layer l of a list: all kinds, activations and directions come by.
rnn_layer_t list_layer(int i, int l) {
  constexpr std::int32_t kKinds[] = {RNN_LAYER_DENSE, RNN_CELL_GRU,     RNN_LAYER_CONV1D,
                                     RNN_CELL_LSTM,   RNN_CELL_MIN_GRU, RNN_CELL_VANILLA};
  rnn_layer_t layer{};
  layer.struct_size = sizeof layer;
  layer.kind = kKinds[(i + l) % 6];
  layer.size = 2;
  if (l > 0 && i % 2 == 0) layer.flags = RNN_FLAG_RESIDUAL;
  if (layer.kind < RNN_LAYER_DENSE)
    layer.direction = i % 2 == 0 ? RNN_DIRECTION_SUM : i % 4;
  else
    layer.activation = (3 * i + l) % (RNN_ACTIVATION_SOFTPLUS + 1);
  if (layer.kind == RNN_LAYER_CONV1D) {
    layer.kernel_size = 2 + i % 2;
    layer.dilation = 1 + l % 2;
  }
  return layer;
}

// Lists, and one of each cell, in builds with ONNX.
void write_onnx(const std::string& folder) {
  for (int i = 0; i < 24; ++i) {
    rnn_config_t c = config(i % 6);
    const rnn_layer_t layers[] = {list_layer(i, 0), list_layer(i, 1), list_layer(i, 2)};
    c.cell = RNN_CELL_VANILLA + i % 3;
    c.initial_state = i % 2;
    c.flags = i % 4 == 3 ? RNN_FLAG_BIDIRECTIONAL : 0;
    c.embedding_size = i % 5 == 4 ? 2 : 0;
    if (i >= 12) {
      c.cell = c.hidden_size = c.output_size = c.num_layers = 0;
      c.flags = 0;
      c.layers = layers;
      c.layer_count = 3;
      c.skip = c.embedding_size == 0 ? 1 : 0;
    }
    rnn_t* rnn = nullptr;
    check(rnn_create(&c, &rnn));
    const rnn_status_t status =
        rnn_save_as(rnn, (folder + "/seed" + std::to_string(i) + ".onnx").c_str(), nullptr);
    rnn_destroy(rnn);
    if (status != RNN_UNSUPPORTED) check(status);
  }
}

void write_texts(const std::string& folder, const std::vector<const char*>& texts) {
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (!(std::ofstream(folder + "/seed" + std::to_string(i)) << texts[i]))
      throw std::runtime_error("cannot write to " + folder);
}

// Of each kind, the kind's number before it: fresh, in the middle of a run, and after single updates.
void write_trainers(const std::string& folder) {
  const rnn_sequences_t data = fuzz::data();
  for (int kind = 0; kind < fuzz::kTrainers; ++kind)
    for (int state = 0; state < 4; ++state) {
      const fuzz::Trainer trainer = fuzz::make_trainer(kind, state);
      if (state == 1) check(rnn_trainer_update(trainer.get(), &data, nullptr));
      if (state >= 2) check(rnn_trainer_run(trainer.get(), &data));
      const std::string path = folder + "/seed" + std::to_string(4 * kind + state), file = path + ".file";
      check(rnn_trainer_save(trainer.get(), file.c_str()));
      std::ifstream saved(file, std::ios::binary);
      if (!(std::ofstream(path, std::ios::binary) << static_cast<char>(kind) << saved.rdbuf()))
        throw std::runtime_error("cannot write to " + folder);
      std::filesystem::remove(file);
    }
}

// A state dict of LSTM(1, 1), as torch.save pickles it: two tensors of storage 0.
std::string torch_pickle() {
  const auto text = [](const std::string& value) {
    return "X" + number(static_cast<std::uint32_t>(value.size())) + value;
  };
  std::string code = "\x80\2ccollections\nOrderedDict\n)R(";
  for (const char* name : {"weight_ih_l0", "weight_hh_l0"})
    code += text(name) + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
            "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "K\x10tQK\1K\4K\1\x86K\1K\1\x86\x89NtR";
  return code + "u.";
}

void write_file(const std::string& path, const std::string& bytes) {
  if (!(std::ofstream(path, std::ios::binary) << bytes)) throw std::runtime_error("cannot write " + path);
}

// A SimpleRNN of one unit.
std::string keras_model() {
  Hdf5File f;
  const std::uint64_t cell = f.group({{"bias", f.dataset({1}, {0.5f})},
                                      {"kernel", f.dataset({1, 1}, {0.25f})},
                                      {"recurrent_kernel", f.dataset({1, 1}, {-0.5f})}});
  const std::uint64_t layer =
      f.group({{"c", cell}}, {Hdf5File::fixed("weight_names", {"c/kernel", "c/recurrent_kernel", "c/bias"})});
  return f.file(
      f.group({{"model_weights", f.group({{"s", layer}})}},
              {f.variable("model_config",
                          "{\"class_name\": \"Sequential\", \"config\": [{\"class_name\": \"SimpleRNN\", "
                          "\"config\": {\"name\": \"s\", \"units\": 1, \"activation\": \"tanh\"}}]}")}));
}

struct Fuzzer {
  const char* name;
  void (*write)(const std::string& folder);
};

constexpr Fuzzer kFuzzers[] = {
    {"binary", [](const std::string& folder) { write_networks(folder, ".rnn"); }},
    {"keras", [](const std::string& folder) { write_file(folder + "/seed", keras_model()); }},
    {"nam", [](const std::string& folder) { write_texts(folder, {kNamJson}); }},
    {"onnx", &write_onnx},
    {"rtneural",
     [](const std::string& folder) {
       write_texts(folder, {kLstmJson, kGruJson});
     }},
    {"safetensors", [](const std::string& folder) { write_networks(folder, ".safetensors"); }},
    {"state_dict",
     [](const std::string& folder) {
       write_texts(folder, {kStateDictJson, kGuitarMlJson});
     }},
    {"torch_file", [](const std::string& folder) { write_file(folder + "/seed", torch_pickle()); }},
    {"zip",
     [](const std::string& folder) {
       const std::vector<ZipEntry> entries = {{"a/data.pkl", torch_pickle()},
                                              {"a/data/0", std::string(64, '\x3c')}};
       write_file(folder + "/seed", zip(entries));
       write_file(folder + "/seed64", zip(entries, true));
     }},

    {"trainer", &write_trainers}};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: seeds FOLDER\n"), 2;
  try {
    for (const Fuzzer& fuzzer : kFuzzers) {
      const std::string folder = std::string(argv[1]) + "/" + fuzzer.name;
      std::filesystem::create_directories(folder);
      fuzzer.write(folder);
    }
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "seeds: %s\n", error.what()), 1;
  }
  return 0;
}
