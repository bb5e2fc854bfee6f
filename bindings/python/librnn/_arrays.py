"""Arrays of the caller as the library reads and writes them: without a copy where dtype and layout allow."""

import operator
from typing import Any, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _abi

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Array = npt.NDArray[Any]
Shape = Sequence[Union[int, str]]  # a number that must be, or a letter that may be any


def shape_text(shape: Shape) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _fits(actual: tuple[int, ...], wanted: Shape) -> bool:
    return len(actual) == len(wanted) and all(isinstance(b, str) or a == b for a, b in zip(actual, wanted))


def check_shape(name: str, array: Array, *shapes: Shape) -> None:
    """Refuse an array that has none of the shapes."""
    if not any(_fits(array.shape, shape) for shape in shapes):
        raise ValueError(f"{name} has the shape {shape_text(array.shape)}; it must be "
                         + " or ".join(map(shape_text, shapes)))


def is_index(array: Array) -> bool:
    """Whole numbers are indices, or classes."""
    return bool(array.dtype.kind in "iu")


def floats(name: str, value: Any, *shapes: Shape) -> Floats:
    """The value as C-contiguous float32: itself if it is that, else one conversion."""
    if type(value) is np.ndarray and value.dtype == np.float32 and value.shape in shapes and value.flags.c_contiguous:
        return value  # at once, for steps
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has the dtype {array.dtype}; it must be float32, or real numbers that become it")
    if shapes:
        check_shape(name, array, *shapes)
    return np.ascontiguousarray(array, np.float32)


def ints(name: str, value: Any, *shapes: Shape) -> Ints:
    """The value as C-contiguous int32."""
    array = np.asarray(value)
    if not is_index(array):
        raise TypeError(f"{name} has the dtype {array.dtype}; it must be int32, or whole numbers that fit into it")
    if shapes:
        check_shape(name, array, *shapes)
    if array.dtype != np.int32 and array.size:
        least, greatest = int(array.min()), int(array.max())
        if least < -(2**31) or greatest >= 2**31:
            raise ValueError(f"{name} has values {least}..{greatest}, which do not fit into int32")
    return np.ascontiguousarray(array, np.int32)


def output(name: str, out: Optional[Array], shape: Sequence[int], reads: Optional[Array] = None) -> Floats:
    """Where a result goes: a new array, or the caller's, which must be ready to be written as it is."""
    if out is None:
        return np.empty(shape, np.float32)
    if not isinstance(out, np.ndarray) or out.dtype != np.float32:
        kind = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"{name} is {kind}; it must be an array of float32")
    if out.shape != shape:
        check_shape(name, out, shape)
    if not out.flags.writeable:
        raise ValueError(f"{name} is read-only; it is written to")
    if not out.flags.c_contiguous:
        raise ValueError(f"{name} has the strides {out.strides}; it must be C-contiguous")
    if reads is not None and np.may_share_memory(out, reads):
        raise ValueError(f"{name} overlaps what is read")
    return out


def as_index(value: Any) -> Optional[int]:
    """An int for a whole number, None for all else."""
    if isinstance(value, np.ndarray) and value.ndim:
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def address(array: Optional[Array]) -> Optional[int]:
    """Where an array is: what its ctypes.data says, in less time."""
    return None if array is None else int(array.__array_interface__["data"][0])


def _elements(value: Any) -> Optional[list[Any]]:
    """The sequences of a list of ragged ones; None of what is one array."""
    if not isinstance(value, (list, tuple)) or not value:
        return None
    if isinstance(value[0], np.ndarray) and value[0].ndim:
        return list(value)
    try:
        ragged = np.asarray(value).dtype == object
    except ValueError:
        ragged = True
    return list(value) if ragged else None


def _joined(name: str, parts: Sequence[Any], width: int, indexed: Optional[bool]) -> tuple[Array, list[int]]:
    """Sequences one after the other, [F, width] or as indices [F]. A single array is not copied."""
    if not parts:
        raise ValueError(f"{name} has no sequences; it must have one at least")
    arrays = [np.asarray(part) for part in parts]
    if indexed is None:
        indexed = is_index(arrays[0])
    done: list[Array] = []
    for i, array in enumerate(arrays):
        label = name if len(arrays) == 1 else f"{name}[{i}]"
        done.append(ints(label, array, ["T"]) if indexed else floats(label, array, ["T", width]))
    lengths = [len(array) for array in done]
    return (done[0] if len(done) == 1 else np.concatenate(done)), lengths


class Batch:
    """Sequences of a caller, in the library's form.

    struct    rnn_sequences_t over arrays that live as long as this
    """

    def __init__(self, x: Any, input_size: int, output_size: int) -> None:
        self.output_size = output_size
        parts = _elements(x)
        self.kind = "list"
        if parts is None:
            array = np.asarray(x)
            if is_index(array):
                check_shape("x", array, ["T"], ["B", "T"])
                array = ints("x", array)
                self.kind = "one" if array.ndim == 1 else "batch"
                flat: Array = array.reshape(-1)
            else:
                array = floats("x", array, ["T", input_size], ["B", "T", input_size])
                self.kind = "one" if array.ndim == 2 else "batch"
                flat = array.reshape(-1, input_size)
            count, steps = (1, array.shape[0]) if self.kind == "one" else array.shape[:2]
            lengths = [int(steps)] * int(count)
        else:
            flat, lengths = _joined("x", parts, input_size, None)
        if not lengths:
            raise ValueError("x has no sequences; it must have one at least")
        self.lengths = lengths
        self.inputs = flat
        self.frames = len(flat)
        self.sizes = np.array(lengths, np.uintp)
        self.struct = _abi.rnn_sequences_t(count=len(lengths), frames=self.frames, lengths=address(self.sizes))
        setattr(self.struct, "indices" if is_index(flat) else "inputs", address(flat))
        self._kept: list[Array] = []

    def _keep(self, field: str, array: Array) -> None:
        self._kept.append(array)
        setattr(self.struct, field, address(array))

    def _steps(self, name: str, value: Any, dtype: Any, pooled: bool) -> Array:
        """A number for each step, or with pooling for each sequence: flat."""
        parts = None if pooled else _elements(value)
        if self.kind == "list" and not pooled:
            parts = list(value)
        if parts is not None:
            self._same_lengths(name, [len(part) for part in parts])
            value = np.concatenate([np.asarray(part) for part in parts])
            wanted: Shape = [self.frames]
        elif pooled:
            wanted = [] if self.kind == "one" and np.ndim(value) == 0 else [len(self.lengths)]
        else:
            wanted = [self.frames] if self.kind == "one" else [len(self.lengths), self.lengths[0]]
        array = np.asarray(value)
        check_shape(name, array, wanted)
        if dtype is np.int32:
            return ints(name, array).reshape(-1)
        if dtype is np.float32:
            return floats(name, array).reshape(-1)
        return np.ascontiguousarray(array, dtype).reshape(-1)

    def _same_lengths(self, name: str, lengths: list[int]) -> None:
        if lengths != self.lengths:
            at = next((i for i, (a, b) in enumerate(zip(lengths, self.lengths)) if a != b), None)
            raise ValueError(f"{name} has {len(lengths)} sequences, x has {len(self.lengths)}" if at is None else
                             f"{name}[{at}] has {lengths[at]} steps, x[{at}] has {self.lengths[at]}")

    def set_pooling(self, pooling: int) -> None:
        self.struct.pooling = pooling

    def set_targets(self, y: Any) -> None:
        """Whole numbers are classes, else targets."""
        pooled, width = bool(self.struct.pooling), self.output_size
        parts = None if pooled else (list(y) if self.kind == "list" else _elements(y))
        first = np.asarray(y if parts is None or not parts else parts[0])
        if is_index(first):
            self._keep("classes", self._steps("y", y, np.int32, pooled))
            return
        if parts is not None:
            flat, lengths = _joined("y", parts, width, False)
            self._same_lengths("y", lengths)
        else:
            n, t = len(self.lengths), self.lengths[0]
            wanted: list[Shape] = [[n, width], *([[width]] if self.kind == "one" else [])] if pooled else \
                [[t, width]] if self.kind == "one" else [[n, t, width]]
            flat = floats("y", y, *wanted).reshape(-1, width)
        self._keep("targets", flat)

    def set_weights(self, weights: Any) -> None:
        self._keep("weights", self._steps("weights", weights, np.float32, bool(self.struct.pooling)))

    def set_resets(self, resets: Any) -> None:
        self._keep("resets", self._steps("resets", resets, np.uint8, False))

    def result(self, flat: Array) -> Any:
        """Outputs [F, O] or with pooling [N, O] in the form in which x came."""
        if self.struct.pooling:
            return flat[0] if self.kind == "one" else flat
        return self.form(flat)

    def form(self, flat: Array) -> Any:
        """A row for each step, [F, ...], in the form in which x came."""
        if self.kind == "one":
            return flat
        if self.kind == "batch":
            return flat.reshape(len(self.lengths), self.lengths[0], *flat.shape[1:])
        return np.split(flat, np.cumsum(self.lengths)[:-1])

    def rows(self) -> int:
        """M: how many outputs there are."""
        return len(self.lengths) if self.struct.pooling else self.frames

    def gradient(self, name: str, value: Any) -> Floats:
        """What has the form of an output, as [M, O]."""
        n, t, width = len(self.lengths), self.lengths[0], self.output_size
        if self.struct.pooling:
            return floats(name, value, *([[width]] if self.kind == "one" else []), [n, width]).reshape(n, width)
        if self.kind == "list":
            joined, lengths = _joined(name, list(value), width, False)
            self._same_lengths(name, lengths)
            return joined
        return floats(name, value, [t, width] if self.kind == "one" else [n, t, width]).reshape(-1, width)

    def states(self, name: str, value: Any, size: int) -> Optional[Floats]:
        """States [N, S] of the sequences; [S] of one."""
        if value is None:
            return None
        one: list[Shape] = [[size]] if self.kind == "one" else []
        return floats(name, value, *one, [len(self.lengths), size])

    def state_result(self, states: Floats) -> Floats:
        one: Floats = states[0]
        return one if self.kind == "one" else states


def make_batch(x: Any, y: Any, input_size: int, output_size: int, pooling: int, weights: Any = None,
               resets: Any = None) -> Batch:
    """Inputs with their targets."""
    batch = Batch(x, input_size, output_size)
    batch.set_pooling(pooling)
    if y is not None:
        batch.set_targets(y)
    if weights is not None:
        batch.set_weights(weights)
    if resets is not None:
        batch.set_resets(resets)
    return batch
