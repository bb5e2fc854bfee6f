#!/usr/bin/env python3
"""Run ONNX's node tests of RNN, GRU and LSTM, as Debian's libonnx-testdata ships them:

  node_tests.py FFI LIBRARY [FOLDER]

FFI is the folder of librnn.py, LIBRARY the shared library. Exits with 77 where the package is not installed.
"""

import pathlib
import sys

from tensors import read_model, read_tensor

DATA = "/usr/share/libonnx-testdata/data/node"
TOLERANCE = 1e-5  # relative and absolute

# What ONNX calls the operator: our cell, and where each of our gates stands among ONNX's: RNN has one,
# GRU z, r, h where we have r, z, n, and LSTM i, o, f, c where we have i, f, g, o.
OPERATORS = {"RNN": ("VANILLA", [0]), "GRU": ("GRU", [1, 0, 2]), "LSTM": ("LSTM", [0, 2, 3, 1])}
ACTIVATIONS = {"RNN": (["Tanh"], ["Relu"]), "GRU": (["Sigmoid", "Tanh"],), "LSTM": (["Sigmoid", "Tanh", "Tanh"],)}
INPUTS = ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"]


class Case:
    def __init__(self, folder):
        self.name = folder.name
        nodes = read_model((folder / "model.onnx").read_bytes())
        self.node = nodes[0] if len(nodes) == 1 and nodes[0].operator in OPERATORS else None
        if self.node is None:
            return
        self.attributes = self.node.attributes
        self.inputs = self.read(folder, "input", INPUTS, self.node.inputs)
        self.outputs = self.read(folder, "output", ["Y", "Y_h", "Y_c"], self.node.outputs)

    @staticmethod
    def read(folder, kind, roles, names):
        """The tensors by role; files are numbered without those that the node leaves out."""
        present = [role for role, name in zip(roles, names) if name]
        return {role: read_tensor((folder / f"test_data_set_0/{kind}_{i}.pb").read_bytes())
                for i, role in enumerate(present)}

    @property
    def direction(self):
        return self.attributes.get("direction", b"forward").decode()

    @property
    def directions(self):
        return 2 if self.direction == "bidirectional" else 1

    def activations(self):
        return [name.decode() for name in self.attributes.get("activations", [])]

    def unsupported(self):
        """Why librnn cannot do this, or None."""
        operator = self.node.operator
        known = [one * self.directions for one in ACTIVATIONS[operator]]
        if "clip" in self.attributes:
            return "clip"
        if self.activations() and self.activations() not in known:
            return "activations " + ", ".join(self.activations())
        return None


class Frames:
    """The layout of X and Y in both orders of batch and time."""

    def __init__(self, case):
        self.batch_first = case.attributes.get("layout", 0) == 1
        x = case.inputs["X"]
        steps, self.count = (x.shape[1], x.shape[0]) if self.batch_first else x.shape[:2]
        lengths = case.inputs.get("sequence_lens")
        self.steps = steps
        self.lengths = lengths.data if lengths else [steps] * self.count
        self.backwards = case.direction == "reverse"

    def time(self, n, t):
        """Which step of sequence n our network reads at step t."""
        return self.lengths[n] - 1 - t if self.backwards else t

    def x(self, tensor):
        return [value for n, length in enumerate(self.lengths) for t in range(length)
                for value in self.block(tensor, n, self.time(n, t))]

    def block(self, tensor, n, t):
        return tensor.block(n, t) if self.batch_first else tensor.block(t, n)

    def y(self, tensor, directions, n, t):
        """Row n, t of Y, [T, D, N, H] or [N, T, D, H]: all directions."""
        rows = [tensor.block(n, t, d) if self.batch_first else tensor.block(t, d, n) for d in range(directions)]
        return [value for row in rows for value in row]

    def state(self, tensor, directions, n):
        """Row n of a state, [D, N, H] or [N, D, H]: all directions."""
        rows = [tensor.block(n, d) if self.batch_first else tensor.block(d, n) for d in range(directions)]
        return [value for row in rows for value in row]


def set_parameters(network, case, hidden):
    order = OPERATORS[case.node.operator][1]
    gates = len(order)
    if case.attributes.get("input_forget", 0) != 0:
        order = [0, 3, 1]

    def permuted(block):
        width = len(block) // gates
        return [value for gate in order for value in block[gate * width:(gate + 1) * width]]

    for d in range(case.directions):
        suffix = "_l0" + ("_reverse" if d else "")
        if "P" in case.inputs:
            peepholes = case.inputs["P"].block(d)
            for i, name in enumerate(("peephole_i", "peephole_o", "peephole_f")):
                if name + suffix in network.names():
                    network.set(name + suffix, peepholes[i * hidden:(i + 1) * hidden])
        network.set("weight_ih" + suffix, permuted(case.inputs["W"].block(d)))
        network.set("weight_hh" + suffix, permuted(case.inputs["R"].block(d)))
        if "B" not in case.inputs:
            continue
        both = case.inputs["B"].block(d)
        w, r = permuted(both[:gates * hidden]), permuted(both[gates * hidden:])
        if "bias_hn" + suffix in network.names():
            network.set("bias_hn" + suffix, r[2 * hidden:])
            r[2 * hidden:] = [0] * hidden
        network.set("bias_ih" + suffix, [a + b for a, b in zip(w, r)])


def make_network(binding, rnn, case):
    operator = case.node.operator
    flags = 0
    if case.directions == 2:
        flags |= rnn.BIDIRECTIONAL
    if "B" not in case.inputs:
        flags |= rnn.NO_BIAS
    if operator == "GRU" and case.attributes.get("linear_before_reset", 0) == 0:
        flags |= rnn.RESET_BEFORE
    if "P" in case.inputs:
        flags |= rnn.PEEPHOLES
    if case.attributes.get("input_forget", 0) != 0:
        flags |= rnn.COUPLED_GATES
    if "Relu" in case.activations():
        flags |= rnn.RELU
    hidden = case.inputs["R"].shape[2]
    network = rnn.Network(binding, cell=getattr(rnn, OPERATORS[operator][0]), input_size=case.inputs["W"].shape[2],
                          hidden_size=hidden, flags=flags)
    set_parameters(network, case, hidden)
    return network, hidden


def run(binding, rnn, case):
    """[(output, values, stored values)]"""
    network, hidden = make_network(binding, rnn, case)
    frames = Frames(case)
    D = case.directions
    parts = [role for role in ("initial_h", "initial_c") if role in case.inputs]
    initial = None
    if parts:
        roles = ["initial_h", "initial_c"][:network.state_size // (D * hidden)]
        zeros = [0.0] * (D * hidden)
        initial = [value for n in range(frames.count) for role in roles
                   for value in (frames.state(case.inputs[role], D, n) if role in parts else zeros)]
    y, final = network.forward(frames.lengths, frames.x(case.inputs["X"]), initial)

    results = []
    if "Y" in case.outputs:
        ours, stored, first = [], [], 0
        for n, length in enumerate(frames.lengths):
            for t in range(frames.steps):
                row = [0.0] * (D * hidden)  # beyond the sequence's end
                if t < length:
                    at = first + frames.time(n, t)
                    row = y[at * D * hidden:(at + 1) * D * hidden]
                ours += row
                stored += frames.y(case.outputs["Y"], D, n, t)
            first += length
        results.append(("Y", ours, stored))
    for part, role in enumerate(("Y_h", "Y_c")):
        if role in case.outputs:
            ours, stored = [], []
            for n in range(frames.count):
                begin = n * network.state_size + part * D * hidden
                ours += final[begin:begin + D * hidden]
                stored += frames.state(case.outputs[role], D, n)
            results.append((role, ours, stored))
    return results


def main():
    sys.path.insert(0, sys.argv[1])
    import librnn as rnn

    data = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else DATA)
    if not data.is_dir():
        print(f"{data} is missing (Debian: libonnx-testdata)")
        sys.exit(77)
    binding = rnn.Binding(sys.argv[2])
    cases = [Case(folder) for folder in sorted(data.iterdir()) if (folder / "model.onnx").exists()]
    passed, failed, skipped = 0, 0, {}
    for case in cases:
        if case.node is None:
            continue
        line = f"{case.name:36} {case.node.operator:4} {case.direction:13}"
        reason = case.unsupported()
        if reason:
            skipped[reason] = skipped.get(reason, 0) + 1
            print(f"{line} skipped: {reason}")
            continue
        results = run(binding, rnn, case)
        ok = bool(results)
        for output, ours, stored in results:
            ok = ok and len(ours) == len(stored) and all(
                abs(a - b) <= TOLERANCE * (1 + abs(b)) for a, b in zip(ours, stored))
            difference = max((abs(a - b) for a, b in zip(ours, stored)), default=0)
            line += f" {output} {difference:.1e}"
        print(f"{line} {'passed' if ok else 'FAILED'}")
        passed += ok
        failed += not ok
    print(f"ONNX: {passed} passed, {failed} failed, {sum(skipped.values())} skipped"
          + "".join(f"; {count} for {reason}" for reason, count in skipped.items()))
    sys.exit(failed > 0 or passed == 0)


main()
