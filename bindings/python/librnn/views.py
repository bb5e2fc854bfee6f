"""What a network holds by names: its parameters and its texts."""

import ctypes
from collections.abc import Mapping, MutableMapping
from ctypes import byref, c_size_t
from typing import TYPE_CHECKING, Any, Iterator

import numpy as np

from ._arrays import Array, Floats, address, floats
from ._library import lib

if TYPE_CHECKING:
    from .network import Network


class Parameters(Mapping[str, Array]):
    """The parameters by PyTorch's names. Values are copies; `parameters[name] = array` copies in.

    >>> net = librnn.Network(3, 4, 2)
    >>> {name: value.shape for name, value in net.parameters.items()}
    {'weight_ih_l0': (4, 3), 'weight_hh_l0': (4, 4), 'bias_ih_l0': (4,), 'head.weight': (2, 4), 'head.bias': (2,)}
    >>> net.parameters["head.bias"] = [0.5, -0.5]
    >>> net.parameters["head.bias"]
    array([ 0.5, -0.5], dtype=float32)
    """

    def __init__(self, network: "Network") -> None:
        self._network = network
        self._shapes = network._parameter_shapes()

    def _shape(self, name: str) -> tuple[int, ...]:
        if name not in self._shapes:
            raise KeyError(f"no parameter {name!r}; there are {', '.join(self._shapes)}")
        return self._shapes[name]

    def __getitem__(self, name: str) -> Floats:
        values = np.empty(self._shape(name), np.float32)
        self._network._call(lib.rnn_get_parameter, name.encode(), address(values), values.size)
        return values

    def __setitem__(self, name: str, value: Any) -> None:
        values = floats(f"parameters[{name!r}]", value, self._shape(name))
        self._network._call(lib.rnn_set_parameter, name.encode(), address(values), values.size)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def update(self, values: Mapping[str, Any]) -> None:
        """Set the parameters that are given."""
        for name, value in values.items():
            self[name] = value

    def __repr__(self) -> str:
        return f"Parameters({self._shapes})"


class Metadata(MutableMapping[str, str]):
    """Texts that are kept with the weights, and go into files.

    >>> net = librnn.Network(3, 4)
    >>> net.metadata["alphabet"] = "abc"
    >>> dict(net.metadata)
    {'alphabet': 'abc'}
    """

    def __init__(self, network: "Network") -> None:
        self._network = network

    def __getitem__(self, key: str) -> str:
        size = c_size_t()
        self._network._call(lib.rnn_get_metadata, key.encode(), None, 0, byref(size))
        value = ctypes.create_string_buffer(size.value)
        self._network._call(lib.rnn_get_metadata, key.encode(), value, size, byref(size))
        return value.value.decode()

    def __setitem__(self, key: str, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"metadata[{key!r}] is {value!r}; it must be a text")
        self._network._call(lib.rnn_set_metadata, key.encode(), value.encode())

    def __delitem__(self, key: str) -> None:
        self[key]
        self._network._call(lib.rnn_set_metadata, key.encode(), None)

    def __iter__(self) -> Iterator[str]:
        key, keys = ctypes.c_char_p(), []
        for index in range(len(self)):
            self._network._call(lib.rnn_metadata_key, index, byref(key))
            keys.append((key.value or b"").decode())
        return iter(keys)

    def __len__(self) -> int:
        count = c_size_t()
        self._network._call(lib.rnn_metadata_count, byref(count))
        return count.value
