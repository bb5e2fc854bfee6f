#include "lib/formats/network_file.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "lib/cells/cell.h"
#include "lib/formats/binary.h"
#include "lib/formats/config_metadata.h"
#include "lib/formats/container.h"
#include "lib/formats/file.h"
#if RNN_WITH_FORMATS
#include "lib/formats/json_models.h"
#include "lib/formats/keras.h"
#include "lib/formats/torch_file.h"
#endif
#include "lib/formats/model.h"
#include "lib/formats/network_tensors.h"
#if RNN_WITH_ONNX
#include "lib/formats/onnx.h"
#endif
#include "lib/formats/probe.h"
#include "lib/formats/pytorch.h"
#include "lib/formats/unread.h"
#include "lib/network/error.h"
#include "lib/network/layer_list.h"

namespace rnn {
namespace {

using formats::Contents;
using formats::Names;
using formats::quote;
using formats::Selection;
using formats::Tensor;
using formats::Writer;

bool begins_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// ---- Names ----

// Each prefix in the metadata where it is not the default.
struct Prefix {
  const char* key;
  const char* option;
  const char* rnn_save_options_t::*given;
  std::string Names::*prefix;
};

constexpr Prefix kPrefixes[] = {
    {"rnn.layers", "layers", &rnn_save_options_t::layers, &Names::layers},
    {"rnn.head", "head", &rnn_save_options_t::head, &Names::head},
    {"rnn.embedding", "embedding", &rnn_save_options_t::embedding, &Names::embedding}};

Names names_of(const rnn_save_options_t& options) {
  Names names;
  for (const Prefix& p : kPrefixes)
    if (options.*p.given != nullptr) names.*p.prefix = options.*p.given;
  return names;
}

void write_names(const Names& names, Writer& writer) {
  for (const Prefix& p : kPrefixes)
    if (names.*p.prefix != Names().*p.prefix) writer.metadata(p.key, names.*p.prefix);
}

Names read_names(const Contents& contents) {
  Names names;
  for (const Prefix& p : kPrefixes) {
    if (const std::string* found = contents.find_metadata(p.key)) {
      if (!formats::is_prefix(*found))
        throw Error(RNN_BAD_FORMAT, "metadata %s is %s; it must be printable and short", p.key,
                    quote(*found).c_str());
      names.*p.prefix = *found;
    }
  }
  return names;
}

// Distinct, and none of them the beginning of what the file holds beside the network.
void check_names(const rnn_save_options_t& options) {
  for (const Prefix& p : kPrefixes) {
    const char* text = options.*p.given;
    if (text == nullptr) continue;
    const std::string_view prefix = text;
    if (!formats::is_prefix(prefix))
      throw Error(RNN_INVALID_ARGUMENT, "options.%s is %s; it must be printable and short", p.option,
                  quote(prefix).c_str());
    if (!prefix.empty() ? prefix.back() != '.' : p.prefix != &Names::layers)
      throw Error(RNN_INVALID_ARGUMENT,
                  "options.%s is %s; it must end with a point, as the path of a module does", p.option,
                  quote(prefix).c_str());
  }
  const Names names = names_of(options);
  if (names.layers == names.head || names.head == names.embedding || names.layers == names.embedding)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.layers, head and embedding are %s, %s and %s; they must differ from each other",
                quote(names.layers).c_str(), quote(names.head).c_str(), quote(names.embedding).c_str());
}

// ---- Reading ----

rnn_config_t check_config(const rnn_config_t& stated, Names& names, const Contents& contents) {
  rnn_config_t config = stated;
  config.struct_size = sizeof config;
  try {
    config = resolve(config);
  } catch (const Error& error) {
    throw Error(error.status() == RNN_INVALID_ARGUMENT ? RNN_BAD_FORMAT : error.status(), "configuration: %s",
                error.what());
  }
  if (config.layers != nullptr) names.name_list(config);
  check_matrices(config, names, contents);
  return config;
}

// Options that only a state dict needs.
void refuse_options(const rnn_load_options_t& options) {
  const char* name = options.layers != nullptr        ? "layers"
                     : options.head != nullptr        ? "head"
                     : options.embedding != nullptr   ? "embedding"
                     : options.activations != nullptr ? "activations"
                     : options.flags != 0             ? "flags"
                                                      : nullptr;
  if (name != nullptr)
    throw Error(RNN_INVALID_ARGUMENT, "options.%s is given; this file says itself what network it holds",
                name);
}

// The probe that a file of our own has, or a state dict's.
void run_probe(const WeightsRef& weights, const Contents& contents, bool ours) {
  if (ours) {
    const std::string* text = contents.find_metadata(kProbeKey);
    return text != nullptr ? check_probe(weights, *text) : void();
  }
  const Tensor* inputs = contents.find(formats::kProbeInputs);
  const Tensor* outputs = contents.find(formats::kProbeOutputs);
  if (inputs == nullptr && outputs == nullptr) return;
  if (inputs == nullptr || outputs == nullptr)
    throw Error(RNN_BAD_FORMAT, "tensor %s is missing; there is %s",
                inputs == nullptr ? formats::kProbeInputs : formats::kProbeOutputs,
                inputs == nullptr ? formats::kProbeOutputs : formats::kProbeInputs);
  check_probe(weights, formats::read_probe(*inputs, *outputs, *weights));
}

// A protobuf as ONNX's writers begin theirs: the version of the format, then another field.
bool is_onnx(const ByteRange& head) noexcept {
  const unsigned char* const bytes = head.data();
  constexpr unsigned char kFields[] = {0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72};
  return head.size() >= 4 && bytes[0] == 0x08 && bytes[1] >= 1 && bytes[1] < 128 &&
         std::memchr(kFields, bytes[2], sizeof kFields) != nullptr && !is_saved_model(head);
}

// All of a file, JSON or ONNX, whose parser needs it so.
[[maybe_unused]] ByteRange whole(const Source& source) {
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
  if (source.size() > kMost)
    throw Error(RNN_BAD_FORMAT, "the file has %zu bytes; one in JSON or ONNX has at most %zu", source.size(),
                kMost);
  return ByteRange(source, 0, source.size());
}

Model read_onnx_model([[maybe_unused]] const Source& source) {
#if RNN_WITH_ONNX
  const ByteRange file = whole(source);
  return read_onnx(file.data(), file.size());
#else
  throw Error(RNN_UNSUPPORTED,
              "the file is ONNX; this library was built without ONNX; configure with -Donnx=enabled");
#endif
}

// A file of another library, which begins with `head`; of a state dict, the contents.
std::variant<Model, Contents> read_foreign(const Source& source, const ByteRange& head) {
#if RNN_WITH_FORMATS
  if (is_json(head.data(), head.size())) {
    const ByteRange file = whole(source);
    return read_json(file.data(), file.size());
  }
  if (formats::torch_file::recognise(source, head)) return formats::torch_file::read(source);
  if (keras::recognise(source, head)) return keras::read(source, head);
#endif
  if (is_onnx(head)) return read_onnx_model(source);
  refuse_unread(source, head);
}

// The file is recognised by how it begins, before the rest of it is read.
WeightsRef load(const Source& source, const rnn_load_options_t& options, const Allocator& allocator) {
  const ByteRange head = formats::head_of(source);
  if (const std::int32_t container = formats::recognise(head.data(), head.size()))
    return extract_network(formats::read(source, container), options, allocator);
  std::variant<Model, Contents> found = read_foreign(source, head);
  if (const auto* dict = std::get_if<Contents>(&found)) return extract_network(*dict, options, allocator);
  Model& model = std::get<Model>(found);
  refuse_options(options);
  if (options.without_probe != 0) model.probe.reset();
  return build(model, allocator);
}

// ---- Writing ----

constexpr struct {
  const char* suffix;
  std::int32_t format;
} kSuffixes[] = {{".safetensors", RNN_FORMAT_SAFETENSORS},
                 {".onnx", RNN_FORMAT_ONNX},
                 {".rnn", RNN_FORMAT_BINARY},
                 {".h", RNN_FORMAT_C}};

// Of C23 and C++20, and what GNU compilers define; main cannot be an array in C++.
constexpr char kReserved[] =
    " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t "
    "char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr "
    "constinit continue decltype default delete do double dynamic_cast else enum explicit export "
    "extern false float for friend goto if inline int linux long main mutable namespace new noexcept "
    "not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires "
    "restrict return short signed sizeof static static_assert static_cast struct switch template this "
    "thread_local throw true try typedef typeid typename typeof typeof_unqual union unix unsigned "
    "using virtual void volatile wchar_t while xor xor_eq ";

// Names that begin with _ and another _ or a capital letter are the compiler's, keywords among them; others
// are of rnn.h, which a program that loads the array includes, and of what it includes.
bool is_reserved(const std::string& name) {
  const bool is_compilers =
      name.size() > 1 && name[0] == '_' && (name[1] == '_' || (name[1] >= 'A' && name[1] <= 'Z'));
  const bool is_headers = begins_with(name, "rnn_") || begins_with(name, "RNN_") || name == "NULL" ||
                          (name.size() > 1 && name.compare(name.size() - 2, 2, "_t") == 0);
  return is_compilers || is_headers || std::strstr(kReserved, (" " + name + " ").c_str()) != nullptr;
}

void check_identifier(const char* name) {
  bool good = *name != '\0' && std::isdigit(static_cast<unsigned char>(*name)) == 0;
  for (const char* c = name; *c != '\0'; ++c)
    good = good &&
           (*c == '_' || (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'));
  if (!good)
    throw Error(RNN_INVALID_ARGUMENT, "options.name is %s; it must be an identifier of C",
                quote(name).c_str());
  if (is_reserved(name))
    throw Error(RNN_INVALID_ARGUMENT,
                "options.name is %s, which C, C++ or rnn.h has; it must be another name",
                quote(name).c_str());
}

// "gru 20, dense 1"; of equal layers "2 x lstm 20, dense 1"
std::string describe_layers(const rnn_config_t& config) {
  std::string text;
  const std::size_t count = layer_count(config);
  for (std::size_t l = 0, end = 0; l < count; l = end) {
    const rnn_layer_t layer = layer_at(config, l);
    const char* const name = cells::find(layer)->name;
    for (end = l + 1; end < count; ++end) {
      const rnn_layer_t next = layer_at(config, end);
      if (cells::find(next)->name != name || next.size != layer.size) break;
    }
    text += l == 0 ? "" : ", ";
    if (end - l > 1) text += std::to_string(end - l) + " x ";
    text += name + (" " + std::to_string(layer.size));
  }
  return text;
}

std::string c_text(const Weights& weights, const Writer& writer, const char* name) {
  const std::string array = name != nullptr ? name : "network";
  check_identifier(array.c_str());
  return formats::binary::c_source(writer, array,
                                   "A network of librnn: " + std::to_string(weights.input_size()) +
                                       " inputs, " + describe_layers(weights.config()) +
                                       ";\n * rnn_load_memory(" + array + ", sizeof " + array +
                                       ", NULL, &rnn) loads it.");
}

std::string onnx_text([[maybe_unused]] const Weights& weights) {
#if RNN_WITH_ONNX
  std::map<std::string, std::string> metadata;
  for (std::size_t i = 0; i < weights.metadata().count(); ++i)
    metadata[weights.metadata().key(i)] = weights.metadata().value(i);
  return write_onnx(weights, metadata);
#else
  throw Error(RNN_UNSUPPORTED,
              "the format is ONNX; this library was built without ONNX; configure with -Donnx=enabled");
#endif
}

}  // namespace

rnn_save_options_t resolve_format(rnn_save_options_t options, const char* path) {
  if (options.format < 0 || options.format > RNN_FORMAT_C)
    throw Error(RNN_INVALID_ARGUMENT, "options.format is %d; it must be RNN_FORMAT_..., 1..%d, or 0",
                options.format, RNN_FORMAT_C);
  if (options.format == 0 && path == nullptr) options.format = formats::kDefaultContainer;
  const std::string_view text = path != nullptr ? path : "";
  for (const auto& [suffix, format] : kSuffixes)
    if (options.format == 0 && text.size() >= std::strlen(suffix) &&
        text.substr(text.size() - std::strlen(suffix)) == suffix)
      options.format = format;
  if (options.format == 0)
    throw Error(RNN_INVALID_ARGUMENT,
                "options.format is 0 and the path is %s; its suffix must be .safetensors, .onnx, .rnn or .h",
                quote(text).c_str());
  return options;
}

NetworkFile::NetworkFile(const WeightsRef& weights, const rnn_save_options_t& options)
    : format_(options.format) {
  check_names(options);
  if (options.name != nullptr && format_ != RNN_FORMAT_C)
    throw Error(RNN_INVALID_ARGUMENT, "options.name is %s; it is for RNN_FORMAT_C alone",
                quote(options.name).c_str());
  if (format_ == RNN_FORMAT_ONNX) {
    for (const Prefix& p : kPrefixes)
      if (options.*p.given != nullptr)
        throw Error(RNN_INVALID_ARGUMENT, "options.%s is %s; it is for PyTorch's names, not for ONNX",
                    p.option, quote(options.*p.given).c_str());
    text_ = onnx_text(*weights);
    return;
  }
  add_network(weights, options, writer_);
  if (format_ == RNN_FORMAT_C) text_ = c_text(*weights, writer_, options.name);
}

std::size_t NetworkFile::size() const {
  return text_.empty() ? formats::size(writer_, format_) : text_.size();
}

void NetworkFile::write(void* memory) const {
  if (text_.empty())
    formats::write(writer_, format_, memory);
  else
    std::memcpy(memory, text_.data(), text_.size());
}

void add_network(const WeightsRef& weights, const rnn_save_options_t& options, Writer& writer) {
  Names names = names_of(options);
  write_config(weights->config(), writer);
  write_names(names, writer);
  if (weights->is_list()) {
    if (options.head != nullptr)
      throw Error(
          RNN_INVALID_ARGUMENT,
          "options.head is %s; it must be NULL for a network that is a list of layers, whose last one "
          "has the head's parameters",
          quote(options.head).c_str());
    names.name_list(weights->config());
  }
  if (options.without_probe == 0)
    if (std::string probe = make_probe(weights); !probe.empty()) writer.metadata(kProbeKey, std::move(probe));
  const Metadata& metadata = weights->metadata();
  for (std::size_t i = 0; i < metadata.count(); ++i) writer.metadata(metadata.key(i), metadata.value(i));
  add_tensors(*weights, names, writer);
}

bool is_other_model([[maybe_unused]] const Source& source, const ByteRange& head) {
#if RNN_WITH_FORMATS
  if (is_json(head.data(), head.size()) || formats::torch_file::recognise(source, head) ||
      keras::recognise(source, head))
    return true;
#endif
  return is_onnx(head);
}

bool is_checkpoint(const Contents& contents) {
  const auto trainer = contents.metadata.lower_bound(kTrainerMetadata);
  return trainer != contents.metadata.end() && begins_with(trainer->first, kTrainerMetadata);
}

WeightsRef extract_network(const Contents& held, const rnn_load_options_t& options,
                           const Allocator& allocator) {
  const bool ours = has_config(held);
  const Contents resolved = ours ? Contents() : formats::without_wrappers(held);
  const Contents& contents = ours ? held : resolved;
  formats::StateDict dict;
  if (ours) {
    refuse_options(options);
    dict.config = read_config(contents, dict.layers);
    dict.selection.names = read_names(contents);
  } else {
    const auto own = contents.metadata.lower_bound(Metadata::kReserved);
    if (own != contents.metadata.end() && begins_with(own->first, Metadata::kReserved))
      throw Error(RNN_BAD_FORMAT, "metadata rnn.format is missing; there is %s", quote(own->first).c_str());
    dict = read_state_dict(contents, options);
  }
  const rnn_config_t config = check_config(dict.config, dict.selection.names, contents);
  WeightsRef ref = WeightsRef::make(config, allocator);
  Weights& weights = ref.mutate();
  const bool checkpoint = is_checkpoint(contents);
  read_tensors(weights, dict.selection, contents, [&](const std::string& name) {
    if (!ours) return name == formats::kProbeInputs || name == formats::kProbeOutputs;
    return checkpoint && begins_with(name, kTrainerTensors);
  });
  weights.pack();
  Metadata::Pairs pairs;
  for (const auto& [key, value] : contents.metadata)
    if (!begins_with(key, Metadata::kReserved) && (ours || !key.empty())) pairs.emplace_back(key, value);
  set_metadata(weights, pairs);
  if (options.without_probe == 0) run_probe(ref, contents, ours);
  return ref;
}

void save_network(const WeightsRef& weights, const char* path, const rnn_save_options_t& options) {
  const NetworkFile file(weights, options);
  Bytes bytes(file.size());
  file.write(bytes.data.get());
  write_file(path, bytes);
}

WeightsRef load_network(const char* path, const rnn_load_options_t& options, const Allocator& allocator) {
  const FileSource file(path);
  try {
    return load(file, options, allocator);
  } catch (const Error& error) {
    throw Error(error.status(), "%s: %s", path, error.what());
  }
}

WeightsRef load_network_memory(const void* memory, std::size_t size, const rnn_load_options_t& options,
                               const Allocator& allocator) {
  return load(MemorySource(memory, size), options, allocator);
}

}  // namespace rnn
