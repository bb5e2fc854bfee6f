#include "model.h"

namespace pack {
namespace {

struct Preset {
  ContextOptions contexts;
  NetworkOptions network;
};

// A change here is another format: see archive.h.
constexpr Preset kAll[kPresets] = {
    {{4, 16}, {RNN_CELL_GRU, 16, 1, 16, 32, 0, 0.004f}},
    {{7, 17}, {RNN_CELL_GRU, 32, 1, 24, 32, 0, 0.004f}},
    {{11, 18}, {RNN_CELL_GRU, 64, 1, 32, 32, 3, 0.003f}},
    {{11, 19}, {RNN_CELL_GRU, 128, 1, 32, 32, 3, 0.002f}},
    {{11, 20}, {RNN_CELL_GRU, 192, 1, 48, 32, 7, 0.002f}},
};

}  // namespace

Model::Model(int preset, int threads)
    : mixer_(kAll[preset - 1].contexts), network_(kAll[preset - 1].network, threads) {
  mixer_.set_bytes(network_.frequencies());
}

}  // namespace pack
