// The ranks of a job as threads of this process, which exchange bytes in shared memory; with faults on demand.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "rnn/rnn.h"

namespace rnn::training_test {

class ThreadRanks {
 public:
  enum class Fault {
    none,
    error,    // the call returns 1 before it has moved anything, and so do those of the other ranks
    late,     // data have moved, then the call returns 1; the other ranks notice at their next calls
    silence,  // the rank does nothing until the others' time-out, which is short then
    slow,     // it comes later than the others, but before their time-out
    garbage,  // one byte of what arrives from each other rank is wrong
    loss,     // the second half of what arrives from each other rank is missing
  };

  // A call of a rank's, of the functions in rnn_collective_t.
  struct Call {
    std::int32_t rank = 0;
    std::size_t index = 0;  // 0, 1, ... of this rank's
    bool gathers = false;
  };

  // What a rank has moved; bytes are those to and from other ranks.
  struct Traffic {
    std::size_t calls = 0, sent = 0, received = 0;
  };

  explicit ThreadRanks(std::int32_t ranks)
      : posts_(static_cast<std::size_t>(ranks)), traffic_(posts_.size()) {}

  // Says what is to happen in a call; called on the threads of all ranks at the same time.
  std::function<Fault(const Call&)> fault;

  // Calls body(collective) on a thread for each rank and waits for all. When the body of one has returned, calls of
  // the others that need it fail. A later run is a new job.
  template <class Body>
  void run(const Body& body) {
    connect();
    traffic_.assign(traffic_.size(), Traffic());
    std::vector<std::thread> threads;
    for (std::size_t rank = 0; rank < posts_.size(); ++rank)
      threads.emplace_back([this, rank, &body] {
        User user = {this, rank};
        rnn_collective_t collective = {};
        collective.struct_size = sizeof collective;
        collective.rank = static_cast<std::int32_t>(rank);
        collective.ranks = static_cast<std::int32_t>(posts_.size());
        collective.user = &user;
        collective.exchange = &exchange;
        collective.gather = &gather;
        body(std::as_const(collective));
        break_up();
      });
    for (std::thread& thread : threads) thread.join();
  }

  // After a failure, on the threads of all ranks: ends the calls of those that are still in one, waits for all ranks, and
  // connects them anew.
  void repair() {
    break_up();
    std::unique_lock<std::mutex> lock(mutex_);
    const std::size_t repair = repairs_;
    if (++waiting_ == posts_.size()) {
      connect();
      waiting_ = 0;
      ++repairs_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return repairs_ != repair; });
  }

  // Of the run so far; while it lasts, for the rank's own thread.
  const Traffic& traffic(std::int32_t rank) const { return traffic_[static_cast<std::size_t>(rank)]; }

 private:
  struct User {
    ThreadRanks* ranks;
    std::size_t rank;
  };

  // What a rank has for the others, while all are in the same call.
  struct Post {
    const unsigned char* send = nullptr;
    const std::size_t* sizes = nullptr;  // for each rank; of a gathering call the same bytes go to all
    bool gathers = false;

    std::size_t size_for(std::size_t rank, std::size_t self) const { return sizes[gathers ? self : rank]; }
    const unsigned char* bytes_for(std::size_t rank) const {
      std::size_t offset = 0;
      for (std::size_t r = 0; r < rank && !gathers; ++r) offset += sizes[r];
      return send + offset;
    }
  };

  static std::int32_t exchange(const void* send, const std::size_t* send_sizes, void* receive,
                               const std::size_t* receive_sizes, void* user) {
    const User& self = *static_cast<User*>(user);
    const Post post = {static_cast<const unsigned char*>(send), send_sizes, false};
    return self.ranks->call(self.rank, post, static_cast<unsigned char*>(receive), receive_sizes) ? 0 : 1;
  }

  static std::int32_t gather(const void* send, void* receive, const std::size_t* receive_sizes, void* user) {
    const User& self = *static_cast<User*>(user);
    const Post post = {static_cast<const unsigned char*>(send), receive_sizes, true};
    return self.ranks->call(self.rank, post, static_cast<unsigned char*>(receive), receive_sizes) ? 0 : 1;
  }

  bool call(std::size_t rank, const Post& post, unsigned char* receive, const std::size_t* receive_sizes) {
    const Call call = {static_cast<std::int32_t>(rank), traffic_[rank].calls++, post.gathers};
    const Fault found = fault ? fault(call) : Fault::none;
    if (found == Fault::error) return break_up();
    if (found == Fault::silence) return wait_for_the_end();
    if (found == Fault::slow) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    posts_[rank] = post;
    if (!meet()) return false;
    for (std::size_t from = 0; from < posts_.size(); ++from) {
      const Post& other = posts_[from];
      const std::size_t size = receive_sizes[from];
      if (other.gathers != post.gathers || other.size_for(rank, from) != size) return break_up();
      const bool foreign = from != rank;
      const std::size_t arrives = found == Fault::loss && foreign ? size / 2 : size;
      if (arrives != 0) std::memcpy(receive, other.bytes_for(rank), arrives);
      if (found == Fault::garbage && foreign && size != 0) receive[call.index * 7 % size] ^= 0x55;
      receive += size;
      if (foreign) traffic_[rank].received += size;
      if (foreign) traffic_[rank].sent += post.size_for(from, rank);
    }
    if (!meet()) return false;  // nobody reads what a rank has sent after it has returned
    return found != Fault::late || break_up();
  }

  // False if not all ranks come in time.
  bool meet() {
    std::unique_lock<std::mutex> lock(mutex_);
    const std::size_t meeting = meetings_;
    if (broken_) return false;
    if (++arrived_ == posts_.size()) {
      arrived_ = 0;
      ++meetings_;
      changed_.notify_all();
      return true;
    }
    const auto over = [&] { return meetings_ != meeting || broken_; };
    changed_.wait_for(lock, std::chrono::seconds(60), [&] { return over() || silent_; });
    changed_.wait_for(lock, std::chrono::milliseconds(20), over);
    if (meetings_ != meeting) return true;
    broken_ = true;
    changed_.notify_all();
    return false;
  }

  void connect() {
    broken_ = silent_ = false;
    arrived_ = 0;
  }

  // All calls that are not complete fail.
  bool break_up() {
    const std::lock_guard<std::mutex> lock(mutex_);
    broken_ = true;
    changed_.notify_all();
    return false;
  }

  bool wait_for_the_end() {
    std::unique_lock<std::mutex> lock(mutex_);
    silent_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return broken_; });
    return false;
  }

  std::vector<Post> posts_;
  std::vector<Traffic> traffic_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t arrived_ = 0, meetings_ = 0;
  std::size_t waiting_ = 0, repairs_ = 0;
  bool broken_ = false, silent_ = false;
};

}  // namespace rnn::training_test
