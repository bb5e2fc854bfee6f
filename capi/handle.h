// What rnn_t is.
#pragma once

#include <utility>

#include "lib/network/network.h"

struct rnn_handle {
  explicit rnn_handle(rnn::WeightsRef weights) : network(std::move(weights)) {}
  explicit rnn_handle(const rnn::Network& other) : network(other) {}

  bool marked = false;  // only within rnn_step_many: already seen among its streams
  rnn::Network network;
};
