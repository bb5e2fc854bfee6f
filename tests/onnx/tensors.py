"""Read as much of ONNX's protobuf files as node tests need: one-node models, and tensors."""

import math
import struct

FLOAT, INT32, INT64, DOUBLE = 1, 6, 7, 11  # TensorProto.DataType
FORMATS = {FLOAT: "f", INT32: "i", INT64: "q", DOUBLE: "d"}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def message(data):
    """{field number: [values]}; a value is an int, or the bytes of what is longer."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
            value = signed(value)
        else:
            size, at = (8, at) if kind == 1 else (4, at) if kind == 5 else varint(data, at)
            value, at = data[at:at + size], at + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def numbers(values, form):
    """A repeated number, packed or not."""
    result = []
    for value in values:
        if isinstance(value, int):
            result.append(value)
        elif form:
            result += struct.unpack(f"<{len(value) // struct.calcsize(form)}{form}", value)
        else:
            at = 0
            while at < len(value):
                number, at = varint(value, at)
                result.append(signed(number))
    return result


class Tensor:
    def __init__(self, shape, data):
        self.shape, self.data = shape, data
        if len(data) != math.prod(shape):
            raise ValueError(f"{len(data)} values for a tensor of shape {shape}")

    def block(self, *index):
        """What stands at these leading indices, flat."""
        size, at = len(self.data), 0
        for i, extent in zip(index, self.shape):
            if not 0 <= i < extent:
                raise IndexError(f"{index} in a tensor of shape {self.shape}")
            size //= extent
            at += i * size
        return self.data[at:at + size]


def read_tensor(data):
    fields = message(data)
    kind = fields[2][0]
    if kind not in FORMATS:
        raise ValueError(f"tensor of type {kind}")
    if 9 in fields:  # raw_data
        values = numbers(fields[9], FORMATS[kind])
    else:
        own = {FLOAT: (4, "f"), INT32: (5, ""), INT64: (7, ""), DOUBLE: (10, "d")}[kind]
        values = numbers(fields.get(own[0], []), own[1])
    return Tensor(numbers(fields.get(1, []), ""), values)


class Node:
    def __init__(self, data):
        fields = message(data)
        self.operator = fields[4][0].decode()
        self.inputs = fields.get(1, [])
        self.outputs = fields.get(2, [])
        self.attributes = dict(self.attribute(message(one)) for one in fields.get(5, []))

    @staticmethod
    def attribute(fields):
        """Name and value: f, i, s, floats, ints or strings; tensors and graphs are left out."""
        single = {2: lambda v: struct.unpack("<f", v)[0], 3: int, 4: bytes}
        many = {7: lambda v: numbers(v, "f"), 8: lambda v: numbers(v, ""), 9: list}
        for number, convert in single.items():
            if number in fields:
                return fields[1][0].decode(), convert(fields[number][0])
        for number, convert in many.items():
            if number in fields:
                return fields[1][0].decode(), convert(fields[number])
        return fields[1][0].decode(), None


def read_model(data):
    """The nodes of the graph."""
    graph = message(message(data)[7][0])
    return [Node(one) for one in graph.get(1, [])]
