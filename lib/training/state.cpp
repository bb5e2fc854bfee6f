#include "lib/training/state.h"

namespace rnn {

void TrainerState::visit(StateVisitor& visitor) {
  visitor.integer("optimizer", optimizer);
  visitor.integer("batch_size", batch_size);
  visitor.integer("window", window);
  visitor.optional_integer("lanes", lanes);
  visitor.integer("data_count", data_count);
  visitor.integer("data_frames", data_frames);
  visitor.integer("update", update);
  visitor.integer("epoch", epoch);
  visitor.integer("next_sequence", next_sequence);
  visitor.integer("next_step", next_step);
  visitor.integer("random_0", random.state[0]);
  visitor.integer("random_1", random.state[1]);
  visitor.integer("random_2", random.state[2]);
  visitor.integer("random_3", random.state[3]);
  visitor.integers("order", order);
  visitor.floats("first_moment", first_moment);
  visitor.floats("second_moment", second_moment);
  visitor.floats("best", best);
  visitor.floats("carried", carried);
  visitor.real("best_loss", best_loss);
  visitor.real("validation_loss", validation_loss);
  visitor.integer("worse", worse);
  visitor.integer("validation_due", validation_due);
  visitor.integer("restored", restored);
  visitor.optional_real("learning_rate", learning_rate);
  visitor.optional_integer("skipped", skipped);
  visitor.optional_integer("skipped_in_row", skipped_in_row);
  visitor.optional_integer("carried_since", carried_since);
}

}  // namespace rnn
