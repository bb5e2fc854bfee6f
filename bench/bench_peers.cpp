// The peers of one library beside librnn: all workloads of both, and first whether their results are the
// same.
#include "bench/common.h"
#include "bench/machine.h"
#include "bench/sides.h"
#include "bench/workloads.h"

namespace bench {
namespace {

void register_all(const Peer& peer, bool check) {
  register_steps(peer, check);
  register_latencies(peer, check);
  register_streams(peer, check);
  register_sequences(peer, check);
  register_training(peer, check);
}

}  // namespace

void register_benchmarks() {
  register_fma_limit();
  register_all(librnn_side(), false);
  for (const Peer& peer : peers()) {
    if (!may_run(peer.isa)) continue;
    register_all(peer, true);
    benchmark::AddCustomContext("peer_" + peer.name, peer.version);
    if (!peer.training_note.empty())
      benchmark::AddCustomContext("training_of_" + peer.name, peer.training_note);
  }
}

}  // namespace bench
