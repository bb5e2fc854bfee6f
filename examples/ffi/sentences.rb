# librnn from Ruby by the ffi gem: step a network, teach another three sentences, save it and load it.
#
#   ruby sentences.rb              with librnn.so.0 where the loader looks, or in LD_LIBRARY_PATH
#   ruby sentences.rb --layout     the structs as defined here

require "ffi"

module RNN
  extend FFI::Library
  ffi_lib "librnn.so.0"

  GRU = 2

  # A struct of rnn.h, which starts with struct_size. What is not given is zero, which means its default.
  class Sized < FFI::Struct
    # In the order of rnn.h: pairs of a type and names.
    def self.fields(name, *pairs)
      @c_name = name
      layout :struct_size, :size_t, *pairs.flat_map { |type, names| names.split.flat_map { |n| [n.to_sym, type] } }
    end

    def self.c_name = @c_name

    def initialize(pointer = nil, **values)
      pointer ? super(pointer) : super()
      self[:struct_size] = size unless pointer
      values.each { |field, value| self[field] = value }
    end
  end

  class Config < Sized
    fields "rnn_config_t",
           [:int32, "cell input_size hidden_size output_size num_layers init recurrent_init"], [:float, "init_range"],
           [:uint64, "seed"], [:int32, "initial_state compute"], [:uint32, "flags"], [:int32, "projection_size"],
           [:pointer, "allocator"], [:int32, "embedding_size"], [:float, "forget_bias"]
  end

  class Sequences < Sized
    fields "rnn_sequences_t",
           [:size_t, "count frames"], [:pointer, "lengths inputs indices targets classes weights resets"],
           [:int32, "pooling reserved"]
  end

  class GenerateOptions < Sized
    fields "rnn_generate_options_t",
           [:pointer, "prompt"], [:size_t, "prompt_count"], [:float, "temperature top_p"], [:int32, "top_k greedy"],
           [:uint64, "seed"], [:int32, "stop stop_index"]
  end

  class Progress < Sized
    fields "rnn_progress_t",
           [:int32, "event epoch"], [:uint64, "update total_updates"],
           [:double, "loss validation_loss gradient_norm learning_rate steps_per_second"]
  end

  callback :progress_function, %i[pointer pointer], :int32

  class TrainOptions < Sized
    fields "rnn_train_options_t",
           [:int32, "loss optimizer"], [:float, "learning_rate momentum beta1 beta2 epsilon weight_decay"],
           [:int32, "nesterov"], [:float, "clip_norm clip_value"], [:int32, "schedule"], [:float, "schedule_factor"],
           [:int32, "schedule_updates warmup_updates epochs batch_size window stateless_windows keep_order"],
           [:uint64, "seed"], [:int32, "threads validate_every patience report_every"], [:pointer, "validation"],
           [RNN.find_type(:progress_function), "progress"], [:pointer, "user"], [:float, "dropout scheduled_sampling average"],
           [:int32, "accumulate restore_best group_count"], [:pointer, "groups"]
  end

  STRUCTS = [Config, Sequences, GenerateOptions, Progress, TrainOptions].freeze

  attach_function :rnn_version, [], :string
  attach_function :rnn_last_error, [], :string
  attach_function :rnn_status_string, [:int32], :string
  attach_function :rnn_create, [Config.by_ref, :pointer], :int32
  attach_function :rnn_destroy, [:pointer], :void
  attach_function :rnn_reset, [:pointer], :int32
  attach_function :rnn_step, %i[pointer pointer pointer], :int32
  attach_function :rnn_step_index, %i[pointer int32 pointer], :int32
  attach_function :rnn_train, [:pointer, Sequences.by_ref, TrainOptions.by_ref], :int32
  attach_function :rnn_generate, [:pointer, GenerateOptions.by_ref, :pointer, :size_t, :pointer], :int32
  attach_function :rnn_save, %i[pointer string], :int32
  attach_function :rnn_load, %i[string pointer pointer], :int32

  # A failed call.
  class Error < StandardError
    attr_reader :status

    def initialize(status)
      @status = RNN.rnn_status_string(status)
      super(RNN.rnn_last_error)
    end
  end

  def self.check(status)
    raise Error, status unless status.zero?
  end

  # One stream; the library's handle is released with it.
  class Network
    def initialize(handle = nil, **config)
      handle ||= Network.handle { |out| RNN.rnn_create(Config.new(**config), out) }
      @handle = FFI::AutoPointer.new(handle, RNN.method(:rnn_destroy))
    end

    def self.load(path) = new(handle { |out| RNN.rnn_load(path, nil, out) })

    def self.handle
      out = FFI::MemoryPointer.new(:pointer)
      RNN.check(yield(out))
      out.read_pointer
    end

    def save(path) = RNN.check(RNN.rnn_save(@handle, path))

    def reset = RNN.check(RNN.rnn_reset(@handle))

    # x and y are memory of floats.
    def step(x, y) = RNN.check(RNN.rnn_step(@handle, x, y))

    def step_index(index, y) = RNN.check(RNN.rnn_step_index(@handle, index, y))

    def generate(prompt, capacity, **options)
      memory = RNN.array(:int32, prompt)
      drawn, written = FFI::MemoryPointer.new(:int32, capacity), FFI::MemoryPointer.new(:size_t)
      options = GenerateOptions.new(prompt: memory, prompt_count: prompt.size, **options)
      RNN.check(RNN.rnn_generate(@handle, options, drawn, capacity, written))
      drawn.read_array_of_int32(written.read(:size_t))
    end

    # The block gets a Progress, and says whether to stop.
    def train(lengths, indices, classes, **options)
      arrays = [RNN.array(:size_t, lengths), RNN.array(:int32, indices), RNN.array(:int32, classes)]
      data = Sequences.new(count: lengths.size, frames: indices.size, lengths: arrays[0], indices: arrays[1],
                           classes: arrays[2])
      report = proc { |progress, _user| yield(Progress.new(progress)) ? 1 : 0 }
      RNN.check(RNN.rnn_train(@handle, data, TrainOptions.new(progress: report, **options)))
    end
  end

  def self.array(type, values)
    FFI::MemoryPointer.new(type, values.size).public_send("write_array_of_#{type == :size_t ? :ulong : type}", values)
  end
end

SENTENCES = ["hey how are you", "good i am fine", "have a nice day"].freeze
STOP = "\n".freeze
ALPHABET = (SENTENCES.join + STOP).chars.uniq.sort.freeze # an index is a place in it

def encode(text) = text.chars.map { |c| ALPHABET.index(c) }

def bits(floats, count) = floats.read_array_of_uint32(count).map { |word| format("%08X", word) }.join(" ")

def refuse
  RNN::Network.new(input_size: 2, hidden_size: -4)
rescue RNN::Error => e
  puts "#{e.status}: #{e.message}"
end

def step
  network = RNN::Network.new(cell: RNN::GRU, input_size: 2, hidden_size: 4, output_size: 2, seed: 7)
  y = FFI::MemoryPointer.new(:float, 2)
  [[0.5, -1], [0.25, 0], [1, 2]].each do |x|
    network.step(RNN.array(:float, x), y)
    puts "step #{bits(y, 2)}"
  end
end

def learn
  network = RNN::Network.new(input_size: ALPHABET.size, hidden_size: 12, output_size: ALPHABET.size, seed: 1)
  classes = encode(SENTENCES.map { |sentence| sentence[1..] + STOP }.join) # each character predicts the next
  reports = 0
  network.train(SENTENCES.map(&:size), encode(SENTENCES.join), classes, learning_rate: 0.01, clip_norm: 1,
                epochs: 5000, threads: 1, report_every: 100) do |progress|
    reports += 1
    puts format("update %d: loss %.6f", progress[:update], progress[:loss])
    progress[:loss] < 0.05 # enough: stop
  end
  puts "#{reports} reports"
  network
end

def complete(network, start)
  stop_index = ALPHABET.index(STOP)
  network.reset
  drawn = network.generate(encode(start), 64, greedy: 1, stop: 1, stop_index: stop_index)
  print start + drawn.map { |index| ALPHABET[index] }.join # with its end
  y = FFI::MemoryPointer.new(:float, ALPHABET.size)
  network.step_index(stop_index, y)
  puts "outputs #{bits(y, 4)}"
end

def print_layout
  RNN::STRUCTS.each do |struct|
    puts "#{struct.c_name} #{struct.size}"
    struct.members.zip(struct.offsets.map(&:last)) do |field, offset|
      puts "#{struct.c_name}.#{field} #{offset} #{struct.new.layout[field].size}"
    end
  end
end

def main
  return print_layout if ARGV == ["--layout"]

  puts "librnn #{RNN.rnn_version}"
  refuse
  step
  network = learn
  complete(network, "good")
  network.save("sentences.safetensors")
  complete(RNN::Network.load("sentences.safetensors"), "good")
end

main
