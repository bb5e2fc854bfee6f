// RNN, GRU and LSTM nodes.
#include <algorithm>
#include <cctype>
#include <cmath>

#include "lib/formats/contents.h"
#include "lib/formats/onnx_functions.h"
#include "lib/formats/onnx_graph.h"
#include "lib/network/config.h"

namespace rnn::onnx_import {
namespace {

using Kind = Axis::Kind;
using Stage = Content::Stage;
using formats::quote;

// ONNX Runtime's LSTM with matrices of 8 bits. It also rounds what it multiplies them by, which is not done here.
constexpr char kMicrosoft[] = "com.microsoft", kQuantizedLstm[] = "DynamicQuantizeLSTM";

struct Operator {
  const char* type;
  std::int32_t cell;
  std::size_t gates;
  std::size_t states;
  std::size_t activations;  // f of RNN, f and g of GRU, f, g and h of LSTM
};

const Operator& operator_of(const Node& node) {
  static constexpr Operator kOperators[] = {{"RNN", RNN_CELL_VANILLA, 1, 1, 1},
                                            {"GRU", RNN_CELL_GRU, 3, 1, 2},
                                            {"LSTM", RNN_CELL_LSTM, 4, 2, 3},
                                            {kQuantizedLstm, RNN_CELL_LSTM, 4, 2, 3}};
  return *std::find_if(std::begin(kOperators), std::end(kOperators),
                       [&](const Operator& o) { return node.type() == o.type; });
}

// The inputs' places.
enum Input : std::size_t {
  kX,
  kW,
  kR,
  kB,
  kLengths,
  kInitialH,
  kInitialC,
  kPeepholes,
  // Of DynamicQuantizeLSTM:
  kScaleW,
  kZeroW,
  kScaleR,
  kZeroR
};

// What is true of all directions of a node.
struct Settings {
  const Operator* op;
  std::size_t directions;
  bool reverse;  // one direction, backwards
  bool batch_first;
  std::uint32_t flags;
  Activations activations;
};

const formats::OnnxFunction& find_function(const std::string& name) {
  const auto lower = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  };
  std::string all;
  for (const formats::OnnxFunction& function : formats::kOnnxFunctions) {
    if (lower(name) == lower(function.name)) return function;
    all += (all.empty() ? "" : ", ") + std::string(function.name);
  }
  throw Error(RNN_UNSUPPORTED, "activations has %s; each must be one of %s", quote(name).c_str(),
              all.c_str());
}

// Both 0 would be the defaults. A function without beta is a relu where alpha is 0.
formats::Function with_numbers(const formats::OnnxFunction& named, float alpha, float beta) {
  if (!std::isfinite(alpha) || !std::isfinite(beta))
    throw Error(RNN_BAD_FORMAT,
                "activation_alpha and activation_beta of %s are %g and %g; they must be finite", named.name,
                static_cast<double>(alpha), static_cast<double>(beta));
  if (named.has_alpha && alpha == 0 && beta == 0) {
    if (named.has_beta)
      throw Error(RNN_UNSUPPORTED, "activation_alpha and activation_beta of %s are 0; one must not be",
                  named.name);
    return {RNN_ACTIVATION_RELU, 0, 0, {}};
  }
  return {named.activation, alpha, beta, {}};
}

// The functions of all directions, which must be the same. The numbers are those of the functions that have them,
// in their order; where they end, the others have their defaults.
std::vector<formats::Function> read_functions(const Node& node, const Settings& settings) {
  const std::vector<std::string> names = node.texts("activations");
  const std::vector<float> alphas = node.numbers("activation_alpha"), betas = node.numbers("activation_beta");
  const std::size_t each = settings.op->activations;
  if (!names.empty() && names.size() != each * settings.directions)
    throw Error(RNN_BAD_FORMAT, "activations has %zu names; it must have %zu", names.size(),
                each * settings.directions);
  std::vector<formats::Function> functions;
  std::size_t alpha = 0, beta = 0;
  for (const std::string& name : names) {
    const formats::OnnxFunction& named = find_function(name);
    const float a = named.has_alpha && alpha < alphas.size() ? alphas[alpha++] : named.alpha;
    const float b = named.has_beta && beta < betas.size() ? betas[beta++] : named.beta;
    functions.push_back(with_numbers(named, a, b));
  }
  for (std::size_t i = each; i < functions.size(); ++i)
    if (!(functions[i] == functions[i - each]))
      throw Error(RNN_UNSUPPORTED, "activations %s and %s of its directions differ; they must be the same",
                  quote(names[i - each]).c_str(), quote(names[i]).c_str());
  functions.resize(std::min(functions.size(), each));
  return functions;
}

Activations read_activations(const Node& node, const Settings& settings) {
  Activations activations;
  activations.clip = node.number("clip", 0);
  if (!(activations.clip >= 0) || !std::isfinite(activations.clip))
    throw Error(RNN_BAD_FORMAT, "clip is %g; it must be at least 0 and finite",
                static_cast<double>(activations.clip));
  activations.functions = read_functions(node, settings);
  return activations;
}

Settings read_settings(const Node& node) {
  node.check_attributes(
      "activation_alpha activation_beta activations clip direction hidden_size input_forget layout "
      "linear_before_reset ");
  Settings settings{&operator_of(node), 1, false, node.integer("layout", 0) != 0, 0, {}};
  const std::string direction = node.text("direction", "forward");
  if (direction == "bidirectional")
    settings.directions = 2;
  else if (direction == "reverse")
    settings.reverse = true;
  else if (direction != "forward")
    throw Error(RNN_BAD_FORMAT, "direction is %s; it must be forward, reverse or bidirectional",
                quote(direction).c_str());
  settings.activations = read_activations(node, settings);
  if (settings.op->cell == RNN_CELL_GRU && node.integer("linear_before_reset", 0) == 0)
    settings.flags |= RNN_FLAG_RESET_BEFORE;
  if (node.integer("input_forget", 0) != 0) {
    if (settings.op->cell != RNN_CELL_LSTM)
      throw Error(RNN_BAD_FORMAT, "input_forget is not 0; only an LSTM may have it");
    settings.flags |= RNN_FLAG_COUPLED_GATES;
  }
  return settings;
}

void expect_shape(const Constant& constant, const char* role, const Shape& shape) {
  if (constant.shape != shape)
    throw Error(RNN_BAD_FORMAT, "%s has shape %s; it must be %s", role, to_string(constant.shape).c_str(),
                to_string(shape).c_str());
}

const Constant& read_matrix(const Node& node, Input i, const char* role) {
  const Constant& constant = node.floats(i, role);
  if (constant.shape.size() != 3)
    throw Error(RNN_BAD_FORMAT, "%s has shape %s; it must have 3 axes", role,
                to_string(constant.shape).c_str());
  return constant;
}

// A matrix of DynamicQuantizeLSTM, [D, X, G*H] of integers, as LSTM has it. The scale is [D], or [D, G*H].
Constant read_quantized(const Node& node, Input i, Input scale_at, Input zero_at, const char* role,
                        Budget& budget) {
  const Constant &matrix = node.constant(i, role), &scale = node.floats(scale_at, "a scale");
  const Constant& zero = node.constant(zero_at, "a zero point");
  if (!matrix.integers || matrix.shape.size() != 3 || matrix.count() == 0)
    throw Error(RNN_BAD_FORMAT, "%s has shape %s; it must have 3 axes and integers", role,
                to_string(matrix.shape).c_str());
  const std::int64_t D = matrix.shape[0], columns = matrix.shape[2];
  const bool each = scale.shape == Shape{D, columns};
  if ((!each && scale.shape != Shape{D}) || zero.shape != scale.shape || !zero.integers)
    throw Error(RNN_BAD_FORMAT,
                "%s has shape %s, its scale %s and its zero point %s; they must be [%jd] or [%jd, %jd]", role,
                to_string(matrix.shape).c_str(), to_string(scale.shape).c_str(),
                to_string(zero.shape).c_str(), std::intmax_t{D}, std::intmax_t{D}, std::intmax_t{columns});
  // The findings of one axis, D * G*H or D.
  const auto flat = [](const Constant& constant) {
    return Constant{{static_cast<std::int64_t>(constant.count())}, constant.floats, constant.integers};
  };
  Constant rows = transpose(matrix, {0, 2, 1}, budget);
  const Shape shape = rows.shape;
  rows.shape = each ? Shape{D * columns, shape[2]} : Shape{D, columns * shape[2]};
  const Constant scales = flat(scale), zeros = flat(zero);
  Constant result = dequantize(rows, {scales, &zeros, 0}, budget);
  result.shape = shape;
  return result;
}

// Many nodes may read one large constant.
void take_constant(const Node& node, std::size_t i, Budget& budget) {
  const Value* value = node.optional_input(i);
  if (value != nullptr && std::holds_alternative<Constant>(*value))
    budget.take(std::get<Constant>(*value).count());
}

// A constant sequence_lens asks for the same of all sequences; ragged ones are given when a network is run.
void check_lengths(const Node& node, std::int64_t steps) {
  const Value* value = node.optional_input(kLengths);
  const Constant* lengths = value != nullptr ? std::get_if<Constant>(value) : nullptr;
  if (lengths == nullptr) {
    if (value != nullptr && std::get<Flow>(*value).content.stage != Stage::input)
      throw Error(RNN_UNSUPPORTED, "sequence_lens is computed; it must be constant or an input");
    return;
  }
  if (!lengths->integers) throw Error(RNN_BAD_FORMAT, "sequence_lens has floats; it must have integers");
  for (const std::int64_t n : *lengths->integers)
    if (n != lengths->integers->front() || (steps != kUnknown && n != kUnknown && n != steps))
      throw Error(RNN_UNSUPPORTED,
                  "sequence_lens has constants that differ from each other or from the steps");
}

// None if they are zero, as some exporters write them.
std::optional<Constant> read_peepholes(const Node& node, const Settings& settings, std::int64_t hidden_size) {
  if (settings.op->cell != RNN_CELL_LSTM || node.optional_input(kPeepholes) == nullptr) return std::nullopt;
  const Constant& peepholes = node.floats(kPeepholes, "P");
  expect_shape(peepholes, "P", {static_cast<std::int64_t>(settings.directions), 3 * hidden_size});
  const std::vector<float>& values = *peepholes.floats;
  if (std::all_of(values.begin(), values.end(), [](float v) { return v == 0; })) return std::nullopt;
  return peepholes;
}

// The same for all sequences, [D, 1, H]; none if it is zero or given when the graph is run.
std::optional<Constant> read_initial(const Node& node, Input i, const char* role, const Settings& settings,
                                     std::int64_t hidden_size) {
  const Value* value = node.optional_input(i);
  if (value == nullptr) return std::nullopt;
  if (const Flow* flow = std::get_if<Flow>(value)) {
    if (flow->content.stage != Stage::input)
      throw Error(RNN_UNSUPPORTED, "%s is computed; it must be constant or an input", role);
    return std::nullopt;
  }
  const Constant& given = node.floats(i, role);
  const auto D = static_cast<std::int64_t>(settings.directions);
  Shape shape = given.shape;
  const std::size_t batch = settings.batch_first ? 0 : 1;
  if (shape.size() == 3) shape[batch] = 1;
  Constant checked{shape, given.floats, nullptr};
  Shape expected = {D, 1, hidden_size};
  if (settings.batch_first) expected = {1, D, hidden_size};
  const std::size_t size = static_cast<std::size_t>(D) * static_cast<std::size_t>(hidden_size);
  const std::vector<float>& values = *given.floats;
  if (std::all_of(values.begin(), values.end(), [](float v) { return v == 0; })) return std::nullopt;
  expect_shape(checked, role, expected);
  const std::size_t sequences = values.size() / size, H = static_cast<std::size_t>(hidden_size);
  std::vector<float> first(size);
  for (std::size_t d = 0; d < static_cast<std::size_t>(D); ++d)
    for (std::size_t n = 0; n < sequences; ++n) {
      const float* row =
          &values[(settings.batch_first ? n * static_cast<std::size_t>(D) + d : d * sequences + n) * H];
      if (n == 0) std::copy_n(row, H, &first[d * H]);
      if (!std::equal(row, row + H, &first[d * H]))
        throw Error(RNN_UNSUPPORTED, "%s differs between sequences; it must be the same for all", role);
    }
  return Constant{{D, 1, hidden_size}, std::make_shared<const std::vector<float>>(std::move(first)), nullptr};
}

// ---- What it reads ----

const Flow& read_x(const Node& node, const Settings& settings, std::int64_t input_size, Findings& findings) {
  const Flow* x = std::get_if<Flow>(&node.input(kX));
  if (x == nullptr)
    throw Error(RNN_UNSUPPORTED, "X is constant; it must be the graph's input or a layer's output");
  const Content& content = x->content;
  if (content.opaque || content.last)
    throw Error(RNN_UNSUPPORTED, "X is a part, or of the last step only; it must be a whole sequence");
  if (x->axes.size() != 3) throw Error(RNN_UNSUPPORTED, "X has %zu axes; it must have 3", x->axes.size());
  check_axes(*x, settings.batch_first ? Shape{1, 0, 2} : Shape{0, 1, 2}, findings);
  if (!is_whole(*x)) throw Error(RNN_UNSUPPORTED, "X has zeros before or steps behind the sequence");
  const std::int64_t features = x->axes[2].size;
  if (features != kUnknown && features != input_size)
    throw Error(RNN_BAD_FORMAT, "X has %jd features; W reads %jd", std::intmax_t{features},
                std::intmax_t{input_size});
  return *x;
}

// ---- What it makes ----

// Y, Y_h and Y_c.
Outputs make_outputs(const Flow& x, const Settings& settings, std::int64_t hidden_size, std::size_t first) {
  Content content;
  content.stage = Stage::hidden;
  content.source = x.content.source;
  for (std::size_t d = 0; d < settings.directions; ++d)
    content.strands.push_back({first + d, settings.reverse || d == 1});
  const std::size_t time = settings.batch_first ? 1 : 0, batch = 1 - time;
  const Axis steps{Kind::time, x.axes[time].size}, sequences{Kind::batch, x.axes[batch].size};
  const Axis direction = settings.directions == 2 ? Axis{Kind::direction, 2} : Axis{Kind::unit, 1};
  const Axis features{Kind::features, hidden_size};
  Flow y{content, {steps, direction, sequences, features}};
  if (settings.batch_first) y.axes = {sequences, steps, direction, features};
  content.last = true;
  Flow h{content, {direction, sequences, features}};
  if (settings.batch_first) h.axes = {sequences, direction, features};
  return {y, h, make_opaque(h)};
}

}  // namespace

bool is_recurrent(const std::string& domain, const std::string& type) {
  if (domain == kMicrosoft) return type == kQuantizedLstm;
  return (domain.empty() || domain == "ai.onnx") && (type == "RNN" || type == "GRU" || type == "LSTM");
}

Outputs read_recurrent(const Node& node, Findings& findings, Budget& budget) {
  const Settings settings = read_settings(node);
  const bool quantized = node.type() == kQuantizedLstm;
  const Constant input =
      quantized ? read_quantized(node, kW, kScaleW, kZeroW, "W", budget) : read_matrix(node, kW, "W");
  const Constant recurrent =
      quantized ? read_quantized(node, kR, kScaleR, kZeroR, "R", budget) : read_matrix(node, kR, "R");
  const std::int64_t hidden_size = recurrent.shape[2], input_size = input.shape[2];
  const std::int64_t stated = node.integer("hidden_size", hidden_size);
  const bool contradictory = stated != hidden_size || hidden_size < 1 || input_size < 1;
  if (contradictory || hidden_size > kMaxSize || input_size > kMaxClasses)
    throw Error(contradictory ? RNN_BAD_FORMAT : RNN_UNSUPPORTED,
                "hidden_size is %jd, W has shape %s and R %s; the last axis of W must be 1..%d, that of R "
                "hidden_size, 1..%d",
                std::intmax_t{stated}, to_string(input.shape).c_str(), to_string(recurrent.shape).c_str(),
                kMaxClasses, kMaxSize);
  const auto D = static_cast<std::int64_t>(settings.directions);
  const std::int64_t rows = static_cast<std::int64_t>(settings.op->gates) * hidden_size;
  expect_shape(input, "W", {D, rows, input_size});
  expect_shape(recurrent, "R", {D, rows, hidden_size});
  const Flow& x = read_x(node, settings, input_size, findings);
  for (const std::size_t i : {kLengths, kInitialH, kInitialC, kPeepholes}) take_constant(node, i, budget);
  check_lengths(node, x.axes[settings.batch_first ? 1 : 0].size);

  GraphStrand strand{node.label(),
                     settings.op->cell,
                     settings.flags,
                     settings.activations,
                     settings.op->gates,
                     hidden_size,
                     input_size,
                     0,
                     input,
                     recurrent,
                     std::nullopt,
                     read_peepholes(node, settings, hidden_size),
                     {},
                     x.content};
  if (strand.peepholes) strand.flags |= RNN_FLAG_PEEPHOLES;
  if (node.optional_input(kB) != nullptr) {
    strand.bias = node.floats(kB, "B");
    expect_shape(*strand.bias, "B", {D, 2 * rows});
  }
  strand.states[0] = read_initial(node, kInitialH, "initial_h", settings, hidden_size);
  if (settings.op->states == 2)
    strand.states[1] = read_initial(node, kInitialC, "initial_c", settings, hidden_size);
  const std::size_t first = findings.strands.size();
  for (; strand.direction < settings.directions; ++strand.direction) findings.strands.push_back(strand);

  Outputs outputs = make_outputs(x, settings, hidden_size, first);
  outputs.resize(1 + settings.op->states);
  return outputs;
}

}  // namespace rnn::onnx_import
