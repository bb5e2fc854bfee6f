// librnn from C#: step a network, teach another three sentences, save it and load it.
//
//   mcs Sentences.cs && mono Sentences.exe     with librnn.so.0 where the loader looks, or in LD_LIBRARY_PATH
//   mono Sentences.exe --layout                the structs as defined here
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;

// What is not set is zero, which means its default. size_t is UIntPtr.
[StructLayout(LayoutKind.Sequential)]
struct rnn_config_t {
  public UIntPtr struct_size;
  public int cell, input_size, hidden_size, output_size, num_layers, init, recurrent_init;
  public float init_range;
  public ulong seed;
  public int initial_state, compute;
  public uint flags;
  public int projection_size;
  public IntPtr allocator;
  public int embedding_size;
  public float forget_bias;
}

[StructLayout(LayoutKind.Sequential)]
struct rnn_sequences_t {
  public UIntPtr struct_size, count, frames;
  public IntPtr lengths, inputs, indices, targets, classes, weights, resets;
  public int pooling, reserved;
}

[StructLayout(LayoutKind.Sequential)]
struct rnn_generate_options_t {
  public UIntPtr struct_size;
  public IntPtr prompt;
  public UIntPtr prompt_count;
  public float temperature, top_p;
  public int top_k, greedy;
  public ulong seed;
  public int stop, stop_index;
}

[StructLayout(LayoutKind.Sequential)]
struct rnn_progress_t {
  public UIntPtr struct_size;
  public int @event, epoch;
  public ulong update, total_updates;
  public double loss, validation_loss, gradient_norm, learning_rate, steps_per_second;
}

[UnmanagedFunctionPointer(CallingConvention.Cdecl)]
delegate int ProgressFunction(ref rnn_progress_t progress, IntPtr user);

[StructLayout(LayoutKind.Sequential)]
struct rnn_train_options_t {
  public UIntPtr struct_size;
  public int loss, optimizer;
  public float learning_rate, momentum, beta1, beta2, epsilon, weight_decay;
  public int nesterov;
  public float clip_norm, clip_value;
  public int schedule;
  public float schedule_factor;
  public int schedule_updates, warmup_updates, epochs, batch_size, window, stateless_windows, keep_order;
  public ulong seed;
  public int threads, validate_every, patience, report_every;
  public IntPtr validation;
  public ProgressFunction progress;
  public IntPtr user;
  public float dropout, scheduled_sampling, average;
  public int accumulate, restore_best, group_count;
  public IntPtr groups;
}

static class Rnn {
  const string library = "librnn.so.0";

  [DllImport(library)] public static extern IntPtr rnn_version();
  [DllImport(library)] public static extern IntPtr rnn_last_error();
  [DllImport(library)] public static extern IntPtr rnn_status_string(int status);
  [DllImport(library)] public static extern int rnn_create(ref rnn_config_t config, out IntPtr result);
  [DllImport(library)] public static extern void rnn_destroy(IntPtr rnn);
  [DllImport(library)] public static extern int rnn_reset(Network rnn);
  [DllImport(library)] public static extern int rnn_step(Network rnn, float[] x, [Out] float[] y);
  [DllImport(library)] public static extern int rnn_step_index(Network rnn, int index, [Out] float[] y);
  [DllImport(library)]
  public static extern int rnn_train(Network rnn, ref rnn_sequences_t data, ref rnn_train_options_t options);
  [DllImport(library)]
  public static extern int rnn_generate(Network rnn, ref rnn_generate_options_t options, [Out] int[] drawn,
                                        UIntPtr capacity, out UIntPtr written);
  [DllImport(library)] public static extern int rnn_save(Network rnn, string path);
  [DllImport(library)] public static extern int rnn_load(string path, IntPtr allocator, out IntPtr result);

  public static string Text(IntPtr text) { return Marshal.PtrToStringAnsi(text); }

  public static void Check(int status) {
    if (status != 0) throw new RnnException(status);
  }
}

class RnnException : Exception {
  public readonly string Status;

  public RnnException(int status) : base(Rnn.Text(Rnn.rnn_last_error())) {
    Status = Rnn.Text(Rnn.rnn_status_string(status));
  }
}

// An array that stays where it is while C uses it.
sealed class Pinned : IDisposable {
  GCHandle handle;

  public Pinned(Array values) { handle = GCHandle.Alloc(values, GCHandleType.Pinned); }
  public IntPtr Address { get { return handle.AddrOfPinnedObject(); } }
  public void Dispose() { handle.Free(); }
}

// One stream; the runtime releases the handle with it.
sealed class Network : SafeHandle {
  Network(IntPtr owned) : base(IntPtr.Zero, true) { SetHandle(owned); }

  public override bool IsInvalid { get { return handle == IntPtr.Zero; } }

  protected override bool ReleaseHandle() {
    Rnn.rnn_destroy(handle);
    return true;
  }

  public static Network Create(rnn_config_t config) {
    IntPtr result;
    config.struct_size = (UIntPtr)Marshal.SizeOf(config);
    Rnn.Check(Rnn.rnn_create(ref config, out result));
    return new Network(result);
  }

  public static Network Load(string path) {
    IntPtr result;
    Rnn.Check(Rnn.rnn_load(path, IntPtr.Zero, out result));
    return new Network(result);
  }

  public void Save(string path) { Rnn.Check(Rnn.rnn_save(this, path)); }
  public void Reset() { Rnn.Check(Rnn.rnn_reset(this)); }
  public void Step(float[] x, float[] y) { Rnn.Check(Rnn.rnn_step(this, x, y)); }
  public void Step(int index, float[] y) { Rnn.Check(Rnn.rnn_step_index(this, index, y)); }

  public int[] Generate(int[] prompt, int capacity, rnn_generate_options_t options) {
    var drawn = new int[capacity];
    UIntPtr written;
    using (var memory = new Pinned(prompt)) {
      options.struct_size = (UIntPtr)Marshal.SizeOf(options);
      options.prompt = memory.Address;
      options.prompt_count = (UIntPtr)prompt.Length;
      Rnn.Check(Rnn.rnn_generate(this, ref options, drawn, (UIntPtr)capacity, out written));
    }
    return drawn.Take((int)written).ToArray();
  }

  // The function gets the progress, and says whether to stop.
  public void Train(ulong[] lengths, int[] indices, int[] classes, rnn_train_options_t options,
                    Func<rnn_progress_t, bool> progress) {
    using (Pinned first = new Pinned(lengths), second = new Pinned(indices), third = new Pinned(classes)) {
      var data = new rnn_sequences_t {
        count = (UIntPtr)lengths.Length, frames = (UIntPtr)indices.Length, lengths = first.Address,
        indices = second.Address, classes = third.Address
      };
      data.struct_size = (UIntPtr)Marshal.SizeOf(data);
      options.struct_size = (UIntPtr)Marshal.SizeOf(options);
      options.progress = (ref rnn_progress_t report, IntPtr user) => progress(report) ? 1 : 0;
      Rnn.Check(Rnn.rnn_train(this, ref data, ref options));
      GC.KeepAlive(options.progress);
    }
  }
}

static class Sentences {
  static readonly string[] sentences = {"hey how are you", "good i am fine", "have a nice day"};
  const char end = '\n';
  // The characters of the sentences and their end, in their order: an index is a place in it.
  static readonly char[] alphabet = (string.Concat(sentences) + end).Distinct().OrderBy(c => c).ToArray();
  const int GRU = 2;

  static int[] Encode(IEnumerable<char> text) { return text.Select(c => Array.IndexOf(alphabet, c)).ToArray(); }

  static string Bits(IEnumerable<float> values) {
    return string.Join(" ", values.Select(value => BitConverter.ToUInt32(BitConverter.GetBytes(value), 0).ToString("X8")));
  }

  static void Refuse() {
    try {
      Network.Create(new rnn_config_t {input_size = 2, hidden_size = -4});
    } catch (RnnException refused) {
      Console.WriteLine("{0}: {1}", refused.Status, refused.Message);
    }
  }

  static void Step() {
    var config = new rnn_config_t {cell = GRU, input_size = 2, hidden_size = 4, output_size = 2, seed = 7};
    using (var network = Network.Create(config)) {
      var y = new float[2];
      foreach (var x in new[] {new[] {0.5f, -1}, new[] {0.25f, 0}, new[] {1f, 2}}) {
        network.Step(x, y);
        Console.WriteLine("step " + Bits(y));
      }
    }
  }

  static Network Learn() {
    var size = alphabet.Length;
    var network = Network.Create(new rnn_config_t {input_size = size, hidden_size = 12, output_size = size, seed = 1});
    var lengths = sentences.Select(sentence => (ulong)sentence.Length).ToArray();
    var next = sentences.SelectMany(sentence => sentence.Substring(1) + end); // each character predicts the next
    var reports = 0;
    var options = new rnn_train_options_t {
      learning_rate = 0.01f, clip_norm = 1, epochs = 5000, threads = 1, report_every = 100
    };
    network.Train(lengths, Encode(string.Concat(sentences)), Encode(next), options, progress => {
      ++reports;
      Console.WriteLine(string.Format(CultureInfo.InvariantCulture, "update {0}: loss {1:F6}", progress.update, progress.loss));
      return progress.loss < 0.05; // enough: stop
    });
    Console.WriteLine("{0} reports", reports);
    return network;
  }

  static void Complete(Network network, string start) {
    var stop = Array.IndexOf(alphabet, end);
    network.Reset();
    var drawn = network.Generate(Encode(start), 64, new rnn_generate_options_t {greedy = 1, stop = 1, stop_index = stop});
    Console.Write(start + string.Concat(drawn.Select(index => alphabet[index]))); // with its end
    var y = new float[alphabet.Length];
    network.Step(stop, y);
    Console.WriteLine("outputs " + Bits(y.Take(4)));
  }

  static void PrintLayout() {
    foreach (var type in new[] {typeof(rnn_config_t), typeof(rnn_sequences_t), typeof(rnn_generate_options_t),
                                typeof(rnn_progress_t), typeof(rnn_train_options_t)}) {
      Console.WriteLine("{0} {1}", type.Name, Marshal.SizeOf(type));
      foreach (var field in type.GetFields(BindingFlags.Public | BindingFlags.Instance)) {
        var size = typeof(Delegate).IsAssignableFrom(field.FieldType) ? IntPtr.Size : Marshal.SizeOf(field.FieldType);
        Console.WriteLine("{0}.{1} {2} {3}", type.Name, field.Name, Marshal.OffsetOf(type, field.Name), size);
      }
    }
  }

  static void Main(string[] arguments) {
    if (arguments.SequenceEqual(new[] {"--layout"})) {
      PrintLayout();
      return;
    }
    Console.WriteLine("librnn " + Rnn.Text(Rnn.rnn_version()));
    Refuse();
    Step();
    using (var network = Learn()) {
      Complete(network, "good");
      network.Save("sentences.safetensors");
      using (var loaded = Network.Load("sentences.safetensors")) Complete(loaded, "good");
    }
  }
}
