// librnn from Java by JNA: step a network, teach another three sentences, save it and load it.
//
//   java -cp jna.jar Sentences.java            with librnn.so.0 where the loader looks, or in LD_LIBRARY_PATH
//   java -cp jna.jar Sentences.java --layout   the structs as defined here

import com.sun.jna.*;
import com.sun.jna.Structure.FieldOrder;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.stream.Collectors;

public class Sentences {
  static final List<String> SENTENCES = List.of("hey how are you", "good i am fine", "have a nice day");
  static final String END = "\n";
  // The characters of the sentences and their end, in their order: an index is a place in it.
  static final String ALPHABET = (String.join("", SENTENCES) + END).chars().sorted().distinct()
      .mapToObj(Character::toString).collect(Collectors.joining());
  static final int GRU = 2;

  // A struct of rnn.h, which starts with struct_size. What is not set is zero, which means its default. size_t is long.
  public abstract static class Sized extends Structure {
    public long struct_size;

    Sized() {
      struct_size = size();
    }

    Sized(Pointer memory) {
      super(memory);
    }

    void printLayout(String name) {
      System.out.println(name + " " + size());
      for (var field : getFieldList())
        System.out.println(name + "." + field.getName() + " " + fieldOffset(field.getName()) + " "
            + Native.getNativeSize(field.getType()));
    }
  }

  @FieldOrder({"struct_size", "cell", "input_size", "hidden_size", "output_size", "num_layers", "init",
      "recurrent_init", "init_range", "seed", "initial_state", "compute", "flags", "projection_size", "allocator",
      "embedding_size", "forget_bias"})
  public static class Config extends Sized {
    public int cell, input_size, hidden_size, output_size, num_layers, init, recurrent_init;
    public float init_range;
    public long seed;
    public int initial_state, compute, flags, projection_size;
    public Pointer allocator;
    public int embedding_size;
    public float forget_bias;
  }

  @FieldOrder({"struct_size", "count", "frames", "lengths", "inputs", "indices", "targets", "classes", "weights",
      "resets", "pooling", "reserved"})
  public static class Sequences extends Sized {
    public long count, frames;
    public Pointer lengths, inputs, indices, targets, classes, weights, resets;
    public int pooling, reserved;
  }

  @FieldOrder({"struct_size", "prompt", "prompt_count", "temperature", "top_p", "top_k", "greedy", "seed", "stop",
      "stop_index"})
  public static class GenerateOptions extends Sized {
    public Pointer prompt;
    public long prompt_count;
    public float temperature, top_p;
    public int top_k, greedy;
    public long seed;
    public int stop, stop_index;
  }

  @FieldOrder({"struct_size", "event", "epoch", "update", "total_updates", "loss", "validation_loss",
      "gradient_norm", "learning_rate", "steps_per_second"})
  public static class Progress extends Sized {
    public int event, epoch;
    public long update, total_updates;
    public double loss, validation_loss, gradient_norm, learning_rate, steps_per_second;

    public Progress() {}

    Progress(Pointer memory) {
      super(memory);
      read();
    }
  }

  public interface ProgressFunction extends Callback {
    int invoke(Pointer progress, Pointer user);
  }

  @FieldOrder({"struct_size", "loss", "optimizer", "learning_rate", "momentum", "beta1", "beta2", "epsilon",
      "weight_decay", "nesterov", "clip_norm", "clip_value", "schedule", "schedule_factor", "schedule_updates",
      "warmup_updates", "epochs", "batch_size", "window", "stateless_windows", "keep_order", "seed", "threads",
      "validate_every", "patience", "report_every", "validation", "progress", "user", "dropout", "scheduled_sampling",
      "average", "accumulate", "restore_best", "group_count", "groups"})
  public static class TrainOptions extends Sized {
    public int loss, optimizer;
    public float learning_rate, momentum, beta1, beta2, epsilon, weight_decay;
    public int nesterov;
    public float clip_norm, clip_value;
    public int schedule;
    public float schedule_factor;
    public int schedule_updates, warmup_updates, epochs, batch_size, window, stateless_windows, keep_order;
    public long seed;
    public int threads, validate_every, patience, report_every;
    public Pointer validation;
    public ProgressFunction progress;
    public Pointer user;
    public float dropout, scheduled_sampling, average;
    public int accumulate, restore_best, group_count;
    public Pointer groups;
  }

  public interface Rnn extends Library {
    Rnn NATIVE = Native.load("librnn.so.0", Rnn.class);

    String rnn_version();
    String rnn_last_error();
    String rnn_status_string(int status);
    int rnn_create(Config config, PointerByReference out);
    void rnn_destroy(Pointer rnn);
    int rnn_reset(Pointer rnn);
    int rnn_step(Pointer rnn, float[] x, float[] y);
    int rnn_step_index(Pointer rnn, int index, float[] y);
    int rnn_train(Pointer rnn, Sequences data, TrainOptions options);
    int rnn_generate(Pointer rnn, GenerateOptions options, int[] out, long capacity, LongByReference written);
    int rnn_save(Pointer rnn, String path);
    int rnn_load(String path, Pointer allocator, PointerByReference out);
  }

  static class RnnException extends RuntimeException {
    final String status;

    RnnException(int status) {
      super(Rnn.NATIVE.rnn_last_error());
      this.status = Rnn.NATIVE.rnn_status_string(status);
    }
  }

  static void check(int status) {
    if (status != 0) throw new RnnException(status);
  }

  static class Network implements AutoCloseable {
    private final Pointer handle;

    private Network(PointerByReference out) {
      handle = out.getValue();
    }

    static Network create(Config config) {
      var out = new PointerByReference();
      check(Rnn.NATIVE.rnn_create(config, out));
      return new Network(out);
    }

    static Network load(String path) {
      var out = new PointerByReference();
      check(Rnn.NATIVE.rnn_load(path, null, out));
      return new Network(out);
    }

    @Override
    public void close() {
      Rnn.NATIVE.rnn_destroy(handle);
    }

    void save(String path) {
      check(Rnn.NATIVE.rnn_save(handle, path));
    }

    void reset() {
      check(Rnn.NATIVE.rnn_reset(handle));
    }

    void step(float[] x, float[] y) {
      check(Rnn.NATIVE.rnn_step(handle, x, y));
    }

    void step(int index, float[] y) {
      check(Rnn.NATIVE.rnn_step_index(handle, index, y));
    }

    int[] generate(int[] prompt, int capacity, GenerateOptions options) {
      var drawn = new int[capacity];
      var count = new LongByReference();
      options.prompt = memory(prompt);
      options.prompt_count = prompt.length;
      check(Rnn.NATIVE.rnn_generate(handle, options, drawn, capacity, count));
      return Arrays.copyOf(drawn, (int) count.getValue());
    }

    // The function gets the progress, and says whether to stop.
    void train(long[] lengths, int[] indices, int[] classes, TrainOptions options, Predicate<Progress> progress) {
      var data = new Sequences();
      data.count = lengths.length;
      data.frames = indices.length;
      data.lengths = memory(lengths);
      data.indices = memory(indices);
      data.classes = memory(classes);
      options.progress = (event, user) -> progress.test(new Progress(event)) ? 1 : 0;
      check(Rnn.NATIVE.rnn_train(handle, data, options));
    }
  }

  static Memory memory(int[] values) {
    var memory = new Memory(4L * values.length);
    memory.write(0, values, 0, values.length);
    return memory;
  }

  static Memory memory(long[] values) {
    var memory = new Memory(8L * values.length);
    memory.write(0, values, 0, values.length);
    return memory;
  }

  static int[] encode(String text) {
    return text.chars().map(ALPHABET::indexOf).toArray();
  }

  static String decode(int[] indices) {
    return Arrays.stream(indices).mapToObj(index -> ALPHABET.substring(index, index + 1)).collect(Collectors.joining());
  }

  static void printBits(String label, float[] values, int count) {
    var line = new StringBuilder(label);
    for (int i = 0; i < count; ++i) line.append(String.format(" %08X", Float.floatToRawIntBits(values[i])));
    System.out.println(line);
  }

  static void refuse() {
    var config = new Config();
    config.input_size = 2;
    config.hidden_size = -4;
    try (var network = Network.create(config)) {
      throw new AssertionError("a negative size");
    } catch (RnnException refused) {
      System.out.println(refused.status + ": " + refused.getMessage());
    }
  }

  static void step() {
    var config = new Config();
    config.cell = GRU;
    config.input_size = 2;
    config.hidden_size = 4;
    config.output_size = 2;
    config.seed = 7;
    try (var network = Network.create(config)) {
      var y = new float[2];
      for (var x : new float[][] {{0.5f, -1}, {0.25f, 0}, {1, 2}}) {
        network.step(x, y);
        printBits("step", y, 2);
      }
    }
  }

  static Network learn() {
    var config = new Config();
    config.input_size = config.output_size = ALPHABET.length();
    config.hidden_size = 12;
    config.seed = 1;
    var options = new TrainOptions();
    options.learning_rate = 0.01f;
    options.clip_norm = 1;
    options.epochs = 5000;
    options.threads = 1;
    options.report_every = 100;
    var lengths = SENTENCES.stream().mapToLong(String::length).toArray();
    // Each character predicts the next.
    var next = SENTENCES.stream().map(sentence -> sentence.substring(1) + END).collect(Collectors.joining());
    var reports = new int[1];
    var network = Network.create(config);
    network.train(lengths, encode(String.join("", SENTENCES)), encode(next), options, progress -> {
      ++reports[0];
      System.out.printf(Locale.ROOT, "update %d: loss %.6f%n", progress.update, progress.loss);
      return progress.loss < 0.05; // enough: stop
    });
    System.out.println(reports[0] + " reports");
    return network;
  }

  static void complete(Network network, String start) {
    var options = new GenerateOptions();
    options.greedy = options.stop = 1;
    options.stop_index = ALPHABET.indexOf(END);
    network.reset();
    System.out.print(start + decode(network.generate(encode(start), 64, options))); // with its end
    var y = new float[ALPHABET.length()];
    network.step(options.stop_index, y);
    printBits("outputs", y, 4);
  }

  static void printLayout() {
    new Config().printLayout("rnn_config_t");
    new Sequences().printLayout("rnn_sequences_t");
    new GenerateOptions().printLayout("rnn_generate_options_t");
    new Progress().printLayout("rnn_progress_t");
    new TrainOptions().printLayout("rnn_train_options_t");
  }

  public static void main(String[] arguments) {
    if (Arrays.equals(arguments, new String[] {"--layout"})) {
      printLayout();
      return;
    }
    System.out.println("librnn " + Rnn.NATIVE.rnn_version());
    refuse();
    step();
    try (var network = learn()) {
      complete(network, "good");
      network.save("sentences.safetensors");
      try (var loaded = Network.load("sentences.safetensors")) {
        complete(loaded, "good");
      }
    }
  }
}
