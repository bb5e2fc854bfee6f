// What a job accepts, what its ranks send, and what each keeps.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/training/runs.h"
#include "tests/training/thread_ranks.h"

namespace rnn::training_test {
namespace {

std::int32_t no_exchange(const void*, const std::size_t*, void*, const std::size_t*, void*) { return 1; }
std::int32_t no_gather(const void*, void*, const std::size_t*, void*) { return 1; }

rnn_collective_t collective_of(std::int32_t rank, std::int32_t ranks) {
  auto c = sized<rnn_collective_t>();
  c.rank = rank;
  c.ranks = ranks;
  c.exchange = no_exchange;
  c.gather = no_gather;
  return c;
}

TEST(Collective, BadInput) {
  struct Case {
    std::function<void(rnn_train_options_t&, rnn_collective_t&)> change;
    std::vector<std::string> said;
  };
  const std::vector<Case> cases = {
      {[](auto& o, auto&) { o.lanes = 3; }, {"options.lanes", "3"}},
      {[](auto& o, auto&) { o.lanes = -2; }, {"options.lanes", "-2"}},
      {[](auto& o, auto&) { o.lanes = o.batch_size = 2048; }, {"options.lanes", "2048", "1024"}},
      {[](auto&, auto& c) { c.ranks = 17; }, {"options.collective.ranks", "17", "16"}},
      {[](auto&, auto& c) { c.ranks = 0; }, {"options.collective.ranks", "0"}},
      {[](auto&, auto& c) { c.ranks = -1; }, {"options.collective.ranks", "-1"}},
      {[](auto&, auto& c) { c.rank = -1; }, {"options.collective.rank", "-1"}},
      {[](auto&, auto& c) { c.rank = 4; }, {"options.collective.rank", "4"}},
      {[](auto&, auto& c) { c.exchange = nullptr; }, {"options.collective.exchange", "NULL"}},
      {[](auto&, auto& c) { c.gather = nullptr; }, {"options.collective.gather", "NULL"}},
      {[](auto&, auto& c) { c.own_sequences = 2; }, {"options.collective.own_sequences", "2"}},
      {[](auto&, auto& c) { c.struct_size = 3; }, {"options.collective", "struct_size", "3"}},
  };
  const NetworkHandle network = create(config(3, 5, 4));
  const Data data = make_data(config(3, 5, 4), ragged_lengths(40), {});
  const rnn_sequences_t in = data.get();
  for (const Case& c : cases) {
    auto options = sized<rnn_train_options_t>();
    rnn_collective_t collective = collective_of(1, 4);
    options.lanes = options.batch_size = 16;
    options.collective = &collective;
    c.change(options, collective);
    rnn_trainer_t* out = nullptr;
    const std::string messages[] = {
        message_of(rnn_trainer_create(network.get(), &options, &out), RNN_INVALID_ARGUMENT),
        message_of(rnn_train(network.get(), &in, &options), RNN_INVALID_ARGUMENT)};
    EXPECT_EQ(out, nullptr);
    for (const std::string& message : messages)
      for (const std::string& part : c.said)
        EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
}

// What only one rank is given, too, is said by all.
TEST(Collective, BatchesSmallerThanLanes) {
  const NetworkHandle network = create(config(3, 5, 4));
  auto options = sized<rnn_train_options_t>();
  options.lanes = 16;
  options.batch_size = 15;
  rnn_trainer_t* none = nullptr;
  std::string message = message_of(rnn_trainer_create(network.get(), &options, &none), RNN_INVALID_ARGUMENT);
  for (const char* part : {"options.batch_size", "15", "lanes", "16"})
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  ThreadRanks ranks(3);
  ranks.run([](const rnn_collective_t& collective) {
    auto o = sized<rnn_train_options_t>();
    o.lanes = 16;
    o.batch_size = collective.rank == 1 ? 15 : 16;
    o.collective = &collective;
    rnn_trainer_t* out = nullptr;
    const std::string said =
        message_of(rnn_trainer_create(create(config(3, 5, 4)).get(), &o, &out), RNN_INVALID_ARGUMENT);
    for (const char* part : {"rank 1", "options.batch_size", "15"})
      EXPECT_NE(said.find(part), std::string::npos) << part << " in: " << said;
  });
}

// A tape's gradients are those of one process.
TEST(Collective, NoGradientsOfATape) {
  ThreadRanks ranks(2);
  ranks.run([](const rnn_collective_t& collective) {
    auto options = sized<rnn_train_options_t>();
    options.lanes = options.batch_size = 4;
    options.collective = &collective;
    const NetworkHandle network = create(config(3, 5, 4));
    const TrainerHandle trainer = create_trainer(network, options);
    rnn_tape_t* out = nullptr;
    ASSERT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK);
    const TapeHandle tape(out);
    const std::string message =
        message_of(rnn_trainer_apply(trainer.get(), tape.get(), nullptr), RNN_INVALID_ARGUMENT);
    EXPECT_NE(message.find("2"), std::string::npos) << message;
    EXPECT_NE(message.find("ranks"), std::string::npos) << message;
  });
}

TEST(Collective, LanesAndRanks) {
  for (std::int32_t lanes = 1; lanes <= 1024; lanes *= 2) {
    for (std::uint64_t n : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1023}, ~std::uint64_t{0}})
      EXPECT_EQ(rnn_lane_of(n, lanes), static_cast<std::int32_t>(n % static_cast<std::uint64_t>(lanes)));
    for (std::int32_t ranks : {1, 2, 3, 5, 7, 8, 100, 1023, 1024}) {
      if (ranks > lanes) continue;
      for (std::int32_t lane = 0; lane < lanes; ++lane) {
        const std::int32_t rank = rnn_rank_of(lane, lanes, ranks);
        ASSERT_LE(rank * lanes / ranks, lane);
        ASSERT_GT((rank + 1) * lanes / ranks, lane);
      }
    }
  }
  EXPECT_EQ(rnn_lane_of(0, 0), -1);
  EXPECT_EQ(rnn_lane_of(0, 3), -1);
  EXPECT_EQ(rnn_lane_of(0, 2048), -1);
  EXPECT_EQ(rnn_rank_of(-1, 4, 2), -1);
  EXPECT_EQ(rnn_rank_of(4, 4, 2), -1);
  EXPECT_EQ(rnn_rank_of(0, 4, 0), -1);
  EXPECT_EQ(rnn_rank_of(0, 4, 5), -1);
  EXPECT_EQ(rnn_rank_of(0, 3, 2), -1);
}

// Of the update after the first one, with which ranks compare what they were given: what each rank has moved, and the
// bytes of its optimiser's state.
struct Share {
  ThreadRanks::Traffic traffic;
  std::size_t optimizer_bytes = 0;
};

std::vector<Share> shares(const rnn_config_t& c, std::int32_t count) {
  const Data data = make_data(c, std::vector<std::size_t>(32, 5), {});
  const rnn_sequences_t in = data.get();
  std::vector<Share> result(static_cast<std::size_t>(count));
  ThreadRanks ranks(count);
  ranks.run([&](const rnn_collective_t& collective) {
    auto options = sized<rnn_train_options_t>();
    options.lanes = 16;
    options.batch_size = 32;
    options.threads = 1;
    options.clip_norm = 1.0f;
    options.collective = &collective;
    const TrainerHandle trainer = create_trainer(create(c), options);
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
    const ThreadRanks::Traffic before = ranks.traffic(collective.rank);
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &in, nullptr), RNN_OK) << rnn_last_error();
    const ThreadRanks::Traffic after = ranks.traffic(collective.rank);
    Share& share = result[static_cast<std::size_t>(collective.rank)];
    share.traffic = {after.calls - before.calls, after.sent - before.sent, after.received - before.received};
    EXPECT_EQ(rnn_trainer_optimizer_bytes(trainer.get(), &share.optimizer_bytes), RNN_OK);
  });
  return result;
}

// As a ring all-reduce: each gradient goes once to the rank that owns its parameter, and each weight once to all; and
// a few numbers to each rank. A rank owns whole chunks of at most 4096 parameters.
TEST(Collective, TrafficOfAnUpdate) {
  for (const std::int32_t hidden : {64, 200}) {
    rnn_config_t c = config(40, hidden, 40, 2);
    c.cell = RNN_CELL_LSTM;
    const auto parameters = static_cast<double>(values(create(c)).size());
    for (const std::int32_t count : {2, 4, 8}) {
      const double optimum = 2.0 * (count - 1) / count * parameters * sizeof(float),
                   few = 600.0 * (count - 1);
      double sent = 0, received = 0;
      for (const Share& share : shares(c, count)) {
        const auto own = static_cast<double>(share.traffic.sent);
        EXPECT_LE(own, optimum + few + (count - 2) * 4096 * sizeof(float));
        EXPECT_LE(share.traffic.calls, 8u);
        sent += own;
        received += static_cast<double>(share.traffic.received);
      }
      EXPECT_LE(sent / count, optimum + few) << count << " ranks, " << hidden << " units";
      EXPECT_GE(sent / count, optimum) << count << " ranks, " << hidden << " units";
      EXPECT_EQ(sent, received);
    }
  }
}

// Adam's two moments: each rank has those of its parameters, all ranks together those of all.
TEST(Collective, OptimizerStateIsDivided) {
  rnn_config_t c = config(40, 200, 40, 2);
  c.cell = RNN_CELL_LSTM;
  const std::size_t all = 2 * values(create(c)).size() * sizeof(float);
  std::size_t sum = 0;
  for (const Share& share : shares(c, 8)) {
    EXPECT_LE(share.optimizer_bytes, all / 8 + 2 * 4096 * sizeof(float));
    EXPECT_GE(share.optimizer_bytes, all / 8 - 8 * 2 * 4096 * sizeof(float));
    sum += share.optimizer_bytes;
  }
  EXPECT_EQ(sum, all);
  EXPECT_EQ(shares(c, 1)[0].optimizer_bytes, all);
}

}  // namespace
}  // namespace rnn::training_test
