// What a list of layers may not be.
#include <cmath>
#include <limits>
#include <string>

#include "common.h"
#include "layers.h"

namespace {

void expect_refused(const rnn_config_t& c, const char* text) {
  rnn_t* const untouched = reinterpret_cast<rnn_t*>(8);
  rnn_t* out = untouched;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn_create: config." + std::string(text), rnn_create(&c, &out));
  EXPECT_EQ(out, untouched);
}
void expect_refused(const Layers& layers, const char* text) { expect_refused(list(3, layers), text); }

TEST(Layers, RefuseCounts) {
  rnn_config_t c = small_list();
  c.layer_count = 0;
  expect_refused(c, "layer_count is 0; it must be 1..256 with layers");
  expect_refused(Layers(257, dense_layer(2)), "layer_count is 257; it must be 1..256 with layers");
  EXPECT_NE(create(list(3, Layers(256, dense_layer(2)))), nullptr);
  c = config(3, 4, 2);
  c.layer_count = 1;
  expect_refused(c, "layers is NULL and layer_count is 1; it must then be 0");
  c = sized<rnn_config_t>();
  c.input_size = 3;
  c.layer_count = 1;
  expect_refused(c, "layers is NULL and layer_count is 1; it must then be 0");
}

TEST(Layers, RefuseSizesOfTheStruct) {
  for (const size_t size : {size_t{0}, size_t{44}, size_t{65537}}) {
    Layers layers(2, dense_layer(4));
    layers[0].struct_size = size;
    expect_refused(layers,
                   ("layers[0].struct_size is " + std::to_string(size) + "; it must be 48..").c_str());
    if (size == 0) continue;
    layers = Layers(2, dense_layer(4));
    layers[1].struct_size = size;
    expect_refused(layers, ("layers[1].struct_size is " + std::to_string(size)).c_str());
  }
  Layers layers(2, dense_layer(4));
  layers.push_back(rnn_layer_t());
  rnn_config_t c = list(3, layers);
  c.layer_count = 2;
  Layers unequal(2, dense_layer(4));
  unequal[1].struct_size = sizeof(rnn_layer_t) + 8;
  unequal.push_back(rnn_layer_t());  // whose first bytes are those of the one before
  c = list(3, unequal);
  c.layer_count = 2;
  const std::string text = "layers[1].struct_size is " + std::to_string(sizeof(rnn_layer_t) + 8) +
                           ", and that of [0] is " + std::to_string(sizeof(rnn_layer_t)) +
                           "; they must be the same";
  expect_refused(c, text.c_str());
}

TEST(Layers, RefuseEachField) {
  const rnn_layer_t dense = dense_layer(4), lstm = cell_layer(RNN_CELL_LSTM, 4);
  // In the middle, so that the message has to count.
  const auto in_the_middle = [&](const rnn_layer_t& layer) { return Layers{dense, layer, dense}; };
  const auto with = [](rnn_layer_t layer, auto change) {
    change(layer);
    return layer;
  };
  for (const int32_t kind : {-1, 0, 63, 99}) {
    const std::string text = "layers[1].kind is " + std::to_string(kind) +
                             "; it must be 1 (RNN_CELL_VANILLA), 2 (RNN_CELL_GRU), 3 (RNN_CELL_LSTM), ";
    expect_refused(in_the_middle(with(dense, [&](auto& l) { l.kind = kind; })), text.c_str());
  }
  for (const rnn_layer_t& layer : {dense, lstm}) {
    for (const int32_t size : {-1, 0, 65537}) {
      const std::string text = "layers[1].size is " + std::to_string(size) + "; it must be 1..65536";
      expect_refused(in_the_middle(with(layer, [&](auto& l) { l.size = size; })), text.c_str());
    }
    for (const int32_t direction : {-1, 4}) {
      const std::string text = "layers[1].direction is " + std::to_string(direction);
      expect_refused(in_the_middle(with(layer, [&](auto& l) { l.direction = direction; })), text.c_str());
    }
    for (const int32_t activation : {-1, 16}) {
      const std::string text = "layers[1].activation is " + std::to_string(activation);
      expect_refused(in_the_middle(with(layer, [&](auto& l) { l.activation = activation; })), text.c_str());
    }
    const float nan = std::numeric_limits<float>::quiet_NaN(),
                infinity = std::numeric_limits<float>::infinity();
    for (const float number : {nan, infinity, -infinity}) {
      expect_refused(in_the_middle(with(layer, [&](auto& l) { l.alpha = number; })), "layers[1].alpha is");
      expect_refused(in_the_middle(with(layer, [&](auto& l) { l.beta = number; })), "layers[1].beta is");
    }
    for (const uint32_t flag : {uint32_t{RNN_FLAG_BIDIRECTIONAL}, uint32_t{RNN_FLAG_TIED_HEAD}, 512u}) {
      const std::string text = "layers[1].flags is " + std::to_string(flag) + "; it must be 0 or a sum of";
      expect_refused(in_the_middle(with(layer, [&](auto& l) { l.flags = flag; })), text.c_str());
    }
  }
  rnn_config_t c = config(3, 4, 2);
  c.cell = RNN_LAYER_DENSE;
  expect_refused(c, "cell is 64");
  // A head may be wider than other layers.
  expect_refused({dense, dense_layer(1048577)}, "layers[1].size is 1048577; it must be 1..1048576");
  expect_refused({dense, dense_layer(65537, RNN_ACTIVATION_TANH)},
                 "layers[1].size is 65537; it must be 1..65536");
  expect_refused({dense_layer(65537)}, "layers[0].size is 65537; it must be 1..65536");
  EXPECT_NE(create(list(1, {dense_layer(1), dense_layer(1048576)})), nullptr);
}

TEST(Layers, RefuseWindows) {
  rnn_layer_t conv = dense_layer(4);
  conv.kind = RNN_LAYER_CONV1D;
  conv.kernel_size = 3;
  conv.dilation = 2;
  const auto with = [&](int32_t kernel_size, int32_t dilation) {
    rnn_layer_t layer = conv;
    layer.kernel_size = kernel_size;
    layer.dilation = dilation;
    return Layers{dense_layer(256), layer};
  };
  EXPECT_NE(create(list(3, with(3, 2))), nullptr);
  EXPECT_NE(create(list(3, with(1, 65536))), nullptr);
  for (const int32_t value : {-1, 0, 65537}) {
    const std::string is = std::to_string(value) + "; it must be 1..65536";
    expect_refused(with(value, 2), ("layers[1].kernel_size is " + is).c_str());
    expect_refused(with(3, value), ("layers[1].dilation is " + is).c_str());
  }
  expect_refused(with(3, 65536),
                 "layers[1].kernel_size is 3, layers[1].dilation 65536, and the layer has 256 inputs");
  Layers wide = with(257, 1);
  wide[0].size = 65536;
  expect_refused(wide, "layers[1].kernel_size is 257 and the layer has 65536 inputs");
  for (rnn_layer_t layer : {dense_layer(4), cell_layer(RNN_CELL_LSTM, 4)}) {
    layer.kernel_size = 2;
    expect_refused({dense_layer(4), layer}, "layers[1].kernel_size is 2 and layers[1].kind is");
    layer.kernel_size = 0;
    layer.dilation = 1;
    expect_refused({dense_layer(4), layer}, "layers[1].dilation is 1 and layers[1].kind is");
  }
}

TEST(Layers, RefuseWhatTheKindDoesNotHave) {
  const rnn_layer_t dense = dense_layer(4), vanilla = cell_layer(RNN_CELL_VANILLA, 4),
                    gru = cell_layer(RNN_CELL_GRU, 4), lstm = cell_layer(RNN_CELL_LSTM, 4);
  const auto with = [](rnn_layer_t layer, auto change) {
    change(layer);
    return Layers{dense_layer(4), layer};
  };
  for (const int32_t kind : {RNN_CELL_MIN_GRU, RNN_CELL_MIN_LSTM})
    expect_refused(with(cell_layer(kind, 4), [](auto& l) { l.activation = RNN_ACTIVATION_TANH; }),
                   "layers[1].activation is 1 and layers[1].kind is");
  for (const int32_t direction : {RNN_DIRECTION_REVERSE, RNN_DIRECTION_BOTH, RNN_DIRECTION_SUM})
    expect_refused(with(dense, [&](auto& l) { l.direction = direction; }), "layers[1].direction is");
  for (const rnn_layer_t& layer : {dense, vanilla, gru})
    expect_refused(with(layer, [](auto& l) { l.projection_size = 2; }), "layers[1].projection_size is 2");
  for (const int32_t size : {-1, 4, 5}) {
    const std::string text = "layers[1].projection_size is " + std::to_string(size) +
                             "; it must be 0..3, less than layers[1].size";
    expect_refused(with(lstm, [&](auto& l) { l.projection_size = size; }), text.c_str());
  }
  for (const rnn_layer_t& layer : {dense, gru, lstm})
    expect_refused(with(layer, [](auto& l) { l.flags = RNN_FLAG_RELU; }), "layers[1].flags");
  for (const rnn_layer_t& layer : {dense, vanilla, lstm})
    expect_refused(with(layer, [](auto& l) { l.flags = RNN_FLAG_RESET_BEFORE; }), "layers[1].flags");
  for (const rnn_layer_t& layer : {dense, vanilla, gru})
    for (const uint32_t flag : {RNN_FLAG_PEEPHOLES, RNN_FLAG_COUPLED_GATES})
      expect_refused(with(layer, [&](auto& l) { l.flags = flag; }), "layers[1].flags");
  expect_refused(with(dense, [](auto& l) { l.flags = RNN_FLAG_LAYER_NORM; }), "layers[1].flags is 32");
  expect_refused(with(cell_layer(RNN_CELL_MIN_GRU, 4), [](auto& l) { l.flags = RNN_FLAG_LAYER_NORM; }),
                 "layers[1].flags has RNN_FLAG_LAYER_NORM");
  expect_refused(with(gru, [](auto& l) { l.flags = RNN_FLAG_LAYER_NORM | RNN_FLAG_RESET_BEFORE; }),
                 "layers[1].flags has both RNN_FLAG_RESET_BEFORE and RNN_FLAG_LAYER_NORM");
  for (int32_t f = RNN_ACTIVATION_NONE; f <= RNN_ACTIVATION_THRESHOLDED_RELU; ++f) {
    const bool has_beta =
        f == RNN_ACTIVATION_HARD_SIGMOID || f == RNN_ACTIVATION_AFFINE || f == RNN_ACTIVATION_SCALED_TANH;
    const bool has_alpha = has_beta || f == RNN_ACTIVATION_ELU || f == RNN_ACTIVATION_LEAKY_RELU ||
                           f == RNN_ACTIVATION_THRESHOLDED_RELU;
    const Layers alpha = with(dense_layer(4, f), [](auto& l) { l.alpha = 0.5f; });
    const Layers beta = with(dense_layer(4, f), [](auto& l) { l.beta = 0.5f; });
    if (has_alpha)
      EXPECT_NE(create(list(3, alpha)), nullptr) << f;
    else
      expect_refused(alpha, "layers[1].alpha is 0.5");
    if (has_beta)
      EXPECT_NE(create(list(3, beta)), nullptr);
    else
      expect_refused(beta, "layers[1].beta is 0.5");
  }
  expect_refused(with(gru, [](auto& l) { l.alpha = 0.5f; }), "layers[1].alpha is 0.5");
}

TEST(Layers, RefuseActivationsThatACellDoesNotHave) {
  const rnn_layer_t dense = dense_layer(4), conv = [] {
    rnn_layer_t layer = dense_layer(4);
    layer.kind = RNN_LAYER_CONV1D;
    layer.kernel_size = layer.dilation = 1;
    return layer;
  }();
  const rnn_layer_t vanilla = cell_layer(RNN_CELL_VANILLA, 4), gru = cell_layer(RNN_CELL_GRU, 4),
                    lstm = cell_layer(RNN_CELL_LSTM, 4), mingru = cell_layer(RNN_CELL_MIN_GRU, 4),
                    minlstm = cell_layer(RNN_CELL_MIN_LSTM, 4);
  const auto with = [](rnn_layer_t layer, auto change) {
    change(layer);
    return Layers{dense_layer(4), layer};
  };
  for (const rnn_layer_t& layer : {dense, conv, mingru, minlstm, vanilla})
    expect_refused(with(layer, [](auto& l) { l.gate_activation = RNN_ACTIVATION_TANH; }),
                   "layers[1].gate_activation is 1 and layers[1].kind is");
  for (const rnn_layer_t& layer : {dense, conv, mingru, minlstm, vanilla, gru})
    expect_refused(with(layer, [](auto& l) { l.output_activation = RNN_ACTIVATION_TANH; }),
                   "layers[1].output_activation is 1 and layers[1].kind is");
  for (const rnn_layer_t& layer : {dense, conv, mingru, minlstm})
    expect_refused(with(layer, [](auto& l) { l.clip = 1; }), "layers[1].clip is 1 and layers[1].kind is");
  expect_refused(with(gru, [](auto& l) { l.clip = -1; }),
                 "layers[1].clip is -1; it must be at least 0 and finite");
  expect_refused(with(gru, [](auto& l) { l.clip = NAN; }), "layers[1].clip is nan; it must be");
  expect_refused(with(gru, [](auto& l) { l.clip = INFINITY; }), "layers[1].clip is inf; it must be");
  for (const rnn_layer_t& layer : {dense, conv, mingru, minlstm})
    expect_refused(with(layer, [](auto& l) { l.zoneout_h = 0.5f; }),
                   "layers[1].zoneout_h is 0.5 and layers[1].kind is");
  for (const rnn_layer_t& layer : {dense, conv, mingru, minlstm, vanilla, gru})
    expect_refused(with(layer, [](auto& l) { l.zoneout_c = 0.5f; }),
                   "layers[1].zoneout_c is 0.5 and layers[1].kind is");
  for (const float rate : {-0.5f, 1.0f, INFINITY, NAN}) {
    expect_refused(with(lstm, [&](auto& l) { l.zoneout_h = rate; }), "layers[1].zoneout_h is");
    expect_refused(with(lstm, [&](auto& l) { l.zoneout_c = rate; }), "layers[1].zoneout_c is");
  }
  expect_refused(with(lstm, [](auto& l) { l.zoneout_c = 1; }),
                 "layers[1].zoneout_c is 1; it must be at least 0 and less than 1");
  for (const int32_t f : {RNN_ACTIVATION_SOFTMAX, RNN_ACTIVATION_PRELU}) {
    const std::string text =
        "is " + std::to_string(f) + " and layers[1].kind is 3, a cell; it must then be neither";
    expect_refused(with(lstm, [&](auto& l) { l.activation = f; }), ("layers[1].activation " + text).c_str());
    expect_refused(with(lstm, [&](auto& l) { l.gate_activation = f; }),
                   ("layers[1].gate_activation " + text).c_str());
    expect_refused(with(lstm, [&](auto& l) { l.output_activation = f; }),
                   ("layers[1].output_activation " + text).c_str());
  }
  for (const int32_t f : {-1, 16}) {
    const std::string text = " is " + std::to_string(f) + "; it must be 0..15";
    expect_refused(with(lstm, [&](auto& l) { l.activation = f; }), ("layers[1].activation" + text).c_str());
    expect_refused(with(lstm, [&](auto& l) { l.gate_activation = f; }),
                   ("layers[1].gate_activation" + text).c_str());
    expect_refused(with(lstm, [&](auto& l) { l.output_activation = f; }),
                   ("layers[1].output_activation" + text).c_str());
  }
  expect_refused(with(lstm, [](auto& l) { l.reserved = 1; }), "layers[1].reserved is 1; it must be 0");
  expect_refused(with(lstm, [](auto& l) { l.gate_alpha = 2; }),
                 "layers[1].gate_alpha is 2 and layers[1].gate_activation is 0, which has none");
  expect_refused(with(lstm, [](auto& l) { l.output_beta = 2; }),
                 "layers[1].output_beta is 2 and layers[1].output_activation is 0, which has none");
  expect_refused(with(lstm,
                      [](auto& l) {
                        l.gate_activation = RNN_ACTIVATION_AFFINE;
                        l.gate_beta = NAN;
                      }),
                 "layers[1].gate_beta is nan; it must be finite");
  expect_refused(with(vanilla,
                      [](auto& l) {
                        l.activation = RNN_ACTIVATION_TANH;
                        l.flags = RNN_FLAG_RELU;
                      }),
                 "layers[1].activation is 1 and layers[1].flags has RNN_FLAG_RELU; it may have one");
}

// Activations that the cell has anyway make no other network.
TEST(Layers, FoldTheActivationsOfACell) {
  for (const int32_t kind : {RNN_CELL_VANILLA, RNN_CELL_GRU, RNN_CELL_LSTM}) {
    rnn_layer_t layer = cell_layer(kind, 4);
    layer.activation = RNN_ACTIVATION_TANH;
    if (kind != RNN_CELL_VANILLA) layer.gate_activation = RNN_ACTIVATION_SIGMOID;
    if (kind == RNN_CELL_LSTM) layer.output_activation = RNN_ACTIVATION_TANH;
    auto found = sized<rnn_config_t>();
    ASSERT_EQ(rnn_get_config(create(list(3, {layer})).get(), &found), RNN_OK);
    EXPECT_EQ(found.layer_count, 0u) << kind;
    EXPECT_EQ(found.cell, kind);
    EXPECT_EQ(found.flags, 0u);
  }
  rnn_layer_t relu = cell_layer(RNN_CELL_VANILLA, 4);
  relu.activation = RNN_ACTIVATION_RELU;
  auto found = sized<rnn_config_t>();
  ASSERT_EQ(rnn_get_config(create(list(3, {relu})).get(), &found), RNN_OK);
  EXPECT_EQ(found.layer_count, 0u);
  EXPECT_EQ(found.flags, uint32_t{RNN_FLAG_RELU});
  relu.clip = 1;
  ASSERT_EQ(rnn_get_config(create(list(3, {relu})).get(), &found), RNN_OK);
  EXPECT_EQ(found.layer_count, 1u);
  rnn_layer_t zoned = cell_layer(RNN_CELL_LSTM, 4);
  for (float rnn_layer_t::*rate : {&rnn_layer_t::zoneout_h, &rnn_layer_t::zoneout_c}) {
    rnn_layer_t layer = zoned;
    layer.*rate = 0.25f;
    for (const Layers& layers : {Layers{layer}, Layers{zoned, layer}}) {
      const Network network = create(list(3, layers));
      ASSERT_EQ(rnn_get_config(network.get(), &found), RNN_OK);
      ASSERT_EQ(found.layer_count, layers.size());
      EXPECT_EQ(found.layers[layers.size() - 1].*rate, 0.25f);
    }
  }
}

TEST(Layers, RefuseResidualsOfOtherWidths) {
  const uint32_t residual = RNN_FLAG_RESIDUAL;
  expect_refused({cell_layer(RNN_CELL_GRU, 3, residual)}, "layers[0].flags has RNN_FLAG_RESIDUAL");
  expect_refused({dense_layer(3, RNN_ACTIVATION_TANH, residual)}, "layers[0].flags has RNN_FLAG_RESIDUAL");
  const rnn_layer_t first = dense_layer(4);
  expect_refused({first, cell_layer(RNN_CELL_GRU, 5, residual)},
                 "layers[1].flags has RNN_FLAG_RESIDUAL, and the layer has 4 inputs and 5 outputs");
  expect_refused({first, cell_layer(RNN_CELL_LSTM, 5, residual, RNN_DIRECTION_FORWARD, 3)},
                 "layers[1].flags has RNN_FLAG_RESIDUAL, and the layer has 4 inputs and 3 outputs");
  expect_refused({first, cell_layer(RNN_CELL_GRU, 4, residual, RNN_DIRECTION_BOTH)},
                 "layers[1].flags has RNN_FLAG_RESIDUAL, and the layer has 4 inputs and 8 outputs");
  expect_refused({first, dense_layer(2, RNN_ACTIVATION_NONE, residual)},
                 "layers[1].flags has RNN_FLAG_RESIDUAL, and the layer has 4 inputs and 2 outputs");
  for (const rnn_layer_t& fits : {cell_layer(RNN_CELL_GRU, 2, residual, RNN_DIRECTION_BOTH),
                                  cell_layer(RNN_CELL_GRU, 4, residual, RNN_DIRECTION_SUM),
                                  cell_layer(RNN_CELL_LSTM, 6, residual, RNN_DIRECTION_FORWARD, 4),
                                  dense_layer(4, RNN_ACTIVATION_SOFTMAX, residual)})
    EXPECT_NE(create(list(3, {first, fits})), nullptr);
}

TEST(Layers, RefuseTheOtherFieldsBesideThem) {
  const auto with = [](auto change) {
    rnn_config_t c = small_list();
    change(c);
    return c;
  };
  expect_refused(with([](auto& c) { c.cell = RNN_CELL_VANILLA; }), "cell is 1; it must be 0 with layers");
  expect_refused(with([](auto& c) { c.hidden_size = 4; }), "hidden_size is 4; it must be 0 with layers");
  expect_refused(with([](auto& c) { c.output_size = 5; }), "output_size is 5; it must be 0 with layers");
  expect_refused(with([](auto& c) { c.num_layers = 4; }), "num_layers is 4; it must be 0 with layers");
  expect_refused(with([](auto& c) { c.projection_size = 1; }),
                 "projection_size is 1; it must be 0 with layers");
  for (uint32_t flag = RNN_FLAG_NO_BIAS; flag < RNN_FLAG_TIED_HEAD; flag *= 2)
    expect_refused(with([&](auto& c) { c.flags = flag; }), ("flags is " + std::to_string(flag)).c_str());
  expect_refused(with([](auto& c) { c.input_size = 0; }), "input_size is 0");
  expect_refused(with([](auto& c) { c.skip = 4; }),
                 "skip is 4; it must be 0..3, the lesser of 3 (inputs) and 5 (outputs)");
  expect_refused(with([](auto& c) { c.forget_bias = 1; }), "forget_bias is 1");
  expect_refused(with([](auto& c) { c.flags = RNN_FLAG_TIED_HEAD; }), "embedding_size is 0");
  expect_refused(with([](auto& c) { c.flags = RNN_FLAG_TIED_HEAD, c.embedding_size = 4; }),
                 "layers[3].size is 5; with RNN_FLAG_TIED_HEAD it must be 3");
  rnn_config_t c = list(3, {cell_layer(RNN_CELL_GRU, 4), dense_layer(3, RNN_ACTIVATION_TANH)});
  c.flags = RNN_FLAG_TIED_HEAD;
  c.embedding_size = 4;
  expect_refused(c, "flags has RNN_FLAG_TIED_HEAD");
}

TEST(Layers, RefuseWhatNeedsWholeSequences) {
  for (const int32_t direction : {RNN_DIRECTION_REVERSE, RNN_DIRECTION_BOTH, RNN_DIRECTION_SUM}) {
    const Network network = create(list(
        3, {dense_layer(4, RNN_ACTIVATION_TANH), cell_layer(RNN_CELL_GRU, 4, 0, direction), dense_layer(3)}));
    rnn_t* rnn = network.get();
    const Floats x = numbers(3);
    Floats y(3, 42);
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "whole sequences", rnn_step(rnn, x.data(), y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "whole sequences", rnn_step_index(rnn, 0, y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "whole sequences", rnn_step_many(&rnn, 1, x.data(), y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "whole sequences", rnn_step_block(rnn, x.data(), 1, y.data()));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "whole sequences", rnn_rollout(rnn, x.data(), 1, y.data()));
    const int32_t prompt = 0;
    int32_t drawn = -1;
    size_t written = 0;
    auto generate = sized<rnn_generate_options_t>();
    generate.prompt = &prompt;
    generate.prompt_count = 1;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "whole sequences", rnn_generate(rnn, &generate, &drawn, 1, &written));
    auto options = sized<rnn_forward_options_t>();
    options.stateful = 1;
    const Data data = float_data({1}, 3);
    const rnn_sequences_t in = data.get();
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.stateful is 1", rnn_forward(rnn, &in, &options, y.data()));
    options.stateful = 0;
    options.pooling = RNN_POOLING_LAST;
    if (direction == RNN_DIRECTION_SUM) {
      EXPECT_FAILS(
          RNN_INVALID_ARGUMENT,
          "options.pooling is 1 (RNN_POOLING_LAST) and layer 1, which is pooled, adds its directions",
          rnn_forward(rnn, &in, &options, y.data()));
    }
    EXPECT_EQ(y, Floats(3, 42));
    options.pooling = RNN_POOLING_MEAN;
    EXPECT_EQ(rnn_forward(rnn, &in, &options, y.data()), RNN_OK) << rnn_last_error();
  }
}

}  // namespace
