// Inference of networks with a head, through the C ABI: single steps beside the naive ones, their latency,
// many streams, whole sequences.
#include "bench/common.h"
#include "bench/sides.h"
#include "bench/workloads.h"

namespace bench {

void register_benchmarks() {
  register_fma_limit();
  register_steps(librnn_side());
  register_steps(bf16_side());
  register_steps(int8_side());
  register_steps(naive_side());
  register_latencies(librnn_side());
  register_streams(librnn_side());
  register_sequences(librnn_side());
}

}  // namespace bench
