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


def run(layer, weights, xs):
    """A direction over one sequence."""
    K, U = weights[0].astype(float), weights[1].astype(float)
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


def compute(layer, xs):
    w = layer["weights"]
    if layer["class"] == "Embedding":
        return w[0].astype(float)[xs]
    if layer["class"] == "Dense":
        return xs @ w[0].astype(float) + (w[1].astype(float) if len(w) == 2 else 0)
    if not layer["both"]:
        hs = run(layer, w, xs)
        return hs if layer["sequences"] else hs[-1:]
    half = len(w) // 2
    forward, backward = run(layer, w[:half], xs), run(layer, w[half:], xs[::-1])
    if layer["sequences"]:
        return np.concatenate([forward, backward[::-1]], axis=1)
    return np.concatenate([forward[-1:], backward[-1:]], axis=1)


# ---- Layers ----


def numbers(random, *shape, kind="f4"):
    return random.uniform(-0.7, 0.7, shape).astype(kind)


def recurrent(random, kind, inputs, *, bias=True, reset_after=True, sequences=True, both=False, relu=False, dtype="f4"):
    columns = GATES[kind] * H
    weights = []
    for _ in range(2 if both else 1):
        weights += [numbers(random, inputs, columns, kind=dtype), numbers(random, H, columns, kind=dtype)]
        if bias:
            two = kind == "GRU" and reset_after
            weights.append(numbers(random, *((2, columns) if two else (columns,)), kind=dtype))
    return {"class": kind, "weights": weights, "bias": bias, "reset_after": reset_after, "sequences": sequences,
            "both": both, "f": (lambda v: np.maximum(v, 0)) if relu else np.tanh, "relu": relu}


def dense(random, inputs, bias=True, distributed=False):
    weights = [numbers(random, inputs, O)] + ([numbers(random, O)] if bias else [])
    return {"class": "Dense", "weights": weights, "bias": bias, "distributed": distributed}


def embedding(random):
    return {"class": "Embedding", "weights": [numbers(random, V, I)]}


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
        config = {**base, "units": O, "activation": "linear", "use_bias": layer["bias"],
                  "kernel_initializer": initializer("GlorotUniform"), "bias_initializer": initializer("Zeros"),
                  "kernel_regularizer": None, "bias_regularizer": None, "kernel_constraint": None,
                  "bias_constraint": None}
        inner = wrapped("Dense", config, keras)
        return wrapped("TimeDistributed", {**base, "layer": inner}, keras) if layer["distributed"] else inner
    if kind not in GATES:
        return wrapped(kind, {**base, **layer["config"]}, keras)
    config = {**base, "return_sequences": layer["sequences"], "return_state": False, "go_backwards": False,
              "stateful": False, "unroll": False, "units": H, "activation": "relu" if layer["relu"] else "tanh",
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
    own = {"merge_mode": "concat", "layer": inner}
    if keras == 3:
        own["layer"] = wrapped(kind, {**config, "name": "forward_x"}, 3)
        own["backward_layer"] = wrapped(kind, {**config, "name": "backward_x", "go_backwards": True}, 3)
    return wrapped("Bidirectional", {**base, **own}, keras)


def outer_class(layer):
    return "Bidirectional" if layer.get("both") else "TimeDistributed" if layer.get("distributed") else layer["class"]


def snake(kind):
    return {"SimpleRNN": "simple_rnn", "TimeDistributed": "time_distributed", "InputLayer": "input_layer"}.get(
        kind, kind.lower())


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
            entry.write(json.dumps({"keras_version": "3.9.0", "date_saved": "2025-01-01@00:00:00"}).encode())
        with z.open("config.json", "w") as entry:
            entry.write(json.dumps({**config, "build_config": {}, "compile_config": None}).encode())
        z.writestr("model.weights.h5", file.getvalue())
    return result.getvalue()


# ---- Cases ----


def cases(random):
    for kind in GATES:
        for more in ({}, {"bias": False}, {"sequences": False}, {"both": True}, {"both": True, "sequences": False},
                     {"dtype": "f2"}, {"dtype": "f8"}):
            width = 2 * H if more.get("both") else H
            yield [recurrent(random, kind, I, **more)]
            yield [recurrent(random, kind, I, **more), dense(random, width)]
        for both in (False, True):
            width = 2 * H if both else H
            yield [embedding(random), recurrent(random, kind, I, both=both), passing("Dropout", rate=0.5),
                   recurrent(random, kind, width, both=both), dense(random, width, distributed=True)]
            yield [recurrent(random, kind, I, both=both), recurrent(random, kind, width, both=both, bias=False),
                   recurrent(random, kind, width, both=both, sequences=False), dense(random, width, bias=False)]
    yield [recurrent(random, "SimpleRNN", I, relu=True), passing("Activation", activation="linear"),
           recurrent(random, "SimpleRNN", H, relu=True)]
    yield [recurrent(random, "GRU", I, reset_after=False), recurrent(random, "GRU", H, reset_after=False)]
    yield [recurrent(random, "GRU", I if i == 0 else H) for i in range(20)] + [dense(random, H)]


def forward(rnn, binding, network, given, pooling, size):
    y = (ctypes.c_float * size)()
    binding.call("rnn_forward", network.handle, byref(given), byref(rnn.ForwardOptions(pooling=pooling)), y)
    return np.array(y)


def check(rnn, binding, path, layers, random):
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
            if layer["weights"]:
                xs = compute(layer, xs)
        expected.append(xs)
    expected = np.array(expected)
    last = any(not layer.get("sequences", True) for layer in layers)
    y = forward(rnn, binding, network, given, int(last), expected.size).reshape(expected.shape)
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
                    problem = check(rnn, binding, path, layers, random)
                except RuntimeError as error:
                    problem = str(error)
                if problem:
                    failed += 1
                    print(f"Keras {keras}, {write.__name__}, {config['class_name']}, "
                          f"{[outer_class(layer) for layer in layers]}: {problem}")
    print(f"Files of Keras: {count - failed} as its formulas, {failed} failed")
    sys.exit(failed > 0)


main()
