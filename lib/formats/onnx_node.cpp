#include <algorithm>

#include "lib/formats/contents.h"
#include "lib/formats/onnx_graph.h"

namespace rnn::onnx_import {

using formats::quote;
using ::onnx::AttributeProto;

Node::Node(const ::onnx::NodeProto& proto, int place, const Scope& scope)
    : proto_(proto), place_(place), scope_(scope) {}

std::string Node::label() const {
  constexpr int kMost = 4;
  std::string type = quote(proto_.op_type());
  type = " (" + type.substr(1, type.size() - 2) + ")";
  if (!proto_.name().empty()) return "node " + quote(proto_.name()) + type;
  std::string outputs;
  for (int i = 0; i < std::min(proto_.output_size(), kMost); ++i)
    if (!proto_.output(i).empty()) outputs += (outputs.empty() ? " of " : ", ") + quote(proto_.output(i));
  return "node #" + std::to_string(place_) + type + outputs;
}

void Node::check_attributes(const char* known) const {
  const std::string list = " " + std::string(known);
  for (const AttributeProto& attribute : proto_.attribute()) {
    if (list.find(" " + attribute.name() + " ") == std::string::npos)
      throw Error(RNN_UNSUPPORTED, "attribute %s", quote(attribute.name()).c_str());
    if (attribute.has_ref_attr_name())
      throw Error(RNN_UNSUPPORTED, "attribute %s is a function's", quote(attribute.name()).c_str());
  }
}

const AttributeProto* Node::find(const char* attribute,
                                 std::initializer_list<AttributeProto::AttributeType> types) const {
  for (const AttributeProto& found : proto_.attribute()) {
    if (found.name() != attribute) continue;
    if (types.size() != 0 && std::find(types.begin(), types.end(), found.type()) == types.end())
      throw Error(RNN_BAD_FORMAT, "attribute %s is of type %d; it must be of type %d", attribute,
                  static_cast<int>(found.type()), static_cast<int>(*types.begin()));
    return &found;
  }
  return nullptr;
}

std::int64_t Node::integer(const char* attribute, std::int64_t otherwise) const {
  const AttributeProto* found = find(attribute, {AttributeProto::INT});
  return found != nullptr ? found->i() : otherwise;
}

float Node::number(const char* attribute, float otherwise) const {
  const AttributeProto* found = find(attribute, {AttributeProto::FLOAT});
  return found != nullptr ? found->f() : otherwise;
}

std::string Node::text(const char* attribute, const char* otherwise) const {
  const AttributeProto* found = find(attribute, {AttributeProto::STRING});
  return found != nullptr ? found->s() : otherwise;
}

std::vector<float> Node::numbers(const char* attribute) const {
  const AttributeProto* found = find(attribute, {AttributeProto::FLOATS});
  if (found == nullptr) return {};
  return {found->floats().begin(), found->floats().end()};
}

std::vector<std::string> Node::texts(const char* attribute) const {
  const AttributeProto* found = find(attribute, {AttributeProto::STRINGS});
  if (found == nullptr) return {};
  return {found->strings().begin(), found->strings().end()};
}

const Value* Node::optional_input(std::size_t i) const {
  if (i >= input_count()) return nullptr;
  const std::string& name = proto_.input(static_cast<int>(i));
  if (name.empty()) return nullptr;
  const auto found = scope_.values.find(name);
  if (found == scope_.values.end() && scope_.unfollowed.count(name) != 0)
    throw Error(RNN_UNSUPPORTED, "its input %s is an output that cannot be followed", quote(name).c_str());
  if (found == scope_.values.end())
    throw Error(RNN_BAD_FORMAT, "no node before it makes its input %s", quote(name).c_str());
  return &found->second;
}

const Value& Node::input(std::size_t i) const {
  const Value* value = optional_input(i);
  if (value == nullptr) throw Error(RNN_BAD_FORMAT, "input %zu is missing", i);
  return *value;
}

const Constant& Node::constant(std::size_t i, const char* role) const {
  const Constant* constant = std::get_if<Constant>(&input(i));
  if (constant != nullptr) return *constant;
  const std::string& name = proto_.input(static_cast<int>(i));
  if (scope_.inputs.count(name) != 0)
    throw Error(
        RNN_UNSUPPORTED,
        "%s is the graph's input %s, which is given when it is run; it must be a constant, as an initializer "
        "is",
        role, quote(name).c_str());
  throw Error(RNN_UNSUPPORTED, "%s is computed; it must be constant", role);
}

const Constant& Node::floats(std::size_t i, const char* role) const {
  const Constant& found = constant(i, role);
  if (!found.floats) throw Error(RNN_BAD_FORMAT, "%s has integers; it must have floats", role);
  return found;
}

std::optional<Shape> Node::integers(const char* attribute, std::size_t i) const {
  const AttributeProto* given = find(attribute, {AttributeProto::INTS});
  if (given == nullptr && optional_input(i) == nullptr) return std::nullopt;
  const Constant* value = given == nullptr ? &constant(i, attribute) : nullptr;
  if (value != nullptr && (!value->integers || value->shape.size() > 1))
    throw Error(RNN_BAD_FORMAT, "input %zu is no vector of integers", i);
  const std::size_t size = given != nullptr ? static_cast<std::size_t>(given->ints_size()) : value->count();
  if (size > kMaxIntegers) throw Error(RNN_UNSUPPORTED, "%zu integers; there may be %zu", size, kMaxIntegers);
  return given != nullptr ? Shape(given->ints().begin(), given->ints().end()) : *value->integers;
}

}  // namespace rnn::onnx_import
