// Generated from include/rnn/rnn.json by generate.

//! The C ABI as it is: structs, constants and functions of `rnn.h`, which says what they mean.

#![allow(non_camel_case_types, missing_docs)]

use std::marker::{PhantomData, PhantomPinned};
use std::mem;
use std::os::raw::{c_char, c_int, c_void};

pub type rnn_status_t = i32;

#[repr(C)]
#[derive(Debug)]
pub struct rnn_t {
    _private: [u8; 0],
    _thread: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
#[derive(Debug)]
pub struct rnn_trainer_t {
    _private: [u8; 0],
    _thread: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
#[derive(Debug)]
pub struct rnn_tape_t {
    _private: [u8; 0],
    _thread: PhantomData<(*mut u8, PhantomPinned)>,
}

pub const RNN_OK: i32 = 0;
pub const RNN_INVALID_ARGUMENT: i32 = 1;
pub const RNN_NOT_FOUND: i32 = 2;
pub const RNN_MISMATCH: i32 = 10;
pub const RNN_NOT_FINITE: i32 = 11;
pub const RNN_OUT_OF_MEMORY: i32 = 20;
pub const RNN_FILE_ERROR: i32 = 30;
pub const RNN_BAD_FORMAT: i32 = 31;
pub const RNN_UNSUPPORTED: i32 = 40;
pub const RNN_UNAVAILABLE: i32 = 50;
pub const RNN_INTERNAL: i32 = 90;
pub const RNN_CELL_VANILLA: i32 = 1;
pub const RNN_CELL_GRU: i32 = 2;
pub const RNN_CELL_LSTM: i32 = 3;
pub const RNN_CELL_MIN_GRU: i32 = 4;
pub const RNN_CELL_MIN_LSTM: i32 = 5;
pub const RNN_INIT_PYTORCH: i32 = 1;
pub const RNN_INIT_XAVIER_UNIFORM: i32 = 2;
pub const RNN_INIT_XAVIER_NORMAL: i32 = 3;
pub const RNN_INIT_KAIMING_UNIFORM: i32 = 4;
pub const RNN_INIT_KAIMING_NORMAL: i32 = 5;
pub const RNN_INIT_UNIFORM: i32 = 6;
pub const RNN_INIT_ORTHOGONAL: i32 = 7;
pub const RNN_INIT_IDENTITY: i32 = 8;
pub const RNN_INITIAL_ZERO: i32 = 0;
pub const RNN_INITIAL_FIXED: i32 = 1;
pub const RNN_INITIAL_TRAINED: i32 = 2;
pub const RNN_COMPUTE_F32: i32 = 0;
pub const RNN_COMPUTE_BF16: i32 = 1;
pub const RNN_COMPUTE_INT8: i32 = 2;
pub const RNN_COMPUTE_BF16_FAST: i32 = 3;
pub const RNN_FLAG_NO_BIAS: i32 = 1;
pub const RNN_FLAG_RELU: i32 = 2;
pub const RNN_FLAG_RESET_BEFORE: i32 = 4;
pub const RNN_FLAG_BIDIRECTIONAL: i32 = 8;
pub const RNN_FLAG_RESIDUAL: i32 = 16;
pub const RNN_FLAG_LAYER_NORM: i32 = 32;
pub const RNN_FLAG_TIED_HEAD: i32 = 64;
pub const RNN_FLAG_PEEPHOLES: i32 = 128;
pub const RNN_FLAG_COUPLED_GATES: i32 = 256;
pub const RNN_LAYER_DENSE: i32 = 64;
pub const RNN_LAYER_CONV1D: i32 = 65;
pub const RNN_ACTIVATION_NONE: i32 = 0;
pub const RNN_ACTIVATION_TANH: i32 = 1;
pub const RNN_ACTIVATION_RELU: i32 = 2;
pub const RNN_ACTIVATION_SIGMOID: i32 = 3;
pub const RNN_ACTIVATION_SOFTMAX: i32 = 4;
pub const RNN_ACTIVATION_ELU: i32 = 5;
pub const RNN_ACTIVATION_LEAKY_RELU: i32 = 6;
pub const RNN_ACTIVATION_PRELU: i32 = 7;
pub const RNN_ACTIVATION_SOFTSIGN: i32 = 8;
pub const RNN_ACTIVATION_GELU: i32 = 9;
pub const RNN_ACTIVATION_SWISH: i32 = 10;
pub const RNN_ACTIVATION_HARD_SIGMOID: i32 = 11;
pub const RNN_ACTIVATION_SOFTPLUS: i32 = 12;
pub const RNN_ACTIVATION_AFFINE: i32 = 13;
pub const RNN_ACTIVATION_SCALED_TANH: i32 = 14;
pub const RNN_ACTIVATION_THRESHOLDED_RELU: i32 = 15;
pub const RNN_DIRECTION_FORWARD: i32 = 0;
pub const RNN_DIRECTION_REVERSE: i32 = 1;
pub const RNN_DIRECTION_BOTH: i32 = 2;
pub const RNN_DIRECTION_SUM: i32 = 3;
pub const RNN_POOLING_NONE: i32 = 0;
pub const RNN_POOLING_LAST: i32 = 1;
pub const RNN_POOLING_MEAN: i32 = 2;
pub const RNN_POOLING_MAX: i32 = 3;
pub const RNN_LOSS_CROSS_ENTROPY: i32 = 1;
pub const RNN_LOSS_SQUARED_ERROR: i32 = 2;
pub const RNN_LOSS_BINARY_CROSS_ENTROPY: i32 = 3;
pub const RNN_OPTIMIZER_ADAM: i32 = 1;
pub const RNN_OPTIMIZER_ADAMW: i32 = 2;
pub const RNN_OPTIMIZER_SGD: i32 = 3;
pub const RNN_OPTIMIZER_ADAGRAD: i32 = 4;
pub const RNN_OPTIMIZER_RMSPROP: i32 = 5;
pub const RNN_SCHEDULE_CONSTANT: i32 = 0;
pub const RNN_SCHEDULE_STEP: i32 = 1;
pub const RNN_SCHEDULE_EXPONENTIAL: i32 = 2;
pub const RNN_SCHEDULE_COSINE: i32 = 3;
pub const RNN_EVENT_UPDATE: i32 = 1;
pub const RNN_EVENT_VALIDATION: i32 = 2;
pub const RNN_LOG_OPTIONS: i32 = 1;
pub const RNN_LOG_DATA: i32 = 2;
pub const RNN_LOG_WEIGHTS: i32 = 3;
pub const RNN_LOG_OPTIMIZER: i32 = 4;
pub const RNN_LOG_STATES: i32 = 5;
pub const RNN_FORMAT_SAFETENSORS: i32 = 1;
pub const RNN_FORMAT_ONNX: i32 = 2;
pub const RNN_FORMAT_BINARY: i32 = 3;
pub const RNN_FORMAT_C: i32 = 4;

pub type rnn_progress_function_t =
    unsafe extern "C" fn(progress: *const rnn_progress_t, user: *mut c_void) -> c_int;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_allocator_t {
    pub struct_size: usize,
    pub allocate: Option<
        unsafe extern "C" fn(
            size: usize,
            alignment: usize,
            user: *mut c_void,
        ) -> *mut c_void,
    >,
    pub deallocate: Option<
        unsafe extern "C" fn(
            memory: *mut c_void,
            size: usize,
            alignment: usize,
            user: *mut c_void,
        ),
    >,
    pub user: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_layer_t {
    pub struct_size: usize,
    pub kind: i32,
    pub size: i32,
    pub activation: i32,
    pub direction: i32,
    pub projection_size: i32,
    pub flags: u32,
    pub alpha: f32,
    pub beta: f32,
    pub kernel_size: i32,
    pub dilation: i32,
    pub gate_activation: i32,
    pub output_activation: i32,
    pub gate_alpha: f32,
    pub gate_beta: f32,
    pub output_alpha: f32,
    pub output_beta: f32,
    pub clip: f32,
    pub zoneout_h: f32,
    pub zoneout_c: f32,
    pub reserved: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_config_t {
    pub struct_size: usize,
    pub cell: i32,
    pub input_size: i32,
    pub hidden_size: i32,
    pub output_size: i32,
    pub num_layers: i32,
    pub init: i32,
    pub recurrent_init: i32,
    pub init_range: f32,
    pub seed: u64,
    pub initial_state: i32,
    pub compute: i32,
    pub flags: u32,
    pub projection_size: i32,
    pub allocator: *const rnn_allocator_t,
    pub embedding_size: i32,
    pub forget_bias: f32,
    pub skip: i32,
    pub reserved: i32,
    pub layers: *const rnn_layer_t,
    pub layer_count: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_parameter_t {
    pub struct_size: usize,
    pub name: *const c_char,
    pub rows: usize,
    pub columns: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_sequences_t {
    pub struct_size: usize,
    pub count: usize,
    pub frames: usize,
    pub lengths: *const usize,
    pub inputs: *const f32,
    pub indices: *const i32,
    pub targets: *const f32,
    pub classes: *const i32,
    pub weights: *const f32,
    pub resets: *const u8,
    pub pooling: i32,
    pub reserved: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_forward_options_t {
    pub struct_size: usize,
    pub pooling: i32,
    pub stateful: i32,
    pub initial_states: *const f32,
    pub final_states: *mut f32,
    pub states: *mut f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_generate_options_t {
    pub struct_size: usize,
    pub prompt: *const i32,
    pub prompt_count: usize,
    pub temperature: f32,
    pub top_p: f32,
    pub top_k: i32,
    pub greedy: i32,
    pub seed: u64,
    pub stop: i32,
    pub stop_index: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_progress_t {
    pub struct_size: usize,
    pub event: i32,
    pub epoch: i32,
    pub update: u64,
    pub total_updates: u64,
    pub loss: f64,
    pub validation_loss: f64,
    pub gradient_norm: f64,
    pub learning_rate: f64,
    pub steps_per_second: f64,
    pub skipped_updates: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_parameter_group_t {
    pub struct_size: usize,
    pub pattern: *const c_char,
    pub learning_rate_factor: f32,
    pub frozen: i32,
    pub no_weight_decay: i32,
    pub two_biases: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_collective_t {
    pub struct_size: usize,
    pub rank: i32,
    pub ranks: i32,
    pub user: *mut c_void,
    pub exchange: Option<
        unsafe extern "C" fn(
            send: *const c_void,
            send_sizes: *const usize,
            receive: *mut c_void,
            receive_sizes: *const usize,
            user: *mut c_void,
        ) -> c_int,
    >,
    pub gather: Option<
        unsafe extern "C" fn(
            send: *const c_void,
            receive: *mut c_void,
            receive_sizes: *const usize,
            user: *mut c_void,
        ) -> c_int,
    >,
    pub own_sequences: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_train_options_t {
    pub struct_size: usize,
    pub loss: i32,
    pub optimizer: i32,
    pub learning_rate: f32,
    pub momentum: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    pub weight_decay: f32,
    pub nesterov: i32,
    pub clip_norm: f32,
    pub clip_value: f32,
    pub schedule: i32,
    pub schedule_factor: f32,
    pub schedule_updates: i32,
    pub warmup_updates: i32,
    pub epochs: i32,
    pub batch_size: i32,
    pub window: i32,
    pub stateless_windows: i32,
    pub keep_order: i32,
    pub seed: u64,
    pub threads: i32,
    pub validate_every: i32,
    pub patience: i32,
    pub report_every: i32,
    pub validation: *const rnn_sequences_t,
    pub progress: Option<rnn_progress_function_t>,
    pub user: *mut c_void,
    pub dropout: f32,
    pub scheduled_sampling: f32,
    pub average: f32,
    pub accumulate: i32,
    pub restore_best: i32,
    pub group_count: i32,
    pub groups: *const rnn_parameter_group_t,
    pub class_weights: *const f32,
    pub label_smoothing: f32,
    pub sampled_classes: i32,
    pub schedule_start: i32,
    pub schedule_by_epoch: i32,
    pub skip_not_finite: i32,
    pub output_dropout: f32,
    pub recurrent_dropout: f32,
    pub lanes: i32,
    pub collective: *const rnn_collective_t,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_evaluation_t {
    pub struct_size: usize,
    pub loss: f64,
    pub weight: f64,
    pub accuracy: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_log_t {
    pub struct_size: usize,
    pub every: u64,
    pub write: Option<
        unsafe extern "C" fn(
            part: c_int,
            bytes: *const c_void,
            size: usize,
            user: *mut c_void,
        ),
    >,
    pub record: Option<unsafe extern "C" fn(update: usize, user: *mut c_void)>,
    pub user: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_dropout_rates_t {
    pub struct_size: usize,
    pub layers: f32,
    pub output: f32,
    pub recurrent: f32,
    pub zoneout: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_save_options_t {
    pub struct_size: usize,
    pub format: i32,
    pub without_probe: i32,
    pub layers: *const c_char,
    pub head: *const c_char,
    pub embedding: *const c_char,
    pub name: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rnn_load_options_t {
    pub struct_size: usize,
    pub flags: u32,
    pub without_probe: i32,
    pub layers: *const c_char,
    pub head: *const c_char,
    pub embedding: *const c_char,
    pub activations: *const c_char,
}

/// Structs begin with their size; what else is zero means its default.
macro_rules! sized {
    ($($name:ident,)*) => {$(
        impl Default for $name {
            fn default() -> Self {
                // Safety: numbers, raw pointers and optional functions may all be zero.
                $name { struct_size: mem::size_of::<Self>(), ..unsafe { mem::zeroed() } }
            }
        }
    )*};
}

sized! {
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
}

extern "C" {
    pub fn rnn_status_string(status: rnn_status_t) -> *const c_char;
    pub fn rnn_last_error() -> *const c_char;
    pub fn rnn_version() -> *const c_char;
    pub fn rnn_isa() -> *const c_char;
    pub fn rnn_create(config: *const rnn_config_t, out: *mut *mut rnn_t) -> rnn_status_t;
    pub fn rnn_fork(rnn: *const rnn_t, out: *mut *mut rnn_t) -> rnn_status_t;
    pub fn rnn_clone(rnn: *const rnn_t, out: *mut *mut rnn_t) -> rnn_status_t;
    pub fn rnn_convert(rnn: *const rnn_t, compute: i32, out: *mut *mut rnn_t) -> rnn_status_t;
    pub fn rnn_sync(stream: *mut rnn_t, source: *const rnn_t) -> rnn_status_t;
    pub fn rnn_destroy(rnn: *mut rnn_t);
    pub fn rnn_step(rnn: *mut rnn_t, x: *const f32, y: *mut f32) -> rnn_status_t;
    pub fn rnn_step_index(rnn: *mut rnn_t, index: i32, y: *mut f32) -> rnn_status_t;
    pub fn rnn_step_block(
        rnn: *mut rnn_t,
        x: *const f32,
        steps: usize,
        y: *mut f32,
    ) -> rnn_status_t;
    pub fn rnn_step_block_index(
        rnn: *mut rnn_t,
        indices: *const i32,
        steps: usize,
        y: *mut f32,
    ) -> rnn_status_t;
    pub fn rnn_reserve_block(rnn: *mut rnn_t, steps: usize) -> rnn_status_t;
    pub fn rnn_step_many(
        streams: *const *mut rnn_t,
        count: usize,
        x: *const f32,
        y: *mut f32,
    ) -> rnn_status_t;
    pub fn rnn_step_many_index(
        streams: *const *mut rnn_t,
        count: usize,
        indices: *const i32,
        y: *mut f32,
    ) -> rnn_status_t;
    pub fn rnn_state_size(rnn: *const rnn_t, size: *mut usize) -> rnn_status_t;
    pub fn rnn_reset(rnn: *mut rnn_t) -> rnn_status_t;
    pub fn rnn_get_state(rnn: *const rnn_t, state: *mut f32, count: usize) -> rnn_status_t;
    pub fn rnn_set_state(rnn: *mut rnn_t, state: *const f32, count: usize) -> rnn_status_t;
    pub fn rnn_set_delay(rnn: *mut rnn_t, delay: f32) -> rnn_status_t;
    pub fn rnn_get_delay(rnn: *const rnn_t, delay: *mut f32) -> rnn_status_t;
    pub fn rnn_history(rnn: *mut rnn_t, steps: usize) -> rnn_status_t;
    pub fn rnn_rewind(rnn: *mut rnn_t, steps: usize) -> rnn_status_t;
    pub fn rnn_parameter_count(rnn: *const rnn_t, count: *mut usize) -> rnn_status_t;
    pub fn rnn_parameter_info(
        rnn: *const rnn_t,
        index: usize,
        out: *mut rnn_parameter_t,
    ) -> rnn_status_t;
    pub fn rnn_get_parameter(
        rnn: *const rnn_t,
        name: *const c_char,
        values: *mut f32,
        count: usize,
    ) -> rnn_status_t;
    pub fn rnn_set_parameter(
        rnn: *mut rnn_t,
        name: *const c_char,
        values: *const f32,
        count: usize,
    ) -> rnn_status_t;
    pub fn rnn_forward(
        rnn: *mut rnn_t,
        r#in: *const rnn_sequences_t,
        options: *const rnn_forward_options_t,
        outputs: *mut f32,
    ) -> rnn_status_t;
    pub fn rnn_generate(
        rnn: *mut rnn_t,
        options: *const rnn_generate_options_t,
        out: *mut i32,
        capacity: usize,
        written: *mut usize,
    ) -> rnn_status_t;
    pub fn rnn_rollout(rnn: *mut rnn_t, x: *const f32, steps: usize, y: *mut f32) -> rnn_status_t;
    pub fn rnn_lane_of(sequence: u64, lanes: i32) -> i32;
    pub fn rnn_rank_of(lane: i32, lanes: i32, ranks: i32) -> i32;
    pub fn rnn_train(
        rnn: *mut rnn_t,
        data: *const rnn_sequences_t,
        options: *const rnn_train_options_t,
    ) -> rnn_status_t;
    pub fn rnn_evaluate(
        rnn: *const rnn_t,
        data: *const rnn_sequences_t,
        options: *const rnn_train_options_t,
        out: *mut rnn_evaluation_t,
    ) -> rnn_status_t;
    pub fn rnn_trainer_create(
        rnn: *const rnn_t,
        options: *const rnn_train_options_t,
        out: *mut *mut rnn_trainer_t,
    ) -> rnn_status_t;
    pub fn rnn_trainer_update(
        trainer: *mut rnn_trainer_t,
        batch: *const rnn_sequences_t,
        progress: *mut rnn_progress_t,
    ) -> rnn_status_t;
    pub fn rnn_trainer_reset(trainer: *mut rnn_trainer_t) -> rnn_status_t;
    pub fn rnn_trainer_set_learning_rate(trainer: *mut rnn_trainer_t, rate: f32) -> rnn_status_t;
    pub fn rnn_trainer_run(
        trainer: *mut rnn_trainer_t,
        data: *const rnn_sequences_t,
    ) -> rnn_status_t;
    pub fn rnn_trainer_network(trainer: *const rnn_trainer_t, out: *mut *mut rnn_t) -> rnn_status_t;
    pub fn rnn_trainer_sync(trainer: *const rnn_trainer_t, stream: *mut rnn_t) -> rnn_status_t;
    pub fn rnn_trainer_save(trainer: *const rnn_trainer_t, path: *const c_char) -> rnn_status_t;
    pub fn rnn_trainer_load(trainer: *mut rnn_trainer_t, path: *const c_char) -> rnn_status_t;
    pub fn rnn_trainer_optimizer_bytes(
        trainer: *const rnn_trainer_t,
        out: *mut usize,
    ) -> rnn_status_t;
    pub fn rnn_trainer_log(trainer: *mut rnn_trainer_t, log: *const rnn_log_t) -> rnn_status_t;
    pub fn rnn_trainer_destroy(trainer: *mut rnn_trainer_t);
    pub fn rnn_tape_create(
        rnn: *const rnn_t,
        threads: i32,
        out: *mut *mut rnn_tape_t,
    ) -> rnn_status_t;
    pub fn rnn_tape_forward(
        tape: *mut rnn_tape_t,
        rnn: *const rnn_t,
        r#in: *const rnn_sequences_t,
        initial_states: *const f32,
        outputs: *mut f32,
        final_states: *mut f32,
    ) -> rnn_status_t;
    pub fn rnn_tape_backward(
        tape: *mut rnn_tape_t,
        d_outputs: *const f32,
        d_final_states: *const f32,
        d_inputs: *mut f32,
        d_initial_states: *mut f32,
    ) -> rnn_status_t;
    pub fn rnn_tape_set_dropout(tape: *mut rnn_tape_t, rate: f32, seed: u64) -> rnn_status_t;
    pub fn rnn_tape_set_dropout_rates(
        tape: *mut rnn_tape_t,
        rates: *const rnn_dropout_rates_t,
        seed: u64,
    ) -> rnn_status_t;
    pub fn rnn_tape_gradient(
        tape: *const rnn_tape_t,
        name: *const c_char,
        values: *mut f32,
        count: usize,
    ) -> rnn_status_t;
    pub fn rnn_tape_zero_gradients(tape: *mut rnn_tape_t) -> rnn_status_t;
    pub fn rnn_trainer_apply(
        trainer: *mut rnn_trainer_t,
        tape: *const rnn_tape_t,
        progress: *mut rnn_progress_t,
    ) -> rnn_status_t;
    pub fn rnn_tape_destroy(tape: *mut rnn_tape_t);
    pub fn rnn_save(rnn: *const rnn_t, path: *const c_char) -> rnn_status_t;
    pub fn rnn_save_as(
        rnn: *const rnn_t,
        path: *const c_char,
        options: *const rnn_save_options_t,
    ) -> rnn_status_t;
    pub fn rnn_load(
        path: *const c_char,
        allocator: *const rnn_allocator_t,
        out: *mut *mut rnn_t,
    ) -> rnn_status_t;
    pub fn rnn_load_as(
        path: *const c_char,
        options: *const rnn_load_options_t,
        allocator: *const rnn_allocator_t,
        out: *mut *mut rnn_t,
    ) -> rnn_status_t;
    pub fn rnn_save_memory(
        rnn: *const rnn_t,
        memory: *mut c_void,
        capacity: usize,
        size: *mut usize,
    ) -> rnn_status_t;
    pub fn rnn_save_memory_as(
        rnn: *const rnn_t,
        options: *const rnn_save_options_t,
        memory: *mut c_void,
        capacity: usize,
        size: *mut usize,
    ) -> rnn_status_t;
    pub fn rnn_load_memory(
        memory: *const c_void,
        size: usize,
        allocator: *const rnn_allocator_t,
        out: *mut *mut rnn_t,
    ) -> rnn_status_t;
    pub fn rnn_load_memory_as(
        memory: *const c_void,
        size: usize,
        options: *const rnn_load_options_t,
        allocator: *const rnn_allocator_t,
        out: *mut *mut rnn_t,
    ) -> rnn_status_t;
    pub fn rnn_set_metadata(
        rnn: *mut rnn_t,
        key: *const c_char,
        value: *const c_char,
    ) -> rnn_status_t;
    pub fn rnn_get_metadata(
        rnn: *const rnn_t,
        key: *const c_char,
        value: *mut c_char,
        capacity: usize,
        size: *mut usize,
    ) -> rnn_status_t;
    pub fn rnn_metadata_count(rnn: *const rnn_t, count: *mut usize) -> rnn_status_t;
    pub fn rnn_metadata_key(
        rnn: *const rnn_t,
        index: usize,
        key: *mut *const c_char,
    ) -> rnn_status_t;
    pub fn rnn_get_config(rnn: *const rnn_t, out: *mut rnn_config_t) -> rnn_status_t;
    pub fn rnn_output_size(rnn: *const rnn_t, size: *mut usize) -> rnn_status_t;
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    fn size_of_pointee<T>(_: *const T) -> usize {
        mem::size_of::<T>()
    }

    macro_rules! check {
        ($($name:ident, $size:literal, $alignment:literal:
           { $($field:ident: $offset:literal $bytes:literal),* })*) => {$(
            let value = $name::default();
            assert_eq!(mem::size_of::<$name>(), $size, stringify!($name));
            assert_eq!(mem::align_of::<$name>(), $alignment, stringify!($name));
            assert_eq!(value.struct_size, $size, stringify!($name));
            $(
                let field = std::ptr::addr_of!(value.$field);
                let offset = field as usize - std::ptr::addr_of!(value) as usize;
                let place = (offset, size_of_pointee(field));
                assert_eq!(place, ($offset, $bytes), "{}.{}", stringify!($name), stringify!($field));
            )*
        )*};
    }

    #[test]
    fn layout_is_that_of_the_description() {
        check! {
            rnn_allocator_t, 32, 8: {
                struct_size: 0 8, allocate: 8 8, deallocate: 16 8, user: 24 8
            }
            rnn_layer_t, 88, 8: {
                struct_size: 0 8, kind: 8 4, size: 12 4, activation: 16 4, direction: 20 4,
                projection_size: 24 4, flags: 28 4, alpha: 32 4, beta: 36 4, kernel_size: 40 4,
                dilation: 44 4, gate_activation: 48 4, output_activation: 52 4, gate_alpha: 56 4,
                gate_beta: 60 4, output_alpha: 64 4, output_beta: 68 4, clip: 72 4, zoneout_h: 76 4,
                zoneout_c: 80 4, reserved: 84 4
            }
            rnn_config_t, 104, 8: {
                struct_size: 0 8, cell: 8 4, input_size: 12 4, hidden_size: 16 4, output_size: 20 4,
                num_layers: 24 4, init: 28 4, recurrent_init: 32 4, init_range: 36 4, seed: 40 8,
                initial_state: 48 4, compute: 52 4, flags: 56 4, projection_size: 60 4, allocator:
                64 8, embedding_size: 72 4, forget_bias: 76 4, skip: 80 4, reserved: 84 4, layers:
                88 8, layer_count: 96 8
            }
            rnn_parameter_t, 32, 8: {
                struct_size: 0 8, name: 8 8, rows: 16 8, columns: 24 8
            }
            rnn_sequences_t, 88, 8: {
                struct_size: 0 8, count: 8 8, frames: 16 8, lengths: 24 8, inputs: 32 8, indices: 40
                8, targets: 48 8, classes: 56 8, weights: 64 8, resets: 72 8, pooling: 80 4,
                reserved: 84 4
            }
            rnn_forward_options_t, 40, 8: {
                struct_size: 0 8, pooling: 8 4, stateful: 12 4, initial_states: 16 8, final_states:
                24 8, states: 32 8
            }
            rnn_generate_options_t, 56, 8: {
                struct_size: 0 8, prompt: 8 8, prompt_count: 16 8, temperature: 24 4, top_p: 28 4,
                top_k: 32 4, greedy: 36 4, seed: 40 8, stop: 48 4, stop_index: 52 4
            }
            rnn_progress_t, 80, 8: {
                struct_size: 0 8, event: 8 4, epoch: 12 4, update: 16 8, total_updates: 24 8, loss:
                32 8, validation_loss: 40 8, gradient_norm: 48 8, learning_rate: 56 8,
                steps_per_second: 64 8, skipped_updates: 72 8
            }
            rnn_parameter_group_t, 32, 8: {
                struct_size: 0 8, pattern: 8 8, learning_rate_factor: 16 4, frozen: 20 4,
                no_weight_decay: 24 4, two_biases: 28 4
            }
            rnn_collective_t, 48, 8: {
                struct_size: 0 8, rank: 8 4, ranks: 12 4, user: 16 8, exchange: 24 8, gather: 32 8,
                own_sequences: 40 4
            }
            rnn_train_options_t, 216, 8: {
                struct_size: 0 8, loss: 8 4, optimizer: 12 4, learning_rate: 16 4, momentum: 20 4,
                beta1: 24 4, beta2: 28 4, epsilon: 32 4, weight_decay: 36 4, nesterov: 40 4,
                clip_norm: 44 4, clip_value: 48 4, schedule: 52 4, schedule_factor: 56 4,
                schedule_updates: 60 4, warmup_updates: 64 4, epochs: 68 4, batch_size: 72 4,
                window: 76 4, stateless_windows: 80 4, keep_order: 84 4, seed: 88 8, threads: 96 4,
                validate_every: 100 4, patience: 104 4, report_every: 108 4, validation: 112 8,
                progress: 120 8, user: 128 8, dropout: 136 4, scheduled_sampling: 140 4, average:
                144 4, accumulate: 148 4, restore_best: 152 4, group_count: 156 4, groups: 160 8,
                class_weights: 168 8, label_smoothing: 176 4, sampled_classes: 180 4,
                schedule_start: 184 4, schedule_by_epoch: 188 4, skip_not_finite: 192 4,
                output_dropout: 196 4, recurrent_dropout: 200 4, lanes: 204 4, collective: 208 8
            }
            rnn_evaluation_t, 32, 8: {
                struct_size: 0 8, loss: 8 8, weight: 16 8, accuracy: 24 8
            }
            rnn_log_t, 40, 8: {
                struct_size: 0 8, every: 8 8, write: 16 8, record: 24 8, user: 32 8
            }
            rnn_dropout_rates_t, 24, 8: {
                struct_size: 0 8, layers: 8 4, output: 12 4, recurrent: 16 4, zoneout: 20 4
            }
            rnn_save_options_t, 48, 8: {
                struct_size: 0 8, format: 8 4, without_probe: 12 4, layers: 16 8, head: 24 8,
                embedding: 32 8, name: 40 8
            }
            rnn_load_options_t, 48, 8: {
                struct_size: 0 8, flags: 8 4, without_probe: 12 4, layers: 16 8, head: 24 8,
                embedding: 32 8, activations: 40 8
            }
        }
    }
}
