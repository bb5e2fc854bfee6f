"""librnn through ctypes, as far as the tests need it: the structs of rnn.h, and two classes over its handles."""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_float, c_int32, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p, sizeof

VANILLA, GRU, LSTM, MIN_GRU, MIN_LSTM, DENSE, CONV1D = 1, 2, 3, 4, 5, 64, 65
NO_BIAS, RELU, RESET_BEFORE, BIDIRECTIONAL, RESIDUAL, TIED_HEAD = 1, 2, 4, 8, 16, 64
PEEPHOLES, COUPLED_GATES = 128, 256
INITIAL_FIXED = 1
SQUARED_ERROR = 2
ADAM, SGD = 1, 3


class Struct(ctypes.Structure):
    def __init__(self, **fields):
        super().__init__(sizeof(type(self)), **fields)


def fields(kinds):
    """'c_int32: a b; c_float: c' as _fields_, struct_size before them."""
    result = [("struct_size", c_size_t)]
    for line in kinds.split(";"):
        kind, names = line.split(":")
        result += [(name, KINDS[kind.strip()]) for name in names.split()]
    return result


KINDS = {"size": c_size_t, "int": c_int32, "uint": c_uint32, "uint64": c_uint64, "float": c_float,
         "double": ctypes.c_double, "pointer": c_void_p, "string": c_char_p, "floats": POINTER(c_float),
         "ints": POINTER(c_int32), "sizes": POINTER(c_size_t), "bytes": POINTER(c_uint8)}


class Config(Struct):
    _fields_ = fields("""int: cell input_size hidden_size output_size num_layers init recurrent_init;
                         float: init_range; uint64: seed; int: initial_state compute; uint: flags;
                         int: projection_size; pointer: allocator; int: embedding_size; float: forget_bias;
                         int: skip reserved; pointer: layers; size: layer_count""")


class Layer(Struct):
    _fields_ = fields("""int: kind size activation direction projection_size; uint: flags; float: alpha beta;
                         int: kernel_size dilation""")


class Parameter(Struct):
    _fields_ = fields("string: name; size: rows columns")


class Sequences(Struct):
    _fields_ = fields("""size: count frames; sizes: lengths; floats: inputs; ints: indices; floats: targets;
                         ints: classes; floats: weights; bytes: resets; int: pooling reserved""")


class ForwardOptions(Struct):
    _fields_ = fields("int: pooling stateful; floats: initial_states final_states states")


class TrainOptions(Struct):
    _fields_ = fields("""int: loss optimizer; float: learning_rate momentum beta1 beta2 epsilon weight_decay;
                         int: nesterov; float: clip_norm clip_value; int: schedule; float: schedule_factor;
                         int: schedule_updates warmup_updates epochs batch_size window stateless_windows keep_order;
                         uint64: seed; int: threads validate_every patience report_every;
                         pointer: validation progress user; float: dropout scheduled_sampling average;
                         int: accumulate restore_best group_count; pointer: groups""")


class SaveOptions(Struct):
    _fields_ = fields("int: format without_probe; string: layers head embedding name")


class LoadOptions(Struct):
    _fields_ = fields("uint: flags; int: without_probe; string: layers head embedding activations")


class Progress(Struct):
    _fields_ = fields("""int: event epoch; uint64: update total_updates;
                         double: loss validation_loss gradient_norm learning_rate steps_per_second""")


def floats(values):
    """A C array of the values; None stays None."""
    return None if values is None else (c_float * len(values))(*values)


class Binding:
    def __init__(self, path):
        self.functions = ctypes.CDLL(path)
        self.functions.rnn_last_error.restype = c_char_p

    def call(self, name, *arguments):
        if getattr(self.functions, name)(*arguments) != 0:
            raise RuntimeError(self.functions.rnn_last_error().decode())


def sequences(lengths, inputs, targets=None):
    """Frames [F, I] one after the other, flat."""
    return Sequences(count=len(lengths), frames=sum(lengths), lengths=(c_size_t * len(lengths))(*lengths),
                     inputs=floats(inputs), targets=floats(targets))


class Network:
    def __init__(self, binding, path=None, memory=None, load_flags=0, **config):
        self.binding, self.handle = binding, c_void_p()
        if path is not None:
            binding.call("rnn_load", path.encode(), None, byref(self.handle))
        elif memory is not None:
            binding.call("rnn_load_memory_as", memory, c_size_t(len(memory)), byref(LoadOptions(flags=load_flags)), None,
                         byref(self.handle))
        else:
            if "layers" in config:  # [Layer]
                layers = (Layer * len(config["layers"]))(*config["layers"])
                config = {**config, "layers": ctypes.cast(layers, c_void_p), "layer_count": len(layers)}
            binding.call("rnn_create", byref(Config(**config)), byref(self.handle))
        size = c_size_t()
        binding.call("rnn_state_size", self.handle, byref(size))
        self.state_size = size.value
        config = Config()
        binding.call("rnn_get_config", self.handle, byref(config))
        binding.call("rnn_output_size", self.handle, byref(size))
        self.output_size = size.value
        self.input_size = config.input_size

    def __del__(self):
        self.binding.functions.rnn_destroy(self.handle)

    def names(self):
        """The parameters' names, and how many values each has."""
        count, result = c_size_t(), {}
        self.binding.call("rnn_parameter_count", self.handle, byref(count))
        for i in range(count.value):
            parameter = Parameter()
            self.binding.call("rnn_parameter_info", self.handle, c_size_t(i), byref(parameter))
            result[parameter.name.decode()] = parameter.rows * parameter.columns
        return result

    def set(self, name, values):
        self.binding.call("rnn_set_parameter", self.handle, name.encode(), floats(values), c_size_t(len(values)))

    def save(self, path):
        """In the format that the path's suffix says."""
        self.binding.call("rnn_save_as", self.handle, path.encode(), None)

    def save_memory(self, **options):
        """The bytes of a file."""
        size, arguments = c_size_t(), (self.handle, byref(SaveOptions(**options)))
        self.binding.call("rnn_save_memory_as", *arguments, None, c_size_t(0), byref(size))
        memory = (ctypes.c_char * size.value)()
        self.binding.call("rnn_save_memory_as", *arguments, memory, size, byref(size))
        return bytes(memory)

    def set_delay(self, delay):
        """Steps and sequences read the state of so many steps ago."""
        self.binding.call("rnn_set_delay", self.handle, c_float(delay))

    def history(self, steps):
        """The stream keeps the states before so many of its last steps,"""
        self.binding.call("rnn_history", self.handle, c_size_t(steps))

    def rewind(self, steps):
        """and goes back to one of them."""
        self.binding.call("rnn_rewind", self.handle, c_size_t(steps))

    def forward(self, lengths, inputs, initial_states=None):
        """Outputs [F, O] and final states [N, S], flat."""
        return self.run(sequences(lengths, inputs), initial_states)

    def forward_indices(self, lengths, indices):
        """The same for one-hot inputs and embeddings."""
        given = Sequences(count=len(lengths), frames=sum(lengths), lengths=(c_size_t * len(lengths))(*lengths),
                          indices=(c_int32 * len(indices))(*indices))
        return self.run(given, None)

    def run(self, given, initial_states):
        y = (c_float * (given.frames * self.output_size))()
        final = (c_float * (given.count * self.state_size))()
        options = ForwardOptions(initial_states=floats(initial_states),
                                 final_states=ctypes.cast(final, POINTER(c_float)))
        self.binding.call("rnn_forward", self.handle, byref(given), byref(options), y)
        return list(y), list(final)

    def gradients(self, lengths, inputs, initial_states, d_outputs, d_final_states):
        """As forward; then the gradients of the inputs, of the initial states, and by name of the parameters."""
        call, tape = self.binding.call, c_void_p()
        call("rnn_tape_create", self.handle, c_int32(1), byref(tape))
        try:
            y = (c_float * (sum(lengths) * self.output_size))()
            final = (c_float * (len(lengths) * self.state_size))()
            d_inputs = (c_float * (sum(lengths) * self.input_size))()
            d_initial = (c_float * (len(lengths) * self.state_size))()
            call("rnn_tape_forward", tape, self.handle, byref(sequences(lengths, inputs)), floats(initial_states), y,
                 final)
            call("rnn_tape_backward", tape, floats(d_outputs), floats(d_final_states), d_inputs, d_initial)
            gradients = {}
            for name, count in self.names().items():
                values = (c_float * count)()
                call("rnn_tape_gradient", tape, name.encode(), values, c_size_t(count))
                gradients[name] = list(values)
            return list(y), list(final), list(d_inputs), list(d_initial), gradients
        finally:
            self.binding.functions.rnn_tape_destroy(tape)

    def train(self, lengths, inputs, targets, updates, **options):
        """The losses of so many updates with the same batch, each before its update. The network stays as it is."""
        call, trainer = self.binding.call, c_void_p()
        call("rnn_trainer_create", self.handle, byref(TrainOptions(**options)), byref(trainer))
        try:
            losses = []
            for _ in range(updates):
                progress = Progress()
                call("rnn_trainer_reset", trainer)
                call("rnn_trainer_update", trainer, byref(sequences(lengths, inputs, targets)), byref(progress))
                losses.append(progress.loss)
            return losses
        finally:
            self.binding.functions.rnn_trainer_destroy(trainer)
