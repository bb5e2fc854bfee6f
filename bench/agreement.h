// Whether a peer computes what librnn computes.
#pragma once

#include <string>

#include "bench/peers/peer.h"
#include "bench/work.h"

namespace bench {

// How the peer differs from librnn; empty where it does not, or offers no such thing. Outputs may differ by
// 1e-4 of the largest, losses of three whole updates by 1e-3.
std::string difference(const Peer& peer, const InferenceWork& work);
std::string difference(const Peer& peer, const TrainingWork& work);

}  // namespace bench
