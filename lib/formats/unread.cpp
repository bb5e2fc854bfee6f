#include "lib/formats/unread.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/network/error.h"

namespace rnn {
namespace {

using namespace std::string_view_literals;

// What a file is, and what to do.
struct Kind {
  const char* name;
  const char* advice;
};

// Read, if they are whole, of the usual layout and the build has formats: the next, kKeras and kHdf5.
constexpr Kind kTorch = {"a PyTorch file (torch.save)",
                         "in Python: safetensors.torch.save_file(torch.load(\"x.pt\", map_location=\"cpu\"), "
                         "\"x.safetensors\")"};
constexpr Kind kOldTorch = {
    "a PyTorch file of before PyTorch 1.6",
    "in Python: safetensors.torch.save_file(torch.load(\"x.pt\", map_location=\"cpu\"), "
    "\"x.safetensors\"), with "
    ".state_dict() behind torch.load(...) if it gives a module"};
constexpr Kind kTorchScript = {"a TorchScript module (torch.jit.save)",
                               "in Python: safetensors.torch.save_file(torch.jit.load(\"x.pt\", "
                               "\"cpu\").state_dict(), \"x.safetensors\")"};
constexpr Kind kKeras = {
    "a Keras model (.keras)",
    "in Python, with RTNeural's model_utils.py: save_model(keras.models.load_model(\"x.keras\"), "
    "\"x.json\")"};
constexpr Kind kHdf5 = {
    "HDF5, as Keras' .h5 files are",
    "in Python, with RTNeural's model_utils.py: save_model(keras.models.load_model(\"x.h5\"), "
    "\"x.json\")"};
constexpr Kind kSavedModel = {
    "a TensorFlow SavedModel",
    "in Python, with RTNeural's model_utils.py: save_model(model, \"x.json\") of the Keras "
    "model that it was exported from"};
constexpr Kind kNumpyArchive = {"an archive of NumPy arrays (.npz)",
                                "in Python: safetensors.numpy.save_file(dict(numpy.load(\"x.npz\")), "
                                "\"x.safetensors\"), with PyTorch's names"};
constexpr Kind kZip = {"a zip archive", "unpack it"};

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  Kind kind;
};

// What comes first is tried first.
constexpr Magic kMagics[] = {
    {0, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv, kOldTorch},
    {0, "\x89HDF\r\n\x1a\n"sv, kHdf5},
    {0,
     "GGUF"sv,
     {"GGUF, of llama.cpp",
      "in Python, if it holds a recurrent network: safetensors.numpy.save_file({t.name: t.data.copy() for t "
      "in "
      "gguf.GGUFReader(\"x.gguf\").tensors}, \"x.safetensors\"), with PyTorch's names"}},
    {0,
     "\x93NUMPY"sv,
     {"one NumPy array (.npy)",
      "a network has several; in Python: safetensors.numpy.save_file({\"weight_ih_l0\": "
      "numpy.load(\"x.npy\"), ...}, "
      "\"x.safetensors\")"}},
    {4,
     "TFL3"sv,
     {"TensorFlow Lite",
      "convert the model that it was made from; in Python, with RTNeural's model_utils.py: "
      "save_model(model, \"x.json\") of a Keras model"}},
    {4, "ORTM"sv, {"ONNX Runtime's own format (.ort)", "take the .onnx file that it was made from"}},
    {0, "KAN\1"sv, {"a network of KANN", "librnn cannot convert it"}},
    {0, "DNNw"sv, {"weights of Opus or RNNoise", "take the PyTorch checkpoint that they were exported from"}},
    {0,
     "/* A network of librnn:"sv,
     {"C, as rnn_save_as writes it", "compile it in, and give the array to rnn_load_memory"}},
    {0, "\xff\xfe"sv, {"text in UTF-16", "save it in UTF-8"}},
    {0, "\xfe\xff"sv, {"text in UTF-16", "save it in UTF-8"}},
    {0, "\x1f\x8b"sv, {"compressed by gzip", "unpack it"}},
    {0, "\xfd\x37zXZ\0"sv, {"compressed by xz", "unpack it"}},
    {0, "\x28\xb5\x2f\xfd"sv, {"compressed by zstd", "unpack it"}},
    {0, "BZh"sv, {"compressed by bzip2", "unpack it"}},
    {0, "7z\xbc\xaf\x27\x1c"sv, {"a 7z archive", "unpack it"}},
    {257, "ustar"sv, {"a tar archive", "unpack it"}},
#if !RNN_WITH_FORMATS
    {0, "{"sv, {"JSON", "it was built without formats"}},
#endif
};

// What this build reads.
#if !RNN_WITH_FORMATS
constexpr char kRead[] = "librnn's binary files";
#elif RNN_WITH_ONNX
constexpr char kRead[] =
    "safetensors, files of torch.save, Keras' .keras and .h5, ONNX, models in JSON, and librnn's binary "
    "files";
#else
constexpr char kRead[] =
    "safetensors, files of torch.save, Keras' .keras and .h5, models in JSON, and librnn's binary files";
#endif

[[noreturn]] void refuse(const Kind& kind) {
  throw Error(RNN_UNSUPPORTED, "unsupported: the file is %s, which this library does not read; %s", kind.name,
              kind.advice);
}

std::string_view text_of(const ByteRange& bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// ---- Pickles and archives ----

bool is_pickle(std::string_view head) noexcept {
  return head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
}

// The names in the records of an archive that begin with `mark`, as far as this text from it has them.
void add_names(std::string_view text, std::string_view mark, std::size_t length_at, std::size_t name_at,
               std::vector<std::string>& names) {
  for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + mark.size())) {
    const std::string_view record = text.substr(at);
    if (record.size() < name_at) return;
    const std::size_t length = static_cast<unsigned char>(record[length_at]) +
                               256u * static_cast<unsigned char>(record[length_at + 1]);
    names.emplace_back(record.substr(name_at, length));
  }
}

// By the first files in the archive, which stand in the head, and the last ones in the directory at its end.
[[noreturn]] void refuse_zip(const Source& source, const ByteRange& head) {
  constexpr std::size_t kDirectory = std::size_t{1} << 17;
  const std::size_t size = std::min(source.size(), kDirectory);
  const ByteRange tail(source, source.size() - size, size);
  std::vector<std::string> names;
  add_names(text_of(head), "PK\3\4", 26, 30, names);
  add_names(text_of(tail), "PK\1\2", 28, 46, names);
  const auto has = [&](const std::function<bool(std::string_view)>& fits) {
    return std::any_of(names.begin(), names.end(), fits);
  };
  const auto has_end = [&](std::string_view end) {
    return has([=](std::string_view name) { return ends_with(name, end); });
  };
  const bool is_torch =
      has([](std::string_view name) { return ends_with("/" + std::string(name), "/data.pkl"); });
  const bool is_script = is_torch && (has_end("constants.pkl") || has([](std::string_view name) {
                                        return name.find("code/__torch__") != name.npos;
                                      }));
  const bool is_keras =
      has_end("model.weights.h5") || has_end("model.weights.npz") || has_end("model.weights.json");
  const Kind& kind = is_script                  ? kTorchScript
                     : is_torch                 ? kTorch
                     : is_keras                 ? kKeras
                     : has_end(kSavedModelFile) ? kSavedModel
                     : has_end(".npy")          ? kNumpyArchive
                                                : kZip;
  if (text_of(tail).rfind("PK\5\6") == std::string_view::npos)
    throw Error(RNN_BAD_FORMAT, "the file is cut off: it begins as %s and has no directory at its end",
                kind.name);
  refuse(kind);
}

// ---- What stands in the place of a file ----

void refuse_substitute(std::string_view head) {
  const auto begins = [&](std::string_view text) { return head.substr(0, text.size()) == text; };
  if (head.empty()) throw Error(RNN_BAD_FORMAT, "the file is empty");
  if (begins("version https://git-lfs.github.com/"))
    throw Error(RNN_BAD_FORMAT, "the file is a pointer of Git LFS; git lfs pull fetches what it points to");
  head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  if (begins("<!DOCTYPE html") || begins("<!doctype html") || begins("<html"))
    throw Error(RNN_BAD_FORMAT, "the file is an HTML page, as a failed download leaves it");
}

}  // namespace

bool is_saved_model(const ByteRange& head) noexcept {
  const std::string_view text = text_of(head);
  if (text.substr(0, 3) != "\x08\x01\x12"sv)
    return false;  // version 1, then a graph, which begins with a message
  std::size_t at = 3;
  while (at < text.size() && (text[at] & 0x80) != 0) ++at;  // the graph's length
  return at + 1 < text.size() && text[at + 1] == '\x0a';
}

void refuse_saved_model(const char* folder) {
  throw Error(RNN_UNSUPPORTED, "%s: unsupported: the folder is %s, which this library does not read; %s",
              folder, kSavedModel.name, kSavedModel.advice);
}

void refuse_unread(const Source& source, const ByteRange& head) {
  const std::string_view text = text_of(head);
  refuse_substitute(text);
  if (text.substr(0, 4) == "PK\3\4"sv) refuse_zip(source, head);
  if (is_saved_model(head)) refuse(kSavedModel);
  for (const Magic& magic : kMagics)
    if (text.size() > magic.offset && text.substr(magic.offset, magic.bytes.size()) == magic.bytes)
      refuse(magic.kind);
  if (is_pickle(text))
    refuse({"a pickle of Python",
            "if it is a state dict, in Python: safetensors.torch.save_file(pickle.load(open(\"x.pkl\", "
            "\"rb\")), "
            "\"x.safetensors\")"});
  throw Error(RNN_BAD_FORMAT, "the file, of %zu bytes, is none of those that this library reads: %s",
              source.size(), kRead);
}

}  // namespace rnn
