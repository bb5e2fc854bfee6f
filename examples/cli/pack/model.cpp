#include "model.h"

namespace pack {
namespace {

struct Preset {
  ContextOptions contexts;
  NetworkOptions network;
};

// A change here is another format: see archive.h.
constexpr Preset kAll[kPresets] = {
    {{4, 3, 16}, {RNN_CELL_GRU, 16, 1, 16, 32, 0, 0.004f}},
    {{7, 5, 17}, {RNN_CELL_GRU, 32, 1, 24, 32, 0, 0.004f}},
    {{11, 7, 18}, {RNN_CELL_GRU, 64, 1, 32, 32, 3, 0.003f}},
    {{11, 7, 18}, {RNN_CELL_GRU, 128, 1, 32, 32, 3, 0.002f}},
    {{11, 7, 19}, {RNN_CELL_GRU, 192, 1, 48, 32, 7, 0.0015f}},
};

}  // namespace

Model::Model(int preset, int threads)
    : mixer_(kAll[preset - 1].contexts), network_(kAll[preset - 1].network, threads) {
  mixer_.set_bytes(network_.frequencies());
}

}  // namespace pack
