#include "lib/formats/pickle.h"

#include <cstring>
#include <iterator>
#include <map>

#include "lib/formats/contents.h"
#include "lib/network/error.h"
#include "lib/network/little_endian.h"

namespace rnn::formats {
namespace {

using Kind = Pickle::Kind;
using Ref = Pickle::Ref;
using Value = Pickle::Value;

// A state dict has some thirty values for each tensor.
constexpr std::size_t kMaxValues = 1u << 21;

// What a call of a global makes.
enum class Call { nothing, dictionary, tensor, parameter };

struct Global {
  std::string_view module, name, full;
  Call call;
};

constexpr Global kGlobals[] = {
    {"collections", "OrderedDict", "collections.OrderedDict", Call::dictionary},
    {"torch._utils", "_rebuild_tensor_v2", "torch._utils._rebuild_tensor_v2", Call::tensor},
    {"torch._utils", "_rebuild_parameter", "torch._utils._rebuild_parameter", Call::parameter},
    {"torch", "DoubleStorage", "torch.DoubleStorage", Call::nothing},
    {"torch", "FloatStorage", "torch.FloatStorage", Call::nothing},
    {"torch", "HalfStorage", "torch.HalfStorage", Call::nothing},
    {"torch", "BFloat16Storage", "torch.BFloat16Storage", Call::nothing},
    {"torch", "LongStorage", "torch.LongStorage", Call::nothing},
    {"torch", "IntStorage", "torch.IntStorage", Call::nothing},
    {"torch", "ShortStorage", "torch.ShortStorage", Call::nothing},
    {"torch", "CharStorage", "torch.CharStorage", Call::nothing},
    {"torch", "ByteStorage", "torch.ByteStorage", Call::nothing},
    {"torch", "BoolStorage", "torch.BoolStorage", Call::nothing},
};

// By the names in Python's pickle.py.
enum Opcode : unsigned char {
  PROTO = 0x80,
  FRAME = 0x95,
  STOP = '.',
  MARK = '(',
  NONE = 'N',
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  LONG1 = 0x8a,
  BINFLOAT = 'G',
  BINUNICODE = 'X',
  SHORT_BINUNICODE = 0x8c,
  EMPTY_TUPLE = ')',
  TUPLE = 't',
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  EMPTY_LIST = ']',
  APPEND = 'a',
  APPENDS = 'e',
  EMPTY_DICT = '}',
  SETITEM = 's',
  SETITEMS = 'u',
  GLOBAL = 'c',
  STACK_GLOBAL = 0x93,
  REDUCE = 'R',
  BUILD = 'b',
  BINPERSID = 'Q',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  MEMOIZE = 0x94,
  BINGET = 'h',
  LONG_BINGET = 'j'
};

}  // namespace

std::string_view Pickle::global_name(const Value& global) noexcept {
  return kGlobals[static_cast<std::size_t>(global.integer)].full;
}

class Pickle::Machine {
 public:
  Machine(const unsigned char* begin, std::size_t size, std::vector<Value>& values)
      : begin_(begin), next_(begin), end_(begin + size), values_(values) {}

  // Runs to STOP; what is on the stack then is the result.
  Ref run() {
    if (number<std::uint8_t>() != PROTO) damaged("it does not begin with its protocol");
    const unsigned protocol = number<std::uint8_t>();
    if (protocol < 2 || protocol > 5)
      throw Error(RNN_UNSUPPORTED, "unsupported: the pickle has protocol %u; it must be 2..5", protocol);
    for (;;) {
      const auto code = number<std::uint8_t>();
      if (code == STOP) break;
      execute(code);
    }
    return pop();
  }

 private:
  [[noreturn]] void damaged(const char* what) const {
    throw Error(RNN_BAD_FORMAT, "the pickle is damaged near its byte %zu: %s",
                static_cast<std::size_t>(next_ - begin_), what);
  }

  // ---- The program ----

  std::string_view take(std::uint64_t size) {
    if (size > static_cast<std::uint64_t>(end_ - next_)) damaged("it ends too early");
    const std::string_view taken(reinterpret_cast<const char*>(next_), size);
    next_ += size;
    return taken;
  }

  // Little-endian.
  template <class T>
  T number() {
    return read_little_endian<T>(take(sizeof(T)).data());
  }

  std::string_view line() {
    const auto left = static_cast<std::size_t>(end_ - next_);
    const void* const found = std::memchr(next_, '\n', left);
    if (found == nullptr) damaged("a name does not end");
    const std::string_view text =
        take(static_cast<std::size_t>(static_cast<const unsigned char*>(found) - next_));
    take(1);
    return text;
  }

  // ---- The stack ----

  static void check_count(std::size_t count) {
    if (count > kMaxValues)
      throw Error(RNN_UNSUPPORTED, "unsupported: the pickle holds more than %zu values", kMaxValues);
  }

  void push(Value value) {
    values_.push_back(std::move(value));
    check_count(values_.size());
    stack_.push_back(static_cast<Ref>(values_.size() - 1));
  }

  Ref top() const {
    if (stack_.empty() || stack_.back() == kMark) damaged("a value is missing");
    return stack_.back();
  }

  Ref pop() {
    const Ref ref = top();
    stack_.pop_back();
    return ref;
  }

  // What stands above the last mark, which goes too.
  std::vector<Ref> pop_marked() {
    std::size_t mark = stack_.size();
    while (mark > 0 && stack_[mark - 1] != kMark) --mark;
    if (mark == 0) damaged("a mark is missing");
    std::vector<Ref> items(stack_.begin() + static_cast<std::ptrdiff_t>(mark), stack_.end());
    stack_.resize(mark - 1);
    return items;
  }

  Value& expect(Ref ref, Kind kind, const char* what) {
    if (values_[ref].kind != kind) damaged(what);
    return values_[ref];
  }

  // ---- Opcodes ----

  void execute(std::uint8_t code) {
    switch (code) {
      case FRAME:
        take(8);
        return;
      case MARK:
        stack_.push_back(kMark);
        return;
      case NONE:
        return push({});
      case NEWTRUE:
      case NEWFALSE:
        return push({Kind::boolean, code == NEWTRUE});
      case BININT:
        return push({Kind::integer, number<std::int32_t>()});
      case BININT1:
        return push({Kind::integer, number<std::uint8_t>()});
      case BININT2:
        return push({Kind::integer, number<std::uint16_t>()});
      case LONG1:
        return push(long_integer(take(number<std::uint8_t>())));
      case BINFLOAT:
        return push({Kind::real, 0, big_endian_double()});
      case BINUNICODE:
        return push({Kind::text, 0, 0, take(number<std::uint32_t>())});
      case SHORT_BINUNICODE:
        return push({Kind::text, 0, 0, take(number<std::uint8_t>())});
      case EMPTY_TUPLE:
      case EMPTY_LIST:
        return push({Kind::sequence});
      case TUPLE:
        return push({Kind::sequence, 0, 0, {}, pop_marked()});
      case TUPLE1:
      case TUPLE2:
      case TUPLE3:
        return push({Kind::sequence, 0, 0, {}, pop_many(code - TUPLE1 + 1u)});
      case APPEND:
        return extend(Kind::sequence, pop_many(1));
      case APPENDS:
        return extend(Kind::sequence, pop_marked());
      case EMPTY_DICT:
        return push({Kind::dictionary});
      case SETITEM:
        return extend(Kind::dictionary, pop_many(2));
      case SETITEMS:
        return extend(Kind::dictionary, pop_marked());
      case GLOBAL: {
        const std::string_view module = line();
        return push_global(module, line());
      }
      case STACK_GLOBAL: {
        const Ref name = pop(), module = pop();
        return push_global(expect(module, Kind::text, "a module's name is no text").text,
                           expect(name, Kind::text, "a class's name is no text").text);
      }
      case REDUCE: {
        const Ref arguments = pop();
        return call(pop(), arguments);
      }
      case BUILD:
        return build();
      case BINPERSID:
        return push_storage(pop());
      case BINPUT:
        return memoize(number<std::uint8_t>());
      case LONG_BINPUT:
        return memoize(number<std::uint32_t>());
      case MEMOIZE:
        return memoize(static_cast<std::uint32_t>(memo_.size()));
      case BINGET:
        return recall(number<std::uint8_t>());
      case LONG_BINGET:
        return recall(number<std::uint32_t>());
      default:
        throw Error(RNN_UNSUPPORTED,
                    "unsupported: byte %zu of the pickle is the opcode 0x%02x, which no state dict needs",
                    static_cast<std::size_t>(next_ - begin_ - 1), unsigned{code});
    }
  }

  // One of more than 64 bits, such as a random seed, is no number of a tensor.
  static Value long_integer(std::string_view bytes) {
    std::uint64_t value = 0;
    if (bytes.size() > sizeof value) return {};
    if (!bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0) value = ~value;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::uint64_t byte = static_cast<unsigned char>(bytes[i]);
      value = (value & ~(std::uint64_t{0xff} << 8 * i)) | byte << 8 * i;
    }
    return {Kind::integer, static_cast<std::int64_t>(value)};
  }

  double big_endian_double() {
    std::uint64_t bits = 0;
    for (const char c : take(sizeof bits)) bits = bits << 8 | static_cast<unsigned char>(c);
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

  std::vector<Ref> pop_many(std::size_t count) {
    std::vector<Ref> items(count);
    while (count > 0) items[--count] = pop();
    return items;
  }

  void extend(Kind kind, const std::vector<Ref>& items) {
    if (kind == Kind::dictionary && items.size() % 2 != 0) damaged("a key has no value");
    std::vector<Ref>& target = expect(top(), kind, "a list or a dictionary is missing").items;
    target.insert(target.end(), items.begin(), items.end());
  }

  void push_global(std::string_view module, std::string_view name) {
    for (const Global& global : kGlobals)
      if (global.module == module && global.name == name)
        return push({Kind::global, &global - std::begin(kGlobals)});
    const std::string full = std::string(module) + "." + std::string(name);
    throw Error(RNN_UNSUPPORTED,
                "unsupported: the pickle needs %s, and a state dict of floats does not; "
                "torch.save(model.state_dict(), path) writes one",
                quote(full).c_str());
  }

  void call(Ref function, Ref arguments) {
    const Global& global = kGlobals[expect(function, Kind::global, "what is called is no function").integer];
    const std::vector<Ref>& items = expect(arguments, Kind::sequence, "arguments are no tuple").items;
    switch (global.call) {
      case Call::nothing:
        damaged("a class of storage is called");
      case Call::dictionary:
        if (!items.empty()) damaged("an OrderedDict is made from arguments");
        return push({Kind::dictionary});
      case Call::tensor: {
        if (items.size() < 4) damaged("a tensor has too few arguments");
        expect(items[0], Kind::storage, "a tensor has no storage");
        expect(items[1], Kind::integer, "a tensor's offset is no integer");
        const std::vector<Ref>& size = extents(items[2]);
        if (size.size() != extents(items[3]).size()) damaged("a tensor's size and stride differ in length");
        return push({Kind::tensor, 0, 0, {}, {items.begin(), items.begin() + 4}});
      }
      case Call::parameter:
        if (items.empty()) damaged("a parameter has no tensor");
        expect(items[0], Kind::tensor, "a parameter has no tensor");
        stack_.push_back(items[0]);
        return;
    }
  }

  const std::vector<Ref>& extents(Ref ref) {
    const std::vector<Ref>& items = expect(ref, Kind::sequence, "a tensor's size is no tuple").items;
    if (items.size() > kMaxRank) damaged("a tensor has too many dimensions");
    for (const Ref n : items) expect(n, Kind::integer, "a tensor's size holds no integer");
    return items;
  }

  // Attributes: of an OrderedDict its _metadata, the versions of modules, which say nothing of the weights.
  void build() {
    pop();
    expect(top(), Kind::dictionary, "attributes of what has none");
  }

  // ("storage", class, key, device, number of elements)
  void push_storage(Ref id) {
    const std::vector<Ref>& items = expect(id, Kind::sequence, "a storage is no tuple").items;
    if (items.size() < 3 || expect(items[0], Kind::text, "a storage has no kind").text != "storage")
      damaged("a storage is not described as one");
    const Global& type = kGlobals[expect(items[1], Kind::global, "a storage has no class").integer];
    if (type.call != Call::nothing) damaged("a storage has no class");
    const std::string_view key = expect(items[2], Kind::text, "a storage has no key").text;
    push({Kind::storage, 0, 0, key, {items[1]}});
  }

  void memoize(std::uint32_t place) {
    memo_[place] = top();
    check_count(memo_.size());
  }

  void recall(std::uint32_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) damaged("a value is taken that was never kept");
    stack_.push_back(found->second);
  }

  static constexpr Ref kMark = ~Ref{0};

  const unsigned char* begin_;
  const unsigned char* next_;
  const unsigned char* end_;
  std::vector<Value>& values_;
  std::vector<Ref> stack_;
  std::map<std::uint32_t, Ref> memo_;
};

Pickle::Pickle(const void* memory, std::size_t size) {
  Machine machine(static_cast<const unsigned char*>(memory), size, values_);
  root_ = machine.run();
}

}  // namespace rnn::formats
