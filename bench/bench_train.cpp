// Updates of a character model by rnn_trainer_update, beside the naive ones: 65 characters, 100 steps, a
// batch of 64 sequences, Adam; of small networks in lanes, too; and tiny ones, of 8 characters.
#include "bench/common.h"
#include "bench/sides.h"
#include "bench/workloads.h"

namespace bench {

void register_benchmarks() {
  register_fma_limit();
  for (const Peer& side : {librnn_side(), naive_side()}) {
    register_training(side);
    register_small_training(side);
  }
  register_training(bf16_side());
  register_lanes(librnn_side());
  for (const Peer& side : lanes_sides()) register_lanes(side);
}

}  // namespace bench
