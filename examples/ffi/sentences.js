// librnn from Node.js by koffi: step a network, teach another three sentences, save it and load it.
//
//   npm install koffi && node sentences.js     with librnn.so.0 where the loader looks, or in LD_LIBRARY_PATH
//   node sentences.js --layout                 the structs as defined here
//
// A typed array that is an argument goes over as it is, without a copy.
'use strict';

const koffi = require('koffi');

const sentences = ['hey how are you', 'good i am fine', 'have a nice day'];
const end = '\n';
const alphabet = [...new Set(sentences.join('') + end)].sort();  // an index is a place in it
const GRU = 2;

// 'int32_t: a b; float: c' as the fields of a struct, struct_size before them.
function struct(name, text) {
  const fields = {struct_size: 'size_t'};
  for (const line of text.split(';')) {
    const [type, names] = line.split(':');
    for (const field of names.trim().split(/\s+/)) fields[field] = type.trim();
  }
  return koffi.struct(name, fields);
}

koffi.opaque('rnn_t');
const Config = struct('rnn_config_t', `
  int32_t: cell input_size hidden_size output_size num_layers init recurrent_init; float: init_range; uint64_t: seed;
  int32_t: initial_state compute; uint32_t: flags; int32_t: projection_size; void *: allocator;
  int32_t: embedding_size; float: forget_bias`);
const Sequences = struct('rnn_sequences_t', `
  size_t: count frames; void *: lengths inputs indices targets classes weights resets; int32_t: pooling reserved`);
const GenerateOptions = struct('rnn_generate_options_t', `
  void *: prompt; size_t: prompt_count; float: temperature top_p; int32_t: top_k greedy; uint64_t: seed;
  int32_t: stop stop_index`);
const Progress = struct('rnn_progress_t', `
  int32_t: event epoch; uint64_t: update total_updates;
  double: loss validation_loss gradient_norm learning_rate steps_per_second`);
koffi.proto('int32_t rnn_progress_function_t(const rnn_progress_t *progress, void *user)');
const TrainOptions = struct('rnn_train_options_t', `
  int32_t: loss optimizer; float: learning_rate momentum beta1 beta2 epsilon weight_decay; int32_t: nesterov;
  float: clip_norm clip_value; int32_t: schedule; float: schedule_factor;
  int32_t: schedule_updates warmup_updates epochs batch_size window stateless_windows keep_order; uint64_t: seed;
  int32_t: threads validate_every patience report_every; void *: validation; rnn_progress_function_t *: progress;
  void *: user; float: dropout scheduled_sampling average; int32_t: accumulate restore_best group_count; void *: groups`);

const library = koffi.load('librnn.so.0');
const rnn = {};
for (const declaration of [
  'const char *rnn_version()',
  'const char *rnn_last_error()',
  'const char *rnn_status_string(int32_t status)',
  'int32_t rnn_create(const rnn_config_t *config, _Out_ rnn_t **out)',
  'void rnn_destroy(rnn_t *rnn)',
  'int32_t rnn_reset(rnn_t *rnn)',
  'int32_t rnn_step(rnn_t *rnn, const float *x, _Out_ float *y)',
  'int32_t rnn_step_index(rnn_t *rnn, int32_t index, _Out_ float *y)',
  'int32_t rnn_train(rnn_t *rnn, const rnn_sequences_t *data, const rnn_train_options_t *options)',
  'int32_t rnn_generate(rnn_t *rnn, const rnn_generate_options_t *options, _Out_ int32_t *out, size_t capacity, ' +
      '_Out_ size_t *written)',
  'int32_t rnn_save(const rnn_t *rnn, const char *path)',
  'int32_t rnn_load(const char *path, const void *allocator, _Out_ rnn_t **out)',
]) {
  rnn[declaration.match(/rnn_(\w+)\(/)[1]] = library.func(declaration);
}

class RnnError extends Error {
  constructor(status) {
    super(rnn.last_error());
    this.status = rnn.status_string(status);
  }
}

function check(status) {
  if (status !== 0) throw new RnnError(status);
}

// What is not given is zero, which means its default.
function sized(type, values) {
  const zeros = Object.values(type.members).map(({name, type}) => [name, type.primitive === 'Pointer' ? null : 0]);
  return {...Object.fromEntries(zeros), ...values, struct_size: koffi.sizeof(type)};
}

class Network {
  constructor(handle) {
    this.handle = handle;
  }

  static create(config) {
    const out = [null];
    check(rnn.create(sized(Config, config), out));
    return new Network(out[0]);
  }

  static load(path) {
    const out = [null];
    check(rnn.load(path, null, out));
    return new Network(out[0]);
  }

  destroy() {
    rnn.destroy(this.handle);
    this.handle = null;
  }

  save(path) {
    check(rnn.save(this.handle, path));
  }

  reset() {
    check(rnn.reset(this.handle));
  }

  step(x, y) {
    check(rnn.step(this.handle, x, y));
  }

  stepIndex(index, y) {
    check(rnn.step_index(this.handle, index, y));
  }

  generate(prompt, capacity, options) {
    const drawn = new Int32Array(capacity), written = [0];
    options = sized(GenerateOptions, {prompt, prompt_count: prompt.length, ...options});
    check(rnn.generate(this.handle, options, drawn, capacity, written));
    return drawn.subarray(0, Number(written[0]));
  }

  train(lengths, indices, classes, progress, options) {
    const data = sized(Sequences, {count: lengths.length, frames: indices.length, lengths, indices, classes});
    const callback = koffi.register((event) => progress(koffi.decode(event, Progress)), 'rnn_progress_function_t *');
    try {
      check(rnn.train(this.handle, data, sized(TrainOptions, {progress: callback, ...options})));
    } finally {
      koffi.unregister(callback);
    }
  }
}

const encode = (text) => Int32Array.from(text, (c) => alphabet.indexOf(c));

const bits = (floats) =>
    Array.from(new Uint32Array(floats.buffer, floats.byteOffset, floats.length),
               (value) => value.toString(16).toUpperCase().padStart(8, '0')).join(' ');

function refuse() {
  try {
    Network.create({input_size: 2, hidden_size: -4});
  } catch (error) {
    if (!(error instanceof RnnError)) throw error;
    console.log(`${error.status}: ${error.message}`);
  }
}

function step() {
  const network = Network.create({cell: GRU, input_size: 2, hidden_size: 4, output_size: 2, seed: 7});
  for (const x of [[0.5, -1], [0.25, 0], [1, 2]]) {
    const y = new Float32Array(2);
    network.step(Float32Array.from(x), y);
    console.log('step', bits(y));
  }
  network.destroy();
}

function learn() {
  const size = alphabet.length;
  const network = Network.create({input_size: size, hidden_size: 12, output_size: size, seed: 1});
  const lengths = BigUint64Array.from(sentences, (sentence) => BigInt(sentence.length));
  const classes = encode(sentences.map((sentence) => sentence.slice(1) + end).join(''));  // each predicts the next
  let reports = 0;
  const report = (progress) => {
    reports += 1;
    console.log(`update ${progress.update}: loss ${progress.loss.toFixed(6)}`);
    return progress.loss < 0.05 ? 1 : 0;  // enough: stop
  };
  network.train(lengths, encode(sentences.join('')), classes, report,
                {learning_rate: 0.01, clip_norm: 1, epochs: 5000, threads: 1, report_every: 100});
  console.log(`${reports} reports`);
  return network;
}

function complete(network, start) {
  const stop_index = alphabet.indexOf(end), y = new Float32Array(alphabet.length);
  network.reset();
  const drawn = network.generate(encode(start), 64, {greedy: 1, stop: 1, stop_index});
  process.stdout.write(start + Array.from(drawn, (index) => alphabet[index]).join(''));  // ends with end
  network.stepIndex(stop_index, y);
  console.log('outputs', bits(y.subarray(0, 4)));
}

function printLayout() {
  for (const struct of [Config, Sequences, GenerateOptions, Progress, TrainOptions]) {
    console.log(struct.name, koffi.sizeof(struct));
    for (const {name, type, offset} of Object.values(struct.members))
      console.log(`${struct.name}.${name}`, offset, koffi.sizeof(type));
  }
}

function main() {
  console.log('librnn', rnn.version());
  refuse();
  step();
  const network = learn();
  complete(network, 'good');
  network.save('sentences.safetensors');
  const loaded = Network.load('sentences.safetensors');
  complete(loaded, 'good');
  loaded.destroy();
  network.destroy();
}

process.argv[2] === '--layout' ? printLayout() : main();
