#include "lib/training/collective.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "lib/network/config.h"
#include "lib/network/little_endian.h"

namespace rnn {

// The position enters, so that exchanged words are found, too; the last product changes all bytes of the sum.
std::uint64_t checksum(const void* bytes, std::size_t size) noexcept {
  const auto* at = static_cast<const unsigned char*>(bytes);
  std::uint64_t sum = size;
  const std::size_t words = size / sizeof(std::uint32_t);
  for (std::size_t i = 0; i < words; ++i) {
    const auto word = read_little_endian<std::uint32_t>(at + i * sizeof(std::uint32_t));
    sum += (2 * i + 1) * std::uint64_t{word};
  }
  for (std::size_t i = words * sizeof(std::uint32_t); i < size; ++i)
    sum += (2 * i + 1) * std::uint64_t{at[i]};
  return sum * 0x9e3779b97f4a7c15u;
}

namespace {

constexpr std::size_t kMessage = 512;

// What ranks compare, by name, so that a difference can be told.
struct OptionField {
  const char* name;
  double (*value)(const rnn_train_options_t& options);
};

#define RNN_OPTION(field)                                                                        \
  {                                                                                              \
    "options." #field, [](const rnn_train_options_t& o) { return static_cast<double>(o.field); } \
  }
#define RNN_OPTION_GIVEN(field)                                                     \
  {                                                                                 \
    "options." #field " being given",                                               \
        [](const rnn_train_options_t& o) { return o.field != nullptr ? 1.0 : 0.0; } \
  }

constexpr OptionField kOptionFields[] = {
    RNN_OPTION(loss),
    RNN_OPTION(optimizer),
    RNN_OPTION(learning_rate),
    RNN_OPTION(momentum),
    RNN_OPTION(beta1),
    RNN_OPTION(beta2),
    RNN_OPTION(epsilon),
    RNN_OPTION(weight_decay),
    RNN_OPTION(nesterov),
    RNN_OPTION(clip_norm),
    RNN_OPTION(clip_value),
    RNN_OPTION(schedule),
    RNN_OPTION(schedule_factor),
    RNN_OPTION(schedule_updates),
    RNN_OPTION(warmup_updates),
    RNN_OPTION(epochs),
    RNN_OPTION(batch_size),
    RNN_OPTION(window),
    RNN_OPTION(stateless_windows),
    RNN_OPTION(keep_order),
    {"the upper half of options.seed",
     [](const rnn_train_options_t& o) { return static_cast<double>(o.seed >> 32); }},
    {"the lower half of options.seed",
     [](const rnn_train_options_t& o) { return static_cast<double>(o.seed & 0xffffffffu); }},
    RNN_OPTION(validate_every),
    RNN_OPTION(patience),
    RNN_OPTION(report_every),
    RNN_OPTION_GIVEN(validation),
    RNN_OPTION_GIVEN(progress),
    RNN_OPTION(dropout),
    RNN_OPTION(scheduled_sampling),
    RNN_OPTION(average),
    RNN_OPTION(accumulate),
    RNN_OPTION(restore_best),
    RNN_OPTION(group_count),
    RNN_OPTION_GIVEN(class_weights),
    RNN_OPTION(label_smoothing),
    RNN_OPTION(sampled_classes),
    RNN_OPTION(schedule_start),
    RNN_OPTION(schedule_by_epoch),
    RNN_OPTION(skip_not_finite),
    RNN_OPTION(output_dropout),
    RNN_OPTION(recurrent_dropout),
};

#undef RNN_OPTION
#undef RNN_OPTION_GIVEN

std::uint64_t group_checksum(const rnn_train_options_t& options) noexcept {
  std::uint64_t sum = 0;
  for (std::int32_t i = 0; i < options.group_count; ++i) {
    const rnn_parameter_group_t& group = options.groups[i];
    const float factor = group.learning_rate_factor != 0.0f ? group.learning_rate_factor : 1.0f;
    const auto flags =
        static_cast<std::uint64_t>(group.frozen + 2 * group.no_weight_decay + 4 * group.two_biases);
    sum = 31 * sum + checksum(group.pattern, std::strlen(group.pattern));
    sum = 31 * sum + checksum(&factor, sizeof factor);
    sum = 31 * sum + flags;
  }
  return sum;
}

constexpr std::uint64_t kVersion = RNN_VERSION_MAJOR * 1000000 + RNN_VERSION_MINOR * 1000 + RNN_VERSION_PATCH;
constexpr std::size_t kOptions = sizeof kOptionFields / sizeof *kOptionFields;

}  // namespace

Collective::Collective(const Allocator& allocator, const rnn_collective_t* given, std::int32_t lanes)
    : allocator_(allocator), given_{}, lanes_(static_cast<std::size_t>(lanes)) {
  given_.ranks = 1;
  if (given == nullptr) return;
  given_ = *given;
  sizes_ = Buffer<std::size_t>(allocator, ranks());
}

void Collective::exchange(const void* send, const std::size_t* send_sizes, void* receive,
                          const std::size_t* receive_sizes) const {
  const std::int32_t failure = given_.exchange(send, send_sizes, receive, receive_sizes, given_.user);
  if (failure != 0)
    throw Error(RNN_UNAVAILABLE,
                "options.collective.exchange returned %d on rank %zu of %zu; it must return 0", failure,
                rank(), ranks());
}

void Collective::gather_unchecked(const void* send, void* receive, const std::size_t* receive_sizes) const {
  const std::int32_t failure = given_.gather(send, receive, receive_sizes, given_.user);
  if (failure != 0)
    throw Error(RNN_UNAVAILABLE, "options.collective.gather returned %d on rank %zu of %zu; it must return 0",
                failure, rank(), ranks());
}

// Behind a rank's bytes stands their checksum, little-endian.
void Collective::gather(const void* send, void* receive, const std::size_t* receive_sizes) const {
  using Sum = std::uint64_t;
  Buffer<std::size_t> sizes(allocator_, ranks());
  std::size_t all = 0;
  for (std::size_t r = 0; r < ranks(); ++r) all += sizes[r] = receive_sizes[r] + sizeof(Sum);
  Buffer<unsigned char> sent(allocator_, sizes[rank()]), received(allocator_, all);
  const std::size_t own = receive_sizes[rank()];
  const Sum sum = checksum(send, own);
  std::copy_n(static_cast<const unsigned char*>(send), own, sent.data());
  write_little_endian(&sum, 1, &sent[own]);
  gather_unchecked(sent.data(), received.data(), sizes.data());
  const unsigned char* from = received.data();
  auto* to = static_cast<unsigned char*>(receive);
  for (std::size_t r = 0; r < ranks(); from += sizes[r++]) {
    if (checksum(from, receive_sizes[r]) != read_little_endian<Sum>(from + receive_sizes[r]))
      throw Error(RNN_UNAVAILABLE, "what rank %zu sent has arrived damaged at rank %zu", r, rank());
    to = std::copy_n(from, receive_sizes[r], to);
  }
}

void Collective::gather(const void* send, std::size_t size, void* receive) {
  std::fill(sizes_.begin(), sizes_.end(), size);
  gather(send, receive, sizes_.data());
}

void Collective::agree(const std::optional<Error>& failure) {
  if (alone()) {
    if (failure) throw *failure;
    return;
  }
  Buffer<std::int32_t> statuses(allocator_, ranks());
  const std::int32_t own = failure ? failure->status() : RNN_OK;
  try {
    gather(&own, sizeof own, statuses.data());
  } catch (const Error&) {
    if (failure) throw *failure;  // it says more
    throw;
  }
  const std::int32_t* const first =
      std::find_if(statuses.begin(), statuses.end(), [](std::int32_t status) { return status != RNN_OK; });
  if (first == statuses.end()) return;
  Buffer<char> messages(allocator_, ranks() * kMessage);
  char message[kMessage] = "";
  if (failure) std::snprintf(message, sizeof message, "%s", failure->what());
  gather(message, sizeof message, messages.data());
  const auto rank = static_cast<std::size_t>(first - statuses.begin());
  messages[(rank + 1) * kMessage - 1] = '\0';
  throw Error(*first, "rank %zu: %s", rank, &messages[rank * kMessage]);
}

Buffer<Collective::Vote> Collective::agree(const std::optional<Error>& failure, Vote own) {
  own.failed = failure ? 1 : 0;
  Buffer<Vote> votes(allocator_, ranks());
  gather(&own, sizeof own, votes.data());
  if (std::any_of(votes.begin(), votes.end(), [](const Vote& vote) { return vote.failed != 0; }))
    agree(failure);
  return votes;
}

bool Collective::any(bool here) {
  if (alone()) return here;
  const std::uint8_t own = here ? 1 : 0;
  Buffer<std::uint8_t> all(allocator_, ranks());
  gather(&own, sizeof own, all.data());
  return std::any_of(all.begin(), all.end(), [](std::uint8_t one) { return one != 0; });
}

// Little-endian, so that ranks on other CPUs understand it.
void Collective::check_same(std::initializer_list<Named> values) {
  if (alone()) return;
  const std::size_t count = values.size();
  Buffer<std::uint64_t> own(allocator_, count), all(allocator_, ranks() * count);
  std::transform(values.begin(), values.end(), own.begin(), [](const Named& named) { return named.value; });
  swap_little_endian(own.data(), count);
  gather(own.data(), count * sizeof(std::uint64_t), all.data());
  swap_little_endian(all.data(), ranks() * count);
  for (std::size_t r = 1; r < ranks(); ++r)
    for (std::size_t i = 0; i < count; ++i)
      if (all[r * count + i] != all[i])
        throw Error(RNN_MISMATCH,
                    "%s is %" PRIu64 " on rank %zu and %" PRIu64 " on rank 0; it must be the same",
                    (values.begin() + i)->name, all[r * count + i], r, all[i]);
}

// First what has the same size in every version and on every CPU. Of what comes then, numbers and structs are as they
// are in memory.
void Collective::check_job(const Weights& weights, const rnn_train_options_t& options) {
  if (alone()) return;
  check_same({{"the version of librnn", kVersion}});
  check_same({{"the number of bits of a pointer", 8 * sizeof(void*)},
              {"little-endian order of bytes", kIsLittleEndian}});
  check_same({{"the number of options that librnn knows", kOptions},
              {"options.lanes", lanes_},
              {"options.collective.ranks", ranks()},
              {"options.collective.own_sequences", static_cast<std::uint64_t>(given_.own_sequences)}});
  check_ranks();
  check_architecture(weights.config());
  check_options(options);
  const std::size_t classes = options.class_weights != nullptr ? weights.output_size() : 0;
  check_same(
      {{"the checksum of options.groups", group_checksum(options)},
       {"the checksum of options.class_weights", checksum(options.class_weights, classes * sizeof(float))},
       {"the checksum of the weights", checksum(weights.values(), weights.value_count() * sizeof(float))}});
}

void Collective::check_ranks() {
  Buffer<std::int32_t> numbers(allocator_, ranks());
  gather(&given_.rank, sizeof given_.rank, numbers.data());
  for (std::size_t r = 0; r < ranks(); ++r)
    if (numbers[r] != static_cast<std::int32_t>(r))
      throw Error(RNN_MISMATCH,
                  "options.collective.rank is %d on the rank whose bytes are delivered as rank %zu's",
                  numbers[r], r);
}

void Collective::check_options(const rnn_train_options_t& options) {
  Buffer<double> all(allocator_, ranks() * kOptions);
  double own[kOptions];
  for (std::size_t i = 0; i < kOptions; ++i) own[i] = kOptionFields[i].value(options);
  gather(own, sizeof own, all.data());
  for (std::size_t r = 1; r < ranks(); ++r)
    for (std::size_t i = 0; i < kOptions; ++i)
      if (all[r * kOptions + i] != all[i])
        throw Error(RNN_MISMATCH, "%s is %.9g on rank %zu and %.9g on rank 0; it must be the same",
                    kOptionFields[i].name, all[r * kOptions + i], r, all[i]);
}

// The structs themselves are sent: the same version has the same on every CPU.
void Collective::check_architecture(const rnn_config_t& config) {
  check_same({{"the number of layers in the list", config.layer_count}});
  const auto layers = static_cast<std::size_t>(config.layer_count);
  Buffer<rnn_config_t> configs(allocator_, ranks());
  gather(&config, sizeof config, configs.data());
  Buffer<rnn_layer_t> lists(allocator_, ranks() * layers);
  if (layers > 0) gather(config.layers, layers * sizeof(rnn_layer_t), lists.data());
  for (std::size_t r = 0; r < ranks(); ++r) {
    configs[r].layers = layers > 0 ? &lists[r * layers] : nullptr;
    configs[r].allocator = nullptr;
  }
  for (std::size_t r = 1; r < ranks(); ++r) {
    char name[32];
    std::snprintf(name, sizeof name, "rank %zu", r);
    check_same_architecture(configs[r], name, configs[0], "rank 0");
  }
}

Buffer<unsigned char> Collective::broadcast(const Buffer<unsigned char>& bytes) {
  Buffer<std::uint64_t> all(allocator_, ranks());
  const std::uint64_t own = rank() == 0 ? bytes.size() : 0;
  gather(&own, sizeof own, all.data());
  Buffer<unsigned char> result(allocator_, static_cast<std::size_t>(all[0]));
  std::fill(sizes_.begin(), sizes_.end(), 0);
  sizes_[0] = result.size();
  gather(bytes.data(), result.data(), sizes_.data());
  return result;
}

}  // namespace rnn
