<?php
// librnn from PHP by its FFI: step a network, teach another three sentences, save it and load it.
//
//   php sentences.php              with librnn.so.0 where the loader looks, or in LD_LIBRARY_PATH
//   php sentences.php --layout     the structs as defined here
declare(strict_types=1);

namespace Rnn;

use FFI;
use FFI\CData;

const GRU = 2;
const SENTENCES = ['hey how are you', 'good i am fine', 'have a nice day'];
const END = "\n";

// From rnn.h.
const STRUCTS = ['rnn_config_t', 'rnn_sequences_t', 'rnn_generate_options_t', 'rnn_progress_t', 'rnn_train_options_t'];
const DECLARATIONS = <<<'C'
typedef struct rnn_handle rnn_t;
typedef struct rnn_config {
  size_t struct_size;
  int32_t cell, input_size, hidden_size, output_size, num_layers, init, recurrent_init;
  float init_range;
  uint64_t seed;
  int32_t initial_state, compute;
  uint32_t flags;
  int32_t projection_size;
  const void *allocator;
  int32_t embedding_size;
  float forget_bias;
} rnn_config_t;
typedef struct rnn_sequences {
  size_t struct_size, count, frames;
  const size_t *lengths;
  const float *inputs;
  const int32_t *indices;
  const float *targets;
  const int32_t *classes;
  const float *weights;
  const uint8_t *resets;
  int32_t pooling, reserved;
} rnn_sequences_t;
typedef struct rnn_generate_options {
  size_t struct_size;
  const int32_t *prompt;
  size_t prompt_count;
  float temperature, top_p;
  int32_t top_k, greedy;
  uint64_t seed;
  int32_t stop, stop_index;
} rnn_generate_options_t;
typedef struct rnn_progress {
  size_t struct_size;
  int32_t event, epoch;
  uint64_t update, total_updates;
  double loss, validation_loss, gradient_norm, learning_rate, steps_per_second;
} rnn_progress_t;
typedef struct rnn_train_options {
  size_t struct_size;
  int32_t loss, optimizer;
  float learning_rate, momentum, beta1, beta2, epsilon, weight_decay;
  int32_t nesterov;
  float clip_norm, clip_value;
  int32_t schedule;
  float schedule_factor;
  int32_t schedule_updates, warmup_updates, epochs, batch_size, window, stateless_windows, keep_order;
  uint64_t seed;
  int32_t threads, validate_every, patience, report_every;
  const rnn_sequences_t *validation;
  int32_t (*progress)(const rnn_progress_t *progress, void *user);
  void *user;
  float dropout, scheduled_sampling, average;
  int32_t accumulate, restore_best, group_count;
  const void *groups;
} rnn_train_options_t;
const char *rnn_version(void);
const char *rnn_last_error(void);
const char *rnn_status_string(int32_t status);
int32_t rnn_create(const rnn_config_t *config, rnn_t **out);
void rnn_destroy(rnn_t *rnn);
int32_t rnn_reset(rnn_t *rnn);
int32_t rnn_step(rnn_t *rnn, const float *x, float *y);
int32_t rnn_step_index(rnn_t *rnn, int32_t index, float *y);
int32_t rnn_train(rnn_t *rnn, const rnn_sequences_t *data, const rnn_train_options_t *options);
int32_t rnn_generate(rnn_t *rnn, const rnn_generate_options_t *options, int32_t *out, size_t capacity, size_t *written);
int32_t rnn_save(const rnn_t *rnn, const char *path);
int32_t rnn_load(const char *path, const void *allocator, rnn_t **out);
C;

final class Error extends \RuntimeException
{
    public readonly string $status;

    public function __construct(int $status)
    {
        parent::__construct(library()->rnn_last_error());
        $this->status = library()->rnn_status_string($status);
    }
}

function library(): FFI
{
    static $library = null;
    return $library ??= FFI::cdef(DECLARATIONS, 'librnn.so.0');
}

function check(int $status): void
{
    if ($status !== 0) {
        throw new Error($status);
    }
}

// What is not given is zero, which means its default.
function sized(string $type, array $values): CData
{
    $struct = library()->new($type);
    $struct->struct_size = FFI::sizeof($struct);
    foreach ($values as $field => $value) {
        $struct->$field = $value;
    }
    return $struct;
}

// Memory of C, [count] of the type, with the values.
function memory(string $type, int $count, array $values = []): CData
{
    $memory = library()->new("{$type}[$count]");
    foreach ($values as $i => $value) {
        $memory[$i] = $value;
    }
    return $memory;
}

function pointer(string $type, CData $array): CData
{
    return library()->cast("$type *", FFI::addr($array));
}

// One stream; the library's handle is released with it.
final class Network
{
    private function __construct(private CData $handle)
    {
    }

    public static function create(array $config): self
    {
        $handle = library()->new('rnn_t *');
        check(library()->rnn_create(FFI::addr(sized('rnn_config_t', $config)), FFI::addr($handle)));
        return new self($handle);
    }

    public static function load(string $path): self
    {
        $handle = library()->new('rnn_t *');
        check(library()->rnn_load($path, null, FFI::addr($handle)));
        return new self($handle);
    }

    public function __destruct()
    {
        library()->rnn_destroy($this->handle);
    }

    public function save(string $path): void
    {
        check(library()->rnn_save($this->handle, $path));
    }

    public function reset(): void
    {
        check(library()->rnn_reset($this->handle));
    }

    public function step(CData $x, CData $y): void
    {
        check(library()->rnn_step($this->handle, $x, $y));
    }

    public function stepIndex(int $index, CData $y): void
    {
        check(library()->rnn_step_index($this->handle, $index, $y));
    }

    public function generate(array $prompt, int $capacity, array $options): array
    {
        [$memory, $drawn] = [memory('int32_t', count($prompt), $prompt), memory('int32_t', $capacity)];
        $written = library()->new('size_t');
        $options = sized('rnn_generate_options_t', [
            'prompt' => pointer('int32_t', $memory), 'prompt_count' => count($prompt), ...$options,
        ]);
        check(library()->rnn_generate($this->handle, FFI::addr($options), $drawn, $capacity, FFI::addr($written)));
        return array_values(unpack('l*', FFI::string(FFI::addr($drawn), 4 * $written->cdata)));
    }

    // $progress gets an rnn_progress_t, and says whether to stop.
    public function train(array $lengths, array $indices, array $classes, callable $progress, array $options): void
    {
        $arrays = [memory('size_t', count($lengths), $lengths), memory('int32_t', count($indices), $indices),
            memory('int32_t', count($classes), $classes)];
        $data = sized('rnn_sequences_t', [
            'count' => count($lengths), 'frames' => count($indices), 'lengths' => pointer('size_t', $arrays[0]),
            'indices' => pointer('int32_t', $arrays[1]), 'classes' => pointer('int32_t', $arrays[2]),
        ]);
        $options = sized('rnn_train_options_t', [
            'progress' => fn (CData $event, ?CData $user): int => $progress($event[0]) ? 1 : 0, ...$options,
        ]);
        check(library()->rnn_train($this->handle, FFI::addr($data), FFI::addr($options)));
    }
}

// The characters of the sentences and their end, in their order: an index is a place in it.
function alphabet(): array
{
    static $alphabet = null;
    return $alphabet ??= str_split(count_chars(implode(SENTENCES) . END, 3));
}

function encode(string $text): array
{
    return array_map(fn (string $c): int => array_search($c, alphabet(), true), str_split($text));
}

function bits(CData $floats, int $count): string
{
    return strtoupper(implode(' ', array_map(
        fn (string $word): string => bin2hex(strrev($word)), str_split(FFI::string(FFI::addr($floats), 4 * $count), 4))));
}

function refuse(): void
{
    try {
        Network::create(['input_size' => 2, 'hidden_size' => -4]);
    } catch (Error $refused) {
        echo "$refused->status: {$refused->getMessage()}\n";
    }
}

function step(): void
{
    $network = Network::create(['cell' => GRU, 'input_size' => 2, 'hidden_size' => 4, 'output_size' => 2, 'seed' => 7]);
    $y = memory('float', 2);
    foreach ([[0.5, -1], [0.25, 0], [1, 2]] as $x) {
        $network->step(memory('float', 2, $x), $y);
        echo 'step ', bits($y, 2), "\n";
    }
}

function learn(): Network
{
    $size = count(alphabet());
    $network = Network::create(['input_size' => $size, 'hidden_size' => 12, 'output_size' => $size, 'seed' => 1]);
    $next = implode(array_map(fn (string $sentence): string => substr($sentence, 1) . END, SENTENCES));
    $reports = 0;
    $report = function (CData $progress) use (&$reports): bool {
        ++$reports;
        printf("update %d: loss %.6f\n", $progress->update, $progress->loss);
        return $progress->loss < 0.05;  // enough: stop
    };
    $network->train(array_map('strlen', SENTENCES), encode(implode(SENTENCES)), encode($next), $report, [
        'learning_rate' => 0.01, 'clip_norm' => 1, 'epochs' => 5000, 'threads' => 1, 'report_every' => 100,
    ]);
    echo "$reports reports\n";
    return $network;
}

function complete(Network $network, string $start): void
{
    [$stop] = encode(END);
    $network->reset();
    $drawn = $network->generate(encode($start), 64, ['greedy' => 1, 'stop' => 1, 'stop_index' => $stop]);
    echo $start, implode(array_map(fn (int $index): string => alphabet()[$index], $drawn));  // with its end
    $y = memory('float', count(alphabet()));
    $network->stepIndex($stop, $y);
    echo 'outputs ', bits($y, 4), "\n";
}

function printLayout(): void
{
    foreach (STRUCTS as $name) {
        $type = library()->type($name);
        echo "$name {$type->getSize()}\n";
        foreach ($type->getStructFieldNames() as $field) {
            $size = $type->getStructFieldType($field)->getSize();
            echo "$name.$field {$type->getStructFieldOffset($field)} $size\n";
        }
    }
}

if (($argv[1] ?? '') === '--layout') {
    printLayout();
    exit(0);
}
echo 'librnn ', library()->rnn_version(), "\n";
refuse();
step();
$network = learn();
complete($network, 'good');
$network->save('sentences.safetensors');
complete(Network::load('sentences.safetensors'), 'good');
