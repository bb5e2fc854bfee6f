#include "lib/formats/keras.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/formats/contents.h"
#include "lib/formats/hdf5.h"
#include "lib/formats/json_kinds.h"
#include "lib/formats/keras_config.h"
#include "lib/formats/zip.h"
#include "lib/network/error.h"

namespace rnn::keras {
namespace {

using formats::Hdf5;
using formats::quote;
using formats::Shape;
using formats::Tensor;
using formats::to_string;
using formats::Zip;
using formats::ZipSource;
using json::Value;

constexpr char kConfig[] = "config.json", kMetadata[] = "metadata.json", kVariables[] = "model.weights.h5";
constexpr char kVersion[] = "keras_version";
constexpr std::size_t kMaxVariables = 8;  // more than a layer has

// The variables of a layer in the order of Keras: kernel, recurrent kernel, bias, and again of the other direction.
using Variables = std::vector<Tensor>;

// A variable's shape and where its values go.
struct Slot {
  Shape shape;
  std::vector<float>* values;
};

class Builder {
 public:
  explicit Builder(std::size_t file_size) : budget_(file_size) {}

  // Reads the layer's variables, whose shapes must be those that the layers say.
  void add(ConfiguredLayer configured, const Variables& variables) {
    Layer& layer = configured.layer;
    set_inputs(layer, variables);
    const std::vector<Slot> slots = slots_of(configured, variables);
    if (variables.size() != slots.size())
      throw Error(RNN_BAD_FORMAT, "%s (%s) has %zu variables in the file; it must have %zu",
                  layer.place.c_str(), layer.type.c_str(), variables.size(), slots.size());
    for (std::size_t i = 0; i < slots.size(); ++i)
      *slots[i].values = values(layer, variables[i], slots[i].shape);
    width_ = layer.outputs();
    layers_.push_back(std::move(layer));
  }

  Model build() && { return make_model(std::move(layers_), kLayers); }

 private:
  // What the layer before gives, or for the first what its first variable reads.
  void set_inputs(Layer& layer, const Variables& variables) const {
    if (layer.kind == Kind::embedding) return;
    layer.inputs = width_;
    const bool alone = layer.kind == Kind::activation || layer.kind == Kind::pooling;
    if (width_ == 0 && alone)
      throw Error(RNN_UNSUPPORTED, "unsupported: %s is %s, before which there must be a layer with weights",
                  layer.place.c_str(), quote(layer.type).c_str());
    const std::size_t axis = layer.kind == Kind::convolution ? 1 : 0;
    if (width_ == 0 && !variables.empty()) {
      const std::int64_t inputs = std::int64_t{inputs_of(layer, variables[0], axis)} * layer.groups;
      if (inputs > kMaxClasses) refuse_inputs(layer, static_cast<std::uintmax_t>(inputs));
      layer.inputs = static_cast<std::int32_t>(inputs);
    }
    if (alone || layer.kind == Kind::normalization) layer.units = layer.inputs;
  }

  static std::int32_t inputs_of(const Layer& layer, const Tensor& variable, std::size_t axis) {
    if (variable.shape.size() <= axis || variable.shape[axis] == 0)
      throw Error(RNN_BAD_FORMAT, "%s has shape %s; it must be of inputs", quote(variable.name).c_str(),
                  to_string(variable.shape).c_str());
    if (variable.shape[axis] > std::uint64_t{kMaxClasses}) refuse_inputs(layer, variable.shape[axis]);
    return static_cast<std::int32_t>(variable.shape[axis]);
  }

  [[noreturn]] static void refuse_inputs(const Layer& layer, std::uintmax_t inputs) {
    throw Error(RNN_UNSUPPORTED, "unsupported: %s reads %ju values; it may be %d", layer.place.c_str(),
                inputs, kMaxClasses);
  }

  static std::vector<Slot> slots_of(ConfiguredLayer& configured, const Variables& variables) {
    Layer& layer = configured.layer;
    const auto X = static_cast<std::uint64_t>(layer.inputs), H = static_cast<std::uint64_t>(layer.units);
    std::vector<Slot> slots;
    switch (layer.kind) {
      case Kind::recurrent:
        for (std::size_t d = 0; d < (layer.is_bidirectional() ? 2u : 1u); ++d) {
          const std::uint64_t columns = gate_count(layer.cell) * H;
          const bool two = layer.cell == RNN_CELL_GRU && layer.reset_after;
          slots.push_back({{X, columns}, &layer.weights[d].kernel});
          slots.push_back({{H, columns}, &layer.weights[d].recurrent});
          if (configured.has_bias)
            slots.push_back({two ? Shape{2, columns} : Shape{columns}, &layer.weights[d].bias});
        }
        break;
      case Kind::convolution:
        slots.push_back({{static_cast<std::uint64_t>(layer.kernel_size),
                          static_cast<std::uint64_t>(group_inputs(layer)), H},
                         &layer.weights[0].kernel});
        if (configured.has_bias) slots.push_back({{H}, &layer.weights[0].bias});
        break;
      case Kind::normalization:
        if (configured.has_scale) slots.push_back({{X}, &layer.normalization.gamma});
        if (configured.has_center) slots.push_back({{X}, &layer.normalization.beta});
        slots.push_back({{X}, &layer.normalization.mean});
        slots.push_back({{X}, &layer.normalization.variance});
        break;
      case Kind::activation:
        if (layer.function.activation == RNN_ACTIVATION_PRELU)
          slots.push_back({slope_shape(X, variables), &layer.function.slopes});
        break;
      case Kind::pooling:
        break;
      default:
        slots.push_back({{X, H}, &layer.weights[0].kernel});
        if (configured.has_bias) slots.push_back({{H}, &layer.weights[0].bias});
    }
    return slots;
  }

  // [X] of the last step alone; [1, X] or [1, 1] where steps, or elements, too, share it.
  static Shape slope_shape(std::uint64_t X, const Variables& variables) {
    const Shape shared = {1, X}, one = {1, 1}, alone = {1};
    if (!variables.empty())
      for (const Shape& shape : {one, alone, Shape{X}})
        if (variables[0].shape == shape) return shape;
    return shared;
  }

  std::vector<float> values(const Layer& layer, const Tensor& tensor, const Shape& shape) {
    const std::string name = quote(tensor.name);
    if (tensor.shape != shape)
      throw Error(RNN_BAD_FORMAT, "%s (%s): %s has shape %s; it must be %s", layer.place.c_str(),
                  layer.type.c_str(), name.c_str(), to_string(tensor.shape).c_str(),
                  to_string(shape).c_str());
    if (!tensor.has_floats())
      throw Error(RNN_UNSUPPORTED,
                  "unsupported: %s (%s): %s has %s; it must have floats of 16, 32 or 64 bits",
                  layer.place.c_str(), layer.type.c_str(), name.c_str(), tensor.other.c_str());
    if (tensor.bytes() > budget_)
      throw Error(RNN_BAD_FORMAT, "%s (%s): %s has values that other variables have, too",
                  layer.place.c_str(), layer.type.c_str(), name.c_str());
    budget_ -= tensor.bytes();
    std::vector<float> result(tensor.count);
    tensor.read(result.data());
    return result;
  }

  std::size_t budget_;  // of bytes of values: each stands in the file once
  std::int32_t width_ = 0;
  std::vector<Layer> layers_;
};

// Of "2.15.0", for one, or of a version that is not said.
const formats::Conventions& conventions_of(std::string_view version) {
  return version.substr(0, 2) == "2."   ? formats::kKeras2
         : version.substr(0, 2) == "3." ? formats::kKeras3
                                        : formats::kKeras;
}

// ---- .keras ----

// The variables of a group's "vars": 0, 1, 2, ...
void add_variables(Hdf5& file, Hdf5::Address layer, const std::string& path, Variables& found) {
  const std::optional<Hdf5::Address> vars = file.find(layer, path + "/vars");
  if (!vars) return;
  for (std::size_t i = 0; i < kMaxVariables; ++i) {
    const std::string number = std::to_string(i);
    const std::optional<Hdf5::Address> dataset = file.find(*vars, number);
    if (!dataset) return;
    found.push_back(file.tensor(*dataset, path + "/vars/" + number));
  }
}

Variables variables_of(Hdf5& file, const ConfiguredLayer& configured) {
  Variables found;
  // The second as TensorFlow 2.13 wrote it.
  for (const char* layers : {"layers/", "_layer_checkpoint_dependencies/"}) {
    const std::string path = layers + configured.path;
    if (!file.find(file.root(), path)) continue;
    const auto add = [&](const char* end) { add_variables(file, file.root(), path + end, found); };
    if (configured.layer.is_bidirectional()) {
      add("/forward_layer/cell");
      add("/backward_layer/cell");
    } else {
      add(configured.layer.kind == Kind::recurrent ? "/cell" : configured.distributed ? "/layer" : "");
    }
    break;
  }
  return found;
}

ByteRange entry_of(const Zip& zip, const char* name) {
  const ZipSource entry(zip, name);
  return ByteRange(entry, 0, entry.size());
}

Model read_archive(const Source& source) {
  const Zip zip(source);
  std::map<std::string, std::string> metadata;
  if (zip.entries().count(kMetadata) != 0) {
    const ByteRange text = entry_of(zip, kMetadata);
    const json::Tree tree = json::parse(text.data(), text.size());
    metadata = read_metadata(Value(tree), {});
  }
  const auto version = metadata.find(kVersion);
  const ByteRange config = entry_of(zip, kConfig);
  const ZipSource variables(zip, kVariables);
  Hdf5 file(variables);
  const json::Tree tree = json::parse(config.data(), config.size());
  Builder builder(variables.size());
  for (ConfiguredLayer& layer :
       read_config(Value(tree), conventions_of(version != metadata.end() ? version->second : ""))) {
    const Variables found = variables_of(file, layer);
    builder.add(std::move(layer), found);
  }
  Model model = std::move(builder).build();
  model.metadata.merge(metadata);
  return model;
}

// ---- .h5 ----

// The names of a layer's variables. Where they were too many for one attribute, it is cut into weight_names0,
// weight_names1, ...
std::vector<std::string> names_of(Hdf5& file, Hdf5::Address group, const std::string& layer) {
  const std::string attribute = "weight_names";
  std::vector<std::string> all;
  if (std::optional<std::vector<std::string>> whole = file.texts(group, attribute)) {
    all = std::move(*whole);
  } else {
    for (std::size_t i = 0; all.size() <= kMaxVariables; ++i) {
      const std::optional<std::vector<std::string>> some = file.texts(group, attribute + std::to_string(i));
      if (!some) break;
      all.insert(all.end(), some->begin(), some->end());
    }
  }
  if (all.size() > kMaxVariables)
    throw Error(RNN_BAD_FORMAT, "layer %s has more than %zu variables in the file", quote(layer).c_str(),
                kMaxVariables);
  return all;
}

std::optional<std::string> text_of(Hdf5& file, const char* attribute) {
  const std::optional<std::vector<std::string>> texts = file.texts(file.root(), attribute);
  return texts && texts->size() == 1 ? std::optional(texts->front()) : std::nullopt;
}

Model read_legacy(const Source& source) {
  Hdf5 file(source);
  const std::optional<std::string> config = text_of(file, "model_config");
  const std::optional<Hdf5::Address> groups = file.find(file.root(), "model_weights");
  if (!config || !groups)
    throw Error(RNN_UNSUPPORTED,
                "unsupported: the file is HDF5 without a model of Keras; of save_weights, which does not say "
                "what the "
                "layers are, save the model: model.save(\"x.keras\")");
  const json::Tree tree = json::parse(config->data(), config->size());
  Builder builder(source.size());
  const std::optional<std::string> version = text_of(file, kVersion);
  for (ConfiguredLayer& layer : read_config(Value(tree), conventions_of(version ? *version : ""))) {
    Variables variables;
    if (const std::optional<Hdf5::Address> group = file.find(*groups, layer.name))
      for (const std::string& name : names_of(file, *group, layer.name)) {
        const std::string path = layer.name + "/" + name;
        const std::optional<Hdf5::Address> dataset = file.find(*group, name);
        if (!dataset) throw Error(RNN_BAD_FORMAT, "the HDF5 file has no %s", quote(path).c_str());
        variables.push_back(file.tensor(*dataset, path));
      }
    builder.add(std::move(layer), variables);
  }
  Model model = std::move(builder).build();
  for (const char* key : {kVersion, "backend"})
    if (std::optional<std::string> text = text_of(file, key)) model.metadata.emplace(key, std::move(*text));
  return model;
}

}  // namespace

bool recognise(const Source& source, const ByteRange& head) {
  if (Hdf5::recognise(head)) return true;
  if (!Zip::recognise(source, head)) return false;
  const Zip zip(source);
  return zip.entries().count(kConfig) != 0 && zip.entries().count(kVariables) != 0;
}

Model read(const Source& source, const ByteRange& head) {
  return Hdf5::recognise(head) ? read_legacy(source) : read_archive(source);
}

}  // namespace rnn::keras
