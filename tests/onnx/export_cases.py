#!/usr/bin/env python3
"""Write networks as ONNX files, and beside each what librnn makes of some sequences:

  export_cases.py FFI LIBRARY FOLDER

FFI is the folder of librnn.py, LIBRARY the shared library. FOLDER gets NAME.onnx and NAME.json. Needs onnx (Debian:
python3-onnx).
"""

import json
import pathlib
import random
import sys

import onnx

STEPS, SEQUENCES, INPUTS, HIDDEN, OUTPUTS = 5, 3, 4, 6, 2
LISTS = 100


def variants(rnn):
    """{name: configuration}"""
    cells = {"vanilla": {"cell": rnn.VANILLA}, "relu": {"cell": rnn.VANILLA, "flags": rnn.RELU},
             "gru": {"cell": rnn.GRU}, "gru_reset_before": {"cell": rnn.GRU, "flags": rnn.RESET_BEFORE},
             "lstm": {"cell": rnn.LSTM}, "lstm_peepholes": {"cell": rnn.LSTM, "flags": rnn.PEEPHOLES},
             "lstm_coupled": {"cell": rnn.LSTM, "flags": rnn.COUPLED_GATES},
             "lstm_coupled_peepholes": {"cell": rnn.LSTM, "flags": rnn.COUPLED_GATES + rnn.PEEPHOLES}}
    result = {}
    for name, cell in cells.items():
        for layers in 1, 2, 3:
            for direction, flags in ("", 0), ("_bidirectional", rnn.BIDIRECTIONAL):
                for head, outputs in ("", 0), ("_head", OUTPUTS):
                    result[f"{name}_{layers}{direction}{head}"] = {
                        **cell, "num_layers": layers, "output_size": outputs, "flags": cell.get("flags", 0) | flags}
    for name, cell in ("mingru", rnn.MIN_GRU), ("minlstm", rnn.MIN_LSTM):
        result[name] = {"cell": cell, "output_size": OUTPUTS}
        result[f"{name}_states"] = {"cell": cell, "num_layers": 2, "flags": rnn.BIDIRECTIONAL}
    lstm = {"cell": rnn.LSTM, "num_layers": 3, "output_size": OUTPUTS}
    result["lstm_no_bias"] = {**lstm, "flags": rnn.NO_BIAS}
    result["lstm_residual"] = {**lstm, "flags": rnn.RESIDUAL}
    result["lstm_residual_bidirectional"] = {**lstm, "flags": rnn.RESIDUAL + rnn.BIDIRECTIONAL}
    result["lstm_initial"] = {**lstm, "initial_state": rnn.INITIAL_FIXED}
    result["gru_initial_bidirectional"] = {"cell": rnn.GRU, "initial_state": rnn.INITIAL_FIXED,
                                           "flags": rnn.BIDIRECTIONAL}
    result["lstm_states"] = {**lstm, "flags": rnn.BIDIRECTIONAL}
    result["gru_states"] = {"cell": rnn.GRU, "num_layers": 2}
    result["gru_embedding"] = {"cell": rnn.GRU, "embedding_size": 3, "input_size": 7, "output_size": 7}
    result["gru_tied"] = {"cell": rnn.GRU, "embedding_size": HIDDEN, "input_size": 7, "output_size": 7,
                          "flags": rnn.TIED_HEAD}
    for count in range(LISTS):
        made = random_list(rnn, random.Random(count), reverse=count % 3 != 0)
        result[f"list_{count}" + ("_states" if count % 4 == 0 else "")] = made
    return result


# The widest activation's number, and those that have alpha, or alpha and beta.
SOFTPLUS, WITH_ALPHA, WITH_BETA = 12, {5: [0.5, 1.25], 6: [0.125, 0.5], 11: [0.25, 0.125]}, {11: [0.5, 0.25]}


def random_list(rnn, source, reverse):
    """Of 1 to 5 layers."""
    inputs = source.randint(1, 6)
    layers, width = [], inputs
    for _ in range(source.randint(1, 5)):
        kind = source.choice([rnn.VANILLA, rnn.GRU, rnn.LSTM, rnn.MIN_GRU, rnn.MIN_LSTM, rnn.DENSE, rnn.CONV1D])
        layer = {"kind": kind, "size": source.randint(1, 7)}
        flags = {rnn.VANILLA: [rnn.RELU], rnn.GRU: [rnn.RESET_BEFORE], rnn.LSTM: [rnn.PEEPHOLES, rnn.COUPLED_GATES],
                 rnn.MIN_GRU: [], rnn.MIN_LSTM: []}
        layer["flags"] = sum(flag for flag in [rnn.NO_BIAS, *flags.get(kind, [])] if source.random() < 0.3)
        if kind in flags and reverse:
            layer["direction"] = source.randrange(4)
        if kind not in flags:
            layer["activation"] = source.randrange(SOFTPLUS + 1)
            for name, numbers in ("alpha", WITH_ALPHA), ("beta", WITH_BETA):
                if layer["activation"] in numbers:
                    layer[name] = source.choice(numbers[layer["activation"]])
        if kind == rnn.CONV1D:
            layer.update(kernel_size=source.randint(1, 4), dilation=source.randint(1, 3))
        directions = 2 if layer.get("direction") == 2 else 1
        if layers and source.random() < 0.5 and width % directions == 0:
            layer.update(size=width // directions, flags=layer["flags"] + rnn.RESIDUAL)
        width = layer["size"] * directions
        layers.append(rnn.Layer(**layer))
    skip = source.randint(0, min(inputs, width))
    return {"layers": layers, "input_size": inputs, "skip": skip}


def time_first(values, steps, sequences, width):
    """[N, T, width] as [T, N, width], flat."""
    return [v for t in range(steps) for n in range(sequences)
            for v in values[(n * steps + t) * width:(n * steps + t + 1) * width]]


def state_shapes(rnn, config):
    """(name, vectors, width) of each state, in the order in which they stand."""
    layers, h, c = config.get("layers"), [], []
    if not layers:
        direction = 2 if config["flags"] & rnn.BIDIRECTIONAL else 0
        layers = [rnn.Layer(kind=config["cell"], size=HIDDEN, direction=direction)] * config["num_layers"]
    width = config["input_size"]
    for l, layer in enumerate(layers):
        if layer.kind == rnn.CONV1D and layer.kernel_size > 1:
            h.append((f"past_l{l}", (layer.kernel_size - 1) * layer.dilation, width))
        if layer.kind < rnn.DENSE:
            directions = 2 if layer.direction >= 2 else 1
            h.append((f"h_l{l}", directions, layer.size))
            if layer.kind == rnn.LSTM:
                c.append((f"c_l{l}", directions, layer.size))
        width = layer.size * (2 if layer.direction == 2 else 1)
    return h + c


def states_of(shapes, which, states):
    """Those of each layer by their names in the file, as [vectors, N, width] of values, and width, from [N, S]."""
    result, first, size = {}, 0, len(states) // SEQUENCES
    for name, vectors, width in shapes:
        starts = [n * size + first + d * width for d in range(vectors) for n in range(SEQUENCES)]
        result[f"{which}_{name}"] = {"shape": [vectors, SEQUENCES, width],
                                     "values": [v for at in starts for v in states[at:at + width]]}
        first += vectors * width
    assert first == size
    return result


def require_states(path):
    """Take the defaults of the initial states away: who runs the file has to give them."""
    model = onnx.load(str(path))
    kept = [one for one in model.graph.initializer if not one.name.startswith("initial_")]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, str(path))


def write_case(binding, rnn, folder, name, config, source):
    if "layers" not in config:
        config = {"num_layers": 1, "flags": 0, "input_size": INPUTS, "hidden_size": HIDDEN, **config}
    network = rnn.Network(binding, seed=len(name), **config)
    for parameter, count in network.names().items():
        if any(part in parameter for part in ("initial_", "bias", "slope")):
            network.set(parameter, [source.uniform(-1, 1) for _ in range(count)])
    path, initial = folder / f"{name}.onnx", None
    network.save(str(path))
    onnx.checker.check_model(str(path))
    shapes = state_shapes(rnn, config)
    case = {"steps": STEPS, "sequences": SEQUENCES, "inputs": config["input_size"], "states": {}}
    if name.endswith("_states"):
        require_states(path)
        initial = [source.uniform(-1, 1) for _ in range(SEQUENCES * network.state_size)]
        case["states"] = states_of(shapes, "initial", initial)
    if config.get("embedding_size"):
        x = [source.randrange(config["input_size"]) for _ in range(SEQUENCES * STEPS)]
        y, final = network.forward_indices([STEPS] * SEQUENCES, x)
        case["indices"] = time_first(x, STEPS, SEQUENCES, 1)
    else:
        x = [source.gauss(0, 1) for _ in range(SEQUENCES * STEPS * config["input_size"])]
        y, final = network.forward([STEPS] * SEQUENCES, x, initial)
        case["x"] = time_first(x, STEPS, SEQUENCES, config["input_size"])
    case["outputs"] = {"y": {"values": time_first(y, STEPS, SEQUENCES, network.output_size)},
                       **states_of(shapes, "final", final)}
    (folder / f"{name}.json").write_text(json.dumps(case))


def main():
    sys.path.insert(0, sys.argv[1])
    import librnn as rnn

    binding, folder = rnn.Binding(sys.argv[2]), pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    source = random.Random(1)
    for name, config in variants(rnn).items():
        write_case(binding, rnn, folder, name, config, source)


main()
