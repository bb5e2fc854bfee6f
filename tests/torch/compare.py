#!/usr/bin/env python3
"""Compare librnn with PyTorch: compare.py FFI LIBRARY

FFI is the folder of librnn.py, LIBRARY the shared library. Outputs, final states and all gradients of random
networks, and the losses of ten updates, in float32, against PyTorch in float64; beside them, how far PyTorch's own
float32 is from it. A difference is the largest of a tensor, divided by the tensor's largest absolute value. Exits
with 77 without PyTorch.
"""

import itertools
import random
import sys

from pytorch import torch

BOUND = 1e-5
CELLS = ["tanh", "relu", "GRU", "LSTM", "LSTM projected"]
SIZES = [(5, 7, 3, [4, 9, 1, 6]), (5, 16, 5, [7, 7, 2, 10, 5]), (5, 33, 17, [3, 8, 8, 1, 12, 6])]  # I, H, P, lengths


def numbers(source, *shape):
    """From -1..1, of 20 bits: the sum of two is exact in float32."""
    count = torch.Size(shape).numel()
    return torch.tensor([source.randint(-2**20, 2**20) / 2**20 for _ in range(count)],
                        dtype=torch.float64).reshape(shape)


class Case:
    """A PyTorch module in float64, what it reads, and the gradients that it gets."""

    def __init__(self, source, cell, layers, bidirectional, ragged, bias, size):
        self.cell, self.layers, self.bias = cell, layers, bias
        self.inputs, self.hidden, self.projection, self.lengths = size
        if not ragged:
            self.lengths = [max(self.lengths)] * len(self.lengths)
        if cell != "LSTM projected":
            self.projection = 0
        self.directions = 2 if bidirectional else 1
        self.name = (f"{cell}, {layers} layers, {self.directions} directions, {'ragged, ' if ragged else ''}"
                     f"{'' if bias else 'no bias, '}H {self.hidden}")
        options = dict(input_size=self.inputs, hidden_size=self.hidden, num_layers=layers, bias=bias,
                       bidirectional=bidirectional, batch_first=True)
        if cell in ("tanh", "relu"):
            self.module = torch.nn.RNN(nonlinearity=cell, **options)
        elif cell == "GRU":
            self.module = torch.nn.GRU(**options)
        else:
            self.module = torch.nn.LSTM(proj_size=self.projection, **options)
        self.module.double()
        # Small enough that no cell saturates, as PyTorch's own initialisation; a power of two keeps the bits.
        scale = 0.25 if self.hidden < 16 else 0.125
        for parameter in self.module.parameters():
            parameter.data = numbers(source, *parameter.shape) * scale

        count, width = len(self.lengths), self.projection or self.hidden
        strands = layers * self.directions
        widths = [width, self.hidden] if cell.startswith("LSTM") else [width]
        self.x = numbers(source, count, max(self.lengths), self.inputs)
        self.states = [numbers(source, strands, count, w) for w in widths]
        self.d_y = numbers(source, count, max(self.lengths), self.directions * width)
        self.d_states = [numbers(source, strands, count, w) for w in widths]

    def frames(self, tensor):
        """[N, T, W] without padding, flat."""
        return torch.cat([tensor[n, :length] for n, length in enumerate(self.lengths)]).flatten().tolist()

    @staticmethod
    def by_sequence(states):
        """h [L D, N, P] and c [L D, N, H] as [N, S], flat."""
        return [value for n in range(states[0].shape[1]) for state in states
                for value in state[:, n].flatten().tolist()]

    def torch_results(self, dtype):
        """{tensor: values}, by librnn's names."""
        module = self.module.to(dtype)
        module.zero_grad()
        x = self.x.to(dtype, copy=True).requires_grad_()
        states = [state.to(dtype, copy=True).requires_grad_() for state in self.states]
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, self.lengths, batch_first=True, enforce_sorted=False)
        given = tuple(states) if len(states) == 2 else states[0]
        packed, final = module(packed, given)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
        final = list(final) if len(states) == 2 else [final]
        valid = torch.zeros_like(self.d_y)
        for n, length in enumerate(self.lengths):
            valid[n, :length] = 1
        total = (y * (self.d_y * valid).to(dtype)).sum()
        for state, gradient in zip(final, self.d_states):
            total = total + (state * gradient.to(dtype)).sum()
        total.backward()

        results = {"outputs": self.frames(y.detach()), "d inputs": self.frames(x.grad)}
        for part, state, initial in zip("hc", final, states):
            results[f"final {part}"] = state.detach().flatten().tolist()
            results[f"d initial {part}"] = initial.grad.flatten().tolist()
        for name, parameter in module.named_parameters():
            gradient = parameter.grad.flatten().tolist()
            if not name.startswith("bias_hh"):
                results["d " + name] = gradient
            elif self.cell == "GRU":
                results["d " + name.replace("hh", "hn")] = gradient[2 * self.hidden:]
        return results

    def network(self, rnn, binding):
        flags = ((0 if self.bias else rnn.NO_BIAS) | (rnn.RELU if self.cell == "relu" else 0)
                 | (rnn.BIDIRECTIONAL if self.directions == 2 else 0))
        cell = {"GRU": rnn.GRU, "LSTM": rnn.LSTM, "LSTM projected": rnn.LSTM}.get(self.cell, rnn.VANILLA)
        network = rnn.Network(binding, cell=cell, input_size=self.inputs, hidden_size=self.hidden,
                              num_layers=self.layers, flags=flags, projection_size=self.projection)
        set_parameters(network, self.module, self.cell == "GRU")
        return network

    def our_results(self, rnn, binding):
        network = self.network(rnn, binding)
        x, initial = self.frames(self.x), self.by_sequence(self.states)
        y, final, d_x, d_initial, gradients = network.gradients(
            self.lengths, x, initial, self.frames(self.d_y), self.by_sequence(self.d_states))
        if (y, final) != network.forward(self.lengths, x, initial):
            sys.exit(f"{self.name}: rnn_forward and rnn_tape_forward differ")
        results = {"outputs": y, "d inputs": d_x}
        for title, values in (("final", final), ("d initial", d_initial)):
            for part, block in zip("hc", self.parts(values)):
                results[f"{title} {part}"] = block
        results.update({"d " + name: values for name, values in gradients.items()})
        return results

    def parts(self, values):
        """[N, S], flat, as h [L D, N, P] and c [L D, N, H], flat."""
        rows = torch.tensor(values, dtype=torch.float64).reshape(len(self.lengths), -1)
        sizes = [state.shape[0] * state.shape[2] for state in self.states]
        return [part.reshape(part.shape[0], state.shape[0], -1).transpose(0, 1).flatten().tolist()
                for part, state in zip(rows.split(sizes, dim=1), self.states)]


def set_parameters(network, module, gru):
    """PyTorch's two biases are one of ours, but for the n gate of a GRU."""
    parameters = {name: parameter.detach().flatten() for name, parameter in module.named_parameters()}
    for name, values in parameters.items():
        if name.startswith("bias_ih"):
            other = parameters[name.replace("ih", "hh")].clone()
            if gru:
                n = len(other) // 3 * 2
                network.set(name.replace("ih", "hn"), other[n:].tolist())
                other[n:] = 0
            values = values + other
        if not name.startswith("bias_hh"):
            network.set(name, values.tolist())


def difference(values, truth):
    if len(values) != len(truth):
        return float("inf")
    scale = max(max(map(abs, truth)), 1e-30)
    worst = max(abs(a - b) for a, b in zip(values, truth)) / scale
    return worst if worst == worst else float("inf")


class Worst:
    """The largest difference, and where it was."""

    def __init__(self):
        self.value, self.where = 0.0, ""

    def add(self, value, where):
        if value >= self.value:
            self.value, self.where = value, where


def compare_cell(rnn, binding, cell):
    ours, theirs, count = Worst(), Worst(), 0
    options = itertools.product((1, 2, 3), (False, True), (False, True), (True, False), SIZES)
    for seed, option in enumerate(options):
        case = Case(random.Random(seed), cell, *option)
        truth = case.torch_results(torch.float64)
        single = case.torch_results(torch.float32)
        case.module.double()
        results = case.our_results(rnn, binding)
        if set(results) != set(truth):
            sys.exit(f"{case.name}: {sorted(set(results) ^ set(truth))}")
        for name, values in truth.items():
            ours.add(difference(results[name], values), f"{name}: {case.name}")
            theirs.add(difference(single[name], values), name)
        count += 1
    ok = ours.value <= BOUND
    print(f"{cell:15} {count:4} networks  librnn {ours.value:.1e}  PyTorch float32 {theirs.value:.1e}  "
          f"{'passed' if ok else 'FAILED'}  (largest in {ours.where})", flush=True)
    return ok


def torch_delayed(case, delay):
    """The outputs where each step reads the states of `delay` steps ago, of which the first are the initial ones."""
    whole = int(delay)
    part, past, y = delay - whole, [case.states], []
    for x in case.x.split(1, dim=1):
        newer, older = (past[-steps] if steps <= len(past) else past[0] for steps in (whole, whole + 1))
        read = [(1 - part) * a + part * b for a, b in zip(newer, older)]
        out, states = case.module(x, tuple(read) if len(read) == 2 else read[0])
        past.append(list(states) if len(read) == 2 else [states])
        y.append(out.detach())
    return case.frames(torch.cat(y, dim=1))


def compare_delays(rnn, binding):
    worst = Worst()
    for cell, layers, delay in itertools.product(CELLS, (1, 2), (2, 1.0625, 2.75)):
        case = Case(random.Random(1), cell, layers, False, False, True, SIZES[1])
        network = case.network(rnn, binding)
        network.set_delay(delay)
        y, _ = network.forward(case.lengths, case.frames(case.x), case.by_sequence(case.states))
        worst.add(difference(y, torch_delayed(case, delay)), f"{case.name}, delay {delay}")
    ok = worst.value <= BOUND
    print(f"delays of the state: librnn {worst.value:.1e}  {'passed' if ok else 'FAILED'}  (largest in {worst.where})",
          flush=True)
    return ok


def torch_losses(modules, optimizer, x, targets, updates):
    lstm, head = modules
    losses = []
    for _ in range(updates):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(head(lstm(x)[0]), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def compare_training(rnn, binding, name, rule, rate, momentum, updates=10):
    source = random.Random(1)
    I, H, O, N, T = 5, 16, 3, 6, 9
    lstm, head = torch.nn.LSTM(I, H, 2, batch_first=True).double(), torch.nn.Linear(H, O).double()
    for key, parameter in itertools.chain(lstm.named_parameters(), head.named_parameters()):
        parameter.data = numbers(source, *parameter.shape) * 0.25
        if key.startswith("bias_hh"):  # librnn trains one bias for each gate
            parameter.data.zero_()
            parameter.requires_grad_(False)
    x, targets = numbers(source, N, T, I), numbers(source, N, T, O)

    network = rnn.Network(binding, cell=rnn.LSTM, input_size=I, hidden_size=H, output_size=O, num_layers=2)
    set_parameters(network, lstm, False)
    for key, parameter in head.named_parameters():
        network.set("head." + key, parameter.detach().flatten().tolist())
    ours = network.train([T] * N, x.flatten().tolist(), targets.flatten().tolist(), updates, loss=rnn.SQUARED_ERROR,
                         optimizer=rule, learning_rate=rate, momentum=momentum)

    trained = [p for p in itertools.chain(lstm.parameters(), head.parameters()) if p.requires_grad]
    optimizer = (torch.optim.Adam(trained, lr=rate) if rule == rnn.ADAM
                 else torch.optim.SGD(trained, lr=rate, momentum=momentum))
    truth = torch_losses((lstm, head), optimizer, x, targets, updates)
    worst = max(abs(a - b) / b for a, b in zip(ours, truth))
    ok = len(ours) == updates and worst <= BOUND and truth[-1] < 0.98 * truth[0]
    print(f"{updates} losses with {name}, {truth[0]:.6f} ... {truth[-1]:.6f}: librnn {worst:.1e}  "
          f"{'passed' if ok else 'FAILED'}", flush=True)
    return ok


def main():
    sys.path.insert(0, sys.argv[1])
    import librnn as rnn

    torch.set_num_threads(1)
    binding = rnn.Binding(sys.argv[2])
    print(f"librnn against PyTorch {torch.__version__} in float64, largest relative differences, "
          f"at most {BOUND:.0e} allowed")
    passed = [compare_cell(rnn, binding, cell) for cell in CELLS]
    passed.append(compare_delays(rnn, binding))
    passed.append(compare_training(rnn, binding, "Adam", rnn.ADAM, 0.01, 0.0))
    passed.append(compare_training(rnn, binding, "SGD", rnn.SGD, 0.1, 0.9))
    sys.exit(not all(passed))


main()
