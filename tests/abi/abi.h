/* The ABI in numbers: what a caller has compiled in stays as it is. A struct may get more fields at its end,
 * which changes its size alone; nothing else here may change. Compiled as C99 and as C++. */
#include <stddef.h>
#include <stdint.h>

#define PIN(name, condition) typedef char pin_##name[(condition) ? 1 : -1]
#define FIELD(type, field, offset) PIN(type##_##field, offsetof(type, field) == (offset))
#define SIZE(type, size) PIN(type, sizeof(type) == (size))

PIN(pointers, sizeof(void *) == 8 && sizeof(size_t) == 8);
PIN(functions, sizeof(rnn_progress_function_t) == 8);
SIZE(rnn_status_t, 4);

FIELD(rnn_allocator_t, struct_size, 0);
FIELD(rnn_allocator_t, allocate, 8);
FIELD(rnn_allocator_t, deallocate, 16);
FIELD(rnn_allocator_t, user, 24);
SIZE(rnn_allocator_t, 32);

FIELD(rnn_layer_t, struct_size, 0);
FIELD(rnn_layer_t, kind, 8);
FIELD(rnn_layer_t, size, 12);
FIELD(rnn_layer_t, activation, 16);
FIELD(rnn_layer_t, direction, 20);
FIELD(rnn_layer_t, projection_size, 24);
FIELD(rnn_layer_t, flags, 28);
FIELD(rnn_layer_t, alpha, 32);
FIELD(rnn_layer_t, beta, 36);
FIELD(rnn_layer_t, kernel_size, 40);
FIELD(rnn_layer_t, dilation, 44);
FIELD(rnn_layer_t, gate_activation, 48);
FIELD(rnn_layer_t, output_activation, 52);
FIELD(rnn_layer_t, gate_alpha, 56);
FIELD(rnn_layer_t, gate_beta, 60);
FIELD(rnn_layer_t, output_alpha, 64);
FIELD(rnn_layer_t, output_beta, 68);
FIELD(rnn_layer_t, clip, 72);
FIELD(rnn_layer_t, zoneout_h, 76);
FIELD(rnn_layer_t, zoneout_c, 80);
FIELD(rnn_layer_t, reserved, 84);
SIZE(rnn_layer_t, 88);

FIELD(rnn_config_t, struct_size, 0);
FIELD(rnn_config_t, cell, 8);
FIELD(rnn_config_t, input_size, 12);
FIELD(rnn_config_t, hidden_size, 16);
FIELD(rnn_config_t, output_size, 20);
FIELD(rnn_config_t, num_layers, 24);
FIELD(rnn_config_t, init, 28);
FIELD(rnn_config_t, recurrent_init, 32);
FIELD(rnn_config_t, init_range, 36);
FIELD(rnn_config_t, seed, 40);
FIELD(rnn_config_t, initial_state, 48);
FIELD(rnn_config_t, compute, 52);
FIELD(rnn_config_t, flags, 56);
FIELD(rnn_config_t, projection_size, 60);
FIELD(rnn_config_t, allocator, 64);
FIELD(rnn_config_t, embedding_size, 72);
FIELD(rnn_config_t, forget_bias, 76);
FIELD(rnn_config_t, skip, 80);
FIELD(rnn_config_t, reserved, 84);
FIELD(rnn_config_t, layers, 88);
FIELD(rnn_config_t, layer_count, 96);
SIZE(rnn_config_t, 104);

FIELD(rnn_parameter_t, struct_size, 0);
FIELD(rnn_parameter_t, name, 8);
FIELD(rnn_parameter_t, rows, 16);
FIELD(rnn_parameter_t, columns, 24);
SIZE(rnn_parameter_t, 32);

FIELD(rnn_sequences_t, struct_size, 0);
FIELD(rnn_sequences_t, count, 8);
FIELD(rnn_sequences_t, frames, 16);
FIELD(rnn_sequences_t, lengths, 24);
FIELD(rnn_sequences_t, inputs, 32);
FIELD(rnn_sequences_t, indices, 40);
FIELD(rnn_sequences_t, targets, 48);
FIELD(rnn_sequences_t, classes, 56);
FIELD(rnn_sequences_t, weights, 64);
FIELD(rnn_sequences_t, resets, 72);
FIELD(rnn_sequences_t, pooling, 80);
FIELD(rnn_sequences_t, reserved, 84);
SIZE(rnn_sequences_t, 88);

FIELD(rnn_forward_options_t, struct_size, 0);
FIELD(rnn_forward_options_t, pooling, 8);
FIELD(rnn_forward_options_t, stateful, 12);
FIELD(rnn_forward_options_t, initial_states, 16);
FIELD(rnn_forward_options_t, final_states, 24);
FIELD(rnn_forward_options_t, states, 32);
SIZE(rnn_forward_options_t, 40);

FIELD(rnn_generate_options_t, struct_size, 0);
FIELD(rnn_generate_options_t, prompt, 8);
FIELD(rnn_generate_options_t, prompt_count, 16);
FIELD(rnn_generate_options_t, temperature, 24);
FIELD(rnn_generate_options_t, top_p, 28);
FIELD(rnn_generate_options_t, top_k, 32);
FIELD(rnn_generate_options_t, greedy, 36);
FIELD(rnn_generate_options_t, seed, 40);
FIELD(rnn_generate_options_t, stop, 48);
FIELD(rnn_generate_options_t, stop_index, 52);
SIZE(rnn_generate_options_t, 56);

FIELD(rnn_progress_t, struct_size, 0);
FIELD(rnn_progress_t, event, 8);
FIELD(rnn_progress_t, epoch, 12);
FIELD(rnn_progress_t, update, 16);
FIELD(rnn_progress_t, total_updates, 24);
FIELD(rnn_progress_t, loss, 32);
FIELD(rnn_progress_t, validation_loss, 40);
FIELD(rnn_progress_t, gradient_norm, 48);
FIELD(rnn_progress_t, learning_rate, 56);
FIELD(rnn_progress_t, steps_per_second, 64);
FIELD(rnn_progress_t, skipped_updates, 72);
SIZE(rnn_progress_t, 80);

FIELD(rnn_train_options_t, struct_size, 0);
FIELD(rnn_train_options_t, loss, 8);
FIELD(rnn_train_options_t, optimizer, 12);
FIELD(rnn_train_options_t, learning_rate, 16);
FIELD(rnn_train_options_t, momentum, 20);
FIELD(rnn_train_options_t, beta1, 24);
FIELD(rnn_train_options_t, beta2, 28);
FIELD(rnn_train_options_t, epsilon, 32);
FIELD(rnn_train_options_t, weight_decay, 36);
FIELD(rnn_train_options_t, nesterov, 40);
FIELD(rnn_train_options_t, clip_norm, 44);
FIELD(rnn_train_options_t, clip_value, 48);
FIELD(rnn_train_options_t, schedule, 52);
FIELD(rnn_train_options_t, schedule_factor, 56);
FIELD(rnn_train_options_t, schedule_updates, 60);
FIELD(rnn_train_options_t, warmup_updates, 64);
FIELD(rnn_train_options_t, epochs, 68);
FIELD(rnn_train_options_t, batch_size, 72);
FIELD(rnn_train_options_t, window, 76);
FIELD(rnn_train_options_t, stateless_windows, 80);
FIELD(rnn_train_options_t, keep_order, 84);
FIELD(rnn_train_options_t, seed, 88);
FIELD(rnn_train_options_t, threads, 96);
FIELD(rnn_train_options_t, validate_every, 100);
FIELD(rnn_train_options_t, patience, 104);
FIELD(rnn_train_options_t, report_every, 108);
FIELD(rnn_train_options_t, validation, 112);
FIELD(rnn_train_options_t, progress, 120);
FIELD(rnn_train_options_t, user, 128);
FIELD(rnn_train_options_t, dropout, 136);
FIELD(rnn_train_options_t, scheduled_sampling, 140);
FIELD(rnn_train_options_t, average, 144);
FIELD(rnn_train_options_t, accumulate, 148);
FIELD(rnn_train_options_t, restore_best, 152);
FIELD(rnn_train_options_t, group_count, 156);
FIELD(rnn_train_options_t, groups, 160);
FIELD(rnn_train_options_t, class_weights, 168);
FIELD(rnn_train_options_t, label_smoothing, 176);
FIELD(rnn_train_options_t, sampled_classes, 180);
FIELD(rnn_train_options_t, schedule_start, 184);
FIELD(rnn_train_options_t, schedule_by_epoch, 188);
FIELD(rnn_train_options_t, skip_not_finite, 192);
FIELD(rnn_train_options_t, output_dropout, 196);
FIELD(rnn_train_options_t, recurrent_dropout, 200);
FIELD(rnn_train_options_t, lanes, 204);
FIELD(rnn_train_options_t, collective, 208);
SIZE(rnn_train_options_t, 216);

FIELD(rnn_collective_t, struct_size, 0);
FIELD(rnn_collective_t, rank, 8);
FIELD(rnn_collective_t, ranks, 12);
FIELD(rnn_collective_t, user, 16);
FIELD(rnn_collective_t, exchange, 24);
FIELD(rnn_collective_t, gather, 32);
FIELD(rnn_collective_t, own_sequences, 40);
SIZE(rnn_collective_t, 48);

FIELD(rnn_log_t, struct_size, 0);
FIELD(rnn_log_t, every, 8);
FIELD(rnn_log_t, write, 16);
FIELD(rnn_log_t, record, 24);
FIELD(rnn_log_t, user, 32);
SIZE(rnn_log_t, 40);

FIELD(rnn_parameter_group_t, struct_size, 0);
FIELD(rnn_parameter_group_t, pattern, 8);
FIELD(rnn_parameter_group_t, learning_rate_factor, 16);
FIELD(rnn_parameter_group_t, frozen, 20);
FIELD(rnn_parameter_group_t, no_weight_decay, 24);
FIELD(rnn_parameter_group_t, two_biases, 28);
SIZE(rnn_parameter_group_t, 32);

FIELD(rnn_dropout_rates_t, struct_size, 0);
FIELD(rnn_dropout_rates_t, layers, 8);
FIELD(rnn_dropout_rates_t, output, 12);
FIELD(rnn_dropout_rates_t, recurrent, 16);
FIELD(rnn_dropout_rates_t, zoneout, 20);
SIZE(rnn_dropout_rates_t, 24);

FIELD(rnn_evaluation_t, struct_size, 0);
FIELD(rnn_evaluation_t, loss, 8);
FIELD(rnn_evaluation_t, weight, 16);
FIELD(rnn_evaluation_t, accuracy, 24);
SIZE(rnn_evaluation_t, 32);

FIELD(rnn_save_options_t, struct_size, 0);
FIELD(rnn_save_options_t, format, 8);
FIELD(rnn_save_options_t, without_probe, 12);
FIELD(rnn_save_options_t, layers, 16);
FIELD(rnn_save_options_t, head, 24);
FIELD(rnn_save_options_t, embedding, 32);
FIELD(rnn_save_options_t, name, 40);
SIZE(rnn_save_options_t, 48);

FIELD(rnn_load_options_t, struct_size, 0);
FIELD(rnn_load_options_t, flags, 8);
FIELD(rnn_load_options_t, without_probe, 12);
FIELD(rnn_load_options_t, layers, 16);
FIELD(rnn_load_options_t, head, 24);
FIELD(rnn_load_options_t, embedding, 32);
FIELD(rnn_load_options_t, activations, 40);
SIZE(rnn_load_options_t, 48);

PIN(RNN_OK, RNN_OK == 0);
PIN(RNN_INVALID_ARGUMENT, RNN_INVALID_ARGUMENT == 1);
PIN(RNN_NOT_FOUND, RNN_NOT_FOUND == 2);
PIN(RNN_MISMATCH, RNN_MISMATCH == 10);
PIN(RNN_NOT_FINITE, RNN_NOT_FINITE == 11);
PIN(RNN_OUT_OF_MEMORY, RNN_OUT_OF_MEMORY == 20);
PIN(RNN_FILE_ERROR, RNN_FILE_ERROR == 30);
PIN(RNN_BAD_FORMAT, RNN_BAD_FORMAT == 31);
PIN(RNN_UNSUPPORTED, RNN_UNSUPPORTED == 40);
PIN(RNN_UNAVAILABLE, RNN_UNAVAILABLE == 50);
PIN(RNN_INTERNAL, RNN_INTERNAL == 90);
PIN(RNN_CELL_VANILLA, RNN_CELL_VANILLA == 1);
PIN(RNN_CELL_GRU, RNN_CELL_GRU == 2);
PIN(RNN_CELL_LSTM, RNN_CELL_LSTM == 3);
PIN(RNN_CELL_MIN_GRU, RNN_CELL_MIN_GRU == 4);
PIN(RNN_CELL_MIN_LSTM, RNN_CELL_MIN_LSTM == 5);
PIN(RNN_INIT_PYTORCH, RNN_INIT_PYTORCH == 1);
PIN(RNN_INIT_XAVIER_UNIFORM, RNN_INIT_XAVIER_UNIFORM == 2);
PIN(RNN_INIT_XAVIER_NORMAL, RNN_INIT_XAVIER_NORMAL == 3);
PIN(RNN_INIT_KAIMING_UNIFORM, RNN_INIT_KAIMING_UNIFORM == 4);
PIN(RNN_INIT_KAIMING_NORMAL, RNN_INIT_KAIMING_NORMAL == 5);
PIN(RNN_INIT_UNIFORM, RNN_INIT_UNIFORM == 6);
PIN(RNN_INIT_ORTHOGONAL, RNN_INIT_ORTHOGONAL == 7);
PIN(RNN_INIT_IDENTITY, RNN_INIT_IDENTITY == 8);
PIN(RNN_INITIAL_ZERO, RNN_INITIAL_ZERO == 0);
PIN(RNN_INITIAL_FIXED, RNN_INITIAL_FIXED == 1);
PIN(RNN_INITIAL_TRAINED, RNN_INITIAL_TRAINED == 2);
PIN(RNN_COMPUTE_F32, RNN_COMPUTE_F32 == 0);
PIN(RNN_COMPUTE_BF16, RNN_COMPUTE_BF16 == 1);
PIN(RNN_COMPUTE_INT8, RNN_COMPUTE_INT8 == 2);
PIN(RNN_COMPUTE_BF16_FAST, RNN_COMPUTE_BF16_FAST == 3);
PIN(RNN_FLAG_NO_BIAS, RNN_FLAG_NO_BIAS == 1);
PIN(RNN_FLAG_RELU, RNN_FLAG_RELU == 2);
PIN(RNN_FLAG_RESET_BEFORE, RNN_FLAG_RESET_BEFORE == 4);
PIN(RNN_FLAG_BIDIRECTIONAL, RNN_FLAG_BIDIRECTIONAL == 8);
PIN(RNN_FLAG_RESIDUAL, RNN_FLAG_RESIDUAL == 16);
PIN(RNN_FLAG_LAYER_NORM, RNN_FLAG_LAYER_NORM == 32);
PIN(RNN_FLAG_TIED_HEAD, RNN_FLAG_TIED_HEAD == 64);
PIN(RNN_FLAG_PEEPHOLES, RNN_FLAG_PEEPHOLES == 128);
PIN(RNN_FLAG_COUPLED_GATES, RNN_FLAG_COUPLED_GATES == 256);
PIN(RNN_LAYER_DENSE, RNN_LAYER_DENSE == 64);
PIN(RNN_LAYER_CONV1D, RNN_LAYER_CONV1D == 65);
PIN(RNN_ACTIVATION_NONE, RNN_ACTIVATION_NONE == 0);
PIN(RNN_ACTIVATION_TANH, RNN_ACTIVATION_TANH == 1);
PIN(RNN_ACTIVATION_RELU, RNN_ACTIVATION_RELU == 2);
PIN(RNN_ACTIVATION_SIGMOID, RNN_ACTIVATION_SIGMOID == 3);
PIN(RNN_ACTIVATION_SOFTMAX, RNN_ACTIVATION_SOFTMAX == 4);
PIN(RNN_ACTIVATION_ELU, RNN_ACTIVATION_ELU == 5);
PIN(RNN_ACTIVATION_LEAKY_RELU, RNN_ACTIVATION_LEAKY_RELU == 6);
PIN(RNN_ACTIVATION_PRELU, RNN_ACTIVATION_PRELU == 7);
PIN(RNN_ACTIVATION_SOFTSIGN, RNN_ACTIVATION_SOFTSIGN == 8);
PIN(RNN_ACTIVATION_GELU, RNN_ACTIVATION_GELU == 9);
PIN(RNN_ACTIVATION_SWISH, RNN_ACTIVATION_SWISH == 10);
PIN(RNN_ACTIVATION_HARD_SIGMOID, RNN_ACTIVATION_HARD_SIGMOID == 11);
PIN(RNN_ACTIVATION_SOFTPLUS, RNN_ACTIVATION_SOFTPLUS == 12);
PIN(RNN_ACTIVATION_AFFINE, RNN_ACTIVATION_AFFINE == 13);
PIN(RNN_ACTIVATION_SCALED_TANH, RNN_ACTIVATION_SCALED_TANH == 14);
PIN(RNN_ACTIVATION_THRESHOLDED_RELU, RNN_ACTIVATION_THRESHOLDED_RELU == 15);
PIN(RNN_DIRECTION_FORWARD, RNN_DIRECTION_FORWARD == 0);
PIN(RNN_DIRECTION_REVERSE, RNN_DIRECTION_REVERSE == 1);
PIN(RNN_DIRECTION_BOTH, RNN_DIRECTION_BOTH == 2);
PIN(RNN_DIRECTION_SUM, RNN_DIRECTION_SUM == 3);
PIN(RNN_POOLING_NONE, RNN_POOLING_NONE == 0);
PIN(RNN_POOLING_LAST, RNN_POOLING_LAST == 1);
PIN(RNN_POOLING_MEAN, RNN_POOLING_MEAN == 2);
PIN(RNN_POOLING_MAX, RNN_POOLING_MAX == 3);
PIN(RNN_LOSS_CROSS_ENTROPY, RNN_LOSS_CROSS_ENTROPY == 1);
PIN(RNN_LOSS_SQUARED_ERROR, RNN_LOSS_SQUARED_ERROR == 2);
PIN(RNN_LOSS_BINARY_CROSS_ENTROPY, RNN_LOSS_BINARY_CROSS_ENTROPY == 3);
PIN(RNN_OPTIMIZER_ADAM, RNN_OPTIMIZER_ADAM == 1);
PIN(RNN_OPTIMIZER_ADAMW, RNN_OPTIMIZER_ADAMW == 2);
PIN(RNN_OPTIMIZER_SGD, RNN_OPTIMIZER_SGD == 3);
PIN(RNN_OPTIMIZER_ADAGRAD, RNN_OPTIMIZER_ADAGRAD == 4);
PIN(RNN_OPTIMIZER_RMSPROP, RNN_OPTIMIZER_RMSPROP == 5);
PIN(RNN_SCHEDULE_CONSTANT, RNN_SCHEDULE_CONSTANT == 0);
PIN(RNN_SCHEDULE_STEP, RNN_SCHEDULE_STEP == 1);
PIN(RNN_SCHEDULE_EXPONENTIAL, RNN_SCHEDULE_EXPONENTIAL == 2);
PIN(RNN_SCHEDULE_COSINE, RNN_SCHEDULE_COSINE == 3);
PIN(RNN_EVENT_UPDATE, RNN_EVENT_UPDATE == 1);
PIN(RNN_EVENT_VALIDATION, RNN_EVENT_VALIDATION == 2);
PIN(RNN_LOG_OPTIONS, RNN_LOG_OPTIONS == 1);
PIN(RNN_LOG_DATA, RNN_LOG_DATA == 2);
PIN(RNN_LOG_WEIGHTS, RNN_LOG_WEIGHTS == 3);
PIN(RNN_LOG_OPTIMIZER, RNN_LOG_OPTIMIZER == 4);
PIN(RNN_LOG_STATES, RNN_LOG_STATES == 5);
PIN(RNN_FORMAT_SAFETENSORS, RNN_FORMAT_SAFETENSORS == 1);
PIN(RNN_FORMAT_ONNX, RNN_FORMAT_ONNX == 2);
PIN(RNN_FORMAT_BINARY, RNN_FORMAT_BINARY == 3);
PIN(RNN_FORMAT_C, RNN_FORMAT_C == 4);

/* Every function with its type; the linker finds them all. */
struct functions {
  const char *(*status_string)(rnn_status_t);
  const char *(*last_error)(void);
  const char *(*version)(void);
  const char *(*isa)(void);
  rnn_status_t (*create)(const rnn_config_t *, rnn_t **);
  rnn_status_t (*fork)(const rnn_t *, rnn_t **);
  rnn_status_t (*clone)(const rnn_t *, rnn_t **);
  rnn_status_t (*convert)(const rnn_t *, int32_t, rnn_t **);
  rnn_status_t (*sync)(rnn_t *, const rnn_t *);
  void (*destroy)(rnn_t *);
  rnn_status_t (*step)(rnn_t *, const float *, float *);
  rnn_status_t (*step_index)(rnn_t *, int32_t, float *);
  rnn_status_t (*step_block)(rnn_t *, const float *, size_t, float *);
  rnn_status_t (*step_block_index)(rnn_t *, const int32_t *, size_t, float *);
  rnn_status_t (*reserve_block)(rnn_t *, size_t);
  rnn_status_t (*step_many)(rnn_t *const *, size_t, const float *, float *);
  rnn_status_t (*step_many_index)(rnn_t *const *, size_t, const int32_t *, float *);
  rnn_status_t (*state_size)(const rnn_t *, size_t *);
  rnn_status_t (*reset)(rnn_t *);
  rnn_status_t (*get_state)(const rnn_t *, float *, size_t);
  rnn_status_t (*set_state)(rnn_t *, const float *, size_t);
  rnn_status_t (*parameter_count)(const rnn_t *, size_t *);
  rnn_status_t (*parameter_info)(const rnn_t *, size_t, rnn_parameter_t *);
  rnn_status_t (*get_parameter)(const rnn_t *, const char *, float *, size_t);
  rnn_status_t (*set_parameter)(rnn_t *, const char *, const float *, size_t);
  rnn_status_t (*forward)(rnn_t *, const rnn_sequences_t *, const rnn_forward_options_t *, float *);
  rnn_status_t (*generate)(rnn_t *, const rnn_generate_options_t *, int32_t *, size_t, size_t *);
  rnn_status_t (*rollout)(rnn_t *, const float *, size_t, float *);
  rnn_status_t (*train)(rnn_t *, const rnn_sequences_t *, const rnn_train_options_t *);
  rnn_status_t (*evaluate)(const rnn_t *, const rnn_sequences_t *, const rnn_train_options_t *,
                           rnn_evaluation_t *);
  rnn_status_t (*trainer_create)(const rnn_t *, const rnn_train_options_t *, rnn_trainer_t **);
  rnn_status_t (*trainer_update)(rnn_trainer_t *, const rnn_sequences_t *, rnn_progress_t *);
  rnn_status_t (*trainer_reset)(rnn_trainer_t *);
  rnn_status_t (*trainer_set_learning_rate)(rnn_trainer_t *, float);
  rnn_status_t (*trainer_run)(rnn_trainer_t *, const rnn_sequences_t *);
  rnn_status_t (*trainer_network)(const rnn_trainer_t *, rnn_t **);
  rnn_status_t (*trainer_sync)(const rnn_trainer_t *, rnn_t *);
  rnn_status_t (*trainer_save)(const rnn_trainer_t *, const char *);
  rnn_status_t (*trainer_load)(rnn_trainer_t *, const char *);
  rnn_status_t (*trainer_optimizer_bytes)(const rnn_trainer_t *, size_t *);
  rnn_status_t (*trainer_log)(rnn_trainer_t *, const rnn_log_t *);
  void (*trainer_destroy)(rnn_trainer_t *);
  rnn_status_t (*tape_create)(const rnn_t *, int32_t, rnn_tape_t **);
  rnn_status_t (*forward_tape)(rnn_tape_t *, const rnn_t *, const rnn_sequences_t *, const float *, float *,
                               float *);
  rnn_status_t (*backward)(rnn_tape_t *, const float *, const float *, float *, float *);
  rnn_status_t (*tape_set_dropout)(rnn_tape_t *, float, uint64_t);
  rnn_status_t (*tape_set_dropout_rates)(rnn_tape_t *, const rnn_dropout_rates_t *, uint64_t);
  rnn_status_t (*get_gradient)(const rnn_tape_t *, const char *, float *, size_t);
  rnn_status_t (*zero_gradients)(rnn_tape_t *);
  rnn_status_t (*trainer_apply)(rnn_trainer_t *, const rnn_tape_t *, rnn_progress_t *);
  void (*tape_destroy)(rnn_tape_t *);
  rnn_status_t (*save)(const rnn_t *, const char *);
  rnn_status_t (*load)(const char *, const rnn_allocator_t *, rnn_t **);
  rnn_status_t (*save_memory)(const rnn_t *, void *, size_t, size_t *);
  rnn_status_t (*load_memory)(const void *, size_t, const rnn_allocator_t *, rnn_t **);
  rnn_status_t (*save_as)(const rnn_t *, const char *, const rnn_save_options_t *);
  rnn_status_t (*load_as)(const char *, const rnn_load_options_t *, const rnn_allocator_t *, rnn_t **);
  rnn_status_t (*save_memory_as)(const rnn_t *, const rnn_save_options_t *, void *, size_t, size_t *);
  rnn_status_t (*load_memory_as)(const void *, size_t, const rnn_load_options_t *, const rnn_allocator_t *,
                                 rnn_t **);
  rnn_status_t (*set_metadata)(rnn_t *, const char *, const char *);
  rnn_status_t (*get_metadata)(const rnn_t *, const char *, char *, size_t, size_t *);
  rnn_status_t (*metadata_count)(const rnn_t *, size_t *);
  rnn_status_t (*metadata_key)(const rnn_t *, size_t, const char **);
  rnn_status_t (*get_config)(const rnn_t *, rnn_config_t *);
  int32_t (*lane_of)(uint64_t, int32_t);
  int32_t (*rank_of)(int32_t, int32_t, int32_t);
};
extern const struct functions all_functions;
const struct functions all_functions = {
    rnn_status_string, rnn_last_error, rnn_version, rnn_isa, rnn_create, rnn_fork, rnn_clone, rnn_convert,
    rnn_sync,
    rnn_destroy, rnn_step, rnn_step_index, rnn_step_block, rnn_step_block_index, rnn_reserve_block,
    rnn_step_many, rnn_step_many_index, rnn_state_size, rnn_reset,
    rnn_get_state, rnn_set_state, rnn_parameter_count, rnn_parameter_info, rnn_get_parameter,
    rnn_set_parameter, rnn_forward, rnn_generate, rnn_rollout, rnn_train, rnn_evaluate, rnn_trainer_create,
    rnn_trainer_update, rnn_trainer_reset, rnn_trainer_set_learning_rate, rnn_trainer_run,
    rnn_trainer_network, rnn_trainer_sync, rnn_trainer_save, rnn_trainer_load,
    rnn_trainer_optimizer_bytes, rnn_trainer_log, rnn_trainer_destroy,
    rnn_tape_create, rnn_tape_forward, rnn_tape_backward, rnn_tape_set_dropout,
    rnn_tape_set_dropout_rates, rnn_tape_gradient, rnn_tape_zero_gradients, rnn_trainer_apply,
    rnn_tape_destroy, rnn_save, rnn_load, rnn_save_memory, rnn_load_memory, rnn_save_as, rnn_load_as,
    rnn_save_memory_as, rnn_load_memory_as, rnn_set_metadata, rnn_get_metadata, rnn_metadata_count,
    rnn_metadata_key, rnn_get_config, rnn_lane_of, rnn_rank_of,
};
