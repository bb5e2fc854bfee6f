#!/usr/bin/env python3
"""Load ONNX graphs as other exporters write them, and compare with what ONNX's formulas give:

  import_cases.py FFI LIBRARY

FFI is the folder of librnn.py, LIBRARY the shared library. Needs onnx and NumPy (Debian: python3-onnx); exits with 77
where they are not installed.
"""

import ctypes
import math
import pathlib
import sys
import tempfile

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    print(error)
    sys.exit(77)

T, N, I, H, O = 5, 3, 4, 6, 2
TOLERANCE = 1e-5  # relative and absolute
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


# ---- The reference: one direction of a node, by the formulas of ONNX's Operators.md ----


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def step(node, x, h, c):
    """The next h and c of one sequence."""
    W, R, Wb, Rb = node["W"], node["R"], node["Wb"], node["Rb"]
    f, g, e = node["activations"]
    f, g = clipped(f, node["clip"]), clipped(g, node["clip"])  # not c in e, as in ONNX Runtime
    if node["op"] == "RNN":
        return f(W @ x + R @ h + Wb + Rb), c
    if node["op"] == "GRU":
        (Wz, Wr, Wh), (Rz, Rr, Rh) = np.split(W, 3), np.split(R, 3)
        (bz, br, bh), (cz, cr, ch) = np.split(Wb, 3), np.split(Rb, 3)
        z, r = f(Wz @ x + Rz @ h + bz + cz), f(Wr @ x + Rr @ h + br + cr)
        if node["linear_before_reset"]:
            n = g(Wh @ x + bh + r * (Rh @ h + ch))
        else:
            n = g(Wh @ x + bh + Rh @ (r * h) + ch)
        return (1 - z) * n + z * h, c
    i, o, forget, cell = np.split(W @ x + R @ h + Wb + Rb, 4)
    Pi, Po, Pf = node["P"]
    i = f(i + Pi * c)
    forget = 1 - i if node["input_forget"] else f(forget + Pf * c)
    c = forget * c + i * g(cell)
    return f(o + Po * c) * e(c), c


def clipped(f, limit):
    return f if limit is None else lambda v: f(np.clip(v, -limit, limit))


# Name, alpha, beta, formula.
FUNCTIONS = {
    "RNN": [("ScaledTanh", 0.75, 1.25, lambda v: 0.75 * np.tanh(1.25 * v))],
    "GRU": [("HardSigmoid", 0.25, 0.5, lambda v: np.clip(0.25 * v + 0.5, 0, 1)),
            ("leakyrelu", 0.125, None, lambda v: np.where(v > 0, v, 0.125 * v))],
    "LSTM": [("Sigmoid", None, None, sigmoid), ("Softsign", None, None, lambda v: v / (1 + abs(v))),
             ("Affine", 0.5, 0.125, lambda v: 0.5 * v + 0.125)]}
DEFAULTS = {"RNN": [np.tanh, None, None], "GRU": [sigmoid, np.tanh, None], "LSTM": [sigmoid, np.tanh, np.tanh]}


def run(node, x, reverse):
    """[T, H] from [T, X]."""
    h, c = node["h"].copy(), node["c"].copy()
    y = np.zeros((len(x), len(h)))
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        h, c = step(node, x[t], h, c)
        y[t] = h
    return y


# ---- Making graphs ----


class Graph:
    """Nodes, and flow, what the network that they are gives as far as it has come: [T, X] for each sequence."""

    def __init__(self, op, seed, opset=14, **options):
        self.op, self.opset, self.options = op, opset, options
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []
        self.count = 0
        self.indices, self.pooling = None, 1
        self.x = self.random.standard_normal((N, T, I)).astype(np.float32)
        self.flow = list(self.x.astype(np.float64))

    def fresh(self, base):
        self.count += 1
        return f"{base}_{self.count}"

    def values(self, *shape):
        """Such as all number types hold."""
        return np.round(self.random.uniform(-1, 1, shape) * 64) / 64

    def constant(self, values, base="constant"):
        name = self.fresh(base)
        values = np.asarray(values)
        if values.dtype.kind == "i":
            return self.initializer(numpy_helper.from_array(values.astype(np.int64), name))
        how = self.options.get("tensors", "raw")
        flat = values.astype(np.float32).flatten()
        if how == "raw":
            tensor = numpy_helper.from_array(values.astype(np.float32), name)
        elif how == "bfloat16":
            raw = (flat.view(np.uint32) >> 16).astype(np.uint16).tobytes()
            tensor = helper.make_tensor(name, TensorProto.BFLOAT16, values.shape, raw, raw=True)
        elif how == "float16":
            tensor = numpy_helper.from_array(values.astype(np.float16), name)
        elif how == "float16_data":
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=values.shape,
                                 int32_data=flat.astype(np.float16).view(np.uint16).tolist())
        elif how == "double_data":
            tensor = helper.make_tensor(name, TensorProto.DOUBLE, values.shape, flat.tolist())
        else:
            tensor = helper.make_tensor(name, TensorProto.FLOAT, values.shape, flat.tolist())
        if how != "nodes":
            return self.initializer(tensor)
        return self.node("Constant", [], value=tensor)

    def initializer(self, tensor):
        self.constants.append(tensor)
        return tensor.name

    def node(self, op, inputs, outputs=1, **attributes):
        names = [self.fresh(op.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=self.fresh("node"), **attributes))
        return names[0] if outputs == 1 else names

    def axes(self, op, x, axes):
        """Squeeze or Unsqueeze, whose axes have been an attribute."""
        if self.opset < 13:
            return self.node(op, [x], axes=axes)
        return self.node(op, [x, self.constant(np.array(axes))])

    def input(self, name, kind, shape):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def weights(self, width, directions, H=H):
        made = []
        for _ in range(directions):
            rows = GATES[self.op] * H
            biased = not self.options.get("no_bias")
            made.append({"op": self.op, "W": self.values(rows, width), "R": self.values(rows, H),
                         "Wb": self.values(rows) * biased, "Rb": self.values(rows) * biased,
                         "h": np.zeros(H), "c": np.zeros(H), "activations": DEFAULTS[self.op],
                         "clip": self.options.get("clip"),
                         "linear_before_reset": self.options.get("linear_before_reset", 0),
                         "P": self.values(3, H) * self.options.get("peepholes", False),
                         "input_forget": self.options.get("input_forget", 0)})
            if self.op == "RNN" and self.options.get("relu"):
                made[-1]["activations"] = [lambda v: np.maximum(v, 0), None, None]
            if self.options.get("activations"):
                functions = [f for *_, f in FUNCTIONS[self.op]]
                made[-1]["activations"] = functions + [None] * (3 - len(functions))
            if self.options.get("initial"):
                made[-1]["h"], made[-1]["c"] = self.values(H), self.values(H)
        return made

    def layer(self, x, direction="forward", layout=0, lengths="", peepholes=False, weights=None):
        """Names of Y, Y_h; self.flow becomes what Y has."""
        directions = 2 if direction == "bidirectional" else 1
        made = weights or self.weights(self.flow[0].shape[1], directions)
        inputs = [x, self.stacked(made, "W"), self.stacked(made, "R")]
        inputs.append("" if self.options.get("no_bias") else self.bias(made))
        inputs += [lengths] + self.states(made, layout)
        if peepholes or (self.op == "LSTM" and self.options.get("peepholes")):
            inputs += [""] * (7 - len(inputs)) + [self.constant(np.stack([one["P"].flatten() for one in made]))]
        attributes = {"hidden_size": len(made[0]["h"])}
        if direction != "forward":
            attributes["direction"] = direction
        if layout:
            attributes["layout"] = layout
        if self.op == "GRU" and self.options.get("linear_before_reset"):
            attributes["linear_before_reset"] = 1
        if self.op == "LSTM" and self.options.get("input_forget"):
            attributes["input_forget"] = 1
        if self.op == "RNN" and self.options.get("relu"):
            attributes["activations"] = ["Relu"] * directions
        if self.options.get("activations"):
            functions = FUNCTIONS[self.op] * directions
            attributes["activations"] = [name for name, *_ in functions]
            attributes["activation_alpha"] = [alpha for _, alpha, *_ in functions if alpha is not None]
            attributes["activation_beta"] = [beta for _, _, beta, _ in functions if beta is not None]
        if self.options.get("clip"):
            attributes["clip"] = self.options["clip"]
        outputs = self.node(self.op, inputs, 3 if self.op == "LSTM" else 2, **attributes)
        reverse = [direction == "reverse"] if directions == 1 else [False, True]
        self.read = self.flow
        self.flow = [np.concatenate([run(m, x, r) for m, r in zip(made, reverse)], axis=1) for x in self.flow]
        return outputs[0], outputs[1]

    def stacked(self, made, key):
        if not self.options.get("unfolded"):
            return self.constant(np.stack([m[key] for m in made]), key)
        parts = [self.constant(part) for m in made for part in np.split(m[key], GATES[self.op])]
        joined = self.node("Concat", parts, axis=0)
        return self.axes("Unsqueeze", joined, [0])

    def bias(self, made):
        if not self.options.get("unfolded"):
            return self.constant(np.stack([np.concatenate([m["Wb"], m["Rb"]]) for m in made]), "B")
        joined = self.node("Concat", [self.constant(made[0]["Wb"]), self.constant(made[0]["Rb"])], axis=0)
        return self.node("Reshape", [joined, self.constant(np.array([1, -1]))])

    def states(self, made, layout):
        parts = ["h", "c"] if self.op == "LSTM" else ["h"]
        if self.options.get("initial"):
            axis = 0 if layout else 1
            return [self.constant(np.repeat(np.expand_dims(np.stack([m[p] for m in made]), axis), N, axis))
                    for p in parts]
        if self.options.get("computed_zeros"):  # of a shape that is taken from x
            shape = self.node("Shape", ["x"])
            batch = self.node("Gather", [shape, self.constant(np.array(1))], axis=0)
            batch = self.axes("Unsqueeze", batch, [0])
            shape = self.node("Concat", [self.constant(np.array([len(made)])), batch, self.constant(np.array([H]))],
                              axis=0)
            zeros = self.node("ConstantOfShape", [shape], value=helper.make_tensor("zero", TensorProto.FLOAT, [1], [0]))
            return [zeros for _ in parts]
        if self.options.get("given_states"):
            return [self.input(self.fresh(p), TensorProto.FLOAT, [len(made), "n", H]) for p in parts]
        return []

    def joined(self, y):
        """[T, D, N, H] as [T, N, D*H]."""
        moved = self.node("Transpose", [y], perm=[0, 2, 1, 3])
        return self.node("Reshape", [moved, self.constant(np.array([0, 0, -1]))])

    def head(self, x, how, width):
        W, b = self.values(O, width), self.values(O)
        if how == "matmul_add":
            product = self.node("MatMul", [x, self.constant(W.T)])
            y = self.node("Add", [product, self.constant(b)])
        elif how == "add_matmul_transposed":
            product = self.node("MatMul", [x, self.node("Transpose", [self.constant(W)], perm=[1, 0])])
            y = self.node("Add", [self.constant(b.reshape(1, 1, O)), product])
        elif how == "matmul":
            b[:] = 0
            y = self.node("MatMul", [x, self.constant(W.T)])
        elif how == "gemm":
            y = self.node("Gemm", [x, self.constant(W), self.constant(b)], transB=1)
        self.flow = [h @ W.T + b for h in self.flow]
        return y

    def last(self):
        self.flow = [y[-1:] for y in self.flow]

    def model(self, outputs, rank=3):
        if not self.inputs or all(i.name != "x" for i in self.inputs):
            shape = self.options.get("shape", ["t", "n", I])
            self.input("x", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "test", self.inputs,
                                  [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["?"] * rank)
                                   for output in (outputs if isinstance(outputs, list) else [outputs])],
                                  self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset),
                                                        helper.make_opsetid("com.microsoft", 1)])
        onnx.checker.check_model(model)
        return model


# ---- Cases: each returns a model, and leaves in the graph what it gives ----


def plain(g):
    y, _ = g.layer("x")
    return g.model(g.axes("Squeeze", y, [1]))


def raw_output(g):
    return g.model(g.layer("x", "bidirectional")[0], 4)


def two_layers(g):
    y, _ = g.layer("x")
    y, _ = g.layer(g.axes("Squeeze", y, [1]))
    return g.model(g.head(g.axes("Squeeze", y, [1]), "matmul_add", H))


def bidirectional(g):
    y = g.joined(g.layer("x", "bidirectional")[0])
    y = g.joined(g.layer(y, "bidirectional")[0])
    return g.model(g.head(y, "add_matmul_transposed", 2 * H))


def batch_first(g):
    y, _ = g.layer(g.node("Transpose", ["x"], perm=[1, 0, 2]))
    y = g.node("Transpose", [g.axes("Squeeze", y, [1])], perm=[1, 0, 2])
    return g.model(g.head(y, "matmul", H))


def layout_1(g):
    y, _ = g.layer("x", layout=1)
    return g.model(g.axes("Squeeze", y, [2]))


def layout_1_bidirectional(g):
    y, _ = g.layer("x", "bidirectional", layout=1)  # [N, T, D, H]
    return g.model(g.node("Reshape", [y, g.constant(np.array([0, 0, -1]))]))


def rows(g):
    y, _ = g.layer("x")
    y = g.node("Reshape", [y, g.constant(np.array([-1, H]))])
    y = g.head(y, "gemm", H)
    return g.model(g.node("Reshape", [y, g.constant(np.array([T, N, O]))]))


def last_of_y_h(g):
    _, h = g.layer("x")
    g.last()
    return g.model(g.head(g.axes("Squeeze", h, [0]), "gemm", H), 2)


def states_alone(g):
    """An encoder that gives the last states of its layers."""
    y, first = g.layer("x")
    _, second = g.layer(g.axes("Squeeze", y, [1]))
    g.last()
    return g.model([first, second])


def last_by_gather(g):
    y, _ = g.layer("x")
    y = g.node("Gather", [g.axes("Squeeze", y, [1]), g.constant(np.array(-1))], axis=0)
    g.last()
    return g.model(g.head(y, "gemm", H), 2)


def last_by_slice(g):
    y = g.node("Transpose", [g.axes("Squeeze", g.layer("x")[0], [1])], perm=[1, 0, 2])
    y = g.node("Slice", [y, g.constant(np.array([-1])), g.constant(np.array([2**63 - 1])), g.constant(np.array([1]))])
    g.last()
    return g.model(g.head(g.axes("Squeeze", y, [1]), "gemm", H), 2)


def two_nodes(g):
    """A node for each direction."""
    x = g.flow
    y, _ = g.layer("x")
    forward, g.flow = g.flow, x
    z, _ = g.layer("x", "reverse")
    g.flow = [np.concatenate(pair, axis=1) for pair in zip(forward, g.flow)]
    y, z = g.axes("Squeeze", y, [1]), g.axes("Squeeze", z, [1])
    return g.model(g.head(g.node("Concat", [y, z], axis=2), "matmul_add", 2 * H))


def split_directions(g):
    y, _ = g.layer("x", "bidirectional")
    parts = g.node("Split", [y], 2, axis=1)
    return g.model(g.node("Concat", [g.axes("Squeeze", part, [1]) for part in parts], axis=-1))


def gathered_directions(g):
    y, _ = g.layer("x", "bidirectional")
    parts = [g.node("Gather", [y, g.constant(np.array(d))], axis=1) for d in (0, 1)]
    return g.model(g.node("Concat", parts, axis=2))


def forward_half(g):
    """One direction of two."""
    y, _ = g.layer("x", "bidirectional")
    g.flow = [y[:, :H] for y in g.flow]
    return g.model(g.node("Gather", [y, g.constant(np.array(0))], axis=1))


def residual(g):
    y = g.axes("Squeeze", g.layer("x")[0], [1])
    for _ in range(2):
        z = g.axes("Squeeze", g.layer(y)[0], [1])
        g.flow = [a + b for a, b in zip(g.flow, g.read)]
        y = g.node("Add", [z, y])
    return g.model(g.head(y, "matmul_add", H))


def lengths_input(g):
    y, _ = g.layer("x", lengths=g.input("lengths", TensorProto.INT32, ["n"]))
    return g.model(g.axes("Squeeze", y, [1]))


def lengths_constant(g):
    name = g.initializer(numpy_helper.from_array(np.full(N, T, np.int32), "lengths"))
    y, _ = g.layer("x", lengths=name, peepholes=g.op == "LSTM")
    return g.model(g.node("Identity", [g.axes("Squeeze", y, [1])]))


def look_up(g, table):
    g.indices = g.random.integers(0, len(table), (N, T))
    g.flow = [table[row] for row in g.indices]
    return g.input("x", TensorProto.INT64, ["t", "n"])


def embedding(g):
    table = g.values(9, 3)
    x = g.node("Gather", [g.constant(table), look_up(g, table)], axis=0)
    return g.model(g.head(g.axes("Squeeze", g.layer(x)[0], [1]), "matmul_add", H))


def one_hot(g):
    table = np.eye(9)
    x = g.node("OneHot", [look_up(g, table), g.constant(np.array(9)), g.constant(np.array([0.0, 1.0]))])
    return g.model(g.axes("Squeeze", g.layer(x)[0], [1]))


def one_feature(g):
    g.flow = [x[:, :1] for x in g.flow]
    g.x = g.x[:, :, :1].copy()
    g.input("x", TensorProto.FLOAT, ["t", "n"])
    return g.model(g.axes("Squeeze", g.layer(g.axes("Unsqueeze", "x", [2]))[0], [1]))


# ---- Layers that differ ----


def squeezed(g, x, direction="forward", hidden=H):
    """A recurrent layer, [T, N, hidden]."""
    y, _ = g.layer(x, direction, weights=g.weights(g.flow[0].shape[1], 1, hidden))
    return g.axes("Squeeze", y, [1])


def dense(g, x, outputs):
    W, b = g.values(outputs, g.flow[0].shape[1]), g.values(outputs)
    g.flow = [h @ W.T + b for h in g.flow]
    return g.node("Add", [g.node("MatMul", [x, g.constant(W.T)]), g.constant(b)])


def apply(g, x, f, op, inputs=(), **attributes):
    g.flow = [f(h) for h in g.flow]
    return g.node(op, [x, *inputs], **attributes)


def normalize(g, x):
    """[T, N, F], whose features are on the second axis of a normalisation."""
    F = g.flow[0].shape[1]
    scale, b, mean, variance = g.values(F), g.values(F), g.values(F), abs(g.values(F)) + 0.25
    g.flow = [scale * (h - mean) / np.sqrt(variance + 1e-3) + b for h in g.flow]
    x = g.node("Transpose", [x], perm=[1, 2, 0])
    x = g.node("BatchNormalization", [x, *(g.constant(v) for v in (scale, b, mean, variance))], epsilon=1e-3)
    return g.node("Transpose", [x], perm=[2, 0, 1])


def dense_before_and_behind(g):
    x = apply(g, dense(g, "x", 3), np.tanh, "Tanh")
    y = apply(g, squeezed(g, x), lambda v: np.maximum(v, 0), "Relu")
    y = apply(g, dense(g, y, 5), sigmoid, "Sigmoid")
    return g.model(dense(g, y, O))


def widths_and_cells(g):
    y = squeezed(g, "x", hidden=5)
    own = g.op
    g.op = "LSTM" if own == "GRU" else "GRU"
    y = squeezed(g, y, hidden=3)
    g.op = own
    return g.model(dense(g, squeezed(g, y, hidden=4), O))


def reverse_alone(g):
    y = squeezed(g, "x", "reverse", 5)
    return g.model(dense(g, squeezed(g, y, "forward", 4), O))


def activations(g):
    y = dense(g, squeezed(g, "x"), 4)
    y = apply(g, y, lambda v: np.where(v > 0, v, 0.5 * (np.exp(v) - 1)), "Elu", alpha=0.5)
    y = dense(g, y, 4)
    y = apply(g, y, lambda v: np.where(v > 0, v, 0.25 * v), "LeakyRelu", alpha=0.25)
    y = dense(g, y, 4)
    slopes = g.values(4)
    y = apply(g, y, lambda v: np.where(v > 0, v, slopes * v), "PRelu", [g.constant(slopes)])
    y = apply(g, y, lambda v: v / (1 + abs(v)), "Softsign")
    y = dense(g, y, 4)
    y = apply(g, y, lambda v: np.log1p(np.exp(v)), "Softplus")
    y = dense(g, y, 4)
    y = apply(g, y, lambda v: np.clip(0.25 * v + 0.5, 0, 1), "HardSigmoid", alpha=0.25, beta=0.5)
    z = dense(g, y, 4)
    y = g.node("Mul", [g.node("Sigmoid", [z]), z])
    g.flow = [h * sigmoid(h) for h in g.flow]
    y = dense(g, y, 3)
    return g.model(apply(g, y, lambda v: np.exp(v) / np.exp(v).sum(1, keepdims=True), "Softmax", axis=2))


def affine(g):
    a, b, c, d = g.values(H), g.values(H), g.values(H), abs(g.values(1)) + 0.5
    y = squeezed(g, "x")
    y = apply(g, y, lambda v: v * a, "Mul", [g.constant(a)])
    y = apply(g, y, lambda v: v + b, "Add", [g.constant(b)])
    y = squeezed(g, apply(g, y, lambda v: v - c, "Sub", [g.constant(c)]))
    y = apply(g, y, lambda v: v / d, "Div", [g.constant(d)])
    g.flow = [b - h for h in g.flow]
    y = g.node("Sub", [g.constant(b), y])
    y = dense(g, y, 3)
    return g.model(apply(g, y, lambda v: v * 0.5, "Mul", [g.constant(np.array(0.5))]))


def normalized(g):
    x = normalize(g, apply(g, dense(g, "x", 3), np.tanh, "Tanh"))
    y = normalize(g, squeezed(g, x))
    y = apply(g, normalize(g, dense(g, y, 4)), lambda v: np.maximum(v, 0), "Relu")
    return g.model(normalize(g, y))


def classifier(g):
    """Of the last step, with a hidden layer."""
    _, h = g.layer("x")
    g.last()
    y = apply(g, g.head(g.axes("Squeeze", h, [0]), "gemm", H), np.tanh, "Tanh")
    W = g.values(3, O)
    g.flow = [v @ W.T for v in g.flow]
    return g.model(apply(g, g.node("MatMul", [y, g.constant(W.T)]),
                         lambda v: np.exp(v) / np.exp(v).sum(1, keepdims=True), "Softmax", axis=1), 2)


def computed_constants(g):
    """A matrix and a shape that nodes compute."""
    y, W, b = squeezed(g, "x"), g.values(H, O), g.values(O)
    g.flow = [(h @ (W * 0.5 + 0.25)) / 2 - b for h in g.flow]
    matrix = g.node("Add", [g.node("Mul", [g.constant(W), g.constant(np.array(0.5))]), g.constant(np.array([0.25]))])
    y = g.node("MatMul", [y, g.node("Div", [matrix, g.constant(np.array(2.0))])])
    y = g.node("Add", [y, g.node("Sub", [g.constant(np.zeros((1, O))), g.constant(b)])])
    shape = g.node("Shape", [y])
    rows = g.node("Mul", [g.node("Gather", [shape, g.constant(np.array([0]))]),
                          g.node("Gather", [shape, g.constant(np.array([1]))])])
    flat = g.node("Reshape", [y, g.node("Concat", [rows, g.constant(np.array([O]))], axis=0)])
    return g.model(g.node("Reshape", [flat, shape]))


# ---- Convolutions ----


def relu(v):
    return np.maximum(v, 0)


def causal(g, channels, kernel, dilation=1, group=1):
    """The weights of a convolution; self.flow becomes what it gives."""
    inputs = g.flow[0].shape[1]
    W, b = g.values(channels, inputs // group, kernel), g.values(channels)
    reach = (kernel - 1) * dilation
    own = np.repeat(np.eye(group), channels // group, 0).repeat(inputs // group, 1)
    whole = np.tile(W, (1, group, 1)) * own[:, :, None]

    def convolve(x):
        padded = np.concatenate([np.zeros((reach, x.shape[1])), x])
        return sum(padded[k * dilation:k * dilation + len(x)] @ whole[:, :, k].T for k in range(kernel)) + b
    g.flow = [convolve(x) for x in g.flow]
    return g.constant(W, "W"), g.constant(b, "b")


def channels_first(g, x):
    """[T, N, C] as [N, C, T]."""
    return g.node("Transpose", [x], perm=[1, 2, 0])


def steps_first(g, x):
    return g.node("Transpose", [x], perm=[2, 0, 1])


def rest(g, x):
    """A recurrent layer, and a matrix."""
    return g.model(dense(g, squeezed(g, steps_first(g, x)), O))


def conv_pads(g):
    x = channels_first(g, "x")
    x = g.node("Conv", [x, *causal(g, 5, 3, 2)], dilations=[2], pads=[4, 0], kernel_shape=[3])
    x = apply(g, x, relu, "Relu")
    x = g.node("Conv", [x, *causal(g, 4, 2)], pads=[1, 0])
    x = apply(g, x, np.tanh, "Tanh")
    x = g.node("Conv", [x, *causal(g, 3, 1)])
    return rest(g, x)


def conv_of_channels_first(g):
    """Where the graph's input has its features before its steps."""
    x = g.node("Conv", ["x", *causal(g, 5, 2)], pads=[1, 0], strides=[1], group=1)
    slopes = g.values(5)
    x = apply(g, x, lambda v: np.where(v > 0, v, slopes * v), "PRelu", [g.constant(slopes.reshape(5, 1))])
    a, b = g.values(5), g.values(5)
    x = apply(g, x, lambda v: v * a, "Mul", [g.constant(a.reshape(1, 5, 1))])
    x = apply(g, x, lambda v: v + b, "Add", [g.constant(b.reshape(5, 1))])
    return rest(g, x)


def conv_of_groups(g):
    """Depthwise, then one step of two groups."""
    x = g.node("Conv", [channels_first(g, "x"), *causal(g, 8, 3, 2, group=I)], dilations=[2], pads=[4, 0], group=I)
    return rest(g, g.node("Conv", [apply(g, x, np.tanh, "Tanh"), *causal(g, 4, 1, group=2)], group=2))


def conv_pad_node(g):
    pads = g.constant(np.array([0, 0, 4, 0, 0, 0]))
    x = g.node("Pad", [channels_first(g, "x"), pads, g.constant(np.array(0.0))])
    return rest(g, g.node("Conv", [x, *causal(g, 5, 5)]))


def conv_pad_of_steps(g):
    """As Keras' layers become: padded before the axes are changed, and of two dimensions."""
    x = g.node("Pad", ["x", g.constant(np.array([2, 0, 0, 0, 0, 0]))])
    x = g.axes("Unsqueeze", channels_first(g, x), [2])
    W, b = causal(g, 5, 2, 2)
    W = g.axes("Unsqueeze", W, [2])
    x = g.node("Conv", [x, W, b], dilations=[1, 2], kernel_shape=[1, 2], strides=[1, 1])
    return rest(g, g.axes("Squeeze", x, [2]))


def conv_same(g):
    return rest(g, g.node("Conv", [channels_first(g, "x"), *causal(g, 5, 2)], auto_pad="SAME_LOWER"))


def conv_cut(g):
    """Padded on both sides, what is behind the sequence cut off."""
    x = g.node("Conv", [channels_first(g, "x"), *causal(g, 5, 3)], pads=[2, 2])
    x = g.node("Slice", [x, g.constant(np.array([0])), g.constant(np.array([-2])), g.constant(np.array([2]))])
    return rest(g, apply(g, x, relu, "Relu"))


def conv_past(g):
    """The steps before the first are an input."""
    x = g.node("Concat", [g.input("past", TensorProto.FLOAT, [2, "n", I]), "x"], axis=0)
    return rest(g, g.node("Conv", [channels_first(g, x), *causal(g, 5, 3)]))


def conv_behind(g):
    """And zeros that are computed."""
    y = squeezed(g, "x")
    shape = g.node("Concat", [g.constant(np.array([3])), g.node("Gather", [g.node("Shape", ["x"]),
                                                                           g.constant(np.array([1]))]),
                              g.constant(np.array([H]))], axis=0)
    zeros = g.node("ConstantOfShape", [shape], value=helper.make_tensor("zero", TensorProto.FLOAT, [1], [0]))
    y = g.node("Concat", [zeros, y], axis=0)
    y = g.node("Conv", [channels_first(g, y), *causal(g, 3, 4)])
    return g.model(steps_first(g, y))


def conv_residual(g):
    x = g.node("Conv", [channels_first(g, "x"), *causal(g, 5, 3)], pads=[2, 0])
    for dilation in 1, 2:
        before = g.flow
        y = g.node("Conv", [x, *causal(g, 5, 2, dilation)], pads=[dilation, 0], dilations=[dilation])
        y = apply(g, y, relu, "Relu")
        g.flow = [a + b for a, b in zip(g.flow, before)]
        x = g.node("Add", [y, x])
    return rest(g, x)


def conv_alone(g):
    """No recurrent layer at all."""
    x = g.node("Conv", [channels_first(g, "x"), *causal(g, 5, 3)], pads=[2, 0])
    return g.model(steps_first(g, apply(g, x, relu, "Relu")))


# ---- Sums ----


def dense_residual(g):
    x, before = dense(g, "x", 4), g.flow
    y = apply(g, dense(g, x, 4), np.tanh, "Tanh")
    g.flow = [a + b for a, b in zip(g.flow, before)]
    y, before = g.node("Add", [x, y]), g.flow
    z = apply(g, y, np.tanh, "Tanh")  # a layer of its own
    g.flow = [a + b for a, b in zip(g.flow, before)]
    return g.model(squeezed(g, g.node("Add", [z, y])))


def first_residual(g):
    before = g.flow
    x = g.node("Add", ["x", apply(g, dense(g, "x", I), np.tanh, "Tanh")])
    g.flow = [a + b for a, b in zip(g.flow, before)]
    return g.model(squeezed(g, x))


def scaled_residual(g):
    """What is scaled before it is added again is no part of the layer before."""
    x = dense(g, squeezed(g, "x"), 4)
    x = apply(g, x, lambda v: v * 0.5, "Mul", [g.constant(np.array(0.5))])
    before = g.flow
    y = apply(g, dense(g, x, 4), np.tanh, "Tanh")
    g.flow = [a + b for a, b in zip(g.flow, before)]
    return g.model(g.node("Add", [y, x]))


def skip(g):
    y = dense(g, squeezed(g, "x"), 1)
    first = g.node("Slice", ["x", g.constant(np.array([0])), g.constant(np.array([1])), g.constant(np.array([2]))])
    g.flow = [a + x[:, :1] for a, x in zip(g.flow, g.x)]
    return g.model(g.node("Add", [y, first]))


def skip_all(g):
    """Batch first, and all inputs."""
    y = dense(g, squeezed(g, g.node("Transpose", ["x"], perm=[1, 0, 2])), I)
    g.flow = [a + x for a, x in zip(g.flow, g.x)]
    return g.model(g.node("Add", ["x", g.node("Transpose", [y], perm=[1, 0, 2])]))


def added_directions(g):
    x = g.flow
    y = squeezed(g, "x", "reverse")
    first, g.flow = g.flow, x
    z = squeezed(g, "x")
    g.flow = [a + b for a, b in zip(first, g.flow)]
    return g.model(dense(g, g.node("Add", [y, z]), O))


def mean_of_directions(g):
    """Of one node."""
    y, _ = g.layer("x", "bidirectional")
    g.flow = [(h[:, :H] + h[:, H:]) / 2 for h in g.flow]
    if g.opset < 13:
        y = g.node("ReduceSum", [y], axes=[1], keepdims=0)
    else:
        y = g.node("ReduceSum", [y, g.constant(np.array([1]))], keepdims=0)
    y = g.node("Mul", [y, g.constant(np.array(0.5))])
    return g.model(squeezed(g, y))


# ---- Activations of several nodes ----


def erf(v):
    return np.vectorize(math.erf)(v)


def gelus(g):
    def number(v):
        return g.constant(np.array(v))

    y = dense(g, squeezed(g, "x"), 4)
    for form in range(5):
        if form == 0:  # PyTorch's
            z = g.node("Add", [g.node("Erf", [g.node("Div", [y, number(2 ** 0.5)])]), number(1.0)])
            y = g.node("Mul", [g.node("Mul", [y, z]), number(0.5)])
        elif form == 1:
            z = g.node("Add", [number(1.0), g.node("Erf", [g.node("Mul", [y, number(0.5 ** 0.5)])])])
            y = g.node("Mul", [g.node("Mul", [number(0.5), y]), z])
        elif form == 2:
            z = g.node("Add", [g.node("Erf", [g.node("Mul", [y, number(0.5 ** 0.5)])]), number(1.0)])
            y = g.node("Mul", [g.node("Mul", [z, number(0.5)]), y])
        elif form == 3:
            z = g.node("Mul", [g.node("Erf", [g.node("Div", [y, number(2 ** 0.5)])]), number(0.5)])
            y = g.node("Mul", [y, g.node("Add", [z, number(0.5)])])
        else:
            z = g.node("Sigmoid", [y])
            y = g.node("Mul", [g.node("Mul", [y, number(2.0)]), z])
        g.flow = [v * (1 + erf(v / 2 ** 0.5)) / 2 if form < 4 else 2 * v * sigmoid(v) for v in g.flow]
        y = dense(g, y, 4)
    return g.model(y)


def normalized_inputs(g):
    mean, deviation = g.values(I), abs(g.values(I)) + 0.5
    g.flow = [(x - mean) / deviation for x in g.flow]
    x = g.node("Div", [g.node("Sub", ["x", g.constant(mean)]), g.constant(deviation)])
    x = apply(g, x, np.tanh, "Tanh")
    return g.model(squeezed(g, apply(g, x, lambda v: v * 0.5, "Mul", [g.constant(np.array(0.5))])))


def classifier_of_both(g):
    """Of the last step of each direction."""
    _, h = g.layer("x", "bidirectional")
    g.flow = [np.concatenate([y[-1:, :H], y[:1, H:]], axis=1) for y in g.flow]
    y = g.node("Reshape", [g.node("Transpose", [h], perm=[1, 0, 2]), g.constant(np.array([0, -1]))])
    y = apply(g, g.head(y, "gemm", 2 * H), np.tanh, "Tanh")
    return g.model(apply(g, dense(g, y, 3), lambda v: np.maximum(v, 0), "Relu"), 2)


# ---- Pooling ----


def mean_of_steps(g):
    """And a hidden layer behind it."""
    y, _ = g.layer("x", "bidirectional")
    y, g.pooling = g.node("ReduceMean", [g.joined(y)], axes=[0], keepdims=0), 2
    g.flow = [h.mean(0, keepdims=True) for h in g.flow]
    return g.model(dense(g, apply(g, dense(g, y, 5), np.tanh, "Tanh"), O), 2)


def largest_of_steps(g):
    """Of what a dense layer gives for each step."""
    y = apply(g, dense(g, squeezed(g, "x"), 5), np.tanh, "Tanh")
    y = apply(g, y, lambda v: v * -0.5, "Mul", [g.constant(np.array(-0.5))])
    y, g.pooling = g.node("ReduceMax", [y], axes=[0], keepdims=1), 3
    g.flow = [h.max(0, keepdims=True) for h in g.flow]
    return g.model(dense(g, y, O))


def pooled_convolution(g):
    x = g.node("Conv", [channels_first(g, "x"), *causal(g, 5, 3)], pads=[2, 0])
    x = apply(g, g.node("Conv", [x, *causal(g, 4, 1)]), relu, "Relu")
    x, g.pooling = g.node("GlobalAveragePool", [x]), 2
    g.flow = [h.mean(0, keepdims=True) for h in g.flow]
    return g.model(dense(g, g.axes("Squeeze", x, [2]), O), 2)


def last_of_convolution(g):
    """Of one step each, behind a layer that reads backwards."""
    y = g.node("Conv", [channels_first(g, squeezed(g, "x", "reverse")), *causal(g, 4, 1)])
    y = g.node("Gather", [y, g.constant(np.array(0))], axis=2)
    g.flow = [h[:1] for h in g.flow]
    return g.model(y, 2)


def last_of_swish(g):
    """Both factors are cut before they are multiplied."""
    y = dense(g, squeezed(g, "x"), 4)
    parts = [g.node("Gather", [part, g.constant(np.array(-1))], axis=0) for part in (y, g.node("Sigmoid", [y]))]
    g.flow = [(h * sigmoid(h))[-1:] for h in g.flow]
    return g.model(g.node("Mul", parts), 2)


# ---- Heads of 8 bits: the matrix is what counts, not how the values were rounded ----


def eight_bits(g, outputs, by_channel, kind=np.int8):
    """A matrix [F, O], its scale and its zero point; self.flow becomes the product with it."""
    F, parts = g.flow[0].shape[1], outputs if by_channel else 1
    limits = np.iinfo(kind)
    W = g.random.integers(limits.min, limits.max + 1, (F, outputs))
    zero, scale = g.random.integers(-9, 9, parts) + (limits.max + limits.min) // 2, g.random.uniform(0.001, 0.01, parts)
    scale = scale.astype(np.float32)
    g.flow = [h @ ((W - zero) * scale.astype(np.float64)) for h in g.flow]
    shape = [parts] if by_channel else []
    made = W.astype(kind), scale.reshape(shape), zero.astype(kind).reshape(shape)
    return [g.initializer(numpy_helper.from_array(v, g.fresh("eight"))) for v in made]


def quantizer(g, scale=0.02, kind=np.uint8, zero=120):
    return [g.initializer(numpy_helper.from_array(np.array(v), g.fresh("quantizer")))
            for v in (np.float32(scale), kind(zero))]


def with_bias(g, x):
    b = g.values(g.flow[0].shape[1])
    g.flow = [h + b for h in g.flow]
    return g.node("Add", [x, g.constant(b)])


def integer_heads(g):
    """As ONNX Runtime's dynamic quantisation writes them."""
    y = squeezed(g, "x")
    for by_channel, kind in (False, np.int8), (True, np.uint8):
        W, scale, zero = eight_bits(g, 4, by_channel, kind)
        q, q_scale, q_zero = g.node("DynamicQuantizeLinear", [y], 3)
        sums = g.node("Cast", [g.node("MatMulInteger", [q, W, q_zero, zero])], to=TensorProto.FLOAT)
        y = g.node("Mul", [sums, g.node("Mul", [q_scale, scale])])
        y = apply(g, with_bias(g, y), np.tanh, "Tanh")
    return g.model(y)


def fused_head(g):
    y = squeezed(g, "x")
    W, scale, zero = eight_bits(g, O, False)
    b = g.values(O)
    g.flow = [h + b for h in g.flow]
    return g.model(g.node("DynamicQuantizeMatMul", [y, W, scale, zero, g.constant(b)], domain="com.microsoft"))


def linear_head(g):
    y, before, behind = squeezed(g, "x"), quantizer(g), quantizer(g, 0.05)
    W = eight_bits(g, O, True)
    q = g.node("QuantizeLinear", [y, *before])
    q = g.node("QLinearMatMul", [q, *before, *W, *behind])
    return g.model(with_bias(g, g.node("DequantizeLinear", [q, *behind])))


def surrounded(g):
    """QuantizeLinear and DequantizeLinear around each node."""
    def both(x, *by):
        return g.node("DequantizeLinear", [g.node("QuantizeLinear", [x, *by]), *by])

    y = both(squeezed(g, both("x", *quantizer(g))), *quantizer(g, 0.01, np.int8, 0))
    y = g.node("MatMul", [y, g.node("DequantizeLinear", eight_bits(g, 4, True), axis=1)])
    y = both(with_bias(g, y), *quantizer(g))
    y = g.node("Reshape", [y, g.constant(np.array([-1, 4]))])
    W, b = np.round(g.values(4, O) * 32) / 32, g.values(O)
    g.flow = [h @ W + b for h in g.flow]
    W = both(g.constant(W), *quantizer(g, 1 / 32, np.int8, 1))
    y = both(g.node("Gemm", [y, W, g.constant(b)]), *quantizer(g))
    return g.model(g.node("Reshape", [y, g.constant(np.array([T, N, O]))]))


OPERATORS = {"RNN": ("RNN", {}), "RNN_relu": ("RNN", {"relu": True}), "GRU": ("GRU", {}),
             "GRU_linear_before_reset": ("GRU", {"linear_before_reset": 1}), "LSTM": ("LSTM", {}),
             "LSTM_peepholes": ("LSTM", {"peepholes": True}),
             "LSTM_input_forget": ("LSTM", {"peepholes": True, "input_forget": 1})}
CASES = [(plain, {}), (plain, {"opset": 7}), (plain, {"opset": 11, "tensors": "data"}), (plain, {"tensors": "nodes"}),
         (plain, {"tensors": "float16"}), (plain, {"tensors": "float16_data"}), (plain, {"tensors": "bfloat16"}),
         (plain, {"tensors": "double_data"}), (plain, {"initial": True}), (plain, {"computed_zeros": True}),
         (plain, {"given_states": True}), (plain, {"no_bias": True}), (plain, {"unfolded": True}),
         (plain, {"unfolded": True, "opset": 11}), (plain, {"shape": [T, N, I]}), (raw_output, {}), (two_layers, {}),
         (two_layers, {"initial": True}), (two_layers, {"opset": 9}), (bidirectional, {}),
         (bidirectional, {"initial": True}), (bidirectional, {"shape": [T, N, I]}), (batch_first, {}),
         (layout_1, {"shape": ["n", "t", I]}), (layout_1, {"initial": True, "shape": ["n", "t", I]}),
         (layout_1_bidirectional, {"shape": ["n", "t", I]}),
         (layout_1_bidirectional, {"initial": True, "shape": ["n", "t", I]}), (rows, {}), (rows, {"shape": [T, N, I]}),
         (last_of_y_h, {}), (states_alone, {}),
         (plain, {"activations": True}), (bidirectional, {"activations": True}), (plain, {"clip": 0.5}),
         (layout_1_bidirectional, {"activations": True, "clip": 0.5, "shape": ["n", "t", I]}), (last_by_gather, {}), (last_by_slice, {}), (two_nodes, {}),
         (two_nodes, {"initial": True}),
         (split_directions, {"opset": 12}), (gathered_directions, {}), (forward_half, {}), (residual, {}),
         (lengths_input, {}), (lengths_constant, {}), (embedding, {}), (one_hot, {}), (one_feature, {}),
         (dense_before_and_behind, {}), (dense_before_and_behind, {"shape": [T, N, I]}),
         (dense_before_and_behind, {"initial": True}), (widths_and_cells, {}),
         (reverse_alone, {}), (activations, {}), (affine, {}), (normalized, {}), (normalized, {"no_bias": True}),
         (classifier, {}), (classifier_of_both, {}), (conv_pads, {}), (conv_pads, {"shape": [T, N, I]}),
         (conv_of_channels_first, {"shape": ["n", I, "t"]}), (conv_of_groups, {}), (conv_pad_node, {}),
         (conv_pad_of_steps, {}),
         (conv_same, {}), (conv_cut, {}), (conv_cut, {"shape": [T, N, I]}), (conv_past, {}), (conv_behind, {}),
         (conv_residual, {}), (conv_alone, {}), (dense_residual, {}), (first_residual, {}), (scaled_residual, {}),
         (skip, {}), (skip, {"shape": [T, N, I]}), (skip_all, {"shape": ["n", "t", I]}), (added_directions, {}),
         (mean_of_directions, {}), (mean_of_directions, {"opset": 12}), (gelus, {}), (normalized_inputs, {}),
         (mean_of_steps, {}), (largest_of_steps, {}), (pooled_convolution, {}), (last_of_convolution, {}),
         (last_of_swish, {}),
         (computed_constants, {}), (computed_constants, {"shape": [T, N, I]}),
         (integer_heads, {}), (fused_head, {}), (linear_head, {}), (surrounded, {})]


def pooled(rnn, binding, network, g, outputs):
    """Of the last step, or as the graph says, [N, 1, outputs]."""
    if g.indices is not None:
        given = rnn.Sequences(count=N, frames=N * T, lengths=(ctypes.c_size_t * N)(*[T] * N),
                              indices=(ctypes.c_int32 * (N * T))(*[int(i) for i in g.indices.flatten()]))
    else:
        given = rnn.sequences([T] * N, [float(v) for v in g.x.flatten()])
    y = (ctypes.c_float * (N * outputs))()
    binding.call("rnn_forward", network.handle, ctypes.byref(given), ctypes.byref(rnn.ForwardOptions(pooling=g.pooling)), y)
    return np.array(y).reshape(N, 1, outputs)


def check(rnn, binding, folder, g, model):
    path = folder / "case.onnx"
    onnx.save(model, str(path))
    network = rnn.Network(binding, path=str(path))
    if g.indices is not None:
        y, _ = network.forward_indices([T] * N, [int(i) for i in g.indices.flatten()])
    else:
        y, _ = network.forward([T] * N, [float(v) for v in g.x.flatten()])
    y = np.array(y).reshape(N, T, -1)
    expected = np.stack(g.flow)
    if expected.shape[1] == 1:
        y = pooled(rnn, binding, network, g, y.shape[2])
    if y.shape != expected.shape:
        return f"{y.shape} for {expected.shape}"
    difference = (np.abs(y - expected) / (1 + np.abs(expected))).max()
    return None if difference <= TOLERANCE else f"differs by {difference:.1e}"


def main():
    sys.path.insert(0, sys.argv[1])
    import librnn as rnn

    binding, failed, count = rnn.Binding(sys.argv[2]), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for operator, (op, options) in OPERATORS.items():
            for make, more in CASES:
                name = f"{operator} {make.__name__} {more or ''}"
                g = Graph(op, count, **options, **more)
                count += 1
                try:
                    problem = check(rnn, binding, pathlib.Path(folder), g, make(g))
                except RuntimeError as error:
                    problem = str(error)
                if problem:
                    failed += 1
                    print(f"{name}: {problem}")
    print(f"Graphs of other exporters: {count - failed} as ONNX's formulas, {failed} failed")
    sys.exit(failed > 0)


main()
