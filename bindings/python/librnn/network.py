"""A recurrent network, and a stream over it."""

import ctypes
import os
from collections.abc import Mapping
from ctypes import byref, c_float, c_int32, c_size_t, c_void_p
from typing import Any, Iterable, Optional, Sequence, Union

import numpy as np

from . import _abi, training
from ._arrays import (Array, Batch, Floats, Ints, address, as_index, floats, ints, is_index, output)
from ._library import Handle, Named, check, fill, lib, number, together
from .layer import Layer, described, layer_of
from .training import Callback, Evaluation, History
from .views import Metadata, Parameters

Path = Union[str, "os.PathLike[str]"]


class Network(Handle):
    """A network with initialised weights, and a stream over it: a reference to the weights, which forks share, and a
    hidden state. One thread at a time uses a network, others wait; different ones, forks too, are used by different
    threads at once. Every call releases the GIL.

    input_size   I
    hidden_size  H, of every layer
    output_size  O of the linear head; 0: none, the output is h
    cell         "vanilla", "gru", "lstm", "min_gru", "min_lstm"
    layers       instead of hidden_size, output_size and cell: a list of Layer
    flags        names: "no_bias", "relu", "reset_before", "bidirectional", "residual", "layer_norm", "tied_head",
                 "peepholes", "coupled_gates"
    options      the other fields of rnn_config_t: num_layers, init, recurrent_init, init_range, seed, initial_state,
                 compute, projection_size, embedding_size, forget_bias, skip

    >>> net = librnn.Network(3, 16, 2, cell="lstm", num_layers=2)
    >>> net
    Network(cell='lstm', input_size=3, hidden_size=16, output_size=2, num_layers=2)
    >>> net(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    """

    _in_use = ("the network is in training, and a callback may not use it; that of a Trainer may use the trainer's "
               "network()")

    def __init__(self, input_size: int, hidden_size: int = 0, output_size: int = 0, *, cell: Optional[Named] = None,
                 layers: Optional[Sequence[Layer]] = None, flags: Union[Named, Iterable[str]] = (),
                 **options: Any) -> None:
        config = _abi.rnn_config_t()
        fill(config, {"input_size": input_size, "hidden_size": hidden_size, "output_size": output_size, "cell": cell,
                      "flags": flags, **options}, "a network")
        kept = None
        if layers is not None:
            if wrong := [layer for layer in layers if not isinstance(layer, Layer)]:
                raise TypeError(f"layers has {wrong[0]!r}; it must be a list of Layer")
            kept = (_abi.rnn_layer_t * len(layers))(*(layer.struct for layer in layers))
            config.layers, config.layer_count = ctypes.cast(kept, ctypes.POINTER(_abi.rnn_layer_t)), len(layers)
        handle = c_void_p()
        check(lib.rnn_create(byref(config), byref(handle)))
        self._adopt(handle)

    def _adopt(self, handle: c_void_p) -> None:
        self._hold(handle, lib.rnn_destroy)
        size, config = c_size_t(), _abi.rnn_config_t()
        check(lib.rnn_get_config(handle, byref(config)))
        self._input_size: int = config.input_size
        check(lib.rnn_output_size(handle, byref(size)))
        self._output_size = size.value
        check(lib.rnn_state_size(handle, byref(size)))
        self._state_size = size.value

    @classmethod
    def _own(cls, handle: c_void_p) -> "Network":
        network = cls.__new__(cls)
        network._adopt(handle)
        return network

    # ---- What it is ----

    @property
    def input_size(self) -> int:
        """I."""
        return self._input_size

    @property
    def output_size(self) -> int:
        """O: of the head or, without one, of the last layer."""
        return self._output_size

    @property
    def state_size(self) -> int:
        """S: h of all layers and directions, behind them c of LSTMs."""
        return self._state_size

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, with defaults resolved and without zeros.

        >>> librnn.Network(3, 4, flags="no_bias").config["flags"]
        ('no_bias',)
        """
        config = _abi.rnn_config_t()
        self._call(lib.rnn_get_config, byref(config))
        result = described(config)
        if config.layer_count:
            copies = [_abi.rnn_layer_t.from_buffer_copy(config.layers[i]) for i in range(config.layer_count)]
            result["layers"] = [layer_of(copy) for copy in copies]
        return result

    def __repr__(self) -> str:
        hidden = {"init": "pytorch", "recurrent_init": "pytorch", "init_range": None, "num_layers": 1}
        return "Network(" + ", ".join(f"{name}={value!r}" for name, value in self.config.items()
                                      if hidden.get(name, value is None) not in (value, None)) + ")"

    def _parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        count, shapes = c_size_t(), {}
        self._call(lib.rnn_parameter_count, byref(count))
        for index in range(count.value):
            info = _abi.rnn_parameter_t()
            self._call(lib.rnn_parameter_info, index, byref(info))
            name = info.name.decode()
            matrix = name.split(".")[-1].startswith("weight")  # a matrix may have one column
            shapes[name] = (info.rows, info.columns) if matrix else (info.rows * info.columns,)
        return shapes

    @property
    def parameters(self) -> Parameters:
        """Name -> array; see Parameters. `net.parameters = {...}` sets those that are given."""
        return Parameters(self)

    @parameters.setter
    def parameters(self, values: Mapping[str, Any]) -> None:
        Parameters(self).update(values)

    @property
    def metadata(self) -> Metadata:
        """Texts that are kept with the weights; see Metadata."""
        return Metadata(self)

    # ---- Steps ----

    def step(self, x: Any, out: Optional[Array] = None) -> Floats:
        """Advance the stream by one input.

        x    [I], or a whole number: a one-hot input
        out  [O] float32, written and returned; None: a new array

        >>> net = librnn.Network(3, 16, 2)
        >>> net.step([0.1, 0.2, 0.3]).shape
        (2,)
        >>> net.step(1).shape
        (2,)
        """
        index = as_index(x)
        if index is not None:
            y = output("out", out, (self._output_size,))
            self._call(lib.rnn_step_index, _int32("x", index), address(y))
            return y
        read = floats("x", x, (self._input_size,))
        y = output("out", out, (self._output_size,), read)
        self._call(lib.rnn_step, address(read), address(y))
        return y

    def step_block(self, x: Any, out: Optional[Array] = None) -> Floats:
        """Advance the stream by several inputs: the same bits as step by step, in less time after reserve_block.

        x    [T, I], or whole numbers [T]
        out  [T, O] float32; None: a new array

        >>> librnn.Network(3, 16, 2).step_block(np.ones((5, 3), np.float32)).shape
        (5, 2)
        """
        array = np.asarray(x)
        indexed = is_index(array)
        read: Array = ints("x", array, ["T"]) if indexed else floats("x", array, ["T", self._input_size])
        y = output("out", out, (len(read), self._output_size), read)
        call = lib.rnn_step_block_index if indexed else lib.rnn_step_block
        self._call(call, address(read), len(read), address(y))
        return y

    def reserve_block(self, steps: int) -> None:
        """Make room for blocks of so many steps.

        >>> librnn.Network(3, 16).reserve_block(64)
        """
        self._call(lib.rnn_reserve_block, _size("steps", steps))

    def reset(self) -> None:
        """Return the stream to its initial state.

        >>> net = librnn.Network(3, 4)
        >>> y = net.step([1, 0, 0])
        >>> net.reset()
        >>> net.state
        array([0., 0., 0., 0.], dtype=float32)
        """
        self._call(lib.rnn_reset)

    @property
    def state(self) -> Floats:
        """[S]: a copy of the stream's state; `net.state = array` sets it."""
        state = np.empty(self._state_size, np.float32)
        self._call(lib.rnn_get_state, address(state), state.size)
        return state

    @state.setter
    def state(self, value: Any) -> None:
        state = floats("state", value, [self._state_size])
        self._call(lib.rnn_set_state, address(state), state.size)

    @property
    def delay(self) -> float:
        """Steps read the state of so many steps ago, 1..4096: the sample rate now divided by that in training."""
        delay = c_float()
        self._call(lib.rnn_get_delay, byref(delay))
        return delay.value

    @delay.setter
    def delay(self, value: float) -> None:
        self._call(lib.rnn_set_delay, float(value))

    def history(self, steps: int) -> None:
        """Keep the states before the last `steps` steps, for rewind; 0: none.

        >>> net = librnn.Network(3, 4)
        >>> net.history(8)
        >>> y = net.step([1, 0, 0])
        >>> net.rewind(1)
        >>> bool((net.step([1, 0, 0]) == y).all())
        True
        """
        self._call(lib.rnn_history, _size("steps", steps))

    def rewind(self, steps: int) -> None:
        """Take the last `steps` steps back; see history."""
        self._call(lib.rnn_rewind, _size("steps", steps))

    # ---- Sequences ----

    def __call__(self, x: Any, *, pooling: Named = "none", state: Any = None, return_state: bool = False,
                 stateful: bool = False) -> Any:
        """Run whole sequences. Without `stateful` the stream's own state is neither read nor changed.

        x        [T, I], [B, T, I], or a list of arrays [T_n, I]; whole numbers [T], [B, T] or a list are one-hot
                 inputs, or with an embedding indices
        pooling  "none", or one output for each sequence: "last", "mean", "max"
        state    [S], or [B, S]: where the sequences start; None: the initial state
        returns  y [T, O], [B, T, O] or a list of [T_n, O], as x; with pooling [O] or [B, O];
                 with return_state (y, final state [S] or [B, S])
        stateful one sequence goes on from the stream's state and advances it, as steps do

        >>> net = librnn.Network(3, 16, 2)
        >>> net(np.zeros((4, 5, 3))).shape
        (4, 5, 2)
        >>> [y.shape for y in net([np.zeros((5, 3)), np.zeros((2, 3))])]
        [(5, 2), (2, 2)]
        >>> net([[0, 1, 2], [2, 1]], pooling="last").shape
        (2, 2)
        """
        batch = Batch(x, self._input_size, self._output_size)
        batch.set_pooling(number("pooling", pooling))
        initial = batch.states("state", state, self._state_size)
        final = np.empty((len(batch.lengths), self._state_size), np.float32) if return_state else None
        options = _abi.rnn_forward_options_t(pooling=batch.struct.pooling, stateful=int(stateful),
                                             initial_states=address(initial), final_states=address(final))
        y = np.empty((batch.rows(), self._output_size), np.float32)
        self._call(lib.rnn_forward, byref(batch.struct), byref(options), address(y))
        return batch.result(y) if final is None else (batch.result(y), batch.state_result(final))

    def generate(self, prompt: Any, steps: int, *, stop: Optional[int] = None, **options: Any) -> Ints:
        """Read the prompt, then draw up to `steps` indices, each fed back as the next input.

        prompt   [P] whole numbers
        stop     end after this index was drawn
        options  temperature, top_p, top_k, greedy, seed
        returns  the drawn indices; fewer than `steps` only after `stop`

        >>> net = librnn.Network(5, 8, 5)
        >>> len(net.generate([0, 1], 10, temperature=0.8, seed=1))
        10
        """
        read = ints("prompt", prompt, ["P"])
        settings = _abi.rnn_generate_options_t()
        for field in ("prompt", "prompt_count", "stop_index"):
            if field in options:
                raise TypeError(f"generate has no option {field!r}")
        fill(settings, options, "generate")
        settings.prompt, settings.prompt_count = address(read), len(read)
        if stop is not None:
            settings.stop, settings.stop_index = 1, _int32("stop", stop)
        drawn, count = np.empty(_size("steps", steps), np.int32), c_size_t()
        self._call(lib.rnn_generate, byref(settings), address(drawn), drawn.size, byref(count))
        return drawn[:count.value]

    def rollout(self, x: Any, steps: int) -> Floats:
        """Run steps of which each reads the output of the one before.

        x        [I], the first input
        returns  [steps, O]

        >>> librnn.Network(2, 8, 2).rollout([1, 0], 5).shape
        (5, 2)
        """
        read, y = floats("x", x, [self._input_size]), np.empty((_size("steps", steps), self._output_size), np.float32)
        self._call(lib.rnn_rollout, address(read), len(y), address(y))
        return y

    # ---- Training ----

    def fit(self, X: Any, y: Any, *, epochs: int = 1, validation: Any = None, callback: Optional[Callback] = None,
            report_every: int = 1, bar: bool = False, weights: Any = None, resets: Any = None,
            pooling: Named = "none", **options: Any) -> History:
        """Train by minibatch backpropagation through time. Ctrl-C stops the run between updates: then
        KeyboardInterrupt is raised, and the network has the weights of the last update.

        X             as of a call: [T, I], [B, T, I], a list of arrays [T_n, I], or indices
        y             classes (whole numbers) [T], [B, T] or a list, for cross-entropy; or targets [T, O], [B, T, O] or
                      a list; with pooling one for each sequence, [B] or [B, O]
        epochs        passes over the data
        validation    (X, y) or (X, y, weights)
        callback      called with a Progress after updates and validations; true stops the run. It may not use the
                      network
        report_every  updates between two that are in the history and go to the callback
        bar           show tqdm's bar
        weights       of the target steps, in y's form without O; 0 masks
        resets        true: before this step the state returns to its initial value; in X's form without I
        pooling       "none", or a target for each sequence: "last", "mean", "max"
        options       the other fields of rnn_train_options_t: loss ("cross_entropy", "squared_error",
                      "binary_cross_entropy"), optimizer ("adam", "adamw", "sgd", "adagrad", "rmsprop"), learning_rate,
                      clip_norm, schedule, batch_size (32), window, seed, threads, patience, dropout, class_weights [O],
                      groups (a list of dict(pattern="bias_*", ...)), ...
        returns       the History of losses

        >>> net = librnn.Network(2, 16, 1, cell="gru")
        >>> x = np.random.default_rng(0).uniform(0, 1, (64, 8, 2)).astype(np.float32)
        >>> y = x.sum(axis=(1, 2))[:, None]
        >>> history = net.fit(x, y, pooling="last", epochs=30, learning_rate=0.01, validation=(x[:8], y[:8]))
        >>> history.loss[-1] < 0.1 * history.loss[0]
        True
        """
        return training.fit(self, X, y, validation=validation, callback=callback, report_every=report_every, bar=bar,
                            weights=weights, resets=resets, pooling=pooling, options={"epochs": epochs, **options})

    def evaluate(self, X: Any, y: Any, *, weights: Any = None, resets: Any = None, pooling: Named = "none",
                 **options: Any) -> Evaluation:
        """The loss over sequences, without training; arguments as of fit.

        >>> round(librnn.Network(3, 4, 5).evaluate([[0, 1, 2]], [[4, 3, 0]]).weight)
        3
        """
        return training.evaluate(self, X, y, weights=weights, resets=resets, pooling=pooling, options=options)

    # ---- Copies ----

    def fork(self) -> "Network":
        """Another stream over the same weights, in the same state; also copy.copy.

        >>> net = librnn.Network(3, 4)
        >>> stream = net.fork()
        >>> y = stream.step([1, 0, 0])
        >>> net.state
        array([0., 0., 0., 0.], dtype=float32)
        """
        handle = c_void_p()
        self._call(lib.rnn_fork, byref(handle))
        return self._own(handle)

    def clone(self) -> "Network":
        """Another network: a copy of the weights and of the state; also copy.deepcopy.

        >>> librnn.Network(3, 4).clone().input_size
        3
        """
        handle = c_void_p()
        self._call(lib.rnn_clone, byref(handle))
        return self._own(handle)

    def convert(self, compute: Named) -> "Network":
        """A copy that computes with "f32", "bf16", "int8" or "bf16_fast".

        >>> librnn.Network(3, 4).convert("int8").config["compute"]
        'int8'
        """
        handle = c_void_p()
        self._call(lib.rnn_convert, number("compute", compute), byref(handle))
        return self._own(handle)

    def sync(self, source: "Network") -> None:
        """Use the weights of `source` from now on, and keep this stream's state.

        >>> librnn.Network(3, 4).sync(librnn.Network(3, 4, seed=2))
        """
        with together(self, source):
            check(lib.rnn_sync(self._handle, source._handle))

    def __copy__(self) -> "Network":
        return self.fork()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Network":
        return self.clone()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (type(self), self.to_bytes(), self.state, self.delay)

    # ---- Files ----

    def save(self, path: Path, **options: Any) -> None:
        """Save the network in the format that the path's suffix says: .safetensors, .onnx, .rnn or .h.

        options  format, without_probe, and for PyTorch's names layers, head, embedding; see rnn_save_options_t

        >>> with tempfile.TemporaryDirectory() as folder:
        ...     librnn.Network(3, 4).save(folder + "/net.rnn")
        ...     librnn.load(folder + "/net.rnn").input_size
        3
        """
        settings = _abi.rnn_save_options_t()
        fill(settings, options, "save")
        self._call(lib.rnn_save_as, os.fsencode(path), byref(settings))

    def to_bytes(self, **options: Any) -> bytes:
        """The contents of a file; options as of save.

        >>> librnn.from_bytes(librnn.Network(3, 4).to_bytes(format="binary")).input_size
        3
        """
        settings, size = _abi.rnn_save_options_t(), c_size_t()
        fill(settings, options, "to_bytes")
        self._call(lib.rnn_save_memory_as, byref(settings), None, 0, byref(size))
        memory = ctypes.create_string_buffer(size.value)
        self._call(lib.rnn_save_memory_as, byref(settings), memory, size, byref(size))
        return memory.raw[:size.value]


def _int32(name: str, value: int) -> int:
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{name} is {value}, which does not fit into int32")
    return value


def _size(name: str, value: int) -> int:
    if value < 0:
        raise ValueError(f"{name} is {value}; it must be 0 or more")
    return value


def _unpickle(kind: type[Network], data: bytes, state: Floats, delay: float) -> Network:
    network = from_bytes(data)
    network.__class__ = kind
    if delay != 1:
        network.delay = delay
    network.state = state
    return network


def load(path: Path, **options: Any) -> Network:
    """Load a network from a file of any kind that the library knows: its own, a state dict of PyTorch (.pt, .pth,
    .safetensors), Keras, ONNX, RTNeural, Neural Amp Modeler, ...; see rnn_load.

    options  flags, without_probe, and of a state dict layers, head, embedding, activations; see rnn_load_options_t

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     librnn.save(librnn.Network(3, 4), folder + "/net.safetensors")
    ...     net = librnn.load(folder + "/net.safetensors")
    >>> net.input_size
    3
    """
    settings, handle = _abi.rnn_load_options_t(), c_void_p()
    fill(settings, options, "load")
    check(lib.rnn_load_as(os.fsencode(path), byref(settings), None, byref(handle)))
    return Network._own(handle)


def save(network: Network, path: Path, **options: Any) -> None:
    """network.save(path, ...)."""
    network.save(path, **options)


def from_bytes(data: bytes, **options: Any) -> Network:
    """Load a network from the contents of a file; options as of load.

    >>> librnn.from_bytes(librnn.Network(3, 4).to_bytes()).input_size
    3
    """
    if not isinstance(data, bytes):
        data = bytes(memoryview(data))  # of bytes-like objects alone
    settings, handle = _abi.rnn_load_options_t(), c_void_p()
    fill(settings, options, "from_bytes")
    check(lib.rnn_load_memory_as(data, len(data), byref(settings), None, byref(handle)))
    return Network._own(handle)


def step_many(streams: Sequence[Network], x: Any, out: Optional[Array] = None) -> Floats:
    """Advance several streams that share weights by one input each: the same bits as each alone, in less time.

    x        [N, I], or whole numbers [N]
    returns  [N, O]

    >>> net = librnn.Network(3, 16, 2)
    >>> librnn.step_many([net, net.fork()], np.ones((2, 3))).shape
    (2, 2)
    """
    if not streams:
        raise ValueError("streams is empty; there must be one at least")
    array, first = np.asarray(x), streams[0]
    indexed = is_index(array)
    read: Array = ints("x", array, [len(streams)]) if indexed else floats("x", array, [len(streams), first.input_size])
    y = output("out", out, (len(streams), first.output_size), read)
    handles = (c_void_p * len(streams))(*(stream._handle.value for stream in streams))
    call = lib.rnn_step_many_index if indexed else lib.rnn_step_many
    with together(*streams):
        check(call(handles, len(streams), address(read), address(y)))
    return y
