"""Gradients in, gradients out: a network as a part of a larger computation."""

from ctypes import byref, c_void_p
from typing import Any, Optional

import numpy as np

from . import _abi
from ._arrays import Batch, Floats, address, is_index
from ._library import Handle, Named, check, lib, number, together
from .network import Network


class Tape(Handle):
    """The record of a forward pass, and the parameters' gradients that backward passes have added.

    network  of which architecture; forward takes the weights as they are then
    threads  0: all

    >>> net = librnn.Network(3, 8, 2)
    >>> tape = librnn.Tape(net)
    >>> y = tape.forward(np.ones((4, 5, 3), np.float32))
    >>> d_x, d_state = tape.backward(y)             # of the loss (y ** 2).sum() / 2
    >>> d_x.shape, d_state.shape
    ((4, 5, 3), (4, 8))
    >>> tape.gradients["head.bias"].shape
    (2,)
    """

    def __init__(self, network: Network, threads: int = 0) -> None:
        self._network = network
        self._batch: Optional[Batch] = None
        handle = c_void_p()
        network._call(lib.rnn_tape_create, threads, byref(handle))
        self._hold(handle, lib.rnn_tape_destroy)

    def forward(self, x: Any, *, state: Any = None, pooling: Named = "none", return_state: bool = False) -> Any:
        """Run whole sequences, and record what backward needs; arguments and results as of Network.__call__."""
        net = self._network
        batch = Batch(x, net.input_size, net.output_size)
        batch.set_pooling(number("pooling", pooling))
        initial = batch.states("state", state, net.state_size)
        y = np.empty((batch.rows(), net.output_size), np.float32)
        final = np.empty((len(batch.lengths), net.state_size), np.float32)
        with together(self, net):
            check(lib.rnn_tape_forward(self._handle, net._handle, byref(batch.struct), address(initial), address(y),
                                       address(final)))
            self._batch = batch
        return (batch.result(y), batch.state_result(final)) if return_state else batch.result(y)

    def backward(self, d_outputs: Any = None, d_state: Any = None) -> tuple[Any, Floats]:
        """Propagate gradients back through the recorded pass, and add the parameters' gradients to the tape's.

        d_outputs  in the form of the outputs; None: zero
        d_state    in the form of the final state; None: zero
        returns    (d_x in the form of x, or None if x is indices; d_state [S] or [B, S] of the initial state)
        """
        if self._batch is None:
            raise ValueError("the tape has no record; call forward first")
        batch, net = self._batch, self._network
        given = None if d_outputs is None else batch.gradient("d_outputs", d_outputs)
        after = batch.states("d_state", d_state, net.state_size)
        d_x = None if is_index(batch.inputs) else np.empty((batch.frames, net.input_size), np.float32)
        before = np.empty((len(batch.lengths), net.state_size), np.float32)
        self._call(lib.rnn_tape_backward, address(given), address(after), address(d_x), address(before))
        self._batch = None  # a record serves one backward pass
        return None if d_x is None else batch.form(d_x), batch.state_result(before)

    @property
    def gradients(self) -> dict[str, Floats]:
        """Name -> accumulated gradient: copies, in the parameters' shapes."""
        result = {}
        for name, shape in self._network._parameter_shapes().items():
            values = np.empty(shape, np.float32)
            self._call(lib.rnn_tape_gradient, name.encode(), address(values), values.size)
            result[name] = values
        return result

    def zero(self) -> None:
        """Set the accumulated gradients to zero."""
        self._call(lib.rnn_tape_zero_gradients)

    def set_dropout(self, *, layers: float = 0, output: float = 0, recurrent: float = 0, zoneout: bool = False,
                    seed: int = 0) -> None:
        """What the passes from now on drop; see rnn_dropout_rates_t.

        >>> tape = librnn.Tape(librnn.Network(3, 8, 2, num_layers=2))
        >>> tape.set_dropout(layers=0.5, output=0.1, seed=1)
        """
        rates = _abi.rnn_dropout_rates_t(layers=layers, output=output, recurrent=recurrent, zoneout=int(zoneout))
        self._call(lib.rnn_tape_set_dropout_rates, byref(rates), seed)
