#include "context_mixer.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace pack {
namespace {

constexpr std::uint32_t kHistoryMask = 1023, kCountShift = 10, kCountMask = 63, kProbabilityShift = 16;
constexpr int kCorrectionRate = 6;
constexpr std::uint32_t kSpread = 0x2F0B4C47;  // odd, its bits without a pattern
constexpr std::uint32_t kMostCount = 60, kMostSeen = 1023;

std::uint32_t hash(std::uint64_t a, std::uint32_t b) {
  std::uint64_t h =
      (a + 0x9E3779B97F4A7C15) * (0xD6E8FEB86659FD93 + 2 * std::uint64_t{b} * 0x9E3779B97F4A7C15);
  h ^= h >> 32;
  h *= 0xD6E8FEB86659FD93;
  return static_cast<std::uint32_t>(h >> 32);
}

bool is_letter(std::uint32_t byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 128;
}

std::size_t kind_of(std::uint64_t byte) {
  if (byte == ' ') return 0;
  if (byte == '\n') return 1;
  if (byte >= 'a' && byte <= 'z') return 2;
  if (byte >= 'A' && byte <= 'Z') return 3;
  if (byte >= '0' && byte <= '9') return 4;
  return byte >= 128 ? 5 : byte < ' ' ? 6 : 7;
}

// Of each choice, how many contexts there are: see choose().
constexpr std::size_t kChoices[] = {256, 256 * 8, 32 * 8, 16 * 8, 256, 16 * 8, 256};

std::size_t logarithm(std::size_t n) {
  std::size_t bits = 0;
  for (; n > 0; n >>= 1) ++bits;
  return bits;
}

}  // namespace

SlotTable::SlotTable(int bits)
    : bits_(bits),
      memory_(std::calloc((std::size_t{1} << bits) + 1, sizeof(Slot))) {  // pages when they are used
  std::size_t space = ((std::size_t{1} << bits) + 1) * sizeof(Slot);
  void* place = memory_.get();
  if (place == nullptr) throw std::bad_alloc();
  slots_ = static_cast<Slot*>(std::align(sizeof(Slot), space - sizeof(Slot), place, space));
}

void SlotTable::Free::operator()(void* memory) const { std::free(memory); }

Slot* SlotTable::find(std::uint32_t hash) {
  const std::uint32_t check = hash | 1;  // 0 is in empty slots
  const std::size_t place = hash >> (32 - bits_);
  Slot* const first = &slots_[place];
  if (first->check == check) return first;
  Slot* const second = &slots_[place ^ 1];
  if (second->check == check) return second;
  const auto uses = [](const Slot& slot) { return slot.nodes[0] >> kCountShift & kCountMask; };
  Slot* const replaced = uses(*first) <= uses(*second) ? first : second;
  *replaced = {};
  replaced->check = check;
  return replaced;
}

MatchModel::MatchModel(int buffer_bits, int hash_bits, std::uint32_t least)
    : least_(least),
      mask_((1u << buffer_bits) - 1),
      hash_bits_(hash_bits),
      buffer_(std::size_t{mask_} + 1),
      heads_(std::size_t{1} << hash_bits) {}

void MatchModel::append(std::uint8_t byte) {
  constexpr std::uint32_t kMostLength = 65535;
  length_ = length_ > 0 && buffer_[place_ & mask_] == byte ? std::min(length_ + 1, kMostLength) : 0;
  ++place_;
  buffer_[end_++ & mask_] = byte;
  std::uint32_t sum = 0;
  for (std::uint32_t i = 1; i <= least_; ++i) sum = (sum + buffer_[(end_ - i) & mask_] + 1) * kSpread;
  std::uint32_t& head = heads_[sum >> (32 - hash_bits_)];
  if (length_ == 0 && end_ - head < mask_) {
    place_ = head;
    const std::uint32_t most = std::min(mask_ - (end_ - head), kMostLength);
    const auto is_same = [&](std::uint32_t back) {
      return buffer_[(place_ - back) & mask_] == buffer_[(end_ - back) & mask_];
    };
    while (length_ < most && is_same(length_ + 1)) ++length_;
    if (length_ < least_) length_ = 0;
  }
  head = end_;
}

ContextMixer::ContextMixer(const ContextOptions& options)
    : match_(22, 18, 7),
      match_found_(64),
      byte_found_(64 * 256),
      mixer_(static_cast<std::size_t>(options.contexts) * 3 + 6,
             std::vector<std::size_t>(kChoices, kChoices + options.choices), 256),
      correction1_(65536),
      correction3_(65536) {
  contexts_.resize(static_cast<std::size_t>(options.contexts));
  for (Context& context : contexts_) {
    tables_.emplace_back(options.slot_bits);
    for (std::size_t h = 0; h < histories_.size(); ++h)
      context.histories.emplace_back(histories_.probability(h));
  }
  for (std::size_t i = 0; i < match_found_.size(); ++i)
    match_found_[i] = AdaptiveProbability(i % 2 == 0 ? kOne / 4 : kOne * 3 / 4);
  tree_.fill(1);
  for (std::size_t i = 0; i < byte_found_.size(); ++i)
    byte_found_[i] = AdaptiveProbability(logistic_.squash((static_cast<int>(i % 64) - 32) * 92));
  next_byte();
}

void ContextMixer::set_bytes(const std::uint32_t* frequencies) {
  std::copy(frequencies, frequencies + 256, tree_.begin() + 256);
  for (std::size_t n = 255; n > 0; --n) tree_[n] = tree_[2 * n] + tree_[2 * n + 1];
  const std::uint32_t most = *std::max_element(frequencies, frequencies + 256);
  byte_confidence_ = (logistic_.stretch(std::clamp<int>(
                          static_cast<int>((std::uint64_t{most} << 16) / tree_[1]), 1, kOne - 1)) +
                      kMostStretch) *
                     32 / (2 * kMostStretch + 1);
}

void ContextMixer::next_byte() {
  const auto last = [&](int n) { return bytes_ & ((std::uint64_t{1} << (8 * n)) - 1); };
  const std::uint32_t length = static_cast<std::uint32_t>(std::min<std::size_t>(match_.length(), 15));
  const std::uint64_t expected = static_cast<std::uint64_t>(match_.expected() + 1);
  std::uint16_t& followed = followed_[bytes_ >> 8 & 255];  // the last two bytes behind each byte
  followed = static_cast<std::uint16_t>(followed << 8 | (bytes_ & 255));
  const std::uint64_t all[kMostContexts] = {last(1),
                                            last(2),
                                            last(3),
                                            last(4),
                                            last(6),
                                            word_,
                                            std::uint64_t{last_word_} << 32 | word_,
                                            bytes_ & 0xF0F0F0F0,
                                            last(1) << 32 | followed_[bytes_ & 255],
                                            expected << 8 | length,
                                            0};
  for (std::size_t i = 0; i < contexts_.size(); ++i)
    contexts_[i].hash = hash(all[i], static_cast<std::uint32_t>(i));
  find_slots();
}

void ContextMixer::find_slots() {
  std::array<std::uint32_t, kMostContexts> hashes;
  for (std::size_t i = 0; i < contexts_.size(); ++i) {
    hashes[i] = bit_ == 0 ? contexts_[i].hash : hash(contexts_[i].hash, partial_);
    tables_[i].prefetch(hashes[i]);
  }
  for (std::size_t i = 0; i < contexts_.size(); ++i) contexts_[i].slot = tables_[i].find(hashes[i]);
}

void ContextMixer::add_contexts() {
  const std::uint32_t place =
      bit_ < 4 ? partial_ : (1u << (bit_ - 4)) | (partial_ & ((1u << (bit_ - 4)) - 1));
  known_ = 0;
  for (Context& context : contexts_) {
    context.node = &context.slot->nodes[place - 1];
    const std::uint32_t node = *context.node, history = node & kHistoryMask;
    if (history == 0) {
      mixer_.add(0);
      mixer_.add(0);
      mixer_.add(0);
      continue;
    }
    ++known_;
    const int p = context.histories[history].probability();
    mixer_.add(logistic_.stretch(p));
    mixer_.add((p - kOne / 2) / 24);
    mixer_.add(logistic_.stretch(static_cast<int>(node >> kProbabilityShift)));
  }
}

void ContextMixer::add_match() {
  match_used_ = nullptr;
  const int expected = match_.expected();
  if (expected >= 0 && (static_cast<std::uint32_t>(expected) | 256u) >> (8 - bit_) == partial_) {
    const std::size_t length = match_.length();
    const std::size_t bucket =
        length < 16 ? length : std::min<std::size_t>(12 + logarithm(length) * 2 - 6, 31);
    const int bit = expected >> (7 - bit_) & 1;
    match_used_ = &match_found_[bucket * 2 + static_cast<std::size_t>(bit)];
    const int p = match_used_->probability();
    mixer_.add(logistic_.stretch(p));
    mixer_.add((p - kOne / 2) / 24);
    return;
  }
  mixer_.add(0);
  mixer_.add(0);
}

void ContextMixer::add_bytes() {
  const std::uint32_t sum = tree_[partial_], ones = tree_[2 * partial_ + 1];
  const int p =
      std::clamp<int>(static_cast<int>((std::uint64_t{ones} << kProbabilityBits) / sum), 1, kOne - 1);
  const int s = logistic_.stretch(p);
  mixer_.add(s);
  byte_used_ = &byte_found_[partial_ * 64 +
                            static_cast<std::size_t>((s + kMostStretch) * 64 / (2 * kMostStretch + 1))];
  mixer_.add(logistic_.stretch(byte_used_->probability()));
}

// What kinds of bytes the last three are.
std::size_t ContextMixer::kinds() const {
  return kind_of(bytes_ & 255) << 5 | kind_of(bytes_ >> 8 & 255) << 2 | kind_of(bytes_ >> 16 & 255) >> 1;
}

void ContextMixer::choose() {
  const std::size_t length =
      match_used_ == nullptr ? 0 : std::min<std::size_t>(1 + logarithm(match_.length()), 15);
  const auto bit = static_cast<std::size_t>(bit_);
  const auto before = [&](int place) { return static_cast<std::size_t>(bytes_ >> 8 * place & 255); };
  const std::size_t all[] = {
      partial_,          kinds() << 3 | bit, static_cast<std::size_t>(byte_confidence_) << 3 | bit,
      length << 3 | bit, before(0),          known_ << 3 | bit,
      before(1)};
  for (std::size_t k = 0; k < mixer_.choices(); ++k) mixer_.choose(k, all[k]);
  mixer_.choose_last(partial_);
}

int ContextMixer::predict() {
  const std::size_t one = (bytes_ & 255) << 8 | partial_, three = hash(bytes_ & 0xFFFFFF, partial_) >> 16;
  correction1_.prefetch(one);
  correction3_.prefetch(three);
  add_contexts();
  add_match();
  add_bytes();
  mixer_.add(kStretchUnit);
  choose();
  const int mixed = mixer_.mix();
  return std::clamp((mixed + correction1_.correct(mixed, one) + correction3_.correct(mixed, three) + 1) / 3,
                    1, kOne - 1);
}

void ContextMixer::update(int bit) {
  mixer_.update(bit);
  correction1_.update(bit, kCorrectionRate);
  correction3_.update(bit, kCorrectionRate);
  if (match_used_ != nullptr) match_used_->update(bit, kMostSeen);
  if (byte_used_ != nullptr) byte_used_->update(bit, kMostSeen);
  for (Context& context : contexts_) {
    std::uint32_t& node = *context.node;
    const std::uint32_t history = node & kHistoryMask, count = node >> kCountShift & kCountMask;
    if (history != 0) context.histories[history].update(bit, kMostSeen);
    int p = history == 0 ? kOne / 2 : static_cast<int>(node >> kProbabilityShift);
    p += ((bit << kProbabilityBits) - p) * 2 / (2 * static_cast<int>(count) + 3);
    p = std::clamp(p, 1, kOne - 1);
    node = static_cast<std::uint32_t>(p) << kProbabilityShift |
           std::min(count + 1, kMostCount) << kCountShift |
           histories_.next(static_cast<std::uint16_t>(history), bit);
  }
  partial_ = partial_ << 1 | static_cast<std::uint32_t>(bit);
  if (++bit_ == 4) find_slots();
  if (bit_ < 8) return;
  const std::uint32_t byte = partial_ & 255;
  bit_ = 0;
  partial_ = 1;
  bytes_ = bytes_ << 8 | byte;
  if (is_letter(byte)) {
    word_ = (word_ + (byte | 32) + 1) * kSpread;
  } else if (word_ != 0) {
    last_word_ = word_;
    word_ = 0;
  }
  match_.append(static_cast<std::uint8_t>(byte));
  next_byte();
}

}  // namespace pack
