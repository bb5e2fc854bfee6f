// Ranks that were not given the same: all of them say which rank differs in what.
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lib/network/little_endian.h"
#include "lib/training/collective.h"
#include "tests/training/runs.h"
#include "tests/training/thread_ranks.h"

namespace rnn::training_test {
namespace {

constexpr std::int32_t kRanks = 3;

// All that a rank is given.
struct Given {
  rnn_config_t config = training_test::config(6, 9, 5, 2);
  rnn_train_options_t options = sized<rnn_train_options_t>();
  std::size_t sequences = 24;
  std::size_t steps = 8;
  std::size_t longer = 0;  // which sequence has a step more, and the next one a step less
  std::vector<float> class_weights;
  std::vector<rnn_parameter_group_t> groups;
};

Given given() {
  Given g;
  g.options.batch_size = 16;
  g.options.lanes = 8;
  g.options.epochs = 2;
  g.options.threads = 1;
  g.groups = {group("bias_*")};
  g.groups[0].learning_rate_factor = 2;
  return g;
}

// What each rank says at the end of a job in which rank 1 is given something else.
std::vector<std::string> run(const std::function<void(Given&)>& change, rnn_status_t expected) {
  std::vector<std::string> messages(kRanks);
  ThreadRanks ranks(kRanks);
  ranks.run([&](const rnn_collective_t& collective) {
    Given g = given();
    if (collective.rank == 1) change(g);
    g.options.collective = &collective;
    if (!g.class_weights.empty()) g.options.class_weights = g.class_weights.data();
    g.options.group_count = static_cast<std::int32_t>(g.groups.size());
    if (!g.groups.empty()) g.options.groups = g.groups.data();
    std::vector<std::size_t> lengths(g.sequences, g.steps);
    ++lengths[g.longer];
    --lengths[g.longer + 1];
    const Data data = make_data(g.config, lengths, {});
    const rnn_sequences_t in = data.get();
    const NetworkHandle network = create(g.config);
    messages[static_cast<std::size_t>(collective.rank)] =
        message_of(rnn_train(network.get(), &in, &g.options), expected);
  });
  return messages;
}

struct Case {
  const char* field;
  std::function<void(Given&)> change;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.field);
    for (const std::string& message : run(c.change, RNN_MISMATCH)) {
      EXPECT_NE(message.find("rank 1"), std::string::npos) << message;
      EXPECT_NE(message.find(c.field), std::string::npos) << message;
    }
  }
}

TEST(Disagreement, None) {
  for (const std::string& message : run([](Given& g) { g.options.threads = 2; }, RNN_OK))
    EXPECT_EQ(message, "");
}

TEST(Disagreement, OfOptions) {
  check({{"options.lanes", [](Given& g) { g.options.lanes = 4; }},
         {"options.batch_size", [](Given& g) { g.options.batch_size = 17; }},
         {"options.learning_rate", [](Given& g) { g.options.learning_rate = 0.002f; }},
         {"options.optimizer", [](Given& g) { g.options.optimizer = RNN_OPTIMIZER_ADAMW; }},
         {"options.epochs", [](Given& g) { g.options.epochs = 3; }},
         {"options.seed", [](Given& g) { g.options.seed = 1; }},
         {"options.window", [](Given& g) { g.options.window = 4; }},
         {"options.dropout", [](Given& g) { g.options.dropout = 0.1f; }},
         {"options.class_weights",
          [](Given& g) {
            g.class_weights = {1, 2, 1, 1, 1};
          }},
         {"options.group_count", [](Given& g) { g.groups.clear(); }},
         {"options.groups", [](Given& g) { g.groups[0].learning_rate_factor = 3; }},
         {"options.groups", [](Given& g) { g.groups[0].pattern = "bias_ih_*"; }},
         {"options.groups", [](Given& g) { g.groups[0].no_weight_decay = 1; }},
         {"options.progress",
          [](Given& g) { g.options.progress = [](const rnn_progress_t*, void*) { return 0; }; }}});
}

TEST(Disagreement, OfNetworks) {
  check({{"hidden_size", [](Given& g) { g.config.hidden_size = 10; }},
         {"cell", [](Given& g) { g.config.cell = RNN_CELL_GRU; }},
         {"compute", [](Given& g) { g.config.compute = RNN_COMPUTE_BF16; }},
         {"weights", [](Given& g) { g.config.seed = 4; }}});
}

TEST(Disagreement, OfData) {
  check({{"data", [](Given& g) { g.sequences = 23; }},
         {"data", [](Given& g) { g.steps = 7; }},
         {"data", [](Given& g) { g.longer = 8; }}});
}

// Sends another version of the library than this one: the first value of 64 bits that a rank sends.
struct OtherVersion {
  const rnn_collective_t& collective;
  bool told = false;

  static std::int32_t exchange(const void* send, const std::size_t* send_sizes, void* receive,
                               const std::size_t* receive_sizes, void* user) {
    const rnn_collective_t& collective = static_cast<OtherVersion*>(user)->collective;
    return collective.exchange(send, send_sizes, receive, receive_sizes, collective.user);
  }
  static std::int32_t gather(const void* send, void* receive, const std::size_t* receive_sizes, void* user) {
    auto& self = *static_cast<OtherVersion*>(user);
    std::uint64_t message[2];  // the version, and the checksum of the message
    if (receive_sizes[1] == sizeof message && !std::exchange(self.told, true)) {
      read_little_endian(send, message, 2);
      ++message[0];
      swap_little_endian(message, 2);
      message[1] = checksum(message, sizeof *message);
      swap_little_endian(message + 1, 1);
      send = message;
    }
    return self.collective.gather(send, receive, receive_sizes, self.collective.user);
  }
};

TEST(Disagreement, OfVersions) {
  ThreadRanks ranks(kRanks);
  ranks.run([&](const rnn_collective_t& collective) {
    Given g = given();
    OtherVersion other{collective};
    rnn_collective_t own = collective;
    if (collective.rank == 1) {
      own.user = &other;
      own.exchange = &OtherVersion::exchange;
      own.gather = &OtherVersion::gather;
    }
    g.options.collective = &own;
    const Data data = make_data(g.config, std::vector<std::size_t>(24, 5), {});
    const rnn_sequences_t in = data.get();
    const NetworkHandle network = create(g.config);
    const std::string message = message_of(rnn_train(network.get(), &in, &g.options), RNN_MISMATCH);
    EXPECT_NE(message.find("the version of librnn"), std::string::npos) << message;
    EXPECT_NE(message.find("on rank 1"), std::string::npos) << message;
  });
}

// Where each rank gives the sequences of its lanes alone, rank 1 has one of its 9 too few, or one too many.
TEST(Disagreement, OfOwnSequences) {
  for (const std::size_t wrong : {0, 8, 10}) {
    ThreadRanks ranks(kRanks);
    ranks.run([&](const rnn_collective_t& collective) {
      Given g = given();
      rnn_collective_t own = collective;
      own.own_sequences = 1;
      g.options.collective = &own;
      std::size_t count = 0;
      for (std::uint64_t n = 0; n < 24; ++n)
        if (rnn_rank_of(rnn_lane_of(n, 8), 8, kRanks) == collective.rank) ++count;
      if (collective.rank == 1 && wrong != 0) count = wrong;
      const Data data = make_data(g.config, std::vector<std::size_t>(count, 5), {});
      const rnn_sequences_t in = data.get();
      const NetworkHandle network = create(g.config);
      const std::string message =
          message_of(rnn_train(network.get(), &in, &g.options), wrong == 0 ? RNN_OK : RNN_MISMATCH);
      EXPECT_EQ(message.find("sequences on rank") != std::string::npos, wrong != 0) << message;
    });
  }
}

}  // namespace
}  // namespace rnn::training_test
