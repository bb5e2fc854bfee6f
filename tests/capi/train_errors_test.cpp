// What training refuses: nothing has changed then.
#include <cmath>
#include <limits>

#include "tests/reference/lists.h"
#include "training.h"

namespace {

const float kInfinity = std::numeric_limits<float>::infinity();

TEST_F(Training, RefusesNull) {
  const Floats before = weights(network);
  rnn_trainer_t* const untouched = reinterpret_cast<rnn_trainer_t*>(8);
  rnn_trainer_t* trainer_out = untouched;
  rnn_tape_t* tape_out = reinterpret_cast<rnn_tape_t*>(8);
  rnn_t* rnn_out = reinterpret_cast<rnn_t*>(8);
  auto evaluation = sized<rnn_evaluation_t>();
  auto progress = sized<rnn_progress_t>();
  const auto o = options();
  rnn_t* rnn = network.get();
  const Trainer trainer_owner = create_trainer(network);
  rnn_trainer_t* trainer = trainer_owner.get();
  const Tape tape_owner = create_tape(network);
  rnn_tape_t* tape = tape_owner.get();
  Floats values(48, 42);

  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_train(nullptr, &sequences, &o));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data is NULL", rnn_train(rnn, nullptr, &o));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_evaluate(nullptr, &sequences, &o, &evaluation));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data is NULL", rnn_evaluate(rnn, nullptr, &o, &evaluation));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_evaluate(rnn, &sequences, &o, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_trainer_create(nullptr, &o, &trainer_out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_trainer_create(rnn, &o, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_update(nullptr, &sequences, &progress));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "batch is NULL", rnn_trainer_update(trainer, nullptr, &progress));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_reset(nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_set_learning_rate(nullptr, 0.1f));
  std::size_t bytes = 0;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_optimizer_bytes(nullptr, &bytes));
  auto log = sized<rnn_log_t>();
  log.record = [](uint64_t, void*) {};
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_log(nullptr, &log));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "log.write is NULL", rnn_trainer_log(trainer, &log));
  log.write = [](int32_t, const void*, size_t, void*) {};
  log.record = nullptr;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "log.record is NULL", rnn_trainer_log(trainer, &log));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_run(nullptr, &sequences));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data is NULL", rnn_trainer_run(trainer, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_network(nullptr, &rnn_out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_trainer_network(trainer, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_sync(nullptr, rnn));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "stream is NULL", rnn_trainer_sync(trainer, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_save(nullptr, "x"));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "path is NULL", rnn_trainer_save(trainer, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_load(nullptr, "x"));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "path is NULL", rnn_trainer_load(trainer, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL", rnn_tape_create(nullptr, 0, &tape_out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "out is NULL", rnn_tape_create(rnn, 0, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "tape is NULL",
               rnn_tape_forward(nullptr, rnn, &sequences, nullptr, nullptr, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn is NULL",
               rnn_tape_forward(tape, nullptr, &sequences, nullptr, nullptr, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "in is NULL",
               rnn_tape_forward(tape, rnn, nullptr, nullptr, nullptr, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "tape is NULL",
               rnn_tape_backward(nullptr, nullptr, nullptr, nullptr, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "tape is NULL",
               rnn_tape_gradient(nullptr, "head.bias", values.data(), 4));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "name is NULL", rnn_tape_gradient(tape, nullptr, values.data(), 4));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "values is NULL", rnn_tape_gradient(tape, "head.bias", nullptr, 4));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "count is 5", rnn_tape_gradient(tape, "head.bias", values.data(), 5));
  EXPECT_FAILS(RNN_NOT_FOUND, "\"nobody\"", rnn_tape_gradient(tape, "nobody", values.data(), 4));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "tape is NULL", rnn_tape_zero_gradients(nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "tape is NULL", rnn_tape_set_dropout(nullptr, 0.5f, 1));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rate is 1; it must be at least 0 and less than 1",
               rnn_tape_set_dropout(tape, 1.0f, 1));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rate is -0.5", rnn_tape_set_dropout(tape, -0.5f, 1));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rate is", rnn_tape_set_dropout(tape, std::nanf(""), 1));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rate is 0.5 and the network has 1 layer",
               rnn_tape_set_dropout(tape, 0.5f, 1));
  EXPECT_EQ(rnn_tape_set_dropout(tape, 0.0f, 1), RNN_OK);
  auto rates = sized<rnn_dropout_rates_t>();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "tape is NULL", rnn_tape_set_dropout_rates(nullptr, &rates, 1));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rates is NULL", rnn_tape_set_dropout_rates(tape, nullptr, 1));
  rates.struct_size = 8;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rates.struct_size is 8", rnn_tape_set_dropout_rates(tape, &rates, 1));
  const auto refused_rate = [&](float rnn_dropout_rates_t::*rate, float value, const char* text) {
    auto wrong = sized<rnn_dropout_rates_t>();
    wrong.*rate = value;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_tape_set_dropout_rates(tape, &wrong, 1));
  };
  using R = rnn_dropout_rates_t;
  refused_rate(&R::layers, 1.0f, "rates.layers is 1; it must be at least 0 and less than 1");
  refused_rate(&R::layers, 0.5f, "rates.layers is 0.5 and the network has 1 layer");
  refused_rate(&R::output, -0.5f, "rates.output is -0.5");
  refused_rate(&R::output, std::nanf(""), "rates.output is nan");
  refused_rate(&R::recurrent, 1.0f, "rates.recurrent is 1; it must be at least 0 and less than 1");
  refused_rate(&R::recurrent, std::nanf(""), "rates.recurrent is nan");
  rates = sized<rnn_dropout_rates_t>();
  rates.output = rates.recurrent = 0.5f;
  EXPECT_EQ(rnn_tape_set_dropout_rates(tape, &rates, 1), RNN_OK) << rnn_last_error();
  rates.output = rates.recurrent = 0.0f;
  EXPECT_EQ(rnn_tape_set_dropout_rates(tape, &rates, 1), RNN_OK);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "trainer is NULL", rnn_trainer_apply(nullptr, tape, &progress));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "tape is NULL", rnn_trainer_apply(trainer, nullptr, &progress));

  EXPECT_TRUE(same_bits(values, Floats(48, 42)));
  EXPECT_EQ(trainer_out, untouched);
  EXPECT_EQ(tape_out, reinterpret_cast<rnn_tape_t*>(8));
  EXPECT_EQ(rnn_out, reinterpret_cast<rnn_t*>(8));
  EXPECT_EQ(progress.update, 0u);
  EXPECT_EQ(evaluation.weight, 0);
  EXPECT_TRUE(same_bits(weights(network), before));
  EXPECT_TRUE(same_bits(weights(network_of(trainer)), before));
}

TEST_F(Training, RefusesEachOption) {
  const auto refused = [&](const rnn_train_options_t& o, const char* text) {
    rnn_trainer_t* out = nullptr;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_trainer_create(network.get(), &o, &out));
    EXPECT_EQ(out, nullptr);
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_train(network.get(), &sequences, &o));
  };
  const auto with = [](auto member, auto value) {
    auto o = options();
    o.*member = value;
    return o;
  };
  using O = rnn_train_options_t;
  refused(with(&O::loss, 4), "options.loss is 4");
  refused(with(&O::optimizer, 6), "options.optimizer is 6");
  refused(with(&O::learning_rate, -0.5f), "options.learning_rate is -0.5");
  refused(with(&O::learning_rate, kInfinity), "options.learning_rate is inf");
  refused(with(&O::momentum, 1.0f), "options.momentum is 1");
  refused(with(&O::beta1, 1.0f), "options.beta1 is 1");
  refused(with(&O::beta2, -0.5f), "options.beta2 is -0.5");
  refused(with(&O::epsilon, -1.0f), "options.epsilon is -1");
  refused(with(&O::weight_decay, -1.0f), "options.weight_decay is -1");
  refused(with(&O::nesterov, 2), "options.nesterov is 2");
  refused(with(&O::clip_norm, -1.0f), "options.clip_norm is -1");
  refused(with(&O::clip_value, kInfinity), "options.clip_value is inf");
  refused(with(&O::schedule, 4), "options.schedule is 4");
  refused(with(&O::schedule, RNN_SCHEDULE_STEP), "options.schedule_updates is 0");
  refused(with(&O::schedule_factor, -1.0f), "options.schedule_factor is -1");
  refused(with(&O::warmup_updates, -1), "options.warmup_updates is -1");
  refused(with(&O::epochs, -1), "options.epochs is -1");
  refused(with(&O::batch_size, -1), "options.batch_size is -1");
  refused(with(&O::window, -1), "options.window is -1");
  refused(with(&O::stateless_windows, 2), "options.stateless_windows is 2");
  refused(with(&O::keep_order, 2), "options.keep_order is 2");
  refused(with(&O::threads, -1), "options.threads is -1");
  refused(with(&O::threads, 1025), "options.threads is 1025");
  refused(with(&O::validate_every, -1), "options.validate_every is -1");
  refused(with(&O::patience, -1), "options.patience is -1");
  refused(with(&O::report_every, -1), "options.report_every is -1");
  refused(with(&O::dropout, 1.0f), "options.dropout is 1; it must be at least 0 and less than 1");
  refused(with(&O::dropout, -0.5f), "options.dropout is -0.5");
  refused(with(&O::dropout, std::nanf("")), "options.dropout is nan");
  refused(with(&O::output_dropout, 1.0f),
          "options.output_dropout is 1; it must be at least 0 and less than 1");
  refused(with(&O::output_dropout, -0.5f), "options.output_dropout is -0.5");
  refused(with(&O::output_dropout, std::nanf("")), "options.output_dropout is nan");
  refused(with(&O::recurrent_dropout, 1.0f),
          "options.recurrent_dropout is 1; it must be at least 0 and less than 1");
  refused(with(&O::recurrent_dropout, -0.5f), "options.recurrent_dropout is -0.5");
  refused(with(&O::recurrent_dropout, std::nanf("")), "options.recurrent_dropout is nan");
  refused(with(&O::scheduled_sampling, 1.5f), "options.scheduled_sampling is 1.5; it must be 0..1");
  refused(with(&O::scheduled_sampling, -1.0f), "options.scheduled_sampling is -1");
  refused(with(&O::average, 1.0f), "options.average is 1; it must be at least 0 and less than 1");
  refused(with(&O::accumulate, -1), "options.accumulate is -1; it must be 1 or more");
  refused(with(&O::restore_best, 2), "options.restore_best is 2");
  refused(with(&O::restore_best, 1), "options.restore_best is 1 and validation is NULL");
  refused(with(&O::group_count, -1), "options.group_count is -1");
  refused(with(&O::group_count, 1), "options.groups is NULL and group_count is 1");
  refused(with(&O::schedule_start, -1), "options.schedule_start is -1");
  refused(with(&O::schedule_by_epoch, 2), "options.schedule_by_epoch is 2");
  refused(with(&O::skip_not_finite, -1), "options.skip_not_finite is -1");
  // What could have no effect.
  refused(with(&O::momentum, 0.5f),
          "options.momentum is 0.5 and optimizer is 1; it has an effect with RNN_OPTIMIZER_SGD");
  refused(with(&O::dropout, 0.5f),
          "options.dropout is 0.5 and the network has 1 layer; dropout acts between layers");
  refused(with(&O::schedule_factor, 0.5f), "options.schedule_factor is 0.5 and schedule is 0");
  refused(with(&O::schedule_updates, 5), "options.schedule_updates is 5 and schedule is 0");
  refused(with(&O::schedule_start, 5), "options.schedule_start is 5 and schedule is 0");
  refused(with(&O::schedule_by_epoch, 1), "options.schedule_by_epoch is 1 and schedule is 0");
  refused(with(&O::validate_every, 3), "options.validate_every is 3 and validation is NULL");
  refused(with(&O::patience, 3), "options.patience is 3 and validation is NULL");
  auto sgd = with(&O::optimizer, RNN_OPTIMIZER_SGD);
  sgd.beta1 = 0.5f;
  refused(sgd, "options.beta1 is 0.5 and optimizer is 3");
  sgd.beta1 = 0;
  sgd.beta2 = 0.5f;
  refused(sgd, "options.beta2 is 0.5 and optimizer is 3");
  sgd.beta2 = 0;
  sgd.epsilon = 0.5f;
  refused(sgd, "options.epsilon is 0.5 and optimizer is 3");
  auto window = with(&O::window, 1);
  window.scheduled_sampling = 0.5f;
  refused(window, "options.scheduled_sampling is 0.5 and window is 1");
  refused(with(&O::label_smoothing, 1.0f),
          "options.label_smoothing is 1; it must be at least 0 and less than 1");
  refused(with(&O::label_smoothing, -0.5f), "options.label_smoothing is -0.5");
  refused(with(&O::sampled_classes, -1),
          "options.sampled_classes is -1; it must be 0..2, half of the network's outputs");
  refused(with(&O::sampled_classes, 3), "options.sampled_classes is 3; it must be 0..2");
  const float negative[4] = {1, 2, -3, 4}, infinite[4] = {1, kInfinity, 1, 1}, zero[4] = {};
  refused(with(&O::class_weights, negative),
          "options.class_weights[2] is -3; it must be finite and not negative");
  refused(with(&O::class_weights, infinite), "options.class_weights[1] is inf");
  refused(with(&O::class_weights, zero), "options.class_weights are all 0");
  auto evaluation = sized<rnn_evaluation_t>();
  const auto threads = with(&O::threads, 1025);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.threads is 1025",
               rnn_evaluate(network.get(), &sequences, &threads, &evaluation));
  const auto loss = with(&O::loss, -1);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.loss is -1",
               rnn_evaluate(network.get(), &sequences, &loss, &evaluation));
  const auto smoothing = with(&O::label_smoothing, -0.5f);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.label_smoothing is -0.5",
               rnn_evaluate(network.get(), &sequences, &smoothing, &evaluation));
  const auto class_weights = with(&O::class_weights, negative);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.class_weights[2] is -3",
               rnn_evaluate(network.get(), &sequences, &class_weights, &evaluation));
  rnn_tape_t* out = nullptr;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "threads is -1", rnn_tape_create(network.get(), -1, &out));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "threads is 1025", rnn_tape_create(network.get(), 1025, &out));
  EXPECT_EQ(out, nullptr);
}

TEST_F(Training, RefusesToSampleClassesWhereItHasNoMeaning) {
  auto o = options();
  o.sampled_classes = 2;
  const auto refused = [&](const Network& trained, const char* text) {
    rnn_trainer_t* out = nullptr;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_trainer_create(trained.get(), &o, &out));
    EXPECT_EQ(out, nullptr);
  };
  refused(create(config(4, 12, 0)),
          "options.sampled_classes is 2; it must be 0, since the network has no head");
  rnn_config_t skip = config(4, 12, 4);
  skip.skip = 3;
  refused(create(skip), "options.sampled_classes is 2; it must be 0, since the network's skip is 3");
  o.loss = RNN_LOSS_SQUARED_ERROR;
  refused(network, "options.sampled_classes is 2 and the loss is 2; it needs loss 1 (cross-entropy)");
  o.loss = 0;
  o.label_smoothing = 0.5f;
  refused(network, "options.sampled_classes is 2 and label_smoothing 0.5; one of them must be 0");
  o.label_smoothing = 0;
  data.classes.clear();
  data.targets = Floats(data.frames() * 4);
  sequences = data.get();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.sampled_classes is 2 and the loss is 2",
               rnn_train(network.get(), &sequences, &o));
  auto evaluation = sized<rnn_evaluation_t>();
  EXPECT_EQ(rnn_evaluate(network.get(), &sequences, &o, &evaluation), RNN_OK) << rnn_last_error();
}

TEST_F(Training, RefusesEachFieldOfAGroup) {
  auto good = sized<rnn_parameter_group_t>();
  good.pattern = "*";
  const auto refused = [&](auto member, auto value, const char* text) {
    rnn_parameter_group_t groups[] = {good, good};
    groups[1].*member = value;
    auto o = options();
    o.groups = groups;
    o.group_count = 2;
    rnn_trainer_t* out = nullptr;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_trainer_create(network.get(), &o, &out));
    EXPECT_EQ(out, nullptr);
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_train(network.get(), &sequences, &o));
  };
  using G = rnn_parameter_group_t;
  refused(&G::struct_size, size_t{8}, "options.groups[1].struct_size is 8");
  refused(&G::pattern, nullptr, "options.groups[1].pattern is NULL");
  refused(&G::pattern, "weight_ih_l1",
          "options.groups[1].pattern is \"weight_ih_l1\", which fits no parameter");
  refused(&G::learning_rate_factor, -1.0f, "options.groups[1].learning_rate_factor is -1");
  refused(&G::learning_rate_factor, kInfinity, "options.groups[1].learning_rate_factor is inf");
  refused(&G::frozen, 2, "options.groups[1].frozen is 2");
  refused(&G::no_weight_decay, -1, "options.groups[1].no_weight_decay is -1");
  refused(&G::two_biases, 2, "options.groups[1].two_biases is 2; it must be 0 or 1");
}

TEST_F(Training, RefusesGroupsWithoutEffect) {
  const auto refused = [&](std::vector<rnn_parameter_group_t> groups, const char* text) {
    auto o = options();
    o.groups = groups.data();
    o.group_count = static_cast<int32_t>(groups.size());
    rnn_trainer_t* out = nullptr;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_trainer_create(network.get(), &o, &out));
    EXPECT_EQ(out, nullptr);
  };
  auto all = sized<rnn_parameter_group_t>(), some = all;
  all.pattern = "*";
  some.pattern = "bias_*";
  refused({all, some},
          "options.groups[1].pattern is \"bias_*\", which fits only parameters that groups before it fit");
  some.frozen = 1;
  some.learning_rate_factor = 2;
  refused({some}, "options.groups[0].frozen is 1 with a learning_rate_factor of 2");
  auto sums = sized<rnn_parameter_group_t>();
  sums.pattern = "head.bias";
  sums.two_biases = 1;
  refused({sums}, "options.groups[0].two_biases is 1 and the pattern \"head.bias\" fits no bias_ih_*");
}

TEST_F(Training, RefusesStatesThatAreNotFinite) {
  const Tape tape = create_tape(network);
  Floats states(5 * 12);
  states[2 * 12 + 7] = kInfinity;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rnn_tape_forward: initial_states[2, 7] is inf; it must be finite",
               rnn_tape_forward(tape.get(), network.get(), &sequences, states.data(), nullptr, nullptr));
  auto o = sized<rnn_forward_options_t>();
  o.initial_states = states.data();
  Floats y(29 * 4, 42);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.initial_states[2, 7] is inf",
               rnn_forward(network.get(), &sequences, &o, y.data()));
  EXPECT_TRUE(same_bits(y, Floats(29 * 4, 42)));
}

TEST_F(Training, RefusesWhatListsOfLayersCannot) {
  using rnn::reference::cell_layer;
  using rnn::reference::dense_layer;
  const auto list = [](std::vector<rnn_layer_t> layers) {
    return create(rnn::reference::with_layers(config(4, 0, 0, 0), std::move(layers)));
  };
  const auto refused = [&](const Network& trained, const rnn_train_options_t& o, const char* text) {
    rnn_trainer_t* out = nullptr;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_trainer_create(trained.get(), &o, &out));
    EXPECT_EQ(out, nullptr);
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_train(trained.get(), &sequences, &o));
  };
  auto dropout = options(), window = options(), free = options(), sampled = options();
  dropout.dropout = 0.5f;
  window.window = 5;
  free.scheduled_sampling = 0.5f;
  sampled.sampled_classes = 2;
  // The head is no layer that has something before it dropped.
  const Network one = list({dense_layer(5, RNN_ACTIVATION_TANH), dense_layer(4)});
  refused(one, dropout, "options.dropout is 0.5 and the network has 1 layer");
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rate is 0.5 and the network has 1 layer",
               rnn_tape_set_dropout(create_tape(one).get(), 0.5f, 1));
  const Network two = list({dense_layer(5, RNN_ACTIVATION_TANH), cell_layer(RNN_CELL_GRU, 4)});
  EXPECT_EQ(rnn_train(two.get(), &sequences, &dropout), RNN_OK) << rnn_last_error();
  // What the last layer gives is the network's output if there is no head behind it.
  auto output_dropout = options();
  output_dropout.output_dropout = 0.5f;
  refused(two, output_dropout, "options.output_dropout is 0.5 and the network has no head");
  auto rates = sized<rnn_dropout_rates_t>();
  rates.output = 0.5f;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rates.output is 0.5 and the network has no head",
               rnn_tape_set_dropout_rates(create_tape(two).get(), &rates, 1));
  EXPECT_EQ(rnn_train(one.get(), &sequences, &output_dropout), RNN_OK) << rnn_last_error();
  // No layer that reads h.
  auto recurrent = options();
  recurrent.recurrent_dropout = 0.5f;
  const Network minimal = list({cell_layer(RNN_CELL_MIN_GRU, 4), cell_layer(RNN_CELL_MIN_LSTM, 4)});
  rates.output = 0.0f;
  rates.recurrent = 0.5f;
  for (const Network* network : {&one, &minimal}) {
    refused(*network, recurrent,
            "options.recurrent_dropout is 0.5 and no layer of the network has a weight_hh");
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rates.recurrent is 0.5 and no layer of the network has a weight_hh",
                 rnn_tape_set_dropout_rates(create_tape(*network).get(), &rates, 1));
  }
  EXPECT_EQ(rnn_train(two.get(), &sequences, &recurrent), RNN_OK) << rnn_last_error();
  rates.recurrent = 0.0f;
  for (const int32_t value : {-1, 2}) {
    rates.zoneout = value;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT,
                 ("rates.zoneout is " + std::to_string(value) + "; it must be 0 or 1").c_str(),
                 rnn_tape_set_dropout_rates(create_tape(one).get(), &rates, 1));
  }
  rates.zoneout = 1;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "rates.zoneout is 1 and no layer of the network has zoneout",
               rnn_tape_set_dropout_rates(create_tape(one).get(), &rates, 1));
  refused(two, sampled, "options.sampled_classes is 2; it must be 0, since the network has no head");
  EXPECT_EQ(rnn_train(one.get(), &sequences, &sampled), RNN_OK) << rnn_last_error();
  for (const int32_t direction : {RNN_DIRECTION_REVERSE, RNN_DIRECTION_BOTH, RNN_DIRECTION_SUM}) {
    const Network whole = list({cell_layer(RNN_CELL_GRU, 4, 0, direction), cell_layer(RNN_CELL_GRU, 4)});
    refused(whole, window, "options.window is 5; it must be 0");
    refused(whole, free, "options.scheduled_sampling is 0.5; it must be 0");
    EXPECT_EQ(rnn_train(whole.get(), &sequences, nullptr), RNN_OK) << rnn_last_error();
  }
  const Network wide = list({dense_layer(5, RNN_ACTIVATION_TANH), dense_layer(3)});
  refused(wide, free, "the network has 3 outputs and 4 inputs");

  // The last steps of both directions are not the same step.
  Data pooled = data;
  pooled.classes.resize(5);
  pooled.pooling = RNN_POOLING_LAST;
  const rnn_sequences_t in = pooled.get();
  const Network sum = list({cell_layer(RNN_CELL_GRU, 4, 0, RNN_DIRECTION_SUM), dense_layer(4)});
  const Trainer trainer = create_trainer(sum);
  auto evaluation = sized<rnn_evaluation_t>();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data.pooling is 1", rnn_train(sum.get(), &in, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "batch.pooling is 1", rnn_trainer_update(trainer.get(), &in, nullptr));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data.pooling is 1", rnn_trainer_run(trainer.get(), &in));
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data.pooling is 1", rnn_evaluate(sum.get(), &in, nullptr, &evaluation));
  pooled.pooling = RNN_POOLING_MEAN;
  const rnn_sequences_t mean = pooled.get();
  EXPECT_EQ(rnn_train(sum.get(), &mean, nullptr), RNN_OK) << rnn_last_error();
}

TEST_F(Training, OfListsHasGroupsByName) {
  using rnn::reference::cell_layer;
  using rnn::reference::dense_layer;
  const Network list =
      create(rnn::reference::with_layers(config(4, 0, 0, 0), {dense_layer(5, RNN_ACTIVATION_PRELU),
                                                              cell_layer(RNN_CELL_GRU, 4), dense_layer(4)}));
  auto group = sized<rnn_parameter_group_t>();
  group.pattern = "layers.1.*";
  group.frozen = 1;
  auto o = options();
  o.groups = &group;
  o.group_count = 1;
  const Network trained = clone(list);
  ASSERT_EQ(rnn_train(trained.get(), &sequences, &o), RNN_OK) << rnn_last_error();
  for (const rnn_parameter_t& p : parameters(list.get())) {
    const bool frozen = std::string(p.name).rfind("layers.1.", 0) == 0;
    EXPECT_EQ(static_cast<bool>(same_bits(parameter(trained, p.name), parameter(list, p.name))), frozen)
        << p.name;
  }
  group.frozen = 0;
  group.pattern = "layers.0.*";
  group.two_biases = 1;
  rnn_trainer_t* out = nullptr;
  EXPECT_FAILS(RNN_INVALID_ARGUMENT,
               "options.groups[0].two_biases is 1 and the pattern \"layers.0.*\" fits no bias_ih",
               rnn_trainer_create(list.get(), &o, &out));
  group.pattern = "layers.1.*";
  EXPECT_NE(create_trainer(list, &o), nullptr);
  group.pattern = "weight_ih_l0";
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "which fits no parameter; one is named layers.0.weight",
               rnn_trainer_create(list.get(), &o, &out));
  EXPECT_EQ(out, nullptr);
}

// What networks and data do not go together with.
TEST_F(Training, RefusesOptionsForOtherNetworks) {
  const auto refused = [&](const rnn_config_t& c, const rnn_train_options_t& o, const char* text) {
    const Network other = create(c);
    rnn_trainer_t* out = nullptr;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_trainer_create(other.get(), &o, &out));
    EXPECT_EQ(out, nullptr);
  };
  auto window = options(), free = options();
  window.window = 5;
  free.scheduled_sampling = 0.5f;
  rnn_config_t both = config(4, 12, 4);
  both.flags = RNN_FLAG_BIDIRECTIONAL;
  refused(both, window, "options.window is 5; it must be 0, since the network has a reverse direction");
  refused(both, free,
          "options.scheduled_sampling is 0.5; it must be 0, since the network has a reverse direction");
  refused(config(4, 12, 5), free, "the network has 5 outputs and 4 inputs");
  refused(config(4, 12, 0), free, "the network has 12 outputs and 4 inputs");
}

TEST_F(Training, RefusesDataThatContradictsOptions) {
  const auto refused = [&](const Data& d, const rnn_train_options_t& o, const std::string& text,
                           bool update) {
    const rnn_sequences_t s = d.get();
    const Trainer trainer = create_trainer(network, &o);
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data" + text, rnn_trainer_run(trainer.get(), &s));
    if (update)
      EXPECT_FAILS(RNN_INVALID_ARGUMENT, "batch" + text, rnn_trainer_update(trainer.get(), &s, nullptr));
    else
      EXPECT_EQ(rnn_trainer_update(trainer.get(), &s, nullptr), RNN_OK) << rnn_last_error();
  };
  auto window = options(), free = options();
  window.window = 5;
  free.scheduled_sampling = 0.5f;
  Data pooled = data;
  pooled.classes.resize(5);
  for (const int32_t pooling : {RNN_POOLING_MEAN, RNN_POOLING_MAX}) {
    pooled.pooling = pooling;
    refused(pooled, window, ".pooling " + std::to_string(pooling), false);
  }
  pooled.pooling = RNN_POOLING_LAST;
  refused(pooled, free, ".pooling is 1; it must be 0 with options.scheduled_sampling", true);
  Data vectors = float_data(data.lengths, 4);
  vectors.classes = data.classes;
  refused(vectors, free, ".inputs are given and the loss is 1", true);
  Data regression = data;
  regression.classes.clear();
  regression.targets = numbers(29 * 4);
  refused(regression, free, ".indices are given and the loss is 2", true);
}

TEST_F(Training, RefusesLabelOptionsWithoutClasses) {
  Data regression = data;
  regression.classes.clear();
  regression.targets = numbers(29 * 4);
  const rnn_sequences_t s = regression.get();
  const float weights[4] = {1, 2, 3, 4};
  auto smoothing = options(), weighted = options();
  smoothing.label_smoothing = 0.1f;
  weighted.class_weights = weights;
  const struct {
    rnn_train_options_t given;
    const char* text;
  } cases[] = {
      {smoothing, "options.label_smoothing is 0.1 and the loss is 2; it needs loss 1 (cross-entropy)"},
      {weighted, "options.class_weights are given and the loss is 2; they need loss 1 (cross-entropy)"}};
  for (const auto& [given, text] : cases) {
    auto evaluation = sized<rnn_evaluation_t>();
    rnn_train_options_t o = given;
    const Trainer trainer = create_trainer(network, &o);
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_train(network.get(), &s, &o));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_evaluate(network.get(), &s, &o, &evaluation));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_trainer_update(trainer.get(), &s, nullptr));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_trainer_run(trainer.get(), &s));
    o.loss = RNN_LOSS_SQUARED_ERROR;
    rnn_trainer_t* out = nullptr;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, text, rnn_trainer_create(network.get(), &o, &out));
    EXPECT_EQ(out, nullptr);
  }
}

TEST_F(Training, RefusesWrongTargets) {
  const Floats before = weights(network);
  const Trainer trainer = create_trainer(network);
  auto evaluation = sized<rnn_evaluation_t>();
  const auto refused = [&](const rnn_sequences_t& s, const std::string& text) {
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data" + text, rnn_train(network.get(), &s, nullptr));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data" + text, rnn_trainer_run(trainer.get(), &s));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "batch" + text, rnn_trainer_update(trainer.get(), &s, nullptr));
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "data" + text, rnn_evaluate(network.get(), &s, nullptr, &evaluation));
    auto o = options();
    o.validation = &s;
    EXPECT_FAILS(RNN_INVALID_ARGUMENT, "options.validation" + text, rnn_train(network.get(), &sequences, &o));
  };
  auto s = sequences;
  s.classes = nullptr;
  refused(s, ".targets and classes are both NULL");
  s = sequences;
  const Floats targets = numbers(29 * 4);
  s.targets = targets.data();
  refused(s, ".targets and classes are both given; options.loss must then say which to use");
  Data wrong = data;
  wrong.classes[28] = 4;
  refused(wrong.get(), ".classes[28] is 4; it must be 0..3");
  wrong = data;
  wrong.weights = Floats(29, 1);
  wrong.weights[3] = -1;
  refused(wrong.get(), ".weights[3] is -1");
  wrong.weights[3] = kInfinity;
  refused(wrong.get(), ".weights[3] is inf");
  wrong = data;
  wrong.indices[7] = 4;
  refused(wrong.get(), ".indices[7] is 4");
  wrong = data;
  wrong.classes.clear();
  wrong.targets = numbers(29 * 4);
  wrong.targets[6] = kInfinity;
  refused(wrong.get(), ".targets[1, 2] is inf");
  EXPECT_TRUE(same_bits(weights(network), before));
  EXPECT_TRUE(same_bits(weights(network_of(trainer)), before));
}

TEST_F(Training, RefusesOtherArchitectures) {
  const Network other = create(config(4, 13, 4));
  const Trainer trainer = create_trainer(network);
  const Tape tape = create_tape(network), other_tape = create_tape(other);
  EXPECT_FAILS(RNN_MISMATCH, "hidden_size", rnn_trainer_sync(trainer.get(), other.get()));
  EXPECT_FAILS(RNN_MISMATCH, "hidden_size", rnn_trainer_apply(trainer.get(), other_tape.get(), nullptr));
  EXPECT_FAILS(RNN_MISMATCH, "hidden_size",
               rnn_tape_forward(tape.get(), other.get(), &sequences, nullptr, nullptr, nullptr));
}

TEST_F(Training, RefusesBackwardWithoutARecord) {
  const Tape tape = create_tape(network);
  Floats d_y(29 * 4), d_x(29 * 4, 42);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "record",
               rnn_tape_backward(tape.get(), d_y.data(), nullptr, nullptr, nullptr));
  ASSERT_EQ(rnn_tape_forward(tape.get(), network.get(), &sequences, nullptr, nullptr, nullptr), RNN_OK);
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "d_inputs",
               rnn_tape_backward(tape.get(), d_y.data(), nullptr, d_x.data(), nullptr));
  EXPECT_TRUE(same_bits(d_x, Floats(29 * 4, 42)));
  ASSERT_EQ(rnn_tape_backward(tape.get(), d_y.data(), nullptr, nullptr, nullptr), RNN_OK) << rnn_last_error();
  EXPECT_FAILS(RNN_INVALID_ARGUMENT, "record",
               rnn_tape_backward(tape.get(), d_y.data(), nullptr, nullptr, nullptr));
}

// Where the first update fails, nothing is new: streams that shared weights still step together.
TEST_F(Training, KeepsWeightsSharedIfNothingWasTrained) {
  Data floats = float_data({4}, 4);
  floats.targets = Floats(4 * 4, 3e38f);
  const rnn_sequences_t s = floats.get();
  auto o = options();
  o.average = 0.5f;
  const Network other = fork(network);
  EXPECT_FAILS(RNN_NOT_FINITE, "", rnn_train(network.get(), &s, &o));
  rnn_t* const streams[] = {network.get(), other.get()};
  const Floats x(8);
  EXPECT_EQ(rnn_step_many(streams, 2, x.data(), nullptr), RNN_OK) << rnn_last_error();
}

TEST_F(Training, StopsAtWhatIsNotFinite) {
  Data floats = float_data({4, 4, 4}, 4);
  floats.targets = numbers(12 * 4, 8);
  floats.targets[8 * 4] = 3e38f;  // of the third sequence; its square is infinite
  const rnn_sequences_t s = floats.get();
  const Trainer trainer = create_trainer(network);
  const Floats before = weights(network);
  auto progress = sized<rnn_progress_t>();
  EXPECT_FAILS(RNN_NOT_FINITE, "", rnn_trainer_update(trainer.get(), &s, &progress));
  EXPECT_EQ(progress.update, 0u);
  EXPECT_TRUE(same_bits(weights(network_of(trainer)), before));
  // rnn_train keeps the two good updates.
  auto o = options();
  o.batch_size = 1;
  o.keep_order = 1;
  EXPECT_FAILS(RNN_NOT_FINITE, "", rnn_train(network.get(), &s, &o));
  const Floats after = weights(network);
  EXPECT_FALSE(same_bits(after, before));
  for (const float value : after) EXPECT_TRUE(std::isfinite(value));
  const Trainer two = create_trainer(create(config(4, 12, 4)), &o);
  Data good = floats;
  good.lengths = {4, 4};
  good.inputs.resize(8 * 4);
  good.targets.resize(8 * 4);
  const rnn_sequences_t g = good.get();
  ASSERT_EQ(rnn_trainer_run(two.get(), &g), RNN_OK);
  EXPECT_TRUE(same_bits(weights(network_of(two)), after));
}

}  // namespace
