"""librnn from Python by ctypes and numpy: step a network, teach another three sentences, save it and load it.

    python3 sentences.py                    with librnn.so.0 where the loader looks, or in LD_LIBRARY_PATH
    python3 sentences.py --layout           the structs as defined here

Arrays go over as they are, without a copy: numpy's memory is what the library reads and writes.
"""

import ctypes
import sys
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

SENTENCES = ["hey how are you", "good i am fine", "have a nice day"]
END = "\n"
ALPHABET = sorted(set("".join(SENTENCES) + END))  # an index is a place in it
GRU = 2


class Struct(ctypes.Structure):
    """What is not given is zero, which means its default."""

    def __init__(self, **fields):
        super().__init__(ctypes.sizeof(type(self)), **fields)


def fields(kind, names):
    return [(name, kind) for name in names.split()]


class Config(Struct):  # rnn_config_t
    _fields_ = [("struct_size", c_size_t),
                *fields(c_int32, "cell input_size hidden_size output_size num_layers init recurrent_init"),
                ("init_range", c_float), ("seed", c_uint64), *fields(c_int32, "initial_state compute"),
                ("flags", c_uint32), ("projection_size", c_int32), ("allocator", c_void_p),
                ("embedding_size", c_int32), ("forget_bias", c_float)]


class Sequences(Struct):  # rnn_sequences_t
    _fields_ = [*fields(c_size_t, "struct_size count frames"),
                *fields(c_void_p, "lengths inputs indices targets classes weights resets"),
                *fields(c_int32, "pooling reserved")]


class GenerateOptions(Struct):  # rnn_generate_options_t
    _fields_ = [("struct_size", c_size_t), ("prompt", c_void_p), ("prompt_count", c_size_t),
                *fields(c_float, "temperature top_p"), *fields(c_int32, "top_k greedy"), ("seed", c_uint64),
                *fields(c_int32, "stop stop_index")]


class Progress(Struct):  # rnn_progress_t
    _fields_ = [("struct_size", c_size_t), *fields(c_int32, "event epoch"), *fields(c_uint64, "update total_updates"),
                *fields(c_double, "loss validation_loss gradient_norm learning_rate steps_per_second")]


ProgressFunction = CFUNCTYPE(c_int32, POINTER(Progress), c_void_p)


class TrainOptions(Struct):  # rnn_train_options_t
    _fields_ = [("struct_size", c_size_t), *fields(c_int32, "loss optimizer"),
                *fields(c_float, "learning_rate momentum beta1 beta2 epsilon weight_decay"), ("nesterov", c_int32),
                *fields(c_float, "clip_norm clip_value"), ("schedule", c_int32), ("schedule_factor", c_float),
                *fields(c_int32, "schedule_updates warmup_updates epochs batch_size window stateless_windows keep_order"),
                ("seed", c_uint64), *fields(c_int32, "threads validate_every patience report_every"),
                ("validation", c_void_p), ("progress", ProgressFunction), ("user", c_void_p),
                *fields(c_float, "dropout scheduled_sampling average"),
                *fields(c_int32, "accumulate restore_best group_count"), ("groups", c_void_p)]


STRUCTS = {"rnn_config_t": Config, "rnn_sequences_t": Sequences, "rnn_generate_options_t": GenerateOptions,
           "rnn_progress_t": Progress, "rnn_train_options_t": TrainOptions}

rnn = ctypes.CDLL("librnn.so.0")
for function in (rnn.rnn_version, rnn.rnn_last_error, rnn.rnn_status_string):
    function.restype = c_char_p
rnn.rnn_destroy.restype = None
Floats, Ints = np.ctypeslib.ndpointer(np.float32, flags="C"), np.ctypeslib.ndpointer(np.int32, flags="C")
rnn.rnn_create.argtypes = [POINTER(Config), POINTER(c_void_p)]
rnn.rnn_step.argtypes = [c_void_p, Floats, Floats]
rnn.rnn_step_index.argtypes = [c_void_p, c_int32, Floats]
rnn.rnn_train.argtypes = [c_void_p, POINTER(Sequences), POINTER(TrainOptions)]
rnn.rnn_generate.argtypes = [c_void_p, POINTER(GenerateOptions), Ints, c_size_t, POINTER(c_size_t)]
rnn.rnn_save.argtypes = [c_void_p, c_char_p]
rnn.rnn_load.argtypes = [c_char_p, c_void_p, POINTER(c_void_p)]
rnn.rnn_reset.argtypes = rnn.rnn_destroy.argtypes = [c_void_p]


class RnnError(Exception):
    def __init__(self, status):
        super().__init__(rnn.rnn_last_error().decode())
        self.status = rnn.rnn_status_string(status).decode()


def check(status):
    if status != 0:
        raise RnnError(status)


class Network:
    def __init__(self, handle=None, **config):
        self.handle = handle or c_void_p()
        if handle is None:
            check(rnn.rnn_create(Config(**config), byref(self.handle)))
        self.output_size = config.get("output_size")

    @classmethod
    def load(cls, path):
        handle = c_void_p()
        check(rnn.rnn_load(path.encode(), None, byref(handle)))
        return cls(handle)

    def __del__(self):
        rnn.rnn_destroy(self.handle)

    def save(self, path):
        check(rnn.rnn_save(self.handle, path.encode()))

    def reset(self):
        check(rnn.rnn_reset(self.handle))

    def step(self, x, y):
        check(rnn.rnn_step(self.handle, x, y))

    def step_index(self, index, y):
        check(rnn.rnn_step_index(self.handle, index, y))

    def generate(self, prompt, capacity, **options):
        drawn, count = np.empty(capacity, np.int32), c_size_t()
        options = GenerateOptions(prompt=prompt.ctypes.data, prompt_count=len(prompt), **options)
        check(rnn.rnn_generate(self.handle, options, drawn, capacity, byref(count)))
        return drawn[:count.value]

    def train(self, lengths, indices, classes, progress, **options):
        data = Sequences(count=len(lengths), frames=len(indices), lengths=lengths.ctypes.data,
                         indices=indices.ctypes.data, classes=classes.ctypes.data)
        function = ProgressFunction(lambda event, user: progress(event.contents))
        check(rnn.rnn_train(self.handle, data, TrainOptions(progress=function, **options)))


def encode(text):
    return np.array([ALPHABET.index(c) for c in text], np.int32)


def bits(values):
    return " ".join(f"{value:08X}" for value in values.view(np.uint32))


def refuse():
    try:
        Network(input_size=2, hidden_size=-4)
    except RnnError as refused:
        print(f"{refused.status}: {refused}")


def step():
    network, y = Network(cell=GRU, input_size=2, hidden_size=4, output_size=2, seed=7), np.empty(2, np.float32)
    for x in np.array([[0.5, -1], [0.25, 0], [1, 2]], np.float32):
        network.step(x, y)
        print("step", bits(y))


def learn():
    reports = 0

    def report(progress):
        nonlocal reports
        reports += 1
        print(f"update {progress.update}: loss {progress.loss:.6f}")
        return progress.loss < 0.05  # enough: stop

    network = Network(input_size=len(ALPHABET), hidden_size=12, output_size=len(ALPHABET), seed=1)
    lengths = np.array([len(sentence) for sentence in SENTENCES], np.uintp)
    classes = encode("".join(sentence[1:] + END for sentence in SENTENCES))  # each character predicts the next
    network.train(lengths, encode("".join(SENTENCES)), classes, report, learning_rate=0.01, clip_norm=1, epochs=5000,
                  threads=1, report_every=100)
    print(f"{reports} reports")
    return network


def complete(network, start):
    end, y = ALPHABET.index(END), np.empty(len(ALPHABET), np.float32)
    network.reset()
    drawn = network.generate(encode(start), 64, greedy=1, stop=1, stop_index=end)
    print(start + "".join(ALPHABET[index] for index in drawn), end="")  # ends with END
    network.step_index(end, y)
    print("outputs", bits(y[:4]))


def print_layout():
    for name, struct in STRUCTS.items():
        print(name, ctypes.sizeof(struct))
        for field, _ in struct._fields_:
            print(f"{name}.{field}", getattr(struct, field).offset, getattr(struct, field).size)


def main():
    if sys.argv[1:] == ["--layout"]:
        return print_layout()
    print("librnn", rnn.rnn_version().decode())
    refuse()
    step()
    network = learn()
    complete(network, "good")
    network.save("sentences.safetensors")
    complete(Network.load("sentences.safetensors"), "good")


main()
