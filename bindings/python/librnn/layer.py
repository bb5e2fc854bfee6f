"""A layer of a list of layers, and configurations in words."""

from typing import Any

from . import _abi
from ._library import GROUPS, Named, fill, flag_names, name_of


class Layer:
    """One layer of a list of layers.

    kind     "vanilla", "gru", "lstm", "min_gru", "min_lstm", "dense" or "conv1d"
    size     units H, or outputs
    options  the other fields of rnn_layer_t: activation, direction, projection_size, flags, alpha, beta, kernel_size,
             dilation, gate_activation, output_activation, clip, zoneout_h, zoneout_c, ...

    >>> net = librnn.Network(3, layers=[librnn.Layer("conv1d", 8, kernel_size=3, dilation=1, activation="tanh"),
    ...                                 librnn.Layer("lstm", 16), librnn.Layer("dense", 2)])
    >>> net.output_size
    2
    """

    def __init__(self, kind: Named, size: int, **options: Any) -> None:
        self.struct = _abi.rnn_layer_t()
        fill(self.struct, {"kind": kind, "size": size, **options}, "a layer")

    def __repr__(self) -> str:
        options = described(self.struct)
        kind, size = options.pop("kind"), options.pop("size")
        return f"Layer({kind!r}, {size}{''.join(f', {name}={value!r}' for name, value in options.items())})"


def described(struct: Any) -> dict[str, Any]:
    """Fields that are not their default, constants by their names."""
    result: dict[str, Any] = {}
    for field in struct._fields_:
        name = field[0]
        value = getattr(struct, name)
        if name in ("struct_size", "reserved", "allocator", "layers", "layer_count") or not value:
            continue
        result[name] = flag_names(value) if name == "flags" else name_of(name, value) if name in GROUPS else value
    return result


def layer_of(struct: Any) -> Layer:
    """The layer that a struct says."""
    layer = Layer.__new__(Layer)
    layer.struct = struct
    return layer
