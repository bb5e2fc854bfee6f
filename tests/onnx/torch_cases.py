#!/usr/bin/env python3
"""Load what PyTorch exports as ONNX, and compare with what PyTorch gives:

  torch_cases.py FFI LIBRARY

FFI is the folder of librnn.py, LIBRARY the shared library. Needs PyTorch (Debian: python3-torch); exits with 77 where it
is not installed.
"""

import itertools
import pathlib
import sys
import tempfile
import warnings

try:
    import torch
except ImportError as error:
    print(error)
    sys.exit(77)

T, N, I, H, O = 5, 3, 4, 6, 2
TOLERANCE = 1e-5  # relative and absolute


class Model(torch.nn.Module):
    def __init__(self, kind, form, **options):
        super().__init__()
        self.form = form
        self.embedding = torch.nn.Embedding(9, I) if form == "embedding" else None
        relu = {"nonlinearity": "relu"} if kind == "RELU" else {}
        self.layers = getattr(torch.nn, "RNN" if kind == "RELU" else kind)(I, H, **options, **relu)
        self.head = torch.nn.Linear(H * (2 if options["bidirectional"] else 1), O)

    def forward(self, x):
        if self.embedding is not None:
            x = self.embedding(x)
        y, state = self.layers(x)
        if self.form == "states":
            return y, state
        if self.form == "last":
            y = y[:, -1] if self.layers.batch_first else y[-1]
        return self.head(y)


def export(model, x, path, dynamic, folding):
    axes = {"x": {0: "first", 1: "second"}} if dynamic else None
    torch.onnx.export(model, (x,), str(path), input_names=["x"], dynamic_axes=axes, do_constant_folding=folding,
                      opset_version=13)


def difference(rnn, binding, path, model, x):
    network = rnn.Network(binding, path=str(path))
    with torch.no_grad():
        expected = model(x)
    if isinstance(expected, tuple):
        expected = expected[0]
    if not model.layers.batch_first:
        x = x.transpose(0, 1)
        expected = expected.transpose(0, 1) if expected.dim() == 3 else expected
    flat = x.reshape(-1).tolist()
    y, _ = (network.forward_indices if model.embedding is not None else network.forward)([T] * N, flat)
    y = torch.tensor(y).reshape(N, T, -1)
    if expected.dim() == 2:
        y = y[:, -1]
    if y.shape != expected.shape:
        raise RuntimeError(f"{tuple(y.shape)} for {tuple(expected.shape)}")
    return ((y - expected).abs() / (1 + expected.abs())).max().item()


def main():
    warnings.simplefilter("ignore")  # of what an export does not know
    sys.path.insert(0, sys.argv[1])
    import librnn as rnn

    binding, count, failed, largest = rnn.Binding(sys.argv[2]), 0, 0, 0.0
    forms = ["head", "states", "last", "embedding"]
    with tempfile.TemporaryDirectory() as folder:
        for kind, form, layers, bidirectional, batch_first, (dynamic, folding) in itertools.product(
                ["RNN", "RELU", "GRU", "LSTM"], forms, [1, 2], [False, True], [False, True],
                [(True, True), (False, True), (True, False)]):
            if form == "last" and bidirectional:
                continue  # of one direction it is the last step, of the other the first
            torch.manual_seed(count)
            model = Model(kind, form, num_layers=layers, bidirectional=bidirectional, batch_first=batch_first).eval()
            size = (N, T) if batch_first else (T, N)
            x = torch.randint(9, size) if form == "embedding" else torch.randn(*size, I)
            path = pathlib.Path(folder) / "case.onnx"
            count += 1
            try:
                export(model, x, path, dynamic, folding)
                d = difference(rnn, binding, path, model, x)
            except RuntimeError as error:
                d = str(error)
            if isinstance(d, str) or not d <= TOLERANCE:
                failed += 1
                print(f"{kind} {form} layers {layers} bidirectional {bidirectional} batch first {batch_first} "
                      f"dynamic {dynamic} folding {folding}: {d}")
            else:
                largest = max(largest, d)
    print(f"PyTorch {torch.__version__}: {count} exports, {failed} failed, largest difference {largest:.1e}")
    sys.exit(failed > 0)


main()
