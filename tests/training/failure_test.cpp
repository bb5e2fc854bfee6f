// Exchanges that fail: every rank says so, and none is an update ahead.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "capi/training_handle.h"
#include "tests/capi/scratch.h"
#include "tests/training/runs.h"
#include "tests/training/thread_ranks.h"

namespace rnn::training_test {
namespace {

using Fault = ThreadRanks::Fault;
using Call = ThreadRanks::Call;
using Bits = std::vector<std::uint32_t>;

constexpr std::int32_t kLanes = 8;

// Each rank owns a part of the parameters.
rnn_config_t network_config() {
  rnn_config_t c = config(6, 32, 5, 2);
  c.cell = RNN_CELL_LSTM;
  return c;
}

rnn_train_options_t train_options(const rnn_collective_t* collective) {
  auto o = sized<rnn_train_options_t>();
  o.batch_size = 10;
  o.lanes = kLanes;
  o.epochs = 2;
  o.threads = 1;
  o.clip_norm = 0.5f;
  o.dropout = 0.2f;
  o.average = 0.9f;
  o.collective = collective;
  return o;
}

// What a rank says after a call.
struct Said {
  rnn_status_t status = RNN_OK;
  std::string message;
};

Said said(rnn_status_t status) { return {status, status == RNN_OK ? "" : rnn_last_error()}; }

class Failure : public testing::Test {
 protected:
  // How many ranks, of which the lanes are not divided evenly.
  static constexpr std::int32_t kRanks = 3;

  // Two updates on each rank; then check(what the second one said, the weights before it, those after it). Once the ranks
  // are connected again, the one that failed leads to the weights `goes_on`, if that is not null.
  template <class Check>
  void two_updates(ThreadRanks& ranks, const Check& check, const Bits* goes_on = nullptr) const {
    ranks.run([&](const rnn_collective_t& collective) {
      const rnn_train_options_t options = train_options(&collective);
      const TrainerHandle trainer = create_trainer(create(network_config()), options);
      ASSERT_EQ(rnn_trainer_update(trainer.get(), &in_, nullptr), RNN_OK) << rnn_last_error();
      const Bits before = bits(values(trainer));
      if (collective.rank == 0) calls_.first = ranks.traffic(0).calls;
      const Said second = said(rnn_trainer_update(trainer.get(), &in_, nullptr));
      if (collective.rank == 0) calls_.last = ranks.traffic(0).calls;
      check(second, before, bits(values(trainer)));
      if (!goes_on) return;
      ranks.repair();
      EXPECT_EQ(rnn_trainer_update(trainer.get(), &in_, nullptr), RNN_OK) << rnn_last_error();
      EXPECT_TRUE(bits(values(trainer)) == *goes_on);
    });
  }

  struct Calls {
    std::size_t first = 0, last = 0;
  };
  // Undisturbed: the calls of the second update, and the weights after it.
  Calls calls_of_second_update(Bits& end) const {
    std::mutex mutex;
    ThreadRanks ranks(kRanks);
    two_updates(ranks, [&](const Said& second, const Bits& before, const Bits& after) {
      const std::lock_guard<std::mutex> lock(mutex);
      EXPECT_EQ(second.status, RNN_OK) << second.message;
      EXPECT_NE(before, after);
      end = after;
    });
    EXPECT_GT(calls_.last, calls_.first);
    return calls_;
  }

  const Data data_ = make_data(network_config(), ragged_lengths(20), {}),
             other_ = make_data(network_config(), ragged_lengths(9), {}, 2);
  const rnn_sequences_t in_ = data_.get(), validation_ = other_.get();

 private:
  mutable Calls calls_;  // of rank 0 in the second of the last two updates
};

std::function<Fault(const Call&)> at(Fault fault, std::int32_t rank, std::size_t index) {
  return [=](const Call& call) { return call.rank == rank && call.index == index ? fault : Fault::none; };
}

std::string place(Fault fault, std::int32_t rank, std::size_t call, std::size_t calls) {
  return "fault " + std::to_string(static_cast<int>(fault)) + " of rank " + std::to_string(rank) +
         " in call " + std::to_string(call) + " of " + std::to_string(calls);
}

struct Faults {
  Fault fault;
  bool quiet;  // the other ranks learn of it in their next call
};

const std::vector<Faults> kFaults = {{Fault::error, false},
                                     {Fault::silence, false},
                                     {Fault::late, true},
                                     {Fault::garbage, true},
                                     {Fault::loss, true}};

// Of two updates, the second one fails in each of its calls, by each fault of each rank. If it is the last call of the
// update and others have received everything, the update is done there, and the next one fails.
TEST_F(Failure, OfEveryCallOfAnUpdate) {
  Bits end;
  const Calls calls = calls_of_second_update(end);
  for (const Faults& f : kFaults)
    for (std::int32_t rank = 0; rank < kRanks; ++rank)
      for (std::size_t index = calls.first; index < calls.last; ++index) {
        const std::string where = place(f.fault, rank, index - calls.first, calls.last - calls.first);
        const bool may_be_done = f.quiet && index + 1 == calls.last;
        std::mutex mutex;
        std::size_t failed = 0;
        ThreadRanks ranks(kRanks);
        ranks.fault = at(f.fault, rank, index);
        two_updates(
            ranks,
            [&](const Said& second, const Bits& before, const Bits& after) {
              const std::lock_guard<std::mutex> lock(mutex);
              if (!may_be_done || second.status != RNN_OK) {
                EXPECT_EQ(second.status, RNN_UNAVAILABLE) << where << ": " << second.message;
                EXPECT_TRUE(before == after) << where;
                ++failed;
              }
            },
            may_be_done ? nullptr : &end);
        EXPECT_GE(failed, 1u) << where;
        if (HasFailure()) return;
      }
}

// One that is slow, and comes before the time-out, changes nothing.
TEST_F(Failure, OfNoSlowRank) {
  Bits end;
  const Calls calls = calls_of_second_update(end);
  ThreadRanks ranks(kRanks);
  ranks.fault = at(Fault::slow, 2, calls.first);
  two_updates(ranks, [&](const Said& second, const Bits&, const Bits& after) {
    EXPECT_EQ(second.status, RNN_OK) << second.message;
    EXPECT_TRUE(after == end);
  });
}

// A whole run, with validation, fails in any of its calls: all ranks stand after the same update, and go on from there.
TEST_F(Failure, OfEveryCallOfARun) {
  struct Place {
    std::uint64_t updates = 0;
    Bits weights;
    bool operator==(const Place& o) const { return updates == o.updates && weights == o.weights; }
  };
  std::vector<Bits> after;  // the weights after each update of an undisturbed run
  struct Report {
    const TrainerHandle* trainer = nullptr;
    std::vector<Bits>* after = nullptr;

    static std::int32_t add(const rnn_progress_t* progress, void* user) {
      Report& report = *static_cast<Report*>(user);
      if (progress->event == RNN_EVENT_UPDATE && report.after != nullptr)
        report.after->push_back(bits(values(*report.trainer)));
      return 0;
    }
  };
  Place end;
  std::vector<Said> results(kRanks);
  std::vector<Place> places(kRanks);
  const auto run = [&](ThreadRanks& ranks) {
    ranks.run([&](const rnn_collective_t& collective) {
      const auto rank = static_cast<std::size_t>(collective.rank);
      TrainerHandle trainer;
      Report report = {&trainer, collective.ranks == 1 ? &after : nullptr};
      rnn_train_options_t options = train_options(collective.ranks == 1 ? nullptr : &collective);
      options.validation = &validation_;
      options.progress = &Report::add;
      options.user = &report;
      rnn_trainer_t* out = nullptr;
      results[rank] = said(rnn_trainer_create(create(network_config()).get(), &options, &out));
      if (out == nullptr) return;
      trainer.reset(out);
      results[rank] = said(rnn_trainer_run(out, &in_));
      places[rank] = {out->trainer.state().update, bits(values(trainer))};
      if (collective.ranks == 1 || results[rank].status == RNN_OK) return;
      ranks.repair();
      EXPECT_EQ(rnn_trainer_run(out, &in_), RNN_OK) << rnn_last_error();
      EXPECT_TRUE(bits(values(trainer)) == end.weights);
    });
  };
  ThreadRanks alone(1), undisturbed(kRanks);
  run(alone);
  ASSERT_EQ(results[0].status, RNN_OK) << results[0].message;
  end = places[0];
  run(undisturbed);
  for (const Place& place : places) EXPECT_TRUE(place == end) << place.updates;
  const std::size_t calls = undisturbed.traffic(0).calls;
  std::set<std::uint64_t> stopped_after;
  for (std::size_t index = 0; index < calls; ++index) {
    SCOPED_TRACE("call " + std::to_string(index) + " of " + std::to_string(calls));
    ThreadRanks ranks(kRanks);
    ranks.fault = at(Fault::error, static_cast<std::int32_t>(index % kRanks), index);
    std::fill(places.begin(), places.end(), Place());
    run(ranks);
    for (std::size_t rank = 0; rank < kRanks; ++rank) {
      EXPECT_EQ(results[rank].status, RNN_UNAVAILABLE) << results[rank].message;
      EXPECT_TRUE(places[rank] == places[0]) << places[rank].updates << " and " << places[0].updates;
    }
    if (places[0].updates > 0) {
      EXPECT_EQ(places[0].weights, after[places[0].updates - 1]);
    }
    stopped_after.insert(places[0].updates);
    if (HasFailure()) return;
  }
  EXPECT_EQ(stopped_after.size(), end.updates + 1);
}

// The other functions that need all ranks: each call of each fails, and changes nothing.
class FailureOf : public Failure {
 protected:
  using Operation = std::function<rnn_status_t(rnn_trainer_t*, const rnn_collective_t&)>;

  void SetUp() override { std::filesystem::remove(path_); }
  void TearDown() override { std::filesystem::remove(path_); }

  // After an update, the operation; check(what it said, the weights before, those after).
  template <class Check>
  void run(ThreadRanks& ranks, const Operation& operation, const Check& check) {
    ranks.run([&](const rnn_collective_t& collective) {
      const rnn_train_options_t options = train_options(&collective);
      const TrainerHandle trainer = create_trainer(create(network_config()), options);
      ASSERT_EQ(rnn_trainer_update(trainer.get(), &in_, nullptr), RNN_OK) << rnn_last_error();
      const Bits before = bits(values(trainer));
      if (collective.rank == 0) first_ = ranks.traffic(0).calls;
      const Said result = said(operation(trainer.get(), collective));
      if (collective.rank == 0) last_ = ranks.traffic(0).calls;
      check(result, before, bits(values(trainer)));
    });
  }

  void check_every_call(const Operation& operation) {
    ThreadRanks undisturbed(kRanks);
    run(undisturbed, operation, [](const Said& result, const Bits&, const Bits&) {
      EXPECT_EQ(result.status, RNN_OK) << result.message;
    });
    const std::size_t first = first_, last = last_;
    EXPECT_GT(last, first);
    for (const Faults& f : kFaults)
      for (std::size_t index = first; index + (f.quiet ? 1 : 0) < last; ++index) {
        const std::int32_t rank = f.quiet ? 0 : 2;  // rank 0 receives something in each call
        const std::string where = place(f.fault, rank, index - first, last - first);
        ThreadRanks ranks(kRanks);
        ranks.fault = at(f.fault, rank, index);
        run(ranks, operation, [&](const Said& result, const Bits& before, const Bits& after) {
          EXPECT_EQ(result.status, RNN_UNAVAILABLE) << where << ": " << result.message;
          EXPECT_TRUE(before == after) << where;
        });
      }
  }

  const std::string path_ = scratch_path("failure");

 private:
  std::size_t first_ = 0, last_ = 0;
};

TEST_F(FailureOf, Saving) {
  check_every_call([&](rnn_trainer_t* trainer, const rnn_collective_t&) {
    return rnn_trainer_save(trainer, path_.c_str());
  });
}

// Of other weights than the trainer's.
TEST_F(FailureOf, Loading) {
  rnn_train_options_t options = train_options(nullptr);
  const TrainerHandle other = create_trainer(create(network_config()), options);
  for (int update = 0; update < 2; ++update)
    ASSERT_EQ(rnn_trainer_update(other.get(), &in_, nullptr), RNN_OK) << rnn_last_error();
  ASSERT_EQ(rnn_trainer_save(other.get(), path_.c_str()), RNN_OK) << rnn_last_error();
  check_every_call([&](rnn_trainer_t* trainer, const rnn_collective_t&) {
    return rnn_trainer_load(trainer, path_.c_str());
  });
}

TEST_F(FailureOf, Evaluation) {
  check_every_call([&](rnn_trainer_t* trainer, const rnn_collective_t& collective) {
    rnn_t* network = nullptr;
    EXPECT_EQ(rnn_trainer_network(trainer, &network), RNN_OK);
    const NetworkHandle owned(network);
    const rnn_train_options_t options = train_options(&collective);
    auto evaluation = sized<rnn_evaluation_t>();
    const rnn_status_t status = rnn_evaluate(network, &validation_, &options, &evaluation);
    EXPECT_EQ(evaluation.weight == 0.0, status != RNN_OK);
    return status;
  });
}

// What rank 0 cannot write or read, all ranks say.
TEST_F(FailureOf, Files) {
  ThreadRanks ranks(kRanks);
  ranks.run([&](const rnn_collective_t& collective) {
    const rnn_train_options_t options = train_options(&collective);
    const TrainerHandle trainer = create_trainer(create(network_config()), options);
    const std::string missing = path_ + "/missing";
    for (const std::string& message :
         {message_of(rnn_trainer_save(trainer.get(), missing.c_str()), RNN_FILE_ERROR),
          message_of(rnn_trainer_load(trainer.get(), missing.c_str()), RNN_FILE_ERROR)}) {
      EXPECT_NE(message.find("rank 0"), std::string::npos) << message;
      EXPECT_NE(message.find(missing), std::string::npos) << message;
    }
    ASSERT_EQ(rnn_trainer_update(trainer.get(), &in_, nullptr), RNN_OK) << rnn_last_error();
    ASSERT_EQ(rnn_trainer_save(trainer.get(), path_.c_str()), RNN_OK) << rnn_last_error();
  });
}

}  // namespace
}  // namespace rnn::training_test
