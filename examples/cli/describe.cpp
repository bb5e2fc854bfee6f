// rnn describe: what a step of a model costs, and that it depends on no number.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "../model_file.h"
#include "common.h"
#include "step_trace.h"

namespace {

struct Describe {
  std::string path;
  std::uint32_t inputs = 16;
  bool indices = false;
  bool json = false;
};

// What the products of a step multiply, and what it reads: matrices as they are computed with, without padding.
struct Work {
  std::uint64_t values = 0;  // of all parameters
  std::uint64_t multiply_adds = 0;
  std::uint64_t bytes = 0;  // of weights and states
};

// "weight_ih_l0", "layers.2.weight", "head.weight": what multiplies a vector.
bool is_matrix(const std::string& name) {
  const std::size_t point = name.rfind('.');
  return name.compare(point == name.npos ? 0 : point + 1, 6, "weight") == 0;
}

// The matrix that reads the inputs of the network.
bool reads_inputs(const std::string& name) {
  return name == "weight_ih_l0" || name == "layers.0.weight_ih" || name == "layers.0.weight";
}

Work work_of(const rnn::Network& network, bool indices) {
  const rnn_config_t config = network.config();
  const std::uint64_t matrix_bytes = config.compute == RNN_COMPUTE_F32    ? 4
                                     : config.compute == RNN_COMPUTE_INT8 ? 1
                                                                          : 2;
  Work work;
  for (std::size_t i = 0; i < network.parameter_count(); ++i) {
    const rnn_parameter_t p = network.parameter(i);
    const std::string name = p.name;
    const std::uint64_t count = std::uint64_t{p.rows} * p.columns;
    work.values += count;
    if (name == "embedding.weight") {  // one row of it; all of it, if it is the head's matrix, too
      work.bytes += 4 * p.columns;
      if ((config.flags & RNN_FLAG_TIED_HEAD) == 0) continue;
      work.multiply_adds += count;
      work.bytes += matrix_bytes * count;
    } else if (is_matrix(name)) {
      const bool is_gathered = indices && config.embedding_size == 0 && reads_inputs(name);
      if (!is_gathered) work.multiply_adds += count;
      work.bytes +=
          matrix_bytes * (is_gathered ? count / static_cast<std::uint64_t>(config.input_size) : count);
      if (config.compute == RNN_COMPUTE_INT8) work.bytes += 4 * p.rows;  // scales
    } else if (name.find("initial_") == name.npos) {
      work.bytes += 4 * count;
    }
  }
  work.bytes += 4 * network.state_size();
  return work;
}

// What is counted: nothing where instructions cannot be.
struct Counted {
  std::uint64_t least = 0, most = 0;  // of ordinary inputs: a convolution's depend on where its past stands
  std::uint32_t others = 0;           // inputs that took other instructions than an ordinary one
};

class Steps {
 public:
  Steps(const rnn::Network& network, bool indices)
      : network_(network),
        indices_(indices),
        inputs_(static_cast<std::size_t>(network.config().input_size)),
        y_(network.output_size()) {}

  std::optional<std::size_t> stack() {
    rnn::Network stream = network_.fork();
    std::size_t most = 0;
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::vector<float> x = ordinary_numbers(inputs_, i);
      const std::optional<std::size_t> written = stack_of_step(stream.get(), pointer(x), index(i), y_.data());
      if (!written) return std::nullopt;
      most = std::max(most, *written);
    }
    return most;
  }

  // On one stream, from one reset to the next, since a NaN stays: what the first inputs take, which are ordinary, each
  // of the unusual ones takes in its place.
  std::optional<Counted> count(std::uint32_t inputs) {
    constexpr std::uint32_t kCycle = 4;
    rnn::Network stream = network_.fork();
    StepTrace ordinary[kCycle];
    Counted counted;
    for (std::uint32_t i = 0; i < kCycle + inputs; ++i) {
      if (i % kCycle == 0) stream.reset();
      const std::optional<StepTrace> found = trace(stream, i >= kCycle ? i - kCycle : i, i >= kCycle);
      if (!found) return std::nullopt;
      StepTrace& expected = ordinary[i % kCycle];
      if (i >= kCycle) {
        if (found->path != expected.path) ++counted.others;
        continue;
      }
      expected = *found;
      counted.least = i == 0 ? found->instructions : std::min(counted.least, found->instructions);
      counted.most = std::max(counted.most, found->instructions);
    }
    return counted;
  }

 private:
  const float* pointer(const std::vector<float>& x) const { return indices_ ? nullptr : x.data(); }
  std::int32_t index(std::uint32_t i) const { return static_cast<std::int32_t>(i % inputs_); }
  // An index cannot be unusual; a state can, but has to be finite.
  std::optional<StepTrace> trace(rnn::Network& stream, std::uint32_t number, bool unusual) {
    const auto numbers = [&](std::size_t size) {
      return unusual ? unusual_numbers(size, number) : ordinary_numbers(size, number);
    };
    std::vector<float> state = numbers(stream.state_size());
    for (float& value : state)
      if (!std::isfinite(value)) value = 3e38f;
    if (indices_ && !state.empty()) stream.set_state(state);
    return trace_step(stream.get(), pointer(numbers(inputs_)), index(7 * number), y_.data());
  }

  const rnn::Network& network_;
  const bool indices_;
  const std::size_t inputs_;
  std::vector<float> y_;
};

void print_text(const Json& found, const std::optional<Counted>& counted) {
  for (const auto& [key, value] : found.items())
    if (value.is_string() || (value.is_number() && key.rfind("inputs", 0) != 0))
      print("%-14s %s\n", key.c_str(),
            (value.is_string() ? one_line(value.get<std::string>()) : value.dump()).c_str());
  if (!counted) return print("instructions   cannot be counted on this CPU\n");
  std::string number = std::to_string(counted->least);
  if (counted->most != counted->least)
    number += ".." + std::to_string(counted->most) + ", by where the past of a convolution stands";
  print("instructions   %s\n", number.c_str());
  const std::string inputs = std::to_string(found["inputs"].get<std::uint32_t>());
  if (counted->others == 0)
    print("               the same ones for %s inputs: subnormals, infinities, NaN, what saturates\n",
          inputs.c_str());
  else
    print("               others for %u of %s inputs: subnormals, infinities, NaN, what saturates\n",
          counted->others, inputs.c_str());
}

void run(const Describe& describe) {
  const rnn::Network network = rnn::Network::load(describe.path);
  const rnn_config_t config = network.config();
  const bool indices =
      describe.indices || config.embedding_size != 0 || has_metadata(network, kVocabularyKey);
  const Work work = work_of(network, indices);
  Json found = {{"file", describe.path},     {"network", summary(config)},
                {"isa", rnn_isa()},          {"input", indices ? "an index" : "a vector"},
                {"parameters", work.values}, {"multiply_adds", work.multiply_adds},
                {"bytes_read", work.bytes}};
  Steps steps(network, indices);
  const std::optional<std::size_t> stack = steps.stack();
  found["stack_bytes"] = stack ? Json(*stack) : Json();
  const std::optional<Counted> counted = steps.count(describe.inputs);
  found["instructions"] = counted ? Json{counted->least, counted->most} : Json();
  found["inputs"] = describe.inputs;
  found["inputs_that_differ"] = counted ? Json(counted->others) : Json();
  describe.json ? print(found) : print_text(found, counted);
}

}  // namespace

void add_describe(CLI::App& program) {
  const auto describe = std::make_shared<Describe>();
  CLI::App& command = *program.add_subcommand("describe", "Say what a step of a model costs");
  command.footer(
      "The products' multiply-adds, the bytes of weights and states that are read, of the stack that is "
      "written,\n"
      "and the instructions of rnn_step, for which the CPU stops after each of them (x86-64). These are the\n"
      "same ones for all numbers, so the time of a step does not tell them: inputs are compared with "
      "ordinary\n"
      "ones. Of a network that reads indices it is states that are unusual.\n"
      "\n"
      "Example:\n"
      "  rnn describe model.safetensors");
  command.add_option("model", describe->path, "A model's file")->required()->type_name("FILE");
  command.add_option("--inputs", describe->inputs, "How many inputs to count the instructions for")
      ->check(whole_number(1, 1 << 20))
      ->capture_default_str();
  command.add_flag("--indices", describe->indices, "An input is an index, not a vector");
  add_json_flag(command, describe->json);
  command.callback([describe] { run(*describe); });
}
