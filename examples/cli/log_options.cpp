#include "log_options.h"

#include <charconv>
#include <cstdlib>
#include <stdexcept>

namespace {

// The shortest number that is the same float.
double shortest(float value) {
  char text[32];
  *std::to_chars(text, text + sizeof text - 1, value).ptr = '\0';
  return std::strtod(text, nullptr);
}

// Call visit(name, field) for each field that the weights at the beginning, or an update, depend on.
template <class Given, class Visit>
void visit_shape(Given& shape, const Visit& visit) {
  visit("cell", shape.cell);
  visit("compute", shape.compute);
  visit("hidden", shape.hidden);
  visit("layers", shape.layers);
  visit("embedding", shape.embedding);
  visit("projection", shape.projection);
  visit("residual", shape.residual);
  visit("layer_norm", shape.layer_norm);
  visit("peepholes", shape.peepholes);
  visit("coupled", shape.coupled);
  visit("layer_list", shape.list);
}

template <class Given, class Visit>
void visit_options(Given& train, const Visit& visit) {
  visit("seed", train.shape.seed);
  visit("batch", train.batch);
  visit("window", train.window);
  visit("lanes", train.lanes);
  visit("learning_rate", train.learning_rate);
  visit("weight_decay", train.weight_decay);
  visit("dropout", train.dropout);
  visit("output_dropout", train.output_dropout);
  visit("recurrent_dropout", train.recurrent_dropout);
  visit("average", train.average);
  visit("label_smoothing", train.label_smoothing);
  visit("skip_not_finite", train.skip_not_finite);
  visit("schedule", train.schedule);
  visit("schedule_factor", train.schedule_factor);
  visit("schedule_updates", train.schedule_updates);
  visit("schedule_start", train.schedule_start);
  visit("schedule_by_epoch", train.schedule_by_epoch);
}

struct Put {
  Json& to;

  void operator()(const char* name, const float& value) const { to[name] = shortest(value); }
  template <class T>
  void operator()(const char* name, const T& value) const {
    to[name] = value;
  }
};

struct Get {
  const Json& from;

  template <class T>
  void operator()(const char* name, T& value) const {
    try {
      from.at(name).get_to(value);
    } catch (const Json::exception&) {
      throw std::runtime_error(std::string("the first line of the log has no ") + name +
                               ", or another kind of value");
    }
  }
};

// The rest is checked by whom it is given to.
void check(const char* name, bool is_right) {
  if (!is_right)
    throw std::runtime_error(std::string("the first line of the log has another kind of ") + name);
}

}  // namespace

Json log_options_of(const Train& train, const Vocabulary& vocabulary, const CharacterPlan& plan) {
  Json options = {
      {"rnn", rnn_version()}, {"updates", plan.updates}, {"held_out", held_out(train.validation)}};
  visit_options(train, Put{options});
  if (train.init.empty() && train.resume.empty()) visit_shape(train.shape, Put{options["shape"]});
  options["vocabulary"] = Json::parse(vocabulary.json());
  return options;
}

LoggedTraining::LoggedTraining(const Json& options) {
  const Get get{options};
  get("rnn", version);
  get("updates", updates);
  get("held_out", held_out);
  visit_options(train, get);
  check("updates", updates >= 1 && updates <= kMostUpdates);
  check("held_out", held_out >= 0 && held_out < 1);
  check("batch", train.batch >= 1 && train.batch <= 65536);
  check("window", train.window >= 1);
  check("vocabulary", options.contains("vocabulary"));
  vocabulary = options["vocabulary"];
  has_shape = options.contains("shape");
  if (has_shape) visit_shape(train.shape, Get{options["shape"]});
}
