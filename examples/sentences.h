// The smallest language model: a vanilla RNN of 12 hidden units that knows three sentences by heart.
#pragma once

#include <cstdint>

// Learn them, show how the loss falls, and complete each from its first word. Returns false if the network
// has not learnt them within a bounded number of updates.
bool show_sentences(std::uint64_t seed);

// Learn them with `count` seeds, from `first_seed` on. Returns false if one of them fails.
bool check_sentences(std::uint64_t first_seed, int count);
