// The text that a network learns, and that which tells how well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <rnn/rnn.hpp>
#include <vector>

#include "text.h"

// Where a loss is measured, so many characters at most are read from the initial state on.
constexpr std::size_t kEvaluatedPiece = 10000;

// A text that is read where it is needed.
struct Characters {
  std::size_t size;
  std::function<std::vector<std::int32_t>(std::size_t first, std::size_t count)> read;
};

// A text, cut into what is learnt, pieces of the same length that are read side by side, and what is not.
struct CharacterData {
  // Holds that part of the text out, in a few places. Throws std::invalid_argument if the text is too short.
  CharacterData(std::vector<std::int32_t> text, double held_out, std::size_t batch);
  CharacterData(std::vector<std::int32_t> text, std::vector<std::int32_t> validation_text, std::size_t batch);

  // With nothing held out.
  CharacterData(std::vector<std::int32_t> text, std::size_t batch);

  // The same of a text of which this rank reads what it needs: the pieces of its lanes and what is not learnt.
  CharacterData(const Characters& text, double held_out, std::size_t batch, std::int32_t lanes,
                const rnn_collective_t& ranks);
  CharacterData(const Characters& text, std::vector<std::int32_t> validation_text, std::size_t batch,
                std::int32_t lanes, const rnn_collective_t& ranks);

  Sequences training;
  std::size_t batch = 0;     // the pieces of all ranks
  std::uint64_t digest = 0;  // of several ranks: of what all have read
  Sequences validation;
  bool is_capped = false;  // a smaller part is held out
  Sequences learnt;        // as much of the training text as is held out, or 100000 characters, to compare

 private:
  void cut(std::vector<std::int32_t> text, std::size_t batch);
  void cut_own(const Characters& learnt, std::size_t batch, std::int32_t lanes,
               const rnn_collective_t& ranks);
  std::size_t compared(std::size_t size) const;
};
