#!/usr/bin/env python3
"""Load files as Keras 2 and 3 write them, and compare with what Keras' formulas give in double precision:

  keras_cases.py FFI LIBRARY

FFI is the folder of librnn.py, LIBRARY the shared library. Needs h5py and NumPy (Debian: python3-h5py), not Keras; exits
with 77 where they are not installed.
"""

import ctypes
import io
import itertools
import json
import math
import pathlib
import sys
import tempfile
import zipfile
from ctypes import byref

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)

T, N, I, H, O, V = 6, 3, 4, 5, 2, 7
TOLERANCE = 1e-5  # relative and absolute
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
CELLS = {"SimpleRNN": "simple_rnn_cell", "GRU": "gru_cell", "LSTM": "lstm_cell"}


# ---- Keras' formulas ----


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


ERF = np.vectorize(math.erf)

# Of a number a where the function has one.
FUNCTIONS = {
    "linear": lambda v, a: v,
    "tanh": lambda v, a: np.tanh(v),
    "relu": lambda v, a: np.maximum(v, 0),
    "sigmoid": lambda v, a: sigmoid(v),
    "softmax": lambda v, a: np.exp(v) / np.exp(v).sum(-1, keepdims=True),
    "elu": lambda v, a: np.where(v > 0, v, a * (np.exp(v) - 1)),
    "leaky_relu": lambda v, a: np.where(v > 0, v, a * v),
    "softsign": lambda v, a: v / (1 + np.abs(v)),
    "gelu": lambda v, a: v * (1 + ERF(v / np.sqrt(2))) / 2,
    "swish": lambda v, a: v * sigmoid(v),
    "silu": lambda v, a: v * sigmoid(v),
    "softplus": lambda v, a: np.log1p(np.exp(v)),
}
DEFAULTS = {"elu": 1, "leaky_relu": 0.2}


def apply(name, v, keras):
    if name == "hard_sigmoid":
        return np.clip(v / (5 if keras == 2 else 6) + 0.5, 0, 1)
    return FUNCTIONS[name](v, DEFAULTS.get(name))


def run(layer, weights, xs):
    """A direction over one sequence."""
    K, U = weights[0].astype(float), weights[1].astype(float)
    H = len(U)
    b = weights[2].astype(float) if len(weights) == 3 else np.zeros(GATES[layer["class"]] * H)
    h, c, hs = np.zeros(H), np.zeros(H), []
    for x in xs:
        if layer["class"] == "SimpleRNN":
            h = layer["f"](x @ K + h @ U + b)
        elif layer["class"] == "LSTM":
            i, f, g, o = np.split(x @ K + h @ U + b, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            after = layer["reset_after"]
            (bx, bu) = b if b.ndim == 2 else (b, 0 * b)
            xz, xr, xh = np.split(x @ K + bx, 3)
            uz, ur, uh = np.split(h @ U + bu, 3)
            z, r = sigmoid(xz + uz), sigmoid(xr + ur)
            hh = np.tanh(xh + (r * uh if after else (r * h) @ U[:, 2 * H:]))
            h = z * h + (1 - z) * hh
        hs.append(h)
    return np.array(hs)


def compute(layer, xs, keras):
    w = layer["weights"]
    if layer["class"] == "Embedding":
        return w[0].astype(float)[xs]
    if layer["class"] == "Dense":
        return apply(layer["activation"], xs @ w[0].astype(float) + (w[1].astype(float) if len(w) == 2 else 0), keras)
    if layer["class"] == "Conv1D":
        kernel, dilation, sums = w[0].astype(float), layer["config"]["dilation_rate"][0], 0
        for k in range(len(kernel)):
            back = (len(kernel) - 1 - k) * dilation
            sums = sums + np.vstack([np.zeros((back, xs.shape[1])), xs])[:len(xs)] @ kernel[k]
        return apply(layer["config"]["activation"], sums + (w[1].astype(float) if len(w) == 2 else 0), keras)
    if layer["class"] == "BatchNormalization":
        w = [values.astype(float) for values in w]
        mean, variance = w[-2:]
        gamma = w[0] if layer["config"]["scale"] else 1
        beta = w[-3] if layer["config"]["center"] else 0
        return gamma * (xs - mean) / np.sqrt(variance + layer["config"]["epsilon"]) + beta
    if layer["class"] == "Activation":
        return apply(layer["config"]["activation"], xs, keras)
    if layer["class"] == "GlobalAveragePooling1D":
        return xs.mean(0, keepdims=True)
    if layer["class"] == "GlobalMaxPooling1D":
        return xs.max(0, keepdims=True)
    if layer["class"] == "PReLU":
        return FUNCTIONS["leaky_relu"](xs, w[0].astype(float).flatten())
    if "function" in layer:
        return FUNCTIONS[layer["function"]](xs, layer["number"])
    if layer["class"] not in GATES:
        return xs
    if not layer["both"]:
        hs = run(layer, w, xs[::-1] if layer["backwards"] else xs)
        return hs if layer["sequences"] else hs[-1:]
    half = len(w) // 2
    forward, backward = run(layer, w[:half], xs), run(layer, w[half:], xs[::-1])
    if layer["sequences"]:
        backward = backward[::-1]
    else:
        forward, backward = forward[-1:], backward[-1:]
    if layer["both"] == "concat":
        return np.concatenate([forward, backward], axis=1)
    return (forward + backward) / (2 if layer["both"] == "ave" else 1)


# ---- Layers ----


def numbers(random, *shape, kind="f4"):
    return random.uniform(-0.7, 0.7, shape).astype(kind)


def recurrent(random, kind, inputs, *, units=H, bias=True, reset_after=True, sequences=True, both=None,
              backwards=False, relu=False, dtype="f4"):
    """both: the merge_mode of a Bidirectional."""
    columns = GATES[kind] * units
    weights = []
    for _ in range(2 if both else 1):
        weights += [numbers(random, inputs, columns, kind=dtype), numbers(random, units, columns, kind=dtype)]
        if bias:
            two = kind == "GRU" and reset_after
            weights.append(numbers(random, *((2, columns) if two else (columns,)), kind=dtype))
    return {"class": kind, "weights": weights, "bias": bias, "reset_after": reset_after, "sequences": sequences,
            "both": both, "units": units, "backwards": backwards, "f": (lambda v: np.maximum(v, 0)) if relu else np.tanh, "relu": relu}


def dense(random, inputs, bias=True, distributed=False, units=O, activation="linear"):
    weights = [numbers(random, inputs, units)] + ([numbers(random, units)] if bias else [])
    return {"class": "Dense", "weights": weights, "bias": bias, "distributed": distributed, "units": units,
            "activation": activation}


def convolution(random, inputs, units, size=1, dilation=1, bias=True, activation="linear"):
    weights = [numbers(random, size, inputs, units)] + ([numbers(random, units)] if bias else [])
    config = {"filters": units, "kernel_size": [size], "strides": [1], "padding": "causal" if size > 1 else "valid",
              "data_format": "channels_last", "dilation_rate": [dilation], "groups": 1, "activation": activation,
              "use_bias": bias}
    return {"class": "Conv1D", "weights": weights, "config": config, "bias": bias}


def normalization(random, width, scale=True, center=True, axis=-1):
    weights = [numbers(random, width) for _ in range(scale + center + 1)] + [abs(numbers(random, width)) + 0.3]
    return {"class": "BatchNormalization", "weights": weights,
            "config": {"axis": axis, "momentum": 0.99, "epsilon": 0.001, "center": center, "scale": scale}}


def prelu(random, *shape):
    return {"class": "PReLU", "weights": [numbers(random, *shape)], "config": {"shared_axes": [1]}}


def function(kind, name, number, **config):
    """A layer that is a function."""
    return {"class": kind, "weights": [], "function": name, "number": number, "config": config}


def embedding(random):
    return {"class": "Embedding", "weights": [numbers(random, V, I)]}


def pooling(kind):
    return {"class": f"Global{kind}Pooling1D", "weights": [], "config": {"data_format": "channels_last", "keepdims": False}}


def passing(kind, **config):
    return {"class": kind, "weights": [], "config": config}


# ---- Configurations ----


def wrapped(kind, config, keras):
    entry = {"class_name": kind, "config": config}
    return entry if keras == 2 else {"module": "keras.layers", "registered_name": None, **entry}


def config_of(layer, name, keras):
    def initializer(which):
        return wrapped(which, {"seed": None}, keras)

    base = {"name": name, "trainable": True, "dtype": "float32" if keras == 2 else wrapped("DTypePolicy", {"name": "float32"}, 3)}
    kind = layer["class"]
    if kind == "Embedding":
        own = {"input_dim": V, "output_dim": I, "embeddings_initializer": initializer("RandomUniform"),
               "embeddings_regularizer": None, "activity_regularizer": None, "embeddings_constraint": None,
               "mask_zero": False}
        own.update({"input_length": None} if keras == 2 else {"quantization_config": None})
        return wrapped(kind, {**base, **own}, keras)
    if kind == "Dense":
        config = {**base, "units": layer["units"], "activation": layer["activation"], "use_bias": layer["bias"],
                  "kernel_initializer": initializer("GlorotUniform"), "bias_initializer": initializer("Zeros"),
                  "kernel_regularizer": None, "bias_regularizer": None, "kernel_constraint": None,
                  "bias_constraint": None}
        inner = wrapped("Dense", config, keras)
        return wrapped("TimeDistributed", {**base, "layer": inner}, keras) if layer["distributed"] else inner
    if kind not in GATES:
        return wrapped(kind, {**base, **layer["config"]}, keras)
    config = {**base, "return_sequences": layer["sequences"], "return_state": False, "go_backwards": layer["backwards"],
              "stateful": False, "unroll": False, "units": layer["units"], "activation": "relu" if layer["relu"] else "tanh",
              "use_bias": layer["bias"], "kernel_initializer": initializer("GlorotUniform"),
              "recurrent_initializer": initializer("Orthogonal"), "bias_initializer": initializer("Zeros"),
              "kernel_regularizer": {"class_name": "L2", "config": {"l2": 1e-05}}, "recurrent_regularizer": None,
              "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None,
              "recurrent_constraint": None, "bias_constraint": None, "dropout": 0.1, "recurrent_dropout": 0.0}
    config.update({"time_major": False} if keras == 2 else {"zero_output_for_mask": False, "seed": None})
    if kind != "SimpleRNN":
        config.update({"recurrent_activation": "sigmoid", "implementation": 2})
    if kind == "LSTM":
        config["unit_forget_bias"] = True
    if kind == "GRU":
        config["reset_after"] = layer["reset_after"]
    inner = wrapped(kind, config, keras)
    if not layer["both"]:
        return inner
    own = {"merge_mode": layer["both"], "layer": inner}
    if keras == 3:
        own["layer"] = wrapped(kind, {**config, "name": "forward_x"}, 3)
        own["backward_layer"] = wrapped(kind, {**config, "name": "backward_x", "go_backwards": True}, 3)
    return wrapped("Bidirectional", {**base, **own}, keras)


def outer_class(layer):
    return "Bidirectional" if layer.get("both") else "TimeDistributed" if layer.get("distributed") else layer["class"]


def snake(kind):
    return {"SimpleRNN": "simple_rnn", "TimeDistributed": "time_distributed", "InputLayer": "input_layer",
            "BatchNormalization": "batch_normalization", "PReLU": "p_re_lu", "LeakyReLU": "leaky_re_lu",
            "ReLU": "re_lu", "GlobalAveragePooling1D": "global_average_pooling1d",
            "GlobalMaxPooling1D": "global_max_pooling1d"}.get(kind, kind.lower())


def input_layer(keras, indexed):
    shape = [None, None] if indexed else [None, None, I]
    key = "batch_input_shape" if keras == 2 else "batch_shape"
    return wrapped("InputLayer", {key: shape, "dtype": "float32", "sparse": False, "ragged": False, "name": "input_1"}, keras)


def model_config(layers, names, keras, functional):
    entries = [input_layer(keras, layers[0]["class"] == "Embedding")]
    entries += [config_of(layer, name, keras) for layer, name in zip(layers, names)]
    if not functional:
        return {"class_name": "Sequential", "config": {"name": "sequential", "layers": entries}}
    before = ["input_1"] + names[:-1]
    for i, entry in enumerate(entries):
        entry["name"] = ["input_1", *names][i]
        entry["inbound_nodes"] = []
        if i > 0 and keras == 2:
            entry["inbound_nodes"] = [[[before[i - 1], 0, 0, {"training": None}]]]
        elif i > 0:
            tensor = {"class_name": "__keras_tensor__",
                      "config": {"shape": [None, None, 4], "dtype": "float32", "keras_history": [before[i - 1], 0, 0]}}
            entry["inbound_nodes"] = [{"args": [tensor], "kwargs": {"mask": None, "training": False}}]
    nested = keras == 2
    config = {"name": "model", "trainable": True, "layers": entries,
              "input_layers": [["input_1", 0, 0]] if nested else ["input_1", 0, 0],
              "output_layers": [[names[-1], 0, 0]]}
    return {"class_name": "Functional", "config": config}


# ---- Files ----


def legacy(layers, names, config, keras):
    """.h5: weights by names."""
    file = io.BytesIO()
    with h5py.File(file, "w") as f:
        f.attrs["model_config"] = json.dumps(config).encode("utf8")
        f.attrs["keras_version"] = "2.15.0" if keras == 2 else "3.9.0"
        f.attrs["backend"] = "tensorflow"
        group = f.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in ["input_1", *names]]
        group.create_group("input_1").attrs["weight_names"] = []
        for name, layer in sorted(zip(names, layers), key=lambda pair: pair[0]):
            own = group.create_group(name)
            variables = paths(layer, name, keras)
            own.attrs["weight_names"] = [path.encode() for path in variables]
            for path, values in zip(variables, layer["weights"]):
                own.create_dataset(path, values.shape, dtype=values.dtype)[:] = values
        group.create_group("top_level_model_weights").attrs["weight_names"] = []
    return file.getvalue()


def paths(layer, name, keras):
    end, root = (":0", "") if keras == 2 else ("", "sequential/")
    kind = layer["class"]
    if kind == "Embedding":
        return [f"{root}{name}/embeddings{end}"]
    if kind == "Dense":
        return [f"{root}{name}/{part}{end}" for part in ["kernel", "bias"][:len(layer["weights"])]]
    if kind == "Conv1D":
        return [f"{root}{name}/{part}{end}" for part in ["kernel", "bias"][:len(layer["weights"])]]
    if kind == "PReLU":
        return [f"{root}{name}/alpha{end}"]
    if kind == "BatchNormalization":
        named = {"gamma": layer["config"]["scale"], "beta": layer["config"]["center"], "moving_mean": True,
                 "moving_variance": True}
        return [f"{root}{name}/{part}{end}" for part in named if named[part]]
    if kind not in GATES:
        return []
    parts = ["kernel", "recurrent_kernel"] + (["bias"] if layer["bias"] else [])
    if not layer["both"]:
        return [f"{root}{name}/{CELLS[kind]}/{part}{end}" for part in parts]
    return [f"{root}{name}/{way}_x/{CELLS[kind]}/{part}{end}" for way in ("forward", "backward") for part in parts]


def archive(layers, names, config, keras):
    """.keras: weights by classes."""
    file = io.BytesIO()
    with h5py.File(file, "w") as f:
        f.create_group("vars")
        counts = {}
        top = "layers" if keras == 3 else "_layer_checkpoint_dependencies"
        for layer in layers:
            name = snake(outer_class(layer))
            count = counts[name] = counts.get(name, -1) + 1
            path = f"{top}/{name}" + (f"_{count}" if count else "")
            f.require_group(path).create_group("vars")
            w = layer["weights"]
            if layer.get("both"):
                half = len(w) // 2
                places = {"forward_layer/cell": w[:half], "backward_layer/cell": w[half:]}
            else:
                inner = "/cell" if layer["class"] in GATES else "/layer" if layer.get("distributed") else ""
                places = {inner: w}
            for inner, values in places.items():
                group = f.require_group(f"{path}/{inner}/vars")
                for i, value in enumerate(values):
                    group[str(i)] = value
            if layer["class"] in GATES and not layer["both"]:
                f.create_group(f"{path}/cell/seed_generator/vars")["0"] = np.array([1, 2], "u4")
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as z:
        with z.open("metadata.json", "w") as entry:
            entry.write(json.dumps({"keras_version": "2.13.1" if keras == 2 else "3.9.0", "date_saved": "2025-01-01@00:00:00"}).encode())
        with z.open("config.json", "w") as entry:
            entry.write(json.dumps({**config, "build_config": {}, "compile_config": None}).encode())
        z.writestr("model.weights.h5", file.getvalue())
    return result.getvalue()


# ---- Cases ----


def cases(random):
    for kind in GATES:
        for more in ({}, {"bias": False}, {"sequences": False}, {"both": "concat"}, {"both": "concat", "sequences": False},
                     {"dtype": "f2"}, {"dtype": "f8"}):
            width = 2 * H if more.get("both") else H
            yield [recurrent(random, kind, I, **more)]
            yield [recurrent(random, kind, I, **more), dense(random, width)]
        for both in (None, "concat"):
            width = 2 * H if both else H
            yield [embedding(random), recurrent(random, kind, I, both=both), passing("Dropout", rate=0.5),
                   recurrent(random, kind, width, both=both), dense(random, width, distributed=True)]
            yield [recurrent(random, kind, I, both=both), recurrent(random, kind, width, both=both, bias=False),
                   recurrent(random, kind, width, both=both, sequences=False), dense(random, width, bias=False)]
    yield [recurrent(random, "SimpleRNN", I, relu=True), passing("Activation", activation="linear"),
           recurrent(random, "SimpleRNN", H, relu=True)]
    yield [recurrent(random, "GRU", I, reset_after=False), recurrent(random, "GRU", H, reset_after=False)]
    yield [recurrent(random, "GRU", I if i == 0 else H) for i in range(20)] + [dense(random, H)]
    yield from lists(random)


def lists(random):
    for name in [*FUNCTIONS, "hard_sigmoid"]:
        yield [dense(random, I, units=3, activation=name), recurrent(random, "LSTM", 3), dense(random, H, activation=name)]
        yield [recurrent(random, "GRU", I), passing("Activation", activation=name), dense(random, H)]
    yield [recurrent(random, "GRU", I), dense(random, H, units=3), function("LeakyReLU", "leaky_relu", 0.1, alpha=0.1)]
    yield [recurrent(random, "GRU", I), function("LeakyReLU", "leaky_relu", 0.3, negative_slope=0.3), dense(random, H)]
    yield [recurrent(random, "GRU", I), function("LeakyReLU", "leaky_relu", 0, negative_slope=0), dense(random, H)]
    yield [recurrent(random, "GRU", I), function("LeakyReLU", "leaky_relu", 0.3), dense(random, H)]
    yield [dense(random, I, units=3), function("ELU", "elu", 0.5, alpha=0.5), recurrent(random, "GRU", 3)]
    yield [dense(random, I, units=3), function("ReLU", "relu", 0, max_value=None, negative_slope=0.0, threshold=0.0)]
    yield [dense(random, I, units=3), function("ReLU", "leaky_relu", 0.5, negative_slope={"value": 0.5})]
    yield [dense(random, I, units=3), function("Softmax", "softmax", None, axis=-1)]
    yield [dense(random, I, units=3), prelu(random, 1, 3), recurrent(random, "LSTM", 3), prelu(random, 1, 1)]
    yield [recurrent(random, "LSTM", I, sequences=False), dense(random, H, units=3), prelu(random, 3), dense(random, 3)]
    yield [recurrent(random, "LSTM", I, units=7), recurrent(random, "GRU", 7, units=3),
           recurrent(random, "SimpleRNN", 3, relu=True), dense(random, H, units=4, activation="relu"),
           passing("Dropout", rate=0.3), dense(random, 4, activation="softmax")]
    yield [dense(random, I, units=6, activation="tanh"), dense(random, 6, units=3), recurrent(random, "GRU", 3, bias=False)]
    for more in ({}, {"bias": False}, {"activation": "relu"}):
        yield [convolution(random, I, 3, **more), recurrent(random, "LSTM", 3), convolution(random, H, 2, **more)]
        yield [normalization(random, I), convolution(random, I, 3, **more), normalization(random, 3), dense(random, 3)]
    for more in ({}, {"dilation": 2}, {"activation": "tanh", "bias": False}):
        yield [convolution(random, I, 3, 3, **more), recurrent(random, "GRU", 3), dense(random, H)]
        yield [normalization(random, I), convolution(random, I, 3, 2, **more), normalization(random, 3),
               passing("Activation", activation="relu"), convolution(random, 3, 4, 3), recurrent(random, "LSTM", 4)]
    for mode in ("sum", "ave", "concat"):
        width = 2 * H if mode == "concat" else H
        yield [recurrent(random, "GRU", I, both=mode), dense(random, width, activation="tanh")]
        yield [dense(random, I, units=3), recurrent(random, "LSTM", 3, both=mode), recurrent(random, "GRU", width, both=mode)]
        yield [recurrent(random, "LSTM", I, both=mode), recurrent(random, "LSTM", width), dense(random, H)]
    yield [recurrent(random, "LSTM", I, both="ave"), normalization(random, H), passing("Activation", activation="tanh")]
    # A layer that goes backwards hands its outputs on in that order.
    yield [recurrent(random, "LSTM", I, backwards=True), recurrent(random, "GRU", H, backwards=True), dense(random, H)]
    yield [recurrent(random, "LSTM", I), recurrent(random, "GRU", H, backwards=True, sequences=False), dense(random, H)]
    yield [recurrent(random, "LSTM", I, backwards=True), recurrent(random, "GRU", H, sequences=False), dense(random, H)]
    yield [recurrent(random, "LSTM", I, backwards=True), recurrent(random, "GRU", H, backwards=True, sequences=False),
           dense(random, H, units=3, activation="relu"), dense(random, 3, activation="softmax")]
    for more in ({}, {"scale": False}, {"center": False}, {"axis": [2]}):
        yield [dense(random, I, units=3), normalization(random, 3, **more), passing("Activation", activation="relu"),
               recurrent(random, "LSTM", 3)]
        yield [normalization(random, I, **more), recurrent(random, "GRU", I), normalization(random, H, **more),
               recurrent(random, "LSTM", H, both="concat"), normalization(random, 2 * H, **more), dense(random, 2 * H)]
        yield [normalization(random, I, **more), normalization(random, I), dense(random, I, activation="tanh"),
               normalization(random, O, **more)]
    yield [embedding(random), normalization(random, I), recurrent(random, "GRU", I), dense(random, H)]
    yield [embedding(random), recurrent(random, "GRU", I, sequences=False), normalization(random, H, axis=1),
           dense(random, H, activation="sigmoid")]
    yield from pooled(random)


def pooled(random):
    """One vector for a sequence, and dense layers that read it."""
    def behind(width):
        return [dense(random, width, units=3, activation="relu"), dense(random, 3, activation="softmax")]

    for both, width in (("concat", 2 * H), ("sum", H), ("ave", H)):
        yield [recurrent(random, "LSTM", I, both=both, sequences=False)]
        yield [recurrent(random, "LSTM", I, both=both, sequences=False), *behind(width)]
        yield [recurrent(random, "GRU", I, both=both, sequences=False), passing("Activation", activation="tanh"),
               normalization(random, width, axis=1), *behind(width)]
    yield [recurrent(random, "GRU", I, backwards=True, sequences=False), *behind(H)]
    for kind in ("Average", "Max"):
        for both, width in ((None, H), ("concat", 2 * H), ("sum", H), ("ave", H)):
            yield [recurrent(random, "GRU", I, both=both), pooling(kind), *behind(width)]
            yield [recurrent(random, "LSTM", I, both=both), normalization(random, width), pooling(kind), *behind(width)]
            yield [recurrent(random, "GRU", I, both=both), dense(random, width, units=4, activation="tanh"), pooling(kind),
                   passing("Dropout", rate=0.5), *behind(4)]
        for layer in (dense(random, H), dense(random, H, activation="elu")):
            yield [recurrent(random, "LSTM", I), layer, pooling(kind)]
            yield [recurrent(random, "LSTM", I), layer, normalization(random, O), pooling(kind), normalization(random, O, axis=1)]
        yield [recurrent(random, "LSTM", I, backwards=True), passing("Activation", activation="relu"), pooling(kind), *behind(H)]
        yield [embedding(random), pooling(kind), *behind(I)]
        yield [embedding(random), pooling(kind)]
        yield [embedding(random), convolution(random, I, 4, 3, activation="relu"), pooling(kind), *behind(4)]
        yield [convolution(random, I, 4, activation="relu"), pooling(kind), *behind(4)]
        yield [dense(random, I, units=4, activation="tanh"), dense(random, 4, units=3), pooling(kind), *behind(3)]


def forward(rnn, binding, network, given, pooling, size):
    y = (ctypes.c_float * size)()
    binding.call("rnn_forward", network.handle, byref(given), byref(rnn.ForwardOptions(pooling=pooling)), y)
    return np.array(y)


def check(rnn, binding, path, layers, keras, random):
    network = rnn.Network(binding, path=str(path))
    if layers[0]["class"] == "Embedding":
        x = random.integers(0, V, (N, T))
        indices = (ctypes.c_int32 * (N * T))(*[int(i) for i in x.flatten()])
        given = rnn.Sequences(count=N, frames=N * T, lengths=(ctypes.c_size_t * N)(*[T] * N), indices=indices)
    else:
        x = random.uniform(-1, 1, (N, T, I)).astype("f4")
        given = rnn.sequences([T] * N, [float(v) for v in x.flatten()])
    expected = []
    for xs in x:
        for layer in layers:
            xs = compute(layer, xs, keras)
        expected.append(xs)
    expected = np.array(expected)
    kinds = [layer["class"] for layer in layers]
    pooling = (1 if any(not layer.get("sequences", True) for layer in layers) else
               2 if "GlobalAveragePooling1D" in kinds else 3 if "GlobalMaxPooling1D" in kinds else 0)
    y = forward(rnn, binding, network, given, pooling, expected.size).reshape(expected.shape)
    difference = (np.abs(y - expected) / (1 + np.abs(expected))).max()
    return None if difference <= TOLERANCE else f"differs by {difference:.1e}"


def main():
    sys.path.insert(0, sys.argv[1])
    import librnn as rnn

    binding, failed, count, random = rnn.Binding(sys.argv[2]), 0, 0, np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        for layers in cases(random):
            names = [f"{snake(outer_class(layer))}_{99 - i}" for i, layer in enumerate(layers)]
            for keras, functional, write in itertools.product((2, 3), (False, True), (legacy, archive)):
                config = model_config(layers, names, keras, functional)
                path = pathlib.Path(folder) / "case"
                path.write_bytes(write(layers, names, config, keras))
                count += 1
                try:
                    problem = check(rnn, binding, path, layers, keras, random)
                except RuntimeError as error:
                    problem = str(error)
                if problem:
                    failed += 1
                    print(f"Keras {keras}, {write.__name__}, {config['class_name']}, "
                          f"{[outer_class(layer) for layer in layers]}: {problem}")
    print(f"Files of Keras: {count - failed} as its formulas, {failed} failed")
    sys.exit(failed > 0)


main()
