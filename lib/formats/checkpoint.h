// Training runs as files: the network's tensors, the optimiser's, and the run's position.
#pragma once

#include "lib/training/trainer.h"

namespace rnn {

// See rnn_trainer_save and rnn_trainer_load; throws Error.
void save_checkpoint(const Trainer& trainer, const char* path);
void load_checkpoint(Trainer& trainer, const char* path);

}  // namespace rnn
