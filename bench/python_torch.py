#!/usr/bin/env python3
"""The Python package beside torch.nn.LSTM: a step, and an update of training, each called from Python.

    PYTHONPATH=bindings/python LIBRNN=build/capi/librnn.so.0 bench/python_torch.py [--threads N] [--rounds N]

Both have the same weights, data and losses, which is checked before anything is measured. A step is one input of one
stream, with its state kept: Network.step(x, out), and torch.nn.LSTM and a torch.nn.Linear under torch.inference_mode.
An update is of 64 sequences of 64 steps: forward, squared error, backward, Adam. Times are medians of rounds in turn.
Needs PyTorch and numpy (Debian: python3-torch, python3-numpy).
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch

import librnn

SIZES = ((1, 16, 1), (65, 128, 65), (128, 256, 128), (256, 512, 256))
SEQUENCES, STEPS = 64, 64


class Module(torch.nn.Module):
    def __init__(self, inputs, units, outputs):
        super().__init__()
        self.recurrent = torch.nn.LSTM(inputs, units, batch_first=True)
        self.head = torch.nn.Linear(units, outputs)

    def forward(self, x, state=None):
        y, state = self.recurrent(x, state)
        return self.head(y), state


def pair(inputs, units, outputs):
    """A network and a module with the same weights."""
    net = librnn.Network(inputs, units, outputs, cell="lstm", seed=1)
    module = Module(inputs, units, outputs)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            own = name.replace("recurrent.", "")
            # A second bias per gate, which librnn has not, is zero.
            value = net.parameters[own] if own in net.parameters else np.zeros(parameter.shape)
            parameter.copy_(torch.tensor(np.asarray(value).reshape(parameter.shape)))
    return net, module


def medians(rounds, calls, *sides):
    """The seconds of one call of each side, which take turns."""
    times = [[] for _ in sides]
    for side in sides:
        side()
    for _ in range(rounds):
        for side, found in zip(sides, times):
            start = time.perf_counter()
            for _ in range(calls):
                side()
            found.append((time.perf_counter() - start) / calls)
    return [statistics.median(found) for found in times]


def agree(name, found, expected):
    difference = float(np.max(np.abs(np.asarray(found) - np.asarray(expected))))
    if not difference < 1e-5:
        sys.exit(f"{name}: the sides differ by {difference}")


def steps(net, module, inputs, outputs, rounds):
    x, out = np.linspace(-1, 1, inputs, dtype=np.float32), np.empty(outputs, np.float32)
    given, state = torch.tensor(x).reshape(1, 1, -1), None

    def ours():
        net.step(x, out)

    def torchs():
        nonlocal state
        y, state = module(given, state)
        return y

    with torch.inference_mode():
        ours()
        agree("step", out, torchs().numpy().reshape(-1))
        return medians(rounds, 200, ours, torchs)


def updates(net, module, inputs, outputs, threads, rounds):
    random = np.random.default_rng(1)
    x = random.standard_normal((SEQUENCES, STEPS, inputs), np.float32)
    target = random.standard_normal((SEQUENCES, STEPS, outputs), np.float32)
    trainer = librnn.Trainer(net, learning_rate=1e-3, threads=threads)
    # PyTorch has two biases per gate, librnn one: the second one does not learn.
    for name, parameter in module.named_parameters():
        parameter.requires_grad_("bias_hh" not in name)
    optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=1e-3)
    given, wanted = torch.tensor(x), torch.tensor(target)

    def ours():
        trainer.reset()
        return trainer.update(x, target).loss

    def torchs():
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(module(given)[0], wanted)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        agree("loss of an update", ours(), torchs().item())
    return medians(rounds, 1, ours, torchs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of both sides (default: 1)")
    parser.add_argument("--rounds", type=int, default=9, help="of which the median is taken (default: 9)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"librnn {librnn.__version__}, PyTorch {torch.__version__}, threads: {arguments.threads}\n")
    print("| LSTM, input-hidden-output | step, librnn | torch.nn.LSTM | | update, librnn | torch.nn.LSTM | |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for inputs, units, outputs in SIZES:
        net, module = pair(inputs, units, outputs)
        step = steps(net, module, inputs, outputs, arguments.rounds)
        update = updates(net, module, inputs, outputs, arguments.threads, arguments.rounds)
        print(f"| {inputs}-{units}-{outputs} | {step[0] * 1e6:.3g} us | {step[1] * 1e6:.3g} us | {step[1] / step[0]:.3g} x "
              f"| {update[0] * 1e3:.3g} ms | {update[1] * 1e3:.3g} ms | {update[1] / update[0]:.3g} x |")


if __name__ == "__main__":
    main()
