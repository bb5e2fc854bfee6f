#include "bench/peers/peer.h"

namespace bench {

// One for each of its backends that rtneural_backend.cpp was compiled for.
Peer rtneural_eigen();
Peer rtneural_xsimd();
Peer rtneural_eigen_avx2();
Peer rtneural_xsimd_avx2();

std::vector<Peer> peers() {
  std::vector<Peer> result = {rtneural_eigen(), rtneural_xsimd()};
#if defined(__x86_64__)
  result.push_back(rtneural_eigen_avx2());
  result.push_back(rtneural_xsimd_avx2());
#endif
  return result;
}

}  // namespace bench
