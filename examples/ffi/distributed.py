"""librnn over MPI from Python, by ctypes, numpy and mpi4py: the program and the network of ../distributed.c.

    mpirun -n 4 python3 distributed.py      with librnn.so.0 where the loader looks, or in LD_LIBRARY_PATH
    python3 distributed.py --layout         the structs as defined here

Python moves the bytes, up to 2^31 of them at a time; anything else that can do so will do.
"""

import ctypes
import sys
import traceback
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

LANES, SEQUENCES, STEPS, SYMBOLS, GRU = 8, 64, 20, 10, 2


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
                ("flags", c_uint32), ("projection_size", c_int32), ("allocator", c_void_p)]


class Sequences(Struct):  # rnn_sequences_t
    _fields_ = [*fields(c_size_t, "struct_size count frames"),
                *fields(c_void_p, "lengths inputs indices targets classes weights resets"),
                *fields(c_int32, "pooling reserved")]


class Progress(Struct):  # rnn_progress_t
    _fields_ = [("struct_size", c_size_t), *fields(c_int32, "event epoch"), *fields(c_uint64, "update total_updates"),
                *fields(c_double, "loss validation_loss gradient_norm learning_rate steps_per_second")]


Exchange = CFUNCTYPE(c_int32, c_void_p, POINTER(c_size_t), c_void_p, POINTER(c_size_t), c_void_p)
Gather = CFUNCTYPE(c_int32, c_void_p, c_void_p, POINTER(c_size_t), c_void_p)
ProgressFunction = CFUNCTYPE(c_int32, POINTER(Progress), c_void_p)


class Collective(Struct):  # rnn_collective_t
    _fields_ = [("struct_size", c_size_t), *fields(c_int32, "rank ranks"), ("user", c_void_p), ("exchange", Exchange),
                ("gather", Gather), ("own_sequences", c_int32)]


class TrainOptions(Struct):  # rnn_train_options_t
    _fields_ = [("struct_size", c_size_t), *fields(c_int32, "loss optimizer"),
                *fields(c_float, "learning_rate momentum beta1 beta2 epsilon weight_decay"), ("nesterov", c_int32),
                *fields(c_float, "clip_norm clip_value"), ("schedule", c_int32), ("schedule_factor", c_float),
                *fields(c_int32, "schedule_updates warmup_updates epochs batch_size window stateless_windows keep_order"),
                ("seed", c_uint64), *fields(c_int32, "threads validate_every patience report_every"),
                ("validation", c_void_p), ("progress", ProgressFunction), ("user", c_void_p),
                *fields(c_float, "dropout scheduled_sampling average"),
                *fields(c_int32, "accumulate restore_best group_count"), *fields(c_void_p, "groups class_weights"),
                ("label_smoothing", c_float),
                *fields(c_int32, "sampled_classes schedule_start schedule_by_epoch skip_not_finite"),
                *fields(c_float, "output_dropout recurrent_dropout"), ("lanes", c_int32),
                ("collective", POINTER(Collective))]


STRUCTS = {"rnn_config_t": Config, "rnn_sequences_t": Sequences, "rnn_progress_t": Progress,
           "rnn_collective_t": Collective, "rnn_train_options_t": TrainOptions}


def collective_of(comm, MPI):
    """The ranks of a communicator, whose messages are Python's to send."""
    ranks = comm.Get_size()

    def part(address, sizes):
        """For mpi4py: memory that holds these sizes, one after the other."""
        total = int(sizes.sum())
        memory = (ctypes.c_char * total).from_address(address) if total else bytearray()
        return [memory, (sizes, np.cumsum(sizes) - sizes), MPI.BYTE]

    def sizes_at(pointer):
        return np.ctypeslib.as_array(pointer, (ranks,)).astype(np.intc)

    def guarded(move):
        """0 if it succeeds; an exception may not leave a callback."""
        def call(*arguments):
            try:
                move(*arguments)
                return 0
            except Exception:
                traceback.print_exc()
                return 1
        return call

    @Exchange
    @guarded
    def exchange(send, send_sizes, receive, receive_sizes, _):
        comm.Alltoallv(part(send, sizes_at(send_sizes)), part(receive, sizes_at(receive_sizes)))

    @Gather
    @guarded
    def gather(send, receive, receive_sizes, _):
        sizes, rank = sizes_at(receive_sizes), comm.Get_rank()
        comm.Allgatherv([part(send, sizes[rank:rank + 1])[0], MPI.BYTE], part(receive, sizes))

    return Collective(rank=comm.Get_rank(), ranks=ranks, exchange=exchange, gather=gather, own_sequences=1)


def train(rnn, MPI):
    def check(status):
        if status != 0:
            print(rnn.rnn_last_error().decode(), file=sys.stderr)
            MPI.COMM_WORLD.Abort(1)

    collective = collective_of(MPI.COMM_WORLD.Dup(), MPI)
    if collective.rank == 0:
        print(f"{collective.ranks} ranks")

    @ProgressFunction
    def report(progress, _):
        if collective.rank == 0 and progress.contents.update % 40 == 0:
            print(f"update {progress.contents.update}: loss {progress.contents.loss:.6f}")
        return 0

    # Sequence n counts from n on, in steps of n / 10. A rank makes, or reads, those of its lanes alone.
    own = np.array([n for n in range(SEQUENCES)
                    if rnn.rnn_rank_of(rnn.rnn_lane_of(n, LANES), LANES, collective.ranks) == collective.rank])
    counted = ((own[:, None] + np.arange(STEPS + 1) * (own[:, None] // 10)) % SYMBOLS).astype(np.int32)
    lengths = np.full(len(own), STEPS, np.uintp)
    inputs, classes = np.ascontiguousarray(counted[:, :-1]), np.ascontiguousarray(counted[:, 1:])
    data = Sequences(count=len(own), frames=inputs.size, lengths=lengths.ctypes.data, indices=inputs.ctypes.data,
                     classes=classes.ctypes.data)
    options = TrainOptions(learning_rate=0.01, epochs=100, batch_size=32, lanes=LANES,
                           collective=ctypes.pointer(collective), progress=report)
    network = c_void_p()
    check(rnn.rnn_create(byref(Config(cell=GRU, input_size=SYMBOLS, hidden_size=32, output_size=SYMBOLS)), byref(network)))
    check(rnn.rnn_train(network, byref(data), byref(options)))
    if collective.rank == 0:
        check(rnn.rnn_save(network, b"distributed.safetensors"))
    rnn.rnn_destroy(network)


def print_layout():
    for name, struct in STRUCTS.items():
        print(name, ctypes.sizeof(struct))
        for field, _ in struct._fields_:
            print(f"{name}.{field}", getattr(struct, field).offset, getattr(struct, field).size)


def main():
    if sys.argv[1:] == ["--layout"]:
        return print_layout()
    from mpi4py import MPI
    rnn = ctypes.CDLL("librnn.so.0")
    rnn.rnn_last_error.restype = c_char_p
    rnn.rnn_create.argtypes = [POINTER(Config), POINTER(c_void_p)]
    rnn.rnn_train.argtypes = [c_void_p, POINTER(Sequences), POINTER(TrainOptions)]
    rnn.rnn_save.argtypes = [c_void_p, c_char_p]
    rnn.rnn_lane_of.argtypes, rnn.rnn_rank_of.argtypes = [c_uint64, c_int32], [c_int32] * 3
    rnn.rnn_destroy.argtypes, rnn.rnn_destroy.restype = [c_void_p], None
    train(rnn, MPI)


main()
