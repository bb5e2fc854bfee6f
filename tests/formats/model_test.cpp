// Networks of other libraries as a Model: what is built, and what is refused.
#include "lib/formats/model.h"

#include <cmath>

#include "lib/network/error.h"
#include "tests/formats/formats_test.h"

namespace rnn {
namespace {

// h = tanh(x + b), y = 2 h.
Model model() {
  Model model;
  model.config.input_size = model.config.hidden_size = model.config.output_size = 1;
  model.parameters = {{"weight_ih_l0", {1}},
                      {"weight_hh_l0", {0}},
                      {"bias_ih_l0", {0.25f}},
                      {"head.weight", {2}},
                      {"head.bias", {0}}};
  model.metadata = {{"sample_rate", "48000"}};
  return model;
}

std::string refusal(const Model& model) {
  try {
    build(model, Allocator());
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), RNN_BAD_FORMAT);
    return error.what();
  }
  return "accepted";
}

TEST(Model, MetadataBecomeTheWeights) {
  const WeightsRef weights = build(model(), Allocator());
  EXPECT_STREQ(weights->metadata().find("sample_rate"), "48000");
  Model bad = model();
  bad.metadata["note"] = "\xff";
  EXPECT_EQ(refusal(bad), "metadata \"note\": value is not UTF-8 text: byte 0 is 0xff");
  bad = model();
  bad.metadata["note"] = std::string("a\0b", 3);
  EXPECT_EQ(refusal(bad), "metadata \"note\": value is not UTF-8 text: byte 1 is 0x00");
}

TEST(Model, MayNotSpeakForTheLibrary) {
  Model bad = model();
  bad.metadata["rnn.cell"] = "gru";
  EXPECT_EQ(refusal(bad), "metadata \"rnn.cell\": key begins with \"rnn.\"; such keys are the library's own");
}

TEST(Model, MustGiveWhatItsProbeSays) {
  Model with = model();
  with.probe = Probe{{0.25f, -0.25f}, {}, {2 * std::tanh(0.5f), 0}};
  EXPECT_EQ(refusal(with), "accepted");
  with.probe->outputs[1] = 0.001f;
  EXPECT_EQ(refusal(with), "probe: step 1, the output: found 0, expected 0.001, within 0.0001");
  with.probe = Probe{{}, {0, 0}, {2 * std::tanh(1.25f), 2 * std::tanh(1.25f)}};
  EXPECT_EQ(refusal(with), "accepted") << "one-hot";
  with.probe->indices[1] = 1;
  EXPECT_EQ(refusal(with), "probe: an index is 1; it must be 0..0");
}

}  // namespace
}  // namespace rnn
