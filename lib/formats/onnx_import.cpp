#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <limits>
#include <set>

#include "lib/formats/contents.h"
#include "lib/formats/onnx.h"
#include "lib/formats/onnx_fields.h"
#include "lib/formats/onnx_graph.h"
#include "lib/network/config.h"

namespace rnn {
namespace {

using namespace onnx_import;
using formats::quote;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using Stage = Content::Stage;

// ---- The file ----

constexpr int kMaxDepth = 100;
constexpr std::size_t kMaxFields = 100'000;  // each of which may cost some hundred bytes
constexpr std::int64_t kOldestOpset = 7;
constexpr char kPoolingKey[] = "onnx.pooling";

[[noreturn]] void damaged() {
  throw Error(RNN_BAD_FORMAT, "the file is not a whole protobuf of an ONNX model");
}

CodedInputStream open(const void* memory, std::size_t size) {
  return CodedInputStream(static_cast<const std::uint8_t*>(memory), static_cast<int>(size));
}

// Count the fields before any is built: two bytes of a file can become an object.
void count_fields(CodedInputStream& in, Message message, int depth, std::size_t& count) {
  if (depth > kMaxDepth) damaged();
  while (const std::uint32_t tag = in.ReadTag()) {
    if (++count > kMaxFields) throw Error(RNN_UNSUPPORTED, "the file has more than %zu fields", kMaxFields);
    const Message held = message_in(message, WireFormatLite::GetTagFieldNumber(tag));
    if (WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_START_GROUP)
      damaged();  // which ONNX has none of, and whose fields would not be counted
    const bool nested = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED &&
                        held != Message::none;
    if (!nested) {
      if (!WireFormatLite::SkipField(&in, tag)) damaged();
      continue;
    }
    std::uint32_t length;
    if (!in.ReadVarint32(&length) || length > static_cast<std::uint32_t>(std::numeric_limits<int>::max()))
      damaged();
    const CodedInputStream::Limit limit = in.PushLimit(static_cast<int>(length));
    count_fields(in, held, depth + 1, count);
    if (in.BytesUntilLimit() != 0) damaged();
    in.PopLimit(limit);
  }
}

::onnx::ModelProto parse(const void* memory, std::size_t size) {
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw Error(RNN_BAD_FORMAT, "the file has %zu bytes; a protobuf has at most %d", size,
                std::numeric_limits<int>::max());
  CodedInputStream counted = open(memory, size);
  counted.SetRecursionLimit(kMaxDepth);
  std::size_t count = 0;
  count_fields(counted, Message::model, 0, count);
  ::onnx::ModelProto model;
  CodedInputStream in = open(memory, size);
  in.SetRecursionLimit(kMaxDepth);
  in.SetTotalBytesLimit(static_cast<int>(size));
  if (!model.MergePartialFromCodedStream(&in) || !in.ConsumedEntireMessage()) damaged();
  return model;
}

bool is_default(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

void check_opset(const ::onnx::ModelProto& model) {
  std::int64_t opset = 0;
  for (const auto& import : model.opset_import())
    if (is_default(import.domain())) opset = std::max(opset, import.version());
  if (opset < kOldestOpset)
    throw Error(RNN_UNSUPPORTED, "opset %jd; it must be %jd or newer", std::intmax_t{opset},
                std::intmax_t{kOldestOpset});
}

// ---- The graph ----

Flow make_input(const ::onnx::ValueInfoProto& info, int number) {
  Flow flow;
  flow.content.source = number;
  const auto& type = info.type().tensor_type();
  flow.content.opaque = !type.has_shape() || type.shape().dim_size() > static_cast<int>(kMaxRank);
  for (int i = 0; !flow.content.opaque && i < type.shape().dim_size(); ++i) {
    const std::int64_t size = type.shape().dim(i).dim_value();
    flow.axes.push_back({Axis::Kind::input, size > 0 ? size : kUnknown, i});
  }
  return flow;
}

// What is read on the way to the outputs. Nodes stand in the order of their dependencies.
std::set<std::string> find_needed(const ::onnx::GraphProto& graph) {
  std::set<std::string> needed;
  for (const auto& output : graph.output()) needed.insert(output.name());
  for (int i = graph.node_size(); i-- > 0;) {
    const auto& outputs = graph.node(i).output();
    if (std::any_of(outputs.begin(), outputs.end(),
                    [&](const auto& name) { return needed.count(name) != 0; }))
      for (const std::string& name : graph.node(i).input()) needed.insert(name);
  }
  return needed;
}

class Graph {
 public:
  Graph(const ::onnx::GraphProto& graph, std::size_t file_size)
      : graph_(graph), needed_(find_needed(graph)), budget_(2 * file_size + 65536) {
    if (graph.sparse_initializer_size() != 0) throw Error(RNN_UNSUPPORTED, "sparse initializers");
    for (int i = 0; i < graph.input_size(); ++i) {
      scope_.values[graph.input(i).name()] = make_input(graph.input(i), i);
      scope_.inputs.insert(graph.input(i).name());
    }
    for (const auto& tensor : graph.initializer())
      if (needed_.count(tensor.name()) != 0) {
        scope_.values[tensor.name()] = read_tensor(tensor);
        scope_.inputs.erase(tensor.name());  // a default
      }
    for (int i = 0; i < graph.node_size(); ++i) follow(graph.node(i), i);
  }

  const Parts& parts() const noexcept { return parts_; }

  // The one that the network is for; the others may be states.
  Flow output() const {
    const Flow* result = nullptr;
    for (const auto& output : graph_.output()) {
      const Flow& flow = find_output(output.name());
      if (flow.content.opaque) continue;
      if (result == nullptr ||
          (is_state(result->content) && (!is_state(flow.content) || is_later(flow, *result))))
        result = &flow;
    }
    if (result == nullptr) throw Error(RNN_UNSUPPORTED, "a graph without an output of the network");
    for (const auto& output : graph_.output()) {
      const Content& content = find_output(output.name()).content;
      if (!content.opaque && !is_state(content) && !(content == result->content))
        throw Error(RNN_UNSUPPORTED, "output %s beside another; a network has one",
                    quote(output.name()).c_str());
    }
    return *result;
  }

 private:
  static bool is_state(const Content& content) { return content.last && content.stage == Stage::hidden; }

  // Of two states: where all outputs are states, the network's is the last layer's.
  static bool is_later(const Flow& a, const Flow& b) {
    return a.content.strands.back().index > b.content.strands.back().index;
  }

  const Flow& find_output(const std::string& name) const {
    const auto found = scope_.values.find(name);
    if (found == scope_.values.end() && scope_.unfollowed.count(name) != 0)
      throw Error(RNN_UNSUPPORTED, "output %s cannot be followed", quote(name).c_str());
    if (found == scope_.values.end())
      throw Error(RNN_BAD_FORMAT, "no node makes the output %s", quote(name).c_str());
    const Flow* flow = std::get_if<Flow>(&found->second);
    if (flow == nullptr || flow->content.stage == Stage::input)
      throw Error(RNN_UNSUPPORTED, "output %s comes from no network", quote(name).c_str());
    return *flow;
  }

  void follow(const ::onnx::NodeProto& proto, int place) {
    const auto& names = proto.output();
    if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return needed_.count(name) != 0; }))
      return;
    const Node node(proto, place, scope_);
    try {
      const bool recurrent = is_recurrent(proto.domain(), proto.op_type());
      if (!recurrent && !is_default(proto.domain()))
        throw Error(RNN_UNSUPPORTED, "of domain %s", quote(proto.domain()).c_str());
      Outputs outputs =
          recurrent ? read_recurrent(node, parts_, budget_) : read_operator(node, parts_, budget_);
      outputs.resize(node.output_count());
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (const Flow* flow = outputs[i] ? std::get_if<Flow>(&*outputs[i]) : nullptr)
          budget_.take(flow->content.strands.size() + flow->axes.size());
        const std::string& name = names[static_cast<int>(i)];
        if (!outputs[i]) scope_.unfollowed.insert(name);
        if (outputs[i] && !name.empty() && !scope_.values.emplace(name, std::move(*outputs[i])).second)
          throw Error(RNN_BAD_FORMAT, "its output %s is there twice", quote(name).c_str());
      }
    } catch (const Error& error) {
      throw Error(error.status(), "%s: %s", node.label().c_str(), error.what());
    }
  }

  const ::onnx::GraphProto& graph_;
  std::set<std::string> needed_;
  Budget budget_;
  Scope scope_;
  Parts parts_;
};

// ---- The network ----

// The forward strand of a layer, and the backward one if it has two.
struct GraphLayer {
  const GraphStrand* strands[2];
  bool residual;
};

GraphLayer find_layer(const Content& content, const Parts& parts) {
  const std::vector<StrandRef>& refs = content.strands;
  GraphLayer layer{{&parts.strands[refs[0].index], nullptr}, content.residual};
  const std::string& node = layer.strands[0]->node;
  const bool pair = refs.size() == 2 && !refs[0].reverse && refs[1].reverse;
  if (!pair && (refs.size() != 1 || refs[0].reverse))
    throw Error(RNN_UNSUPPORTED,
                "%s: its output is used as something else than a forward direction or a forward one and "
                "then a reverse one",
                node.c_str());
  if (!pair) return layer;
  layer.strands[1] = &parts.strands[refs[1].index];
  if (!(layer.strands[0]->reads == layer.strands[1]->reads))
    throw Error(RNN_UNSUPPORTED, "%s and %s: they read different values; directions of a layer read one",
                node.c_str(), layer.strands[1]->node.c_str());
  return layer;
}

// From the first layer to the last; each strand reads strands before it.
std::vector<GraphLayer> find_layers(const Content& output, const Parts& parts) {
  std::vector<GraphLayer> layers;
  const Content* content = &output;
  while (!content->strands.empty()) {
    layers.push_back(find_layer(*content, parts));
    content = &layers.back().strands[0]->reads;
  }
  std::reverse(layers.begin(), layers.end());
  return layers;
}

class Builder {
 public:
  Builder(const Parts& parts, const Flow& output, std::size_t file_size)
      : parts_(parts),
        output_(output),
        layers_(find_layers(output.content, parts)),
        budget_(file_size + 65536) {}

  Model build() {
    if (layers_.empty()) throw Error(RNN_UNSUPPORTED, "a graph without RNN, GRU or LSTM nodes");
    configure();
    if (embedded()) model_.parameters["embedding.weight"] = *parts_.embedding->floats;
    for (std::size_t l = 0; l < layers_.size(); ++l)
      for (std::size_t d = 0; d < directions(); ++d) add_strand(*layers_[l].strands[d], l, d);
    if (has_head()) add_head();
    if (output_.content.last) model_.metadata[kPoolingKey] = "last";
    return std::move(model_);
  }

 private:
  std::size_t directions() const { return layers_[0].strands[1] != nullptr ? 2 : 1; }
  bool embedded() const { return layers_[0].strands[0]->reads.stage == Stage::embedded; }
  bool has_head() const { return output_.content.stage != Stage::hidden; }
  bool has_head_bias() const { return output_.content.stage == Stage::output; }
  bool has(std::uint32_t flag) const { return (model_.config.flags & flag) != 0; }

  void configure() {
    const GraphStrand& first = *layers_[0].strands[0];
    rnn_config_t& config = model_.config;
    config.cell = first.cell;
    config.flags = first.flags | (directions() == 2 ? RNN_FLAG_BIDIRECTIONAL : 0);
    config.hidden_size = static_cast<std::int32_t>(first.hidden_size);
    config.num_layers = static_cast<std::int32_t>(std::min<std::size_t>(layers_.size(), 65536));
    config.input_size = static_cast<std::int32_t>(first.input_size);
    if (embedded()) {
      config.embedding_size = config.input_size;
      config.input_size = narrow("the embedding's rows", parts_.embedding->shape[0]);
    }
    if (has_head()) config.output_size = narrow("the head's outputs", output_.axes.back().size);
    check_layers();
    bool biases = has_head_bias(), states = false;
    for (const GraphLayer& layer : layers_)
      for (std::size_t d = 0; d < directions(); ++d) {
        biases = biases || layer.strands[d]->bias;
        states = states || layer.strands[d]->states[0] || layer.strands[d]->states[1];
      }
    if (!biases) config.flags |= RNN_FLAG_NO_BIAS;
    if (states) config.initial_state = RNN_INITIAL_FIXED;
    if (layers_.size() > 1 && layers_[1].residual) config.flags |= RNN_FLAG_RESIDUAL;
    if (has_head()) head_ = head_matrix();
    if (has_head() && embedded() && head_ == *parts_.embedding->floats &&
        config.embedding_size == static_cast<std::int32_t>(directions()) * config.hidden_size)
      config.flags |= RNN_FLAG_TIED_HEAD;
  }

  static std::int32_t narrow(const char* what, std::int64_t size) {
    if (size < 1 || size > kMaxClasses)
      throw Error(size < 1 ? RNN_BAD_FORMAT : RNN_UNSUPPORTED, "%s are %jd; they must be 1..%d", what,
                  std::intmax_t{size}, kMaxClasses);
    return static_cast<std::int32_t>(size);
  }

  // A network's layers are alike.
  void check_layers() const {
    const GraphStrand& first = *layers_[0].strands[0];
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const GraphStrand& forward = *layers_[l].strands[0];
      if ((layers_[l].strands[1] != nullptr) != (directions() == 2))
        refuse(forward, "directions as the layer before, or all one");
      if (l > 1 && layers_[l].residual != layers_[1].residual)
        refuse(forward, "its input added to its output as all other layers, or none");
      for (std::size_t d = 0; d < directions(); ++d) {
        const GraphStrand& strand = *layers_[l].strands[d];
        if (strand.cell != first.cell || strand.flags != first.flags ||
            strand.hidden_size != first.hidden_size)
          refuse(strand, "the type, hidden_size, activations and linear_before_reset of the first layer");
      }
    }
  }

  [[noreturn]] static void refuse(const GraphStrand& strand, const char* what) {
    throw Error(RNN_UNSUPPORTED, "%s: it must have %s", strand.node.c_str(), what);
  }

  // ---- Parameters ----

  // ONNX's gates, z r h and i o f c, in our order, r z n and i f g o.
  static std::size_t their_gate(const GraphStrand& strand, std::size_t gate) {
    constexpr std::size_t kGru[] = {1, 0, 2}, kLstm[] = {0, 2, 3, 1};
    return strand.cell == RNN_CELL_LSTM ? kLstm[gate] : strand.cell == RNN_CELL_GRU ? kGru[gate] : gate;
  }

  // The strand's blocks of a constant [D, blocks, ...], from `first` on, reordered.
  static std::vector<float> gates_of(const GraphStrand& strand, const Constant& constant, std::size_t blocks,
                                     std::size_t first) {
    const std::size_t block = constant.count() / static_cast<std::size_t>(constant.shape[0]) / blocks;
    std::vector<float> result;
    for (std::size_t g = 0; g < strand.gates; ++g) {
      const float* from =
          constant.floats->data() + (strand.direction * blocks + first + their_gate(strand, g)) * block;
      result.insert(result.end(), from, from + block);
    }
    return result;
  }

  std::vector<float>& parameter(const char* base, std::size_t l, std::size_t d) {
    return model_.parameters[std::string(base) + "_l" + std::to_string(l) + (d == 1 ? "_reverse" : "")];
  }

  void add_strand(const GraphStrand& strand, std::size_t l, std::size_t d) {
    budget_.take(strand.input.count() + strand.recurrent.count());  // which other layers may have, too
    parameter("weight_ih", l, d) = gates_of(strand, strand.input, strand.gates, 0);
    parameter("weight_hh", l, d) = gates_of(strand, strand.recurrent, strand.gates, 0);
    if (!has(RNN_FLAG_NO_BIAS)) add_bias(strand, l, d);
    if (model_.config.initial_state == RNN_INITIAL_ZERO) return;
    const char* names[] = {"initial_h", "initial_c"};
    for (std::size_t part = 0; part < (strand.cell == RNN_CELL_LSTM ? 2u : 1u); ++part) {
      const auto H = static_cast<std::size_t>(strand.hidden_size);
      std::vector<float>& values = parameter(names[part], l, d);
      values.assign(H, 0.0f);
      if (strand.states[part])
        std::copy_n(&(*strand.states[part]->floats)[strand.direction * H], H, values.data());
    }
  }

  // One bias is the sum of the two, but for the GRU's h behind the product.
  void add_bias(const GraphStrand& strand, std::size_t l, std::size_t d) {
    const std::size_t rows = strand.gates * static_cast<std::size_t>(strand.hidden_size);
    std::vector<float> bias(rows, 0.0f), second(rows, 0.0f);
    if (strand.bias) {
      bias = gates_of(strand, *strand.bias, 2 * strand.gates, 0);
      second = gates_of(strand, *strand.bias, 2 * strand.gates, strand.gates);
    }
    if (strand.cell == RNN_CELL_GRU && !has(RNN_FLAG_RESET_BEFORE)) {
      const auto own = second.begin() + static_cast<std::ptrdiff_t>(rows - rows / 3);
      parameter("bias_hn", l, d).assign(own, second.end());
      std::fill(own, second.end(), 0.0f);
    }
    for (std::size_t i = 0; i < rows; ++i)
      if (second[i] != 0) bias[i] += second[i];  // our own files come back to the bit, -0 too
    parameter("bias_ih", l, d) = std::move(bias);
  }

  // [O, F]
  std::vector<float> head_matrix() const {
    const Constant& weight = *parts_.head;
    const auto rows = static_cast<std::size_t>(weight.shape[0]),
               columns = static_cast<std::size_t>(weight.shape[1]);
    std::vector<float> values = *weight.floats;
    for (std::size_t i = 0; parts_.head_transposed && i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) values[j * rows + i] = (*weight.floats)[i * columns + j];
    return values;
  }

  void add_head() {
    if (!has(RNN_FLAG_TIED_HEAD)) model_.parameters["head.weight"] = std::move(head_);
    if (has(RNN_FLAG_NO_BIAS)) return;
    std::vector<float>& bias = model_.parameters["head.bias"];
    bias.assign(static_cast<std::size_t>(model_.config.output_size), 0.0f);
    if (!has_head_bias()) return;
    const std::vector<float>& given = *parts_.head_bias->floats;
    for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = given[given.size() == 1 ? 0 : i];
  }

  const Parts& parts_;
  const Flow& output_;
  std::vector<GraphLayer> layers_;
  std::vector<float> head_;
  Budget budget_;
  Model model_;
};

void add_metadata(const ::onnx::ModelProto& proto, Model& model) {
  for (const auto& entry : proto.metadata_props()) {
    if (entry.key() == kPoolingKey) continue;  // the graph itself says it
    if (entry.key().rfind("rnn.", 0) == 0)
      throw Error(RNN_BAD_FORMAT, "%s: what begins with \"rnn.\" is librnn's own",
                  quote(entry.key()).c_str());
    model.metadata[entry.key()] = entry.value();
  }
}

}  // namespace

Model read_onnx(const void* memory, std::size_t size) try {
  const ::onnx::ModelProto proto = parse(memory, size);
  check_opset(proto);
  const Graph graph(proto.graph(), size);
  const Flow output = graph.output();
  Model model = Builder(graph.parts(), output, size).build();
  add_metadata(proto, model);
  return model;
} catch (const Error& error) {
  if (error.status() != RNN_UNSUPPORTED) throw;
  throw Error(RNN_UNSUPPORTED, "unsupported: %s", error.what());
}

}  // namespace rnn
