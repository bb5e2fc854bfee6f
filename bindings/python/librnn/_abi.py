"""The C ABI of librnn for ctypes. Generated from rnn.json by bindings/python/generate."""

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any


class Struct(ctypes.Structure):
    """What is not given is zero, which means its default; struct_size is set."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(type(self)), **fields)


VERSION = "0.1.0"

RNN_OK = 0
RNN_INVALID_ARGUMENT = 1
RNN_NOT_FOUND = 2
RNN_MISMATCH = 10
RNN_NOT_FINITE = 11
RNN_OUT_OF_MEMORY = 20
RNN_FILE_ERROR = 30
RNN_BAD_FORMAT = 31
RNN_UNSUPPORTED = 40
RNN_UNAVAILABLE = 50
RNN_INTERNAL = 90
RNN_CELL_VANILLA = 1
RNN_CELL_GRU = 2
RNN_CELL_LSTM = 3
RNN_CELL_MIN_GRU = 4
RNN_CELL_MIN_LSTM = 5
RNN_INIT_PYTORCH = 1
RNN_INIT_XAVIER_UNIFORM = 2
RNN_INIT_XAVIER_NORMAL = 3
RNN_INIT_KAIMING_UNIFORM = 4
RNN_INIT_KAIMING_NORMAL = 5
RNN_INIT_UNIFORM = 6
RNN_INIT_ORTHOGONAL = 7
RNN_INIT_IDENTITY = 8
RNN_INITIAL_ZERO = 0
RNN_INITIAL_FIXED = 1
RNN_INITIAL_TRAINED = 2
RNN_COMPUTE_F32 = 0
RNN_COMPUTE_BF16 = 1
RNN_COMPUTE_INT8 = 2
RNN_COMPUTE_BF16_FAST = 3
RNN_FLAG_NO_BIAS = 1
RNN_FLAG_RELU = 2
RNN_FLAG_RESET_BEFORE = 4
RNN_FLAG_BIDIRECTIONAL = 8
RNN_FLAG_RESIDUAL = 16
RNN_FLAG_LAYER_NORM = 32
RNN_FLAG_TIED_HEAD = 64
RNN_FLAG_PEEPHOLES = 128
RNN_FLAG_COUPLED_GATES = 256
RNN_LAYER_DENSE = 64
RNN_LAYER_CONV1D = 65
RNN_ACTIVATION_NONE = 0
RNN_ACTIVATION_TANH = 1
RNN_ACTIVATION_RELU = 2
RNN_ACTIVATION_SIGMOID = 3
RNN_ACTIVATION_SOFTMAX = 4
RNN_ACTIVATION_ELU = 5
RNN_ACTIVATION_LEAKY_RELU = 6
RNN_ACTIVATION_PRELU = 7
RNN_ACTIVATION_SOFTSIGN = 8
RNN_ACTIVATION_GELU = 9
RNN_ACTIVATION_SWISH = 10
RNN_ACTIVATION_HARD_SIGMOID = 11
RNN_ACTIVATION_SOFTPLUS = 12
RNN_ACTIVATION_AFFINE = 13
RNN_ACTIVATION_SCALED_TANH = 14
RNN_ACTIVATION_THRESHOLDED_RELU = 15
RNN_DIRECTION_FORWARD = 0
RNN_DIRECTION_REVERSE = 1
RNN_DIRECTION_BOTH = 2
RNN_DIRECTION_SUM = 3
RNN_POOLING_NONE = 0
RNN_POOLING_LAST = 1
RNN_POOLING_MEAN = 2
RNN_POOLING_MAX = 3
RNN_LOSS_CROSS_ENTROPY = 1
RNN_LOSS_SQUARED_ERROR = 2
RNN_LOSS_BINARY_CROSS_ENTROPY = 3
RNN_OPTIMIZER_ADAM = 1
RNN_OPTIMIZER_ADAMW = 2
RNN_OPTIMIZER_SGD = 3
RNN_OPTIMIZER_ADAGRAD = 4
RNN_OPTIMIZER_RMSPROP = 5
RNN_SCHEDULE_CONSTANT = 0
RNN_SCHEDULE_STEP = 1
RNN_SCHEDULE_EXPONENTIAL = 2
RNN_SCHEDULE_COSINE = 3
RNN_EVENT_UPDATE = 1
RNN_EVENT_VALIDATION = 2
RNN_LOG_OPTIONS = 1
RNN_LOG_DATA = 2
RNN_LOG_WEIGHTS = 3
RNN_LOG_OPTIMIZER = 4
RNN_LOG_STATES = 5
RNN_FORMAT_SAFETENSORS = 1
RNN_FORMAT_ONNX = 2
RNN_FORMAT_BINARY = 3
RNN_FORMAT_C = 4


class rnn_allocator_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("allocate", CFUNCTYPE(c_void_p, c_size_t, c_size_t, c_void_p)),
        ("deallocate", CFUNCTYPE(None, c_void_p, c_size_t, c_size_t, c_void_p)),
        ("user", c_void_p),
    ]


class rnn_layer_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("kind", c_int32),
        ("size", c_int32),
        ("activation", c_int32),
        ("direction", c_int32),
        ("projection_size", c_int32),
        ("flags", c_uint32),
        ("alpha", c_float),
        ("beta", c_float),
        ("kernel_size", c_int32),
        ("dilation", c_int32),
        ("gate_activation", c_int32),
        ("output_activation", c_int32),
        ("gate_alpha", c_float),
        ("gate_beta", c_float),
        ("output_alpha", c_float),
        ("output_beta", c_float),
        ("clip", c_float),
        ("zoneout_h", c_float),
        ("zoneout_c", c_float),
        ("reserved", c_int32),
    ]


class rnn_config_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("cell", c_int32),
        ("input_size", c_int32),
        ("hidden_size", c_int32),
        ("output_size", c_int32),
        ("num_layers", c_int32),
        ("init", c_int32),
        ("recurrent_init", c_int32),
        ("init_range", c_float),
        ("seed", c_uint64),
        ("initial_state", c_int32),
        ("compute", c_int32),
        ("flags", c_uint32),
        ("projection_size", c_int32),
        ("allocator", POINTER(rnn_allocator_t)),
        ("embedding_size", c_int32),
        ("forget_bias", c_float),
        ("skip", c_int32),
        ("reserved", c_int32),
        ("layers", POINTER(rnn_layer_t)),
        ("layer_count", c_size_t),
    ]


class rnn_parameter_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("rows", c_size_t),
        ("columns", c_size_t),
    ]


class rnn_sequences_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("count", c_size_t),
        ("frames", c_size_t),
        ("lengths", c_void_p),
        ("inputs", c_void_p),
        ("indices", c_void_p),
        ("targets", c_void_p),
        ("classes", c_void_p),
        ("weights", c_void_p),
        ("resets", c_void_p),
        ("pooling", c_int32),
        ("reserved", c_int32),
    ]


class rnn_forward_options_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("pooling", c_int32),
        ("stateful", c_int32),
        ("initial_states", c_void_p),
        ("final_states", c_void_p),
        ("states", c_void_p),
    ]


class rnn_generate_options_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("prompt", c_void_p),
        ("prompt_count", c_size_t),
        ("temperature", c_float),
        ("top_p", c_float),
        ("top_k", c_int32),
        ("greedy", c_int32),
        ("seed", c_uint64),
        ("stop", c_int32),
        ("stop_index", c_int32),
    ]


class rnn_progress_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("event", c_int32),
        ("epoch", c_int32),
        ("update", c_uint64),
        ("total_updates", c_uint64),
        ("loss", c_double),
        ("validation_loss", c_double),
        ("gradient_norm", c_double),
        ("learning_rate", c_double),
        ("steps_per_second", c_double),
        ("skipped_updates", c_uint64),
    ]


class rnn_parameter_group_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("pattern", c_char_p),
        ("learning_rate_factor", c_float),
        ("frozen", c_int32),
        ("no_weight_decay", c_int32),
        ("two_biases", c_int32),
    ]


class rnn_collective_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("rank", c_int32),
        ("ranks", c_int32),
        ("user", c_void_p),
        ("exchange", CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
        ("gather", CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_void_p)),
        ("own_sequences", c_int32),
    ]


rnn_progress_function_t = CFUNCTYPE(c_int32, POINTER(rnn_progress_t), c_void_p)


class rnn_train_options_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("loss", c_int32),
        ("optimizer", c_int32),
        ("learning_rate", c_float),
        ("momentum", c_float),
        ("beta1", c_float),
        ("beta2", c_float),
        ("epsilon", c_float),
        ("weight_decay", c_float),
        ("nesterov", c_int32),
        ("clip_norm", c_float),
        ("clip_value", c_float),
        ("schedule", c_int32),
        ("schedule_factor", c_float),
        ("schedule_updates", c_int32),
        ("warmup_updates", c_int32),
        ("epochs", c_int32),
        ("batch_size", c_int32),
        ("window", c_int32),
        ("stateless_windows", c_int32),
        ("keep_order", c_int32),
        ("seed", c_uint64),
        ("threads", c_int32),
        ("validate_every", c_int32),
        ("patience", c_int32),
        ("report_every", c_int32),
        ("validation", POINTER(rnn_sequences_t)),
        ("progress", rnn_progress_function_t),
        ("user", c_void_p),
        ("dropout", c_float),
        ("scheduled_sampling", c_float),
        ("average", c_float),
        ("accumulate", c_int32),
        ("restore_best", c_int32),
        ("group_count", c_int32),
        ("groups", POINTER(rnn_parameter_group_t)),
        ("class_weights", c_void_p),
        ("label_smoothing", c_float),
        ("sampled_classes", c_int32),
        ("schedule_start", c_int32),
        ("schedule_by_epoch", c_int32),
        ("skip_not_finite", c_int32),
        ("output_dropout", c_float),
        ("recurrent_dropout", c_float),
        ("lanes", c_int32),
        ("collective", POINTER(rnn_collective_t)),
    ]


class rnn_evaluation_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("loss", c_double),
        ("weight", c_double),
        ("accuracy", c_double),
    ]


class rnn_log_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("every", c_uint64),
        ("write", CFUNCTYPE(None, c_int32, c_void_p, c_size_t, c_void_p)),
        ("record", CFUNCTYPE(None, c_uint64, c_void_p)),
        ("user", c_void_p),
    ]


class rnn_dropout_rates_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("layers", c_float),
        ("output", c_float),
        ("recurrent", c_float),
        ("zoneout", c_int32),
    ]


class rnn_save_options_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("format", c_int32),
        ("without_probe", c_int32),
        ("layers", c_char_p),
        ("head", c_char_p),
        ("embedding", c_char_p),
        ("name", c_char_p),
    ]


class rnn_load_options_t(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("flags", c_uint32),
        ("without_probe", c_int32),
        ("layers", c_char_p),
        ("head", c_char_p),
        ("embedding", c_char_p),
        ("activations", c_char_p),
    ]


STRUCTS: list[type[Struct]] = [
    rnn_allocator_t,
    rnn_layer_t,
    rnn_config_t,
    rnn_parameter_t,
    rnn_sequences_t,
    rnn_forward_options_t,
    rnn_generate_options_t,
    rnn_progress_t,
    rnn_parameter_group_t,
    rnn_collective_t,
    rnn_train_options_t,
    rnn_evaluation_t,
    rnn_log_t,
    rnn_dropout_rates_t,
    rnn_save_options_t,
    rnn_load_options_t,
]

# The result and the parameters of each function.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "rnn_status_string": (c_char_p, [c_int32]),
    "rnn_last_error": (c_char_p, []),
    "rnn_version": (c_char_p, []),
    "rnn_isa": (c_char_p, []),
    "rnn_create": (c_int32, [POINTER(rnn_config_t), POINTER(c_void_p)]),
    "rnn_fork": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "rnn_clone": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "rnn_convert": (c_int32, [c_void_p, c_int32, POINTER(c_void_p)]),
    "rnn_sync": (c_int32, [c_void_p, c_void_p]),
    "rnn_destroy": (None, [c_void_p]),
    "rnn_step": (c_int32, [c_void_p, c_void_p, c_void_p]),
    "rnn_step_index": (c_int32, [c_void_p, c_int32, c_void_p]),
    "rnn_step_block": (c_int32, [c_void_p, c_void_p, c_size_t, c_void_p]),
    "rnn_step_block_index": (c_int32, [c_void_p, c_void_p, c_size_t, c_void_p]),
    "rnn_reserve_block": (c_int32, [c_void_p, c_size_t]),
    "rnn_step_many": (c_int32, [POINTER(c_void_p), c_size_t, c_void_p, c_void_p]),
    "rnn_step_many_index": (c_int32, [POINTER(c_void_p), c_size_t, c_void_p, c_void_p]),
    "rnn_state_size": (c_int32, [c_void_p, c_void_p]),
    "rnn_reset": (c_int32, [c_void_p]),
    "rnn_get_state": (c_int32, [c_void_p, c_void_p, c_size_t]),
    "rnn_set_state": (c_int32, [c_void_p, c_void_p, c_size_t]),
    "rnn_set_delay": (c_int32, [c_void_p, c_float]),
    "rnn_get_delay": (c_int32, [c_void_p, c_void_p]),
    "rnn_history": (c_int32, [c_void_p, c_size_t]),
    "rnn_rewind": (c_int32, [c_void_p, c_size_t]),
    "rnn_parameter_count": (c_int32, [c_void_p, c_void_p]),
    "rnn_parameter_info": (c_int32, [c_void_p, c_size_t, POINTER(rnn_parameter_t)]),
    "rnn_get_parameter": (c_int32, [c_void_p, c_char_p, c_void_p, c_size_t]),
    "rnn_set_parameter": (c_int32, [c_void_p, c_char_p, c_void_p, c_size_t]),
    "rnn_forward": (c_int32, [c_void_p, POINTER(rnn_sequences_t), POINTER(rnn_forward_options_t), c_void_p]),
    "rnn_generate": (c_int32, [c_void_p, POINTER(rnn_generate_options_t), c_void_p, c_size_t, c_void_p]),
    "rnn_rollout": (c_int32, [c_void_p, c_void_p, c_size_t, c_void_p]),
    "rnn_lane_of": (c_int32, [c_uint64, c_int32]),
    "rnn_rank_of": (c_int32, [c_int32, c_int32, c_int32]),
    "rnn_train": (c_int32, [c_void_p, POINTER(rnn_sequences_t), POINTER(rnn_train_options_t)]),
    "rnn_evaluate": (c_int32, [c_void_p, POINTER(rnn_sequences_t), POINTER(rnn_train_options_t), POINTER(rnn_evaluation_t)]),
    "rnn_trainer_create": (c_int32, [c_void_p, POINTER(rnn_train_options_t), POINTER(c_void_p)]),
    "rnn_trainer_update": (c_int32, [c_void_p, POINTER(rnn_sequences_t), POINTER(rnn_progress_t)]),
    "rnn_trainer_reset": (c_int32, [c_void_p]),
    "rnn_trainer_set_learning_rate": (c_int32, [c_void_p, c_float]),
    "rnn_trainer_run": (c_int32, [c_void_p, POINTER(rnn_sequences_t)]),
    "rnn_trainer_network": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "rnn_trainer_sync": (c_int32, [c_void_p, c_void_p]),
    "rnn_trainer_save": (c_int32, [c_void_p, c_char_p]),
    "rnn_trainer_load": (c_int32, [c_void_p, c_char_p]),
    "rnn_trainer_optimizer_bytes": (c_int32, [c_void_p, c_void_p]),
    "rnn_trainer_log": (c_int32, [c_void_p, POINTER(rnn_log_t)]),
    "rnn_trainer_destroy": (None, [c_void_p]),
    "rnn_tape_create": (c_int32, [c_void_p, c_int32, POINTER(c_void_p)]),
    "rnn_tape_forward": (c_int32, [c_void_p, c_void_p, POINTER(rnn_sequences_t), c_void_p, c_void_p, c_void_p]),
    "rnn_tape_backward": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "rnn_tape_set_dropout": (c_int32, [c_void_p, c_float, c_uint64]),
    "rnn_tape_set_dropout_rates": (c_int32, [c_void_p, POINTER(rnn_dropout_rates_t), c_uint64]),
    "rnn_tape_gradient": (c_int32, [c_void_p, c_char_p, c_void_p, c_size_t]),
    "rnn_tape_zero_gradients": (c_int32, [c_void_p]),
    "rnn_trainer_apply": (c_int32, [c_void_p, c_void_p, POINTER(rnn_progress_t)]),
    "rnn_tape_destroy": (None, [c_void_p]),
    "rnn_save": (c_int32, [c_void_p, c_char_p]),
    "rnn_save_as": (c_int32, [c_void_p, c_char_p, POINTER(rnn_save_options_t)]),
    "rnn_load": (c_int32, [c_char_p, POINTER(rnn_allocator_t), POINTER(c_void_p)]),
    "rnn_load_as": (c_int32, [c_char_p, POINTER(rnn_load_options_t), POINTER(rnn_allocator_t), POINTER(c_void_p)]),
    "rnn_save_memory": (c_int32, [c_void_p, c_void_p, c_size_t, c_void_p]),
    "rnn_save_memory_as": (c_int32, [c_void_p, POINTER(rnn_save_options_t), c_void_p, c_size_t, c_void_p]),
    "rnn_load_memory": (c_int32, [c_void_p, c_size_t, POINTER(rnn_allocator_t), POINTER(c_void_p)]),
    "rnn_load_memory_as": (c_int32, [c_void_p, c_size_t, POINTER(rnn_load_options_t), POINTER(rnn_allocator_t), POINTER(c_void_p)]),
    "rnn_set_metadata": (c_int32, [c_void_p, c_char_p, c_char_p]),
    "rnn_get_metadata": (c_int32, [c_void_p, c_char_p, c_void_p, c_size_t, c_void_p]),
    "rnn_metadata_count": (c_int32, [c_void_p, c_void_p]),
    "rnn_metadata_key": (c_int32, [c_void_p, c_size_t, POINTER(c_char_p)]),
    "rnn_get_config": (c_int32, [c_void_p, POINTER(rnn_config_t)]),
    "rnn_output_size": (c_int32, [c_void_p, c_void_p]),
}
