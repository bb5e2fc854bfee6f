#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <limits>
#include <set>

#include "lib/formats/contents.h"
#include "lib/formats/onnx.h"
#include "lib/formats/onnx_fields.h"
#include "lib/formats/onnx_graph.h"
#include "lib/formats/onnx_minimal.h"
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

// Those of the file that are what librnn writes, by their names.
std::set<std::string> known_functions(const ::onnx::ModelProto& model) {
  std::set<std::string> names;
  for (const ::onnx::FunctionProto& function : model.functions()) {
    const MinimalCell* const cell = find_minimal(function.name());
    if (cell == nullptr || function.domain() != kFunctionDomain) continue;
    const ::onnx::FunctionProto ours = make_function(*cell, function.name() == cell->reverse);
    if (function.SerializeAsString() == ours.SerializeAsString()) names.insert(function.name());
  }
  return names;
}

class Graph {
 public:
  Graph(const ::onnx::ModelProto& model, std::size_t file_size)
      : graph_(model.graph()),
        functions_(known_functions(model)),
        needed_(find_needed(graph_)),
        budget_(2 * file_size + 65536) {
    if (graph_.sparse_initializer_size() != 0) throw Error(RNN_UNSUPPORTED, "sparse initializers");
    for (int i = 0; i < graph_.input_size(); ++i) {
      scope_.values[graph_.input(i).name()] = make_input(graph_.input(i), i);
      scope_.inputs.insert(graph_.input(i).name());
    }
    for (const auto& tensor : graph_.initializer())
      if (needed_.count(tensor.name()) != 0) {
        scope_.values[tensor.name()] = read_tensor(tensor);
        scope_.inputs.erase(tensor.name());  // a default
      }
    for (int i = 0; i < graph_.node_size(); ++i) follow(graph_.node(i), i);
  }

  const Findings& findings() const noexcept { return findings_; }

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
    if (flow == nullptr || (flow->content.stage == Stage::input && !flow->content.opaque))
      throw Error(RNN_UNSUPPORTED, "output %s comes from no network", quote(name).c_str());
    if (!is_whole(*flow))
      throw Error(RNN_UNSUPPORTED, "output %s has zeros before or steps behind the sequence",
                  quote(name).c_str());
    return *flow;
  }

  void follow(const ::onnx::NodeProto& proto, int place) {
    const auto& names = proto.output();
    if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return needed_.count(name) != 0; }))
      return;
    const Node node(proto, place, scope_);
    try {
      const bool recurrent = is_recurrent(proto.domain(), proto.op_type());
      const bool minimal = proto.domain() == kFunctionDomain && functions_.count(proto.op_type()) != 0;
      if (!recurrent && !minimal && !is_default(proto.domain()) &&
          !is_quantized_operator(proto.domain(), proto.op_type()))
        throw Error(RNN_UNSUPPORTED, "of domain %s", quote(proto.domain()).c_str());
      Outputs outputs = recurrent ? read_recurrent(node, findings_, budget_)
                        : minimal ? read_minimal(node, findings_, budget_)
                                  : read_operator(node, findings_, budget_);
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
  std::set<std::string> functions_;
  std::set<std::string> needed_;
  Budget budget_;
  Scope scope_;
  Findings findings_;
};

// ---- The network ----

// The strand of a layer, and the backward one if it has two.
struct GraphLayer {
  const GraphStrand* strands[2];
  std::int32_t direction;
};

GraphLayer find_layer(const Content& content, const Findings& findings) {
  const std::vector<StrandRef>& refs = content.strands;
  GraphLayer layer{{&findings.strands[refs[0].index], nullptr},
                   refs[0].reverse ? RNN_DIRECTION_REVERSE : RNN_DIRECTION_FORWARD};
  const std::string& node = layer.strands[0]->node;
  const bool pair = refs.size() == 2 && !refs[0].reverse && refs[1].reverse;
  if (!pair && refs.size() != 1)
    throw Error(
        RNN_UNSUPPORTED,
        "%s: its output is used as something else than one direction or a forward one and then a reverse one",
        node.c_str());
  if (!pair) return layer;
  layer.direction = content.sum ? RNN_DIRECTION_SUM : RNN_DIRECTION_BOTH;
  layer.strands[1] = &findings.strands[refs[1].index];
  const GraphStrand &first = *layer.strands[0], &second = *layer.strands[1];
  if (!(first.reads == second.reads))
    throw Error(RNN_UNSUPPORTED, "%s and %s: they read different values; directions of a layer read one",
                node.c_str(), second.node.c_str());
  if (first.cell != second.cell || first.flags != second.flags || first.hidden_size != second.hidden_size ||
      !(first.activations == second.activations))
    throw Error(
        RNN_UNSUPPORTED,
        "%s: it must have the type, hidden_size, activations, clip, linear_before_reset, input_forget and P "
        "(zero or not) of %s, whose other direction it is",
        second.node.c_str(), node.c_str());
  return layer;
}

// A recurrent layer, or what another node does with its output.
struct Element {
  std::optional<GraphLayer> layer;
  const GraphStep* step = nullptr;

  const Content& reads() const { return layer ? layer->strands[0]->reads : step->reads; }
  const std::string& place() const { return layer ? layer->strands[0]->node : step->node; }
};

// From the first to the last; each reads what is before it.
std::vector<Element> find_elements(const Content& output, const Findings& findings) {
  std::vector<Element> elements;
  for (const Content* content = &output;; content = &elements.back().reads()) {
    if (content->stage == Stage::step)
      elements.push_back({std::nullopt, &findings.steps[content->step]});
    else if (content->stage == Stage::hidden)
      elements.push_back({find_layer(*content, findings)});
    else
      break;
  }
  std::reverse(elements.begin(), elements.end());
  return elements;
}

class Builder {
 public:
  Builder(const Findings& findings, const Flow& output, std::size_t file_size)
      : findings_(findings),
        output_(output),
        elements_(find_elements(output.content, findings)),
        budget_(file_size + 65536) {}

  Model build() {
    for (const Element& element : elements_)
      if (element.step != nullptr && element.step->kind == GraphStep::Kind::pooling)
        pooling_ = element.step->pooling == RNN_POOLING_MEAN ? "mean" : "max";
    configure();
    find_sums();
    for (std::size_t i = 0; i < elements_.size(); ++i) {
      const Element& element = elements_[i];
      if (sources_[i]) list_.close(element.place(), i == 0 ? first_width() : 0);
      starts_.push_back(list_.count());
      if (element.layer) {
        add_layer(*element.layer);
        continue;
      }
      const GraphStep& step = *element.step;
      switch (step.kind) {
        case GraphStep::Kind::product:
        case GraphStep::Kind::convolution: {
          const GraphStep* next = i + 1 < elements_.size() ? elements_[i + 1].step : nullptr;
          const bool biased = next != nullptr && next->is_bias && !sources_[i + 1];
          add_dense(step, biased ? next : nullptr);
          if (biased) {
            starts_.push_back(list_.count());
            ++i;
          }
          break;
        }
        case GraphStep::Kind::affine:
          list_.add_affine(step.affine);
          break;
        case GraphStep::Kind::function:
          list_.add_function(element.place(), step.function, step.width);
          break;
        case GraphStep::Kind::erf:
          throw Error(RNN_UNSUPPORTED, "%s: it may be a part of x (1 + Erf(x / sqrt(2))) / 2, no more",
                      element.place().c_str());
        case GraphStep::Kind::sum:
          add_sum(i);
          break;
        case GraphStep::Kind::pooling:
          list_.end_steps(step.node, step.pooling, step.width);
          break;
      }
    }
    if (pooling_ != nullptr) list_.model.metadata[kPoolingKey] = pooling_;
    if (takes_last()) pool();
    return std::move(list_).build(elements_.back().place());
  }

 private:
  // ---- Sums ----

  bool is_skip(std::size_t i) const { return i + 1 == elements_.size() && elements_[i].step->inputs != 0; }

  // Which elements read what is added again behind them.
  void find_sums() {
    sources_.assign(elements_.size(), false);
    for (std::size_t i = 0; i < elements_.size(); ++i)
      if (is_sum(i) && !is_skip(i)) sources_[find_source(i)] = true;
  }

  bool is_sum(std::size_t i) const {
    return elements_[i].step != nullptr && elements_[i].step->kind == GraphStep::Kind::sum;
  }

  std::size_t find_source(std::size_t sum) {
    const Content& added = elements_[sum].step->added;
    for (std::size_t i = sum; !added.opaque && i-- > 0;) {
      budget_.take(1);
      if (elements_[i].reads() == added) return i;
    }
    throw Error(RNN_UNSUPPORTED,
                "%s: it adds some of the inputs before the last layer's output; it must be behind it",
                elements_[sum].place().c_str());
  }

  // Inputs to the network's output, or what a layer reads to what it gives.
  void add_sum(std::size_t i) {
    const GraphStep& step = *elements_[i].step;
    if (is_skip(i)) {
      if (output_.content.last)
        throw Error(RNN_UNSUPPORTED, "%s: it adds inputs to the output for a whole sequence",
                    step.node.c_str());
      const std::int64_t count = step.inputs < 0 ? config_.input_size : step.inputs;
      if (step.inputs < 0 && count != static_cast<std::int64_t>(step.width))
        throw Error(RNN_BAD_FORMAT, "%s: it adds %jd inputs to %zu values", step.node.c_str(),
                    std::intmax_t{count}, step.width);
      config_.skip = narrow("the inputs that are added to the outputs", count);
      return;
    }
    if (list_.count() != starts_[find_source(i)] + 1 || !list_.add_residual())
      throw Error(RNN_UNSUPPORTED, "%s: it may add to a layer's output what the layer reads, no more",
                  step.node.c_str());
  }

  std::size_t first_width() const {
    return static_cast<std::size_t>(embedded() ? config_.embedding_size : config_.input_size);
  }

  // ---- The network ----

  bool embedded() const { return elements_[0].reads().stage == Stage::embedded; }

  void configure() {
    bool states = false;
    for (const Element& element : elements_) {
      if (!element.layer) continue;
      for (const GraphStrand* strand : element.layer->strands)
        states = states || (strand != nullptr && (strand->states[0] || strand->states[1]));
    }
    if (states) config_.initial_state = RNN_INITIAL_FIXED;
    const Element& first = elements_[0];
    config_.input_size = first.layer ? static_cast<std::int32_t>(first.layer->strands[0]->input_size)
                                     : narrow("the inputs", inputs_of(*first.step));
    if (!embedded()) return;
    config_.embedding_size = config_.input_size;
    config_.input_size = narrow("the embedding's rows", findings_.embedding->shape[0]);
    list_.model.parameters["embedding.weight"] = *findings_.embedding->floats;
  }

  static std::int64_t inputs_of(const GraphStep& step) {
    return step.weight ? step.weight->shape[step.transposed ? 0 : 1] * step.group
                       : static_cast<std::int64_t>(step.width);
  }

  static std::int32_t narrow(const char* what, std::int64_t size) {
    if (size < 1 || size > kMaxClasses)
      throw Error(size < 1 ? RNN_BAD_FORMAT : RNN_UNSUPPORTED, "%s are %jd; they must be 1..%d", what,
                  std::intmax_t{size}, kMaxClasses);
    return static_cast<std::int32_t>(size);
  }

  // What the last step alone gives must be what pooling gives.
  void pool() {
    const Element* last = nullptr;
    bool windows = false;  // behind it
    for (const Element& element : elements_) {
      if (element.layer) last = &element;
      windows = !element.layer && (windows || is_window(*element.step));
    }
    if (last->layer->direction == RNN_DIRECTION_SUM)
      throw Error(RNN_UNSUPPORTED,
                  "%s: of its directions the last steps are added; they must stand side by side",
                  last->place().c_str());
    if (last->layer->direction != RNN_DIRECTION_FORWARD && windows)
      throw Error(
          RNN_UNSUPPORTED,
          "%s: it reads backwards and its last step alone is used; behind it may be no Conv of several "
          "steps",
          last->place().c_str());
    list_.model.metadata[kPoolingKey] = "last";
  }

  // A convolution of one step is a dense layer where the last step alone counts: pooling takes what is before it.
  bool is_window(const GraphStep& step) const {
    return step.kind == GraphStep::Kind::convolution && (step.weight->shape[2] > 1 || !takes_last());
  }

  bool takes_last() const { return output_.content.last && pooling_ == nullptr; }

  // ---- Parameters ----

  static bool is_coupled(const GraphStrand& strand) { return (strand.flags & RNN_FLAG_COUPLED_GATES) != 0; }

  // ONNX's gates, z r h and i o f c, in our order, r z n and i f g o; coupled, f is there for nothing.
  static std::size_t our_gates(const GraphStrand& strand) {
    return is_coupled(strand) ? strand.gates - 1 : strand.gates;
  }
  static std::size_t their_gate(const GraphStrand& strand, std::size_t gate) {
    constexpr std::size_t kGru[] = {1, 0, 2}, kLstm[] = {0, 2, 3, 1}, kCoupled[] = {0, 3, 1};
    if (is_coupled(strand)) return kCoupled[gate];
    return strand.cell == RNN_CELL_LSTM ? kLstm[gate] : strand.cell == RNN_CELL_GRU ? kGru[gate] : gate;
  }

  // The strand's blocks of a constant [D, blocks, ...], from `first` on, reordered.
  static std::vector<float> gates_of(const GraphStrand& strand, const Constant& constant, std::size_t blocks,
                                     std::size_t first) {
    const std::size_t block = constant.count() / static_cast<std::size_t>(constant.shape[0]) / blocks;
    std::vector<float> result;
    for (std::size_t g = 0; g < our_gates(strand); ++g) {
      const float* from =
          constant.floats->data() + (strand.direction * blocks + first + their_gate(strand, g)) * block;
      result.insert(result.end(), from, from + block);
    }
    return result;
  }

  void add_layer(const GraphLayer& graph) {
    const GraphStrand& first = *graph.strands[0];
    rnn_layer_t layer{};
    layer.kind = first.cell;
    layer.size = static_cast<std::int32_t>(first.hidden_size);
    layer.direction = graph.direction;
    layer.flags = first.flags;
    set_activations(layer, first.activations);
    std::vector<LayerModel::Parameters> directions;
    for (const GraphStrand* strand : graph.strands)
      if (strand != nullptr) directions.push_back(parameters_of(*strand));
    list_.add_recurrent(first.node, layer, std::move(directions));
  }

  static void set_activations(rnn_layer_t& layer, const Activations& from) {
    layer.clip = from.clip;
    const std::vector<formats::Function>& f = from.functions;
    if (f.empty()) return;
    const formats::Function& own = f[f.size() == 1 ? 0 : 1];
    layer.activation = own.activation;
    layer.alpha = own.alpha;
    layer.beta = own.beta;
    if (f.size() < 2) return;
    layer.gate_activation = f[0].activation;
    layer.gate_alpha = f[0].alpha;
    layer.gate_beta = f[0].beta;
    if (f.size() < 3) return;
    layer.output_activation = f[2].activation;
    layer.output_alpha = f[2].alpha;
    layer.output_beta = f[2].beta;
  }

  LayerModel::Parameters parameters_of(const GraphStrand& strand) {
    budget_.take(strand.input.count() +
                 (strand.recurrent ? strand.recurrent->count() : 0));  // others may have them, too
    LayerModel::Parameters own;
    own["weight_ih"] = gates_of(strand, strand.input, strand.gates, 0);
    if (strand.recurrent) own["weight_hh"] = gates_of(strand, *strand.recurrent, strand.gates, 0);
    if (strand.bias) add_bias(strand, own);
    if (strand.peepholes) add_peepholes(strand, own);
    if (config_.initial_state == RNN_INITIAL_ZERO) return own;
    const char* names[] = {"initial_h", "initial_c"};
    for (std::size_t state = 0; state < (strand.cell == RNN_CELL_LSTM ? 2u : 1u); ++state) {
      const auto H = static_cast<std::size_t>(strand.hidden_size);
      std::vector<float>& values = own[names[state]];
      values.assign(H, 0.0f);
      if (strand.states[state])
        std::copy_n(&(*strand.states[state]->floats)[strand.direction * H], H, values.data());
    }
    return own;
  }

  // One bias is the sum of the two, but for the GRU's h behind the product.
  static void add_bias(const GraphStrand& strand, LayerModel::Parameters& own) {
    std::vector<float> bias = gates_of(strand, *strand.bias, 2 * strand.gates, 0),
                       second = gates_of(strand, *strand.bias, 2 * strand.gates, strand.gates);
    const std::size_t rows = bias.size();
    if (strand.cell == RNN_CELL_GRU && (strand.flags & RNN_FLAG_RESET_BEFORE) == 0) {
      const auto apart = second.begin() + static_cast<std::ptrdiff_t>(rows - rows / 3);
      own["bias_hn"].assign(apart, second.end());
      std::fill(apart, second.end(), 0.0f);
    }
    for (std::size_t i = 0; i < rows; ++i)
      if (second[i] != 0) bias[i] += second[i];  // our own files come back to the bit, -0 too
    own["bias_ih"] = std::move(bias);
  }

  static void add_peepholes(const GraphStrand& strand, LayerModel::Parameters& own) {
    const auto H = static_cast<std::size_t>(strand.hidden_size);
    const float* const values = strand.peepholes->floats->data() + strand.direction * 3 * H;
    own["peephole_i"].assign(values, values + H);
    own["peephole_o"].assign(values + H, values + 2 * H);
    if (!is_coupled(strand)) own["peephole_f"].assign(values + 2 * H, values + 3 * H);
  }

  void add_dense(const GraphStep& step, const GraphStep* bias) {
    budget_.take(step.weight->count());
    rnn_layer_t layer{};
    layer.kind = RNN_LAYER_DENSE;
    layer.size = narrow("the outputs", static_cast<std::int64_t>(step.width));
    const bool window = is_window(step);
    if (window) {
      layer.kind = RNN_LAYER_CONV1D;
      layer.kernel_size = static_cast<std::int32_t>(step.weight->shape[2]);
      layer.dilation = step.dilation;
    }
    std::vector<float> weight = window ? taps_of(step) : matrix_of(step), values;
    if (bias != nullptr) {
      const std::vector<float>& given = *bias->bias->floats;
      for (std::size_t i = 0; i < step.width; ++i) values.push_back(given[given.size() == 1 ? 0 : i]);
    }
    const bool last = &step == elements_.back().step || (bias != nullptr && bias == elements_.back().step);
    const bool tied = last && step.group == 1 && embedded() && list_.count() > 0 && !window &&
                      config_.embedding_size == static_cast<std::int32_t>(inputs_of(step)) &&
                      weight == *findings_.embedding->floats;
    list_.add_grouped(step.node, layer, std::move(weight), std::move(values),
                      static_cast<std::size_t>(step.group));
    if (tied) list_.tie_head();
  }

  // [O, F]
  static std::vector<float> matrix_of(const GraphStep& step) {
    const Constant& weight = *step.weight;
    const auto rows = static_cast<std::size_t>(weight.shape[0]),
               columns = static_cast<std::size_t>(weight.shape[1]);
    std::vector<float> values = *weight.floats;
    for (std::size_t i = 0; step.transposed && i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) values[j * rows + i] = (*weight.floats)[i * columns + j];
    return values;
  }

  // [O, F, K] as [O, K, F]
  static std::vector<float> taps_of(const GraphStep& step) {
    const Constant& weight = *step.weight;
    const auto O = static_cast<std::size_t>(weight.shape[0]), F = static_cast<std::size_t>(weight.shape[1]),
               K = static_cast<std::size_t>(weight.shape[2]);
    std::vector<float> values(weight.count());
    for (std::size_t o = 0; o < O; ++o)
      for (std::size_t i = 0; i < F; ++i)
        for (std::size_t k = 0; k < K; ++k)
          values[(o * K + k) * F + i] = (*weight.floats)[(o * F + i) * K + k];
    return values;
  }

  const Findings& findings_;
  const Flow& output_;
  std::vector<Element> elements_;
  const char* pooling_ = nullptr;    // of a node that pools the steps
  std::vector<bool> sources_;        // of the elements: what it reads is added again behind it
  std::vector<std::size_t> starts_;  // how many layers there were before it
  Budget budget_;
  LayerModel list_;
  rnn_config_t& config_ = list_.model.config;
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
  const Graph graph(proto, size);
  const Flow output = graph.output();
  Model model = Builder(graph.findings(), output, size).build();
  add_metadata(proto, model);
  return model;
} catch (const Error& error) {
  if (error.status() != RNN_UNSUPPORTED) throw;
  throw Error(RNN_UNSUPPORTED, "unsupported: %s", error.what());
}

}  // namespace rnn
