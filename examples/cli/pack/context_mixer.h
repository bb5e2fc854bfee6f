// Predicts the next bit of the data from what followed the same contexts before, and from a distribution of the next
// byte that somebody else predicts. Logistic mixing of contexts of several orders: Mahoney 2005, as bit_history.h and
// mixer.h say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bit_history.h"
#include "mixer.h"

namespace pack {

// What followed a context, for each beginning of the next four bits: a line of the cache.
struct Slot {
  std::uint32_t check;
  std::uint32_t nodes[15];
};

// Slots by the hash of their context.
class SlotTable {
 public:
  explicit SlotTable(int bits);
  // The slot of the context; of another one, if it is there for the first time, emptied.
  Slot* find(std::uint32_t hash);
  void prefetch(std::uint32_t hash) const { __builtin_prefetch(&slots_[hash >> (32 - bits_)]); }

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  int bits_;
  std::unique_ptr<void, Free> memory_;
  Slot* slots_ = nullptr;
};

// The longest earlier place whose last bytes are those of now.
class MatchModel {
 public:
  MatchModel(int buffer_bits, int hash_bits, std::uint32_t least);
  // The next byte as that place has it; -1: there is none.
  int expected() const { return length_ > 0 ? buffer_[place_ & mask_] : -1; }
  std::uint32_t length() const { return length_; }
  void append(std::uint8_t byte);

 private:
  std::uint32_t least_, mask_;
  int hash_bits_;
  std::vector<std::uint8_t> buffer_;
  std::vector<std::uint32_t> heads_;
  std::uint32_t end_ = 0, place_ = 0, length_ = 0;  // modulo 2^32 on every machine
};

struct ContextOptions {
  int contexts;   // how many of the contexts there are
  int choices;    // by how many contexts the mixer chooses weights
  int slot_bits;  // of the table of each context
};

class ContextMixer {
 public:
  explicit ContextMixer(const ContextOptions& options);

  // How likely the next byte is each value, in any unit; each at least 1, their sum less than 2^32. Before its first bit.
  void set_bytes(const std::uint32_t* frequencies);

  // Of a one.
  int predict();
  void update(int bit);

 private:
  void next_byte();
  void find_slots();
  void add_contexts();
  void add_match();
  void add_bytes();
  void choose();
  std::size_t kinds() const;

  static constexpr std::size_t kMostContexts = 12;

  struct Context {
    std::uint32_t hash = 0;
    Slot* slot = nullptr;
    std::uint32_t* node = nullptr;
    std::vector<AdaptiveProbability> histories;
  };

  const Logistic& logistic_ = Logistic::get();
  BitHistories histories_;
  std::vector<SlotTable> tables_;
  std::vector<Context> contexts_;
  std::size_t known_ = 0;  // of them have been there before, with the bits of the byte so far
  MatchModel match_;
  std::vector<AdaptiveProbability> match_found_;
  AdaptiveProbability* match_used_ = nullptr;
  std::array<std::uint32_t, 512> tree_;  // node n is the sum of 2 n and 2 n + 1, leaf 256 + b is byte b
  std::vector<AdaptiveProbability> byte_found_;
  AdaptiveProbability* byte_used_ = nullptr;
  int byte_confidence_ = 0;
  Mixer mixer_;
  Correction correction1_, correction3_;  // by the last byte, and by the last three

  std::uint32_t partial_ = 1;  // the bits of the byte so far behind a one
  int bit_ = 0;                // how many there are
  std::uint64_t bytes_ = 0;    // the last eight, the latest lowest
  std::uint32_t word_ = 0, last_word_ = 0;
  std::array<std::uint16_t, 256> followed_ = {};
};

}  // namespace pack
