// Generated from include/rnn/rnn.json by bindings/js/generate.

export const VERSION: string;

/** The name of a status in rnn.h. */
export type StatusName =
  | "RNN_OK"
  | "RNN_INVALID_ARGUMENT"
  | "RNN_NOT_FOUND"
  | "RNN_MISMATCH"
  | "RNN_NOT_FINITE"
  | "RNN_OUT_OF_MEMORY"
  | "RNN_FILE_ERROR"
  | "RNN_BAD_FORMAT"
  | "RNN_UNSUPPORTED"
  | "RNN_UNAVAILABLE"
  | "RNN_INTERNAL";

/** RNN_CELL_... of rnn.h, in lower case. */
export type Cell =
  | "vanilla"
  | "gru"
  | "lstm"
  | "min_gru"
  | "min_lstm";

/** RNN_LAYER_... of rnn.h, in lower case. */
export type LayerKind =
  | "vanilla"
  | "gru"
  | "lstm"
  | "min_gru"
  | "min_lstm"
  | "dense"
  | "conv1d";

/** RNN_INIT_... of rnn.h, in lower case. */
export type Init =
  | "pytorch"
  | "xavier_uniform"
  | "xavier_normal"
  | "kaiming_uniform"
  | "kaiming_normal"
  | "uniform"
  | "orthogonal"
  | "identity";

/** RNN_INITIAL_... of rnn.h, in lower case. */
export type InitialState =
  | "zero"
  | "fixed"
  | "trained";

/** RNN_COMPUTE_... of rnn.h, in lower case. */
export type Compute =
  | "f32"
  | "bf16"
  | "int8"
  | "bf16_fast";

/** RNN_FLAG_... of rnn.h, in lower case. */
export type Flag =
  | "no_bias"
  | "relu"
  | "reset_before"
  | "bidirectional"
  | "residual"
  | "layer_norm"
  | "tied_head"
  | "peepholes"
  | "coupled_gates";

/** RNN_ACTIVATION_... of rnn.h, in lower case. */
export type Activation =
  | "none"
  | "tanh"
  | "relu"
  | "sigmoid"
  | "softmax"
  | "elu"
  | "leaky_relu"
  | "prelu"
  | "softsign"
  | "gelu"
  | "swish"
  | "hard_sigmoid"
  | "softplus"
  | "affine"
  | "scaled_tanh"
  | "thresholded_relu";

/** RNN_DIRECTION_... of rnn.h, in lower case. */
export type Direction =
  | "forward"
  | "reverse"
  | "both"
  | "sum";

/** RNN_POOLING_... of rnn.h, in lower case. */
export type Pooling =
  | "none"
  | "last"
  | "mean"
  | "max";

/** RNN_LOSS_... of rnn.h, in lower case. */
export type Loss =
  | "cross_entropy"
  | "squared_error"
  | "binary_cross_entropy";

/** RNN_OPTIMIZER_... of rnn.h, in lower case. */
export type Optimizer =
  | "adam"
  | "adamw"
  | "sgd"
  | "adagrad"
  | "rmsprop";

/** RNN_SCHEDULE_... of rnn.h, in lower case. */
export type Schedule =
  | "constant"
  | "step"
  | "exponential"
  | "cosine";

/** RNN_EVENT_... of rnn.h, in lower case. */
export type Event =
  | "update"
  | "validation";

/** RNN_FORMAT_... of rnn.h, in lower case. */
export type Format =
  | "safetensors"
  | "onnx"
  | "binary"
  | "c";

/** rnn_layer_t of rnn.h; what is not given has its default. */
export interface LayerOptions {
  kind: LayerKind;
  size?: number;
  activation?: Activation;
  direction?: Direction;
  projectionSize?: number;
  flags?: readonly Flag[];
  alpha?: number;
  beta?: number;
  kernelSize?: number;
  dilation?: number;
  gateActivation?: Activation;
  outputActivation?: Activation;
  gateAlpha?: number;
  gateBeta?: number;
  outputAlpha?: number;
  outputBeta?: number;
  clip?: number;
  zoneoutH?: number;
  zoneoutC?: number;
}

/** rnn_config_t of rnn.h; what is not given has its default. */
export interface NetworkFields {
  cell?: Cell;
  inputSize?: number;
  hiddenSize?: number;
  outputSize?: number;
  numLayers?: number;
  init?: Init;
  recurrentInit?: Init;
  initRange?: number;
  seed?: number | bigint;
  initialState?: InitialState;
  compute?: Compute;
  flags?: readonly Flag[];
  projectionSize?: number;
  embeddingSize?: number;
  forgetBias?: number;
  skip?: number;
}

/** rnn_generate_options_t of rnn.h; what is not given has its default. */
export interface GenerateFields {
  temperature?: number;
  topP?: number;
  topK?: number;
  greedy?: boolean;
  seed?: number | bigint;
}

/** rnn_parameter_group_t of rnn.h; what is not given has its default. */
export interface GroupOptions {
  learningRateFactor?: number;
  frozen?: boolean;
  noWeightDecay?: boolean;
  twoBiases?: boolean;
}

/** rnn_train_options_t of rnn.h; what is not given has its default. */
export interface TrainFields {
  loss?: Loss;
  optimizer?: Optimizer;
  learningRate?: number;
  momentum?: number;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  weightDecay?: number;
  nesterov?: boolean;
  clipNorm?: number;
  clipValue?: number;
  schedule?: Schedule;
  scheduleFactor?: number;
  scheduleUpdates?: number;
  warmupUpdates?: number;
  epochs?: number;
  batchSize?: number;
  window?: number;
  statelessWindows?: boolean;
  keepOrder?: boolean;
  seed?: number | bigint;
  validateEvery?: number;
  patience?: number;
  reportEvery?: number;
  dropout?: number;
  scheduledSampling?: number;
  average?: number;
  accumulate?: number;
  restoreBest?: boolean;
  labelSmoothing?: number;
  sampledClasses?: number;
  scheduleStart?: number;
  scheduleByEpoch?: boolean;
  skipNotFinite?: number;
  outputDropout?: number;
  recurrentDropout?: number;
  lanes?: number;
}

/** rnn_save_options_t of rnn.h; what is not given has its default. */
export interface SaveFields {
  format?: Format;
  withoutProbe?: boolean;
  layers?: string;
  head?: string;
  embedding?: string;
  name?: string;
}

/** rnn_load_options_t of rnn.h; what is not given has its default. */
export interface LoadFields {
  flags?: readonly Flag[];
  withoutProbe?: boolean;
  layers?: string;
  head?: string;
  embedding?: string;
  activations?: string;
}

/** rnn_progress_t of rnn.h. */
export interface Progress {
  event: Event;
  epoch: number;
  update: number;
  totalUpdates: number;
  loss: number;
  validationLoss: number;
  gradientNorm: number;
  learningRate: number;
  stepsPerSecond: number;
  skippedUpdates: number;
}

/** rnn_evaluation_t of rnn.h. */
export interface Evaluation {
  loss: number;
  weight: number;
  accuracy: number;
}

/** The C ABI as it is, on addresses in `memory`: see rnn.h. */
export interface Raw {
  memory: WebAssembly.Memory;
  malloc(size: number): number;
  free(address: number): void;
  rnn_status_string(status: number): number;
  rnn_last_error(): number;
  rnn_version(): number;
  rnn_isa(): number;
  rnn_create(config: number, out: number): number;
  rnn_fork(rnn: number, out: number): number;
  rnn_clone(rnn: number, out: number): number;
  rnn_convert(rnn: number, compute: number, out: number): number;
  rnn_sync(stream: number, source: number): number;
  rnn_destroy(rnn: number): void;
  rnn_step(rnn: number, x: number, y: number): number;
  rnn_step_index(rnn: number, index: number, y: number): number;
  rnn_step_block(rnn: number, x: number, steps: number, y: number): number;
  rnn_step_block_index(rnn: number, indices: number, steps: number, y: number): number;
  rnn_reserve_block(rnn: number, steps: number): number;
  rnn_step_many(streams: number, count: number, x: number, y: number): number;
  rnn_step_many_index(streams: number, count: number, indices: number, y: number): number;
  rnn_state_size(rnn: number, size: number): number;
  rnn_reset(rnn: number): number;
  rnn_get_state(rnn: number, state: number, count: number): number;
  rnn_set_state(rnn: number, state: number, count: number): number;
  rnn_set_delay(rnn: number, delay: number): number;
  rnn_get_delay(rnn: number, delay: number): number;
  rnn_history(rnn: number, steps: number): number;
  rnn_rewind(rnn: number, steps: number): number;
  rnn_parameter_count(rnn: number, count: number): number;
  rnn_parameter_info(rnn: number, index: number, out: number): number;
  rnn_get_parameter(rnn: number, name: number, values: number, count: number): number;
  rnn_set_parameter(rnn: number, name: number, values: number, count: number): number;
  rnn_forward(rnn: number, sequences: number, options: number, outputs: number): number;
  rnn_generate(rnn: number, options: number, out: number, capacity: number, written: number): number;
  rnn_rollout(rnn: number, x: number, steps: number, y: number): number;
  rnn_lane_of(sequence: bigint, lanes: number): number;
  rnn_rank_of(lane: number, lanes: number, ranks: number): number;
  rnn_train(rnn: number, data: number, options: number): number;
  rnn_evaluate(rnn: number, data: number, options: number, out: number): number;
  rnn_trainer_create(rnn: number, options: number, out: number): number;
  rnn_trainer_update(trainer: number, batch: number, progress: number): number;
  rnn_trainer_reset(trainer: number): number;
  rnn_trainer_set_learning_rate(trainer: number, rate: number): number;
  rnn_trainer_run(trainer: number, data: number): number;
  rnn_trainer_network(trainer: number, out: number): number;
  rnn_trainer_sync(trainer: number, stream: number): number;
  rnn_trainer_save(trainer: number, path: number): number;
  rnn_trainer_load(trainer: number, path: number): number;
  rnn_trainer_optimizer_bytes(trainer: number, out: number): number;
  rnn_trainer_log(trainer: number, log: number): number;
  rnn_trainer_destroy(trainer: number): void;
  rnn_tape_create(rnn: number, threads: number, out: number): number;
  rnn_tape_forward(tape: number, rnn: number, sequences: number, initial_states: number, outputs: number,
    final_states: number): number;
  rnn_tape_backward(tape: number, d_outputs: number, d_final_states: number, d_inputs: number,
    d_initial_states: number): number;
  rnn_tape_set_dropout(tape: number, rate: number, seed: bigint): number;
  rnn_tape_set_dropout_rates(tape: number, rates: number, seed: bigint): number;
  rnn_tape_gradient(tape: number, name: number, values: number, count: number): number;
  rnn_tape_zero_gradients(tape: number): number;
  rnn_trainer_apply(trainer: number, tape: number, progress: number): number;
  rnn_tape_destroy(tape: number): void;
  rnn_save(rnn: number, path: number): number;
  rnn_save_as(rnn: number, path: number, options: number): number;
  rnn_load(path: number, allocator: number, out: number): number;
  rnn_load_as(path: number, options: number, allocator: number, out: number): number;
  rnn_save_memory(rnn: number, memory: number, capacity: number, size: number): number;
  rnn_save_memory_as(rnn: number, options: number, memory: number, capacity: number, size: number): number;
  rnn_load_memory(memory: number, size: number, allocator: number, out: number): number;
  rnn_load_memory_as(memory: number, size: number, options: number, allocator: number, out: number): number;
  rnn_set_metadata(rnn: number, key: number, value: number): number;
  rnn_get_metadata(rnn: number, key: number, value: number, capacity: number, size: number): number;
  rnn_metadata_count(rnn: number, count: number): number;
  rnn_metadata_key(rnn: number, index: number, key: number): number;
  rnn_get_config(rnn: number, out: number): number;
  rnn_output_size(rnn: number, size: number): number;
}
