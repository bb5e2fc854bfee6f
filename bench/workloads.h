// The workloads of every comparison. Each function registers one kind for one implementation; names as in
// common.h. With `check`, the first run of each benchmark compares its outputs or losses with librnn's, and
// ends the program with a message if they differ.
#pragma once

#include "bench/peers/peer.h"

namespace bench {

void register_steps(const Peer& peer, bool check = false);      // one stream, one step a call
void register_latencies(const Peer& peer, bool check = false);  // the same, call by call
void register_streams(const Peer& peer, bool check = false);    // many streams, one step a call
void register_sequences(const Peer& peer, bool check = false);  // whole sequences
void register_training(const Peer& peer, bool check = false);   // updates of a character model
void register_small_training(const Peer& peer);                 // tiny ones
void register_lanes(const Peer& peer);                          // small ones on several threads

}  // namespace bench
