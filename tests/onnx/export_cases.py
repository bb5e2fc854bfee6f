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
    return result


def time_first(values, steps, sequences, width):
    """[N, T, width] as [T, N, width], flat."""
    return [v for t in range(steps) for n in range(sequences)
            for v in values[(n * steps + t) * width:(n * steps + t + 1) * width]]


def states_of(network, config, which, states):
    """Those of each layer by their names in the file, [D, N, H], from [N, S]."""
    directions = 2 if config["flags"] & 8 else 1
    layers, part_size = config["num_layers"], config["num_layers"] * directions * HIDDEN
    result = {}
    for part in range(network.state_size // part_size):
        for layer in range(layers):
            result[f"{which}_{'hc'[part]}_l{layer}"] = [
                v for d in range(directions) for n in range(SEQUENCES)
                for at in [n * network.state_size + part * part_size + (layer * directions + d) * HIDDEN]
                for v in states[at:at + HIDDEN]]
    return result


def require_states(path):
    """Take the defaults of the initial states away: who runs the file has to give them."""
    model = onnx.load(str(path))
    kept = [one for one in model.graph.initializer if not one.name.startswith("initial_")]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, str(path))


def write_case(binding, rnn, folder, name, config, source):
    config = {"num_layers": 1, "flags": 0, "input_size": INPUTS, "hidden_size": HIDDEN, **config}
    network = rnn.Network(binding, seed=len(name), **config)
    for parameter, count in network.names().items():
        if parameter.startswith(("initial_", "bias_", "head.bias")):
            network.set(parameter, [source.uniform(-1, 1) for _ in range(count)])
    path, initial = folder / f"{name}.onnx", None
    network.save(str(path))
    onnx.checker.check_model(str(path))
    case = {"steps": STEPS, "sequences": SEQUENCES, "inputs": config["input_size"], "hidden": HIDDEN, "states": {}}
    if name.endswith("_states"):
        require_states(path)
        initial = [source.uniform(-1, 1) for _ in range(SEQUENCES * network.state_size)]
        case["states"] = states_of(network, config, "initial", initial)
    if config.get("embedding_size"):
        x = [source.randrange(config["input_size"]) for _ in range(SEQUENCES * STEPS)]
        y, final = network.forward_indices([STEPS] * SEQUENCES, x)
        case["indices"] = time_first(x, STEPS, SEQUENCES, 1)
    else:
        x = [source.gauss(0, 1) for _ in range(SEQUENCES * STEPS * INPUTS)]
        y, final = network.forward([STEPS] * SEQUENCES, x, initial)
        case["x"] = time_first(x, STEPS, SEQUENCES, INPUTS)
    case["outputs"] = {"y": time_first(y, STEPS, SEQUENCES, network.output_size),
                       **states_of(network, config, "final", final)}
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
