#include "character_data.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

constexpr std::size_t kPlaces = 4;             // in which text is held out
constexpr std::size_t kMostHeldOut = 100'000;  // characters; more would only take time

// FNV-1a, of characters.
std::uint64_t digest_of(const Sequences& sequences, std::uint64_t before) {
  const rnn_sequences_t view = sequences.view();
  std::uint64_t digest = before ^ 0xcbf29ce484222325;
  for (std::size_t i = 0; i < view.frames; ++i)
    digest = (digest ^ static_cast<std::uint64_t>(view.classes[i])) * 0x100000001b3;
  return digest;
}

// The text at `places` in the middle of as many equal parts of it.
std::vector<std::size_t> places_of(std::size_t size, std::size_t length) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < kPlaces; ++i) places.push_back((2 * i + 1) * size / (2 * kPlaces) - length / 2);
  return places;
}

// The characters of each place that is held out.
std::size_t held_out_length(std::size_t size, double held_out, bool& is_capped) {
  const double part = held_out * static_cast<double>(size);
  const std::size_t length = std::min(static_cast<std::size_t>(part), kMostHeldOut) / kPlaces;
  if (length < 2)
    throw std::invalid_argument("the text has " + std::to_string(size) +
                                " characters; it is too short to hold a part of it out for validation");
  is_capped = part > static_cast<double>(kMostHeldOut);
  return length;
}

// The steps of each piece of what is learnt.
std::size_t steps_of(std::size_t size, std::size_t batch) {
  const std::size_t steps = size == 0 ? 0 : (size - 1) / batch;
  if (steps < 2)
    throw std::invalid_argument("the text has " + std::to_string(size) + " characters to learn; a batch of " +
                                std::to_string(batch) + " pieces takes at least " +
                                std::to_string(2 * batch + 1));
  return steps;
}

// A text without `length` characters at each of these places, ascending.
Characters without(const Characters& text, const std::vector<std::size_t>& places, std::size_t length) {
  const auto read = [=](std::size_t first, std::size_t count) {
    std::vector<std::int32_t> characters;
    std::size_t begin = 0;  // of what is between two places, in what is left
    for (std::size_t i = 0; i <= places.size() && characters.size() < count; ++i) {
      const std::size_t end = (i < places.size() ? places[i] : text.size) - i * length;
      const std::size_t from = std::max(first, begin), to = std::min(first + count, end);
      if (from < to) {
        const std::vector<std::int32_t> some = text.read(from + i * length, to - from);
        characters.insert(characters.end(), some.begin(), some.end());
      }
      begin = end;
    }
    return characters;
  };
  return {text.size - places.size() * length, read};
}

}  // namespace

CharacterData::CharacterData(std::vector<std::int32_t> text, double held_out, std::size_t batch) {
  const std::size_t length = held_out_length(text.size(), held_out, is_capped);
  // What is learnt moves together, within the memory of the text.
  const auto at = [&](std::size_t place) { return text.begin() + static_cast<std::ptrdiff_t>(place); };
  auto end = text.begin();
  std::size_t first = 0;
  for (const std::size_t place : places_of(text.size(), length)) {
    validation.add_pieces(text.data() + place, length, kEvaluatedPiece);
    end = std::copy(at(first), at(place), end);
    first = place + length;
  }
  text.erase(std::copy(at(first), text.end(), end), text.end());
  cut(std::move(text), batch);
}

CharacterData::CharacterData(std::vector<std::int32_t> text, std::vector<std::int32_t> validation_text,
                             std::size_t batch) {
  check_length(validation_text, "the validation text");
  validation = Sequences::pieces(std::move(validation_text), kEvaluatedPiece);
  cut(std::move(text), batch);
}

CharacterData::CharacterData(std::vector<std::int32_t> text, std::size_t batch) {
  cut(std::move(text), batch);
}

CharacterData::CharacterData(const Characters& text, double held_out, std::size_t batch, std::int32_t lanes,
                             const rnn_collective_t& ranks) {
  const std::size_t length = held_out_length(text.size, held_out, is_capped);
  const std::vector<std::size_t> places = places_of(text.size, length);
  for (const std::size_t place : places)
    validation.add_pieces(text.read(place, length).data(), length, kEvaluatedPiece);
  cut_own(without(text, places, length), batch, lanes, ranks);
}

CharacterData::CharacterData(const Characters& text, std::vector<std::int32_t> validation_text,
                             std::size_t batch, std::int32_t lanes, const rnn_collective_t& ranks) {
  check_length(validation_text, "the validation text");
  validation = Sequences::pieces(std::move(validation_text), kEvaluatedPiece);
  cut_own(text, batch, lanes, ranks);
}

// The characters at each place of what is learnt, of `size`, that are compared with the validation.
std::size_t CharacterData::compared(std::size_t size) const {
  return std::min({validation.frames(), size, kMostHeldOut}) / kPlaces;
}

void CharacterData::cut(std::vector<std::int32_t> text, std::size_t batch) {
  steps_of(text.size(), batch);
  const std::size_t length = compared(text.size());
  if (length < 2) {
    learnt.add(text.data(), 2);
  } else {
    for (const std::size_t place : places_of(text.size(), length))
      learnt.add_pieces(text.data() + place, length, kEvaluatedPiece);
  }
  training = Sequences::rows(std::move(text), batch);
  this->batch = batch;
}

void CharacterData::cut_own(const Characters& text, std::size_t batch, std::int32_t lanes,
                            const rnn_collective_t& ranks) {
  const std::size_t steps = steps_of(text.size, batch), length = compared(text.size);
  if (length < 2) {
    learnt.add(text.read(0, 2).data(), 2);
  } else {
    for (const std::size_t place : places_of(text.size, length))
      learnt.add_pieces(text.read(place, length).data(), length, kEvaluatedPiece);
  }
  for (std::size_t n = 0; n < batch; ++n)
    if (rnn_rank_of(rnn_lane_of(n, lanes), lanes, ranks.ranks) == ranks.rank)
      training.add(text.read(n * steps, steps + 1).data(), steps + 1);
  this->batch = batch;
  digest = digest_of(learnt, digest_of(validation, text.size));
}
