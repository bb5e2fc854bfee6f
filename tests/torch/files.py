#!/usr/bin/env python3
"""Exchange state dicts with PyTorch: files.py FFI LIBRARY

FFI is the folder of librnn.py, LIBRARY the shared library. A module with an RNN, GRU or LSTM, and an Embedding and a
Linear or not, goes into a safetensors file, a JSON file and one of torch.save, is loaded by librnn, and gives the same
outputs, as does one with an RNNCell, GRUCell or LSTMCell; and a network of librnn goes the other way, through
load_state_dict(strict=True). Exits with 77 without PyTorch.
"""

import io
import itertools
import json
import struct
import sys

from pytorch import torch

BOUND = 1e-6
CELLS = ["tanh", "relu", "GRU", "LSTM", "LSTM projected"]
I, E, H, P, O, T = 6, 5, 9, 4, 3, 7
TYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
NAMES = dict(layers=b"body.rnn.", head=b"fc.", embedding=b"tokens.")


class Model(torch.nn.Module):
    def __init__(self, cell, layers, both, bias, table, head):
        super().__init__()
        if table:
            self.tokens = torch.nn.Embedding(I, E)
        options = dict(num_layers=layers, bidirectional=both, bias=bias, batch_first=True)
        kind, more = {"tanh": (torch.nn.RNN, {}), "relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
                      "GRU": (torch.nn.GRU, {}), "LSTM": (torch.nn.LSTM, {}),
                      "LSTM projected": (torch.nn.LSTM, {"proj_size": P})}[cell]
        self.body = torch.nn.ModuleDict({"rnn": kind(E if table else I, H, **options, **more)})
        width = (P if more.get("proj_size") else H) * (2 if both else 1)
        if head:
            self.fc = torch.nn.Linear(width, O, bias=bias)
        for parameter in self.parameters():  # small enough that float32 keeps 1e-6
            torch.nn.init.uniform_(parameter, -0.3, 0.3)

    def forward(self, x):
        if hasattr(self, "tokens"):
            x = self.tokens(x)
        y = self.body["rnn"](x.unsqueeze(0))[0].squeeze(0)
        return self.fc(y) if hasattr(self, "fc") else y


class CellModel(torch.nn.Module):
    def __init__(self, cell, bias):
        super().__init__()
        kind, more = {"tanh": (torch.nn.RNNCell, {}), "relu": (torch.nn.RNNCell, {"nonlinearity": "relu"}),
                      "GRU": (torch.nn.GRUCell, {}), "LSTM": (torch.nn.LSTMCell, {})}[cell]
        self.cell = kind(I, H, bias=bias, **more)
        self.fc = torch.nn.Linear(H, O, bias=bias)

    def forward(self, x):
        state, outputs = None, []
        for step in x:
            state = self.cell(step, state)
            outputs.append(self.fc(state[0] if isinstance(state, tuple) else state))
        return torch.stack(outputs)


def write_json(tensors):
    return json.dumps({name: tensor.tolist() for name, tensor in tensors.items()}).encode()


def write_safetensors(tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = bytes(tensor.detach().contiguous().flatten().view(torch.uint8).tolist())
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def read_safetensors(file):
    """The tensors, all of float32."""
    size, = struct.unpack("<Q", file[:8])
    header = json.loads(file[8:8 + size])
    header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = bytearray(file[8 + size + begin:8 + size + end])
        tensors[name] = torch.frombuffer(raw, dtype=torch.float32).reshape(entry["shape"]).clone()
    return tensors


def write_torch(tensors):
    file = io.BytesIO()
    torch.save(tensors, file)
    return file.getvalue()


def steps(table):
    return torch.randint(I, (T,)) if table else torch.rand(T, I) * 2 - 1


def difference(network, model, x):
    """The largest between the outputs of both."""
    truth = model(x).detach().flatten().tolist()
    found, _ = (network.forward_indices([T], x.tolist()) if x.dtype == torch.int64
                else network.forward([T], x.flatten().tolist()))
    if len(found) != len(truth):
        sys.exit(f"{len(found)} outputs, {len(truth)} expected")
    return max(abs(a - b) for a, b in zip(found, truth))


def to_us(rnn, binding, cell, model, x, dtype=torch.float32, write=write_safetensors):
    model = model.to(dtype).to(torch.float32)
    tensors = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    tensors["probe.inputs"], tensors["probe.outputs"] = x, model(x).detach()
    flags = rnn.RELU if cell == "relu" else 0
    network = rnn.Network(binding, memory=write(tensors), load_flags=flags)
    if cell == "relu":
        tensors["probe.outputs"] = tensors["probe.outputs"] + 0.1
        try:
            rnn.Network(binding, memory=write(tensors), load_flags=flags)
            sys.exit("a wrong probe is accepted")
        except RuntimeError as error:
            if "probe: step 0, the output" not in str(error):
                sys.exit(f"a wrong probe: {error}")
    return difference(network, model, x)


def to_torch(rnn, binding, cell, option):
    layers, both, bias, table, head = option
    flags = ((0 if bias else rnn.NO_BIAS) | (rnn.RELU if cell == "relu" else 0) | (rnn.BIDIRECTIONAL if both else 0))
    kind = {"GRU": rnn.GRU, "LSTM": rnn.LSTM, "LSTM projected": rnn.LSTM}.get(cell, rnn.VANILLA)
    network = rnn.Network(binding, cell=kind, input_size=I, hidden_size=H, num_layers=layers, flags=flags, seed=3,
                          output_size=O if head else 0, embedding_size=E if table else 0,
                          projection_size=P if cell == "LSTM projected" else 0)
    model = Model(cell, *option)
    model.load_state_dict(read_safetensors(network.save_memory(**NAMES)), strict=True)
    return difference(network, model, steps(table))


WRITERS = (write_safetensors, write_json, write_torch)


def main():
    sys.path.insert(0, sys.argv[1])
    import librnn as rnn

    torch.manual_seed(1)
    torch.set_num_threads(1)
    binding = rnn.Binding(sys.argv[2])
    print(f"state dicts to and from PyTorch {torch.__version__}, largest difference of the outputs, at most {BOUND:.0e} "
          "allowed")
    passed = True
    for cell in CELLS:
        options = list(itertools.product((1, 2), (False, True), (True, False), (False, True), (False, True)))
        loaded = max(to_us(rnn, binding, cell, Model(cell, *option), steps(option[3]), write=write)
                     for option in options for write in WRITERS)
        if cell != "LSTM projected":
            loaded = max([loaded] + [to_us(rnn, binding, cell, CellModel(cell, bias), steps(False), write=write)
                                     for bias in (True, False) for write in WRITERS])
        saved = max(to_torch(rnn, binding, cell, option) for option in options)
        others = max(to_us(rnn, binding, cell, Model(cell, *options[0]), steps(False), dtype)
                     for dtype in (torch.float64, torch.float16, torch.bfloat16))
        ok = max(loaded, saved, others) <= BOUND
        passed = passed and ok
        print(f"{cell:15} {len(options)} modules  from PyTorch {loaded:.1e}, as F64, F16 and BF16 {others:.1e}  to PyTorch "
              f"{saved:.1e}  {'passed' if ok else 'FAILED'}", flush=True)
    sys.exit(not passed)


main()
