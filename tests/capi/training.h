// What the tests of training share.
#pragma once

#include "common.h"

inline rnn_train_options_t options() { return sized<rnn_train_options_t>(); }

inline Trainer create_trainer(const Network& network, const rnn_train_options_t* options = nullptr) {
  rnn_trainer_t* out = nullptr;
  EXPECT_EQ(rnn_trainer_create(network.get(), options, &out), RNN_OK) << rnn_last_error();
  return Trainer(out);
}
inline Tape create_tape(const Network& network) {
  rnn_tape_t* out = nullptr;
  EXPECT_EQ(rnn_tape_create(network.get(), 1, &out), RNN_OK) << rnn_last_error();
  return Tape(out);
}
inline Network network_of(const rnn_trainer_t* trainer) {
  rnn_t* out = nullptr;
  EXPECT_EQ(rnn_trainer_network(trainer, &out), RNN_OK) << rnn_last_error();
  return Network(out);
}
inline Network network_of(const Trainer& trainer) { return network_of(trainer.get()); }

// Sequences that repeat 0, 1, 2, 3, from any start: each index tells the next.
inline Data cycle(const std::vector<size_t>& lengths) {
  Data data;
  data.lengths = lengths;
  int32_t next = 0;
  for (size_t i = 0; i < data.frames(); ++i) {
    data.indices.push_back(next);
    next = (next + 1) % 4;
    data.classes.push_back(next);
  }
  return data;
}

class Training : public testing::Test {
 protected:
  const Network network = create(config(4, 12, 4));
  Data data = cycle({5, 8, 3, 6, 7});
  rnn_sequences_t sequences = data.get();
};
