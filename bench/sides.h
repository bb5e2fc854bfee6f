// The two sides that every benchmark program has, in the form of peers.
#pragma once

#include <vector>

#include "bench/peers/peer.h"

namespace bench {

// librnn through its C ABI, and computing with bf16 and int8: the latter has no training. Inference uses one
// thread a call, so on several threads each gets its share of the streams, as a host would do it with oneTBB.
const Peer& librnn_side();
const Peer& bf16_side();
const Peer& int8_side();

// Training in 2, 4 and 16 lanes.
const std::vector<Peer>& lanes_sides();

// bench/naive.h; one thread.
const Peer& naive_side();

}  // namespace bench
