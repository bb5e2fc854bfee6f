"""The shared library: where it is, its errors as exceptions, its constants by name."""

import contextlib
import ctypes
import operator
import os
import pathlib
import threading
import weakref
from typing import Any, Iterable, Iterator, Optional, Union

from . import _abi

Named = Union[str, int]


class RnnError(Exception):
    """What the library refused. `status` is the constant of rnn.h, the text is the library's message."""

    status: int = 0

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InvalidArgumentError(RnnError, ValueError):
    """An argument is out of range, or contradicts another."""

    status = _abi.RNN_INVALID_ARGUMENT


class NotFoundError(RnnError, KeyError):
    """There is no parameter or metadata of that name."""

    status = _abi.RNN_NOT_FOUND


class MismatchError(RnnError, ValueError):
    """The state, weights or checkpoint belong to another architecture."""

    status = _abi.RNN_MISMATCH


class NotFiniteError(RnnError, ArithmeticError):
    """A loss or gradient became NaN or infinite; the last good weights stay."""

    status = _abi.RNN_NOT_FINITE


class OutOfMemoryError(RnnError, MemoryError):
    """There is not enough memory."""

    status = _abi.RNN_OUT_OF_MEMORY


class FileError(RnnError, OSError):
    """The operating system refused to open, read, write or rename a file."""

    status = _abi.RNN_FILE_ERROR


class BadFormatError(RnnError, ValueError):
    """A file's contents are damaged, hostile or of an unknown kind."""

    status = _abi.RNN_BAD_FORMAT


class UnsupportedError(RnnError, NotImplementedError):
    """Not on this CPU, not in this build, or no network that the library computes."""

    status = _abi.RNN_UNSUPPORTED


class UnavailableError(RnnError, ConnectionError):
    """The ranks of a job could not exchange data."""

    status = _abi.RNN_UNAVAILABLE


class InternalError(RnnError, RuntimeError):
    """A mistake in the library."""

    status = _abi.RNN_INTERNAL


_ERRORS: dict[int, type[RnnError]] = {
    kind.status: kind
    for kind in (InvalidArgumentError, NotFoundError, MismatchError, NotFiniteError, OutOfMemoryError, FileError,
                 BadFormatError, UnsupportedError, UnavailableError, InternalError)}


def _candidates() -> Iterable[str]:
    """The library in the package (of a wheel), else the one that LIBRNN names, else the system's."""
    inside = pathlib.Path(__file__).parent / "librnn.so.0"
    if inside.exists():
        return [str(inside)]
    if named := os.environ.get("LIBRNN"):
        return [named]
    return ["librnn.so.0", "librnn.0.dylib", "rnn-0.dll"]


def _open() -> tuple[ctypes.CDLL, str]:
    problems = []
    for path in _candidates():
        try:
            return ctypes.CDLL(path), path
        except OSError as error:
            problems.append(str(error))
    raise ImportError("librnn: the shared library is not found; install it, or set LIBRNN to its path. "
                      + "; ".join(problems))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _prepare(library: ctypes.CDLL, path: str) -> str:
    """Give the functions their types, and refuse a library that lacks what this package calls."""
    try:
        library.rnn_version.restype = ctypes.c_char_p
        version = str(library.rnn_version().decode())
    except AttributeError:
        raise ImportError(f"librnn: {path} is not librnn: it has no function rnn_version") from None
    ours = _abi.VERSION
    if _numbers(version) < _numbers(ours) or _numbers(version)[0] != _numbers(ours)[0]:
        raise ImportError(f"librnn: the Python package is of version {ours}, but {path} is librnn {version}; it must "
                          f"be {ours} or later, of the same major version. Install one that fits, or set LIBRNN to it")
    for name, (result, parameters) in _abi.FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ImportError(f"librnn: the Python package is of version {ours}, but {path} (librnn {version}) has no "
                              f"function {name}: it is older. Install one that fits, or set LIBRNN to it") from None
        function.restype, function.argtypes = result, parameters
    return version


lib, library_path = _open()
library_version = _prepare(lib, library_path)


def check(status: int) -> None:
    """Raise what a status says, with the message of this thread's last failure."""
    if status != _abi.RNN_OK:
        raise _ERRORS.get(status, RnnError)(lib.rnn_last_error().decode())


class Handle:
    """A handle of the library, which one thread at a time uses: others wait. What a callback may not use raises
    RuntimeError there instead of waiting for itself."""

    _in_use = "it is in use"

    def _hold(self, handle: ctypes.c_void_p, destroy: Any) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self._owner: Optional[int] = None  # the thread of a long call, from which callbacks come
        self._finalizer = weakref.finalize(self, destroy, handle)
        self._finalizer.atexit = False  # another thread may still be in a call

    def _call(self, function: Any, *arguments: Any) -> None:
        if self._owner == threading.get_ident():
            raise RuntimeError(self._in_use)
        with self._lock:
            check(function(self._handle, *arguments))

    def _call_inside(self, function: Any, *arguments: Any) -> None:
        """_call of what a callback may call, too."""
        if self._owner == threading.get_ident():
            check(function(self._handle, *arguments))
        else:
            self._call(function, *arguments)

    @contextlib.contextmanager
    def _long_call(self) -> Iterator[ctypes.c_void_p]:
        with together(self):
            self._owner = threading.get_ident()
            try:
                yield self._handle
            finally:
                self._owner = None


@contextlib.contextmanager
def together(*handles: Handle) -> Iterator[None]:
    """Several handles that one call uses. It waits for one only while it has none, so that no two threads wait for
    each other."""
    for handle in handles:
        if handle._owner == threading.get_ident():
            raise RuntimeError(handle._in_use)
    locks = [handle._lock for handle in dict.fromkeys(handles)]
    while True:
        locks[0].acquire()
        got = next((i for i, lock in enumerate(locks[1:], 1) if not lock.acquire(blocking=False)), len(locks))
        if got == len(locks):
            break
        for lock in locks[:got]:
            lock.release()
        locks = locks[got:] + locks[:got]
    try:
        yield
    finally:
        for lock in locks:
            lock.release()


# ---- Constants by name ---------------------------------------------------------------------------


def _group(prefix: str) -> dict[str, int]:
    start = f"RNN_{prefix}_"
    return {name[len(start):].lower(): value for name, value in vars(_abi).items() if name.startswith(start)}


CELLS, LAYERS, ACTIVATIONS = _group("CELL"), _group("LAYER"), _group("ACTIVATION")
GROUPS: dict[str, dict[str, int]] = {
    "cell": CELLS, "kind": {**CELLS, **LAYERS}, "init": _group("INIT"), "recurrent_init": _group("INIT"),
    "initial_state": _group("INITIAL"), "compute": _group("COMPUTE"), "flags": _group("FLAG"),
    "activation": ACTIVATIONS, "gate_activation": ACTIVATIONS, "output_activation": ACTIVATIONS,
    "direction": _group("DIRECTION"), "pooling": _group("POOLING"), "loss": _group("LOSS"),
    "optimizer": _group("OPTIMIZER"), "schedule": _group("SCHEDULE"), "format": _group("FORMAT")}


def number(field: str, value: Named) -> int:
    """The constant that a field's name means: number("cell", "lstm") is 3. A number is itself."""
    if not isinstance(value, str):
        return int(value)
    group = GROUPS[field]
    name = value.lower().replace("-", "_").replace(" ", "_")
    if name not in group:
        raise ValueError(f"{field} is {value!r}; it must be one of {', '.join(map(repr, group))}")
    return group[name]


def flags_number(value: Union[Named, Iterable[str]]) -> int:
    """The sum of flags, given by their names."""
    names = [value] if isinstance(value, (str, int)) else value
    return sum({number("flags", name) for name in names})


def name_of(field: str, value: int) -> Named:
    """The name of a constant; a number that has none, such as a default's 0, is itself."""
    return next((name for name, constant in GROUPS[field].items() if constant == value), value)


def flag_names(value: int) -> tuple[str, ...]:
    """The names of the flags in a sum."""
    return tuple(name for name, constant in GROUPS["flags"].items() if value & constant)


def fill(struct: Any, given: dict[str, Any], what: str) -> None:
    """Set fields of a struct, constants by their names. None leaves the default."""
    kinds = dict(struct._fields_)
    allowed = set(kinds) - {"struct_size", "reserved"}
    for field, value in given.items():
        if field not in allowed:
            raise TypeError(f"{what} has no option {field!r}; there are {', '.join(sorted(allowed))}")
        if value is None:
            continue
        if field == "flags":
            value = flags_number(value)
        elif field in GROUPS:
            value = number(field, value)
        elif isinstance(value, str) and kinds[field] is ctypes.c_char_p:
            value = value.encode()
        elif not isinstance(value, float) and hasattr(value, "__index__"):
            value = operator.index(value)  # of bool and numpy's integers, too
        try:
            setattr(struct, field, value)
        except TypeError:
            raise TypeError(f"{what}: {field} is {value!r}, which is no value for it") from None
        if isinstance(value, int) and getattr(struct, field) != value and not isinstance(getattr(struct, field), float):
            raise ValueError(f"{what}: {field} is {value}, which does not fit into its type")  # ctypes wraps it
