// Operations in which subnormals count as zero: in FloatMode by the CPU, if it can, and by software.
#pragma once

#include <vector>

#include "tests/kernels/fused.h"

namespace rnn::kernels {

// Some 20 results for each triple.
std::vector<float> forms_of_cpu(const Triples& triples);
std::vector<float> forms_of_software(const Triples& triples);
// By the vectors of SSE2, as WebAssembly has them.
std::vector<float> forms_of_sse2(const Triples& triples);

}  // namespace rnn::kernels
