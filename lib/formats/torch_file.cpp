#include "lib/formats/torch_file.h"

#include <algorithm>
#include <cinttypes>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/formats/pickle.h"
#include "lib/formats/zip.h"
#include "lib/network/error.h"

namespace rnn::formats::torch_file {
namespace {

constexpr std::string_view kPickle = "data.pkl";
constexpr std::size_t kMaxDepth = 32;        // of dictionaries in each other
constexpr std::size_t kMaxItems = 1u << 18;  // in all of them, each as often as it is met
constexpr std::size_t kMaxName = 512;

struct Storage {
  std::string_view global;
  const char* type;  // as in safetensors files
};

constexpr Storage kStorages[] = {{"torch.DoubleStorage", "F64"}, {"torch.FloatStorage", "F32"},
                                 {"torch.HalfStorage", "F16"},   {"torch.BFloat16Storage", "BF16"},
                                 {"torch.LongStorage", "I64"},   {"torch.IntStorage", "I32"},
                                 {"torch.ShortStorage", "I16"},  {"torch.CharStorage", "I8"},
                                 {"torch.ByteStorage", "U8"},    {"torch.BoolStorage", "BOOL"}};

// What tensors' values are read from.
struct Storages {
  std::map<std::string, ZipSource, std::less<>> entries;
  std::deque<Bytes> copies;
  std::deque<MemorySource> views;
};

class Reader {
 public:
  Reader(const Zip& zip, std::string root)
      : zip_(zip),
        root_(std::move(root)),
        pickled_(zip, root_ + std::string(kPickle)),
        code_(pickled_, 0, pickled_.size()),
        pickle_(code_.data(), code_.size()) {
    contents.own = storages_;
    const Pickle::Value& top = pickle_[pickle_.root()];
    if (top.kind != Pickle::Kind::dictionary)
      throw Error(RNN_UNSUPPORTED,
                  "unsupported: the file holds no state dict, which is a dictionary of tensors");
    add_dictionary("", top, 1);
  }

  Contents contents;

 private:
  using Kind = Pickle::Kind;
  using Value = Pickle::Value;

  // What is no tensor (numbers of epochs, options, lists) is no part of a network.
  void add_dictionary(const std::string& prefix, const Value& dictionary, std::size_t depth) {
    if (depth > kMaxDepth)
      throw Error(RNN_UNSUPPORTED, "unsupported: dictionaries stand in each other %zu deep, at %s", depth,
                  quote(prefix).c_str());
    for (std::size_t i = 0; i + 1 < dictionary.items.size(); i += 2) {
      if (++items_ > kMaxItems)
        throw Error(RNN_UNSUPPORTED, "unsupported: the dictionaries hold more than %zu values", kMaxItems);
      const Value &key = pickle_[dictionary.items[i]], &value = pickle_[dictionary.items[i + 1]];
      std::string name = prefix;
      if (key.kind == Kind::text)
        name += key.text;
      else if (key.kind == Kind::integer)
        name += std::to_string(key.integer);
      else
        continue;
      if (name.size() > kMaxName)
        throw Error(RNN_UNSUPPORTED, "unsupported: the name %s has %zu bytes; it must have at most %zu",
                    quote(name).c_str(), name.size(), kMaxName);
      if (value.kind == Kind::tensor)
        add_tensor(name, value);
      else if (value.kind == Kind::dictionary)
        add_dictionary(name + ".", value, depth + 1);
    }
  }

  void add_tensor(const std::string& name, const Value& value) {
    const Value& storage = pickle_[value.items[0]];
    const std::string_view global = Pickle::global_name(pickle_[storage.items[0]]);
    const char* type = nullptr;
    for (const Storage& known : kStorages)
      if (known.global == global) type = known.type;
    Tensor tensor{name, find_type(type).value_or(Type::other), {}, 0, nullptr, 0};
    if (tensor.type == Type::other) tensor.other = type;
    for (const std::uint64_t n : integers(name, value.items[2])) tensor.shape.push_back(n);
    if (tensor.type != Type::other) {
      tensor.count = checked_count(name, tensor.type, tensor.shape);
      place(tensor, find_storage(std::string(storage.text)), integer(name, pickle_[value.items[1]]),
            integers(name, value.items[3]));
    }
    contents.order.push_back(name);
    if (!contents.tensors.emplace(name, std::move(tensor)).second)
      throw Error(RNN_BAD_FORMAT, "tensor %s is there twice", quote(name).c_str());
  }

  static std::uint64_t integer(const std::string& name, const Value& value) {
    if (value.integer < 0)
      throw Error(RNN_BAD_FORMAT,
                  "tensor %s has %" PRId64 " as a size, a stride or an offset; it must be >= 0",
                  quote(name).c_str(), value.integer);
    return static_cast<std::uint64_t>(value.integer);
  }

  std::vector<std::uint64_t> integers(const std::string& name, Pickle::Ref sequence) const {
    std::vector<std::uint64_t> values;
    for (const Pickle::Ref item : pickle_[sequence].items) values.push_back(integer(name, pickle_[item]));
    return values;
  }

  const Source& find_storage(const std::string& key) {
    return storages_->entries.try_emplace(key, zip_, root_ + "data/" + key).first->second;
  }

  // Point the tensor to its values, or to a copy of them if they do not stand row by row.
  void place(Tensor& tensor, const Source& storage, std::uint64_t offset,
             const std::vector<std::uint64_t>& strides) {
    const std::size_t size = type_size(tensor.type);
    const std::uint64_t available = storage.size() / size;
    std::uint64_t last = offset, expected = 1;
    bool contiguous = true, fits = true;
    for (std::size_t d = tensor.shape.size(); tensor.count > 0 && d-- > 0;) {
      std::uint64_t reach = 0;
      fits = fits && !__builtin_mul_overflow(tensor.shape[d] - 1, strides[d], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
      contiguous = contiguous && (tensor.shape[d] == 1 || strides[d] == expected);
      expected *= tensor.shape[d];
    }
    if (!fits || (tensor.count > 0 && last >= available))
      throw Error(RNN_BAD_FORMAT, "tensor %s with shape %s reaches beyond its storage of %" PRIu64 " values",
                  quote(tensor.name).c_str(), to_string(tensor.shape).c_str(), available);
    if (!contiguous) return gather(tensor, storage, offset * size, strides);
    tensor.source = &storage;
    tensor.offset = tensor.count > 0 ? offset * size : 0;
  }

  // A tensor that expand() has made, for one, repeats values: it may be larger than its storage, and than the file.
  void gather(Tensor& tensor, const Source& storage, std::size_t from,
              const std::vector<std::uint64_t>& strides) {
    const std::size_t most = zip_.source().size(), needed = std::max(storage.size(), tensor.bytes());
    if (needed > most || copied_ > most - needed) {
      tensor.fault =
          Error(RNN_UNSUPPORTED,
                "unsupported: tensor %s with shape %s is a view of a storage of %zu bytes; copies of "
                "views, as clone() before torch.save makes them, may be as large as the file",
                quote(tensor.name).c_str(), to_string(tensor.shape).c_str(), storage.size());
      return;
    }
    copied_ += needed;
    const std::size_t size = type_size(tensor.type), rank = tensor.shape.size();
    const ByteRange values(storage, 0, storage.size());
    unsigned char* const copy = storages_->copies.emplace_back(tensor.bytes()).data.get();
    std::vector<std::uint64_t> index(rank);
    for (std::size_t i = 0; i < tensor.count; ++i) {
      std::uint64_t place = 0;
      for (std::size_t d = 0; d < rank; ++d) place += index[d] * strides[d];
      std::copy_n(values.data() + from + place * size, size, copy + i * size);
      for (std::size_t d = rank; d-- > 0 && ++index[d] == tensor.shape[d];) index[d] = 0;
    }
    tensor.source = &storages_->views.emplace_back(copy, tensor.bytes());
    tensor.offset = 0;
  }

  const Zip& zip_;
  const std::string root_;  // the folder of all entries, with its slash
  const ZipSource pickled_;
  const ByteRange code_;
  const Pickle pickle_;
  const std::shared_ptr<Storages> storages_ = std::make_shared<Storages>();
  std::size_t items_ = 0;
  std::size_t copied_ = 0;  // bytes of storages, or of what is larger than its storage
};

// The folder that holds data.pkl; empty if there is none.
std::string find_root(const Zip& zip) {
  for (const auto& [name, entry] : zip.entries())
    if (name.size() > kPickle.size() && name.find('/') == name.size() - kPickle.size() - 1 &&
        name.compare(name.size() - kPickle.size(), kPickle.size(), kPickle) == 0)
      return name.substr(0, name.size() - kPickle.size());
  return {};
}

}  // namespace

// TorchScript modules have constants.pkl, too.
bool recognise(const Source& source, const ByteRange& head) {
  if (!Zip::recognise(source, head)) return false;
  const Zip zip(source);
  const std::string root = find_root(zip);
  return !root.empty() && zip.entries().count(root + "constants.pkl") == 0;
}

Contents read(const Source& source) {
  const Zip zip(source);
  const std::string root = find_root(zip);
  if (const std::string order = root + "byteorder"; zip.entries().count(order) != 0) {
    const ZipSource entry(zip, order);
    const ByteRange text(entry, 0, entry.size());
    if (std::string_view(reinterpret_cast<const char*>(text.data()), text.size()) == "big")
      throw Error(RNN_UNSUPPORTED, "unsupported: the numbers in the file are big-endian");
  }
  return std::move(Reader(zip, root).contents);
}

}  // namespace rnn::formats::torch_file
