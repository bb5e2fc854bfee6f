"""Recurrent neural networks on the CPU: librnn from Python.

>>> net = librnn.Network(input_size=3, hidden_size=16, output_size=2, cell="lstm")
>>> y = net.step([0.1, 0.2, 0.3])               # one step of a stream: [O]
>>> y = net(np.zeros((4, 10, 3), np.float32))   # whole sequences: [B, T, O]

Arrays that are C-contiguous float32 (indices: int32) are read and written in place; others are converted once. Whole
numbers are indices or classes, everywhere; x.astype(np.float32) makes them values.
"""

from ._abi import VERSION
from ._library import (BadFormatError, FileError, InternalError, InvalidArgumentError, MismatchError, NotFiniteError,
                       NotFoundError, OutOfMemoryError, RnnError, UnavailableError, UnsupportedError, lib,
                       library_path, library_version)
from .layer import Layer
from .network import Network, from_bytes, load, save, step_many
from .tape import Tape
from .training import Evaluation, History, Progress, Trainer
from .views import Metadata, Parameters

__version__ = VERSION


def isa() -> str:
    """The instruction set that the library uses: "avx2", ...

    >>> librnn.isa() in ("scalar", "sse2", "avx2", "avx512", "neon")
    True
    """
    return str(lib.rnn_isa().decode())


__all__ = [
    "BadFormatError", "Evaluation", "FileError", "History", "InternalError", "InvalidArgumentError", "Layer", "Metadata", "MismatchError",
    "Network", "NotFiniteError", "NotFoundError", "OutOfMemoryError", "Parameters", "Progress",
    "RnnError", "Tape", "Trainer", "UnavailableError", "UnsupportedError", "from_bytes", "isa", "library_path", "library_version", "load", "save", "step_many"]
