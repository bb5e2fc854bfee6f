"""A network of librnn as a layer of a PyTorch model."""

import functools
from typing import Any, Optional

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from ._library import Named
from .network import Network
from .tape import Tape


class _Pass(torch.autograd.Function):
    """One pass through a tape: outputs and final states forward, gradients backward."""

    @staticmethod
    def forward(ctx: Any, layer: "Layer", x: Any, state: Any, *values: Any) -> tuple[Any, Any]:
        # The fork keeps these weights while the layer goes on to others.
        tape, read, start = Tape(layer.load(values).fork(), layer.threads), _array(x), _array(state)
        ctx.tape, ctx.kinds, ctx.state_kind = tape, [v.dtype for v in (x, *values)], getattr(state, "dtype", None)
        ctx.again = functools.partial(tape.forward, read, state=start, pooling=layer.pooling, return_state=True)
        ctx.recorded = True
        y, final = ctx.again()
        return torch.from_numpy(y), torch.from_numpy(final)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_y: Any, d_final: Any) -> tuple[Any, ...]:
        if not ctx.recorded:  # with retain_graph: a record serves one backward pass
            ctx.again()
        ctx.recorded = False
        d_x, d_state = ctx.tape.backward(_array(d_y), _array(d_final))
        gradients = ctx.tape.gradients.values()
        d_values = [torch.from_numpy(g).to(kind) for g, kind in zip(gradients, ctx.kinds[1:])]
        ctx.tape.zero()
        return (None, None if d_x is None else torch.from_numpy(d_x).to(ctx.kinds[0]),
                None if ctx.state_kind is None else torch.from_numpy(d_state).to(ctx.state_kind), *d_values)


def _array(tensor: Any) -> Any:
    return None if tensor is None else tensor.detach().numpy()


class Layer(torch.nn.Module):
    """A torch.nn.Module that computes by librnn, on the CPU in float32. It has the parameters of the network, by its
    names with _ for each point, and starts from their values. As torch.nn.GRU with batch_first it takes x and a state,
    and returns the outputs and the final state.

    network  is copied
    pooling  "none", or one output for each sequence: "last", "mean", "max"
    threads  0: all

    x        [T, I], [B, T, I], or indices (int64 or int32) [T], [B, T]
    state    [S], [B, S], or None: the initial state
    returns  (y [T, O], [B, T, O], or with pooling [O], [B, O]; the final state [S] or [B, S])

    >>> import torch, librnn.torch
    >>> layer = librnn.torch.Layer(librnn.Network(3, 8, 2, cell="lstm"))
    >>> y, state = layer(torch.zeros(4, 5, 3))
    >>> y.sum().backward()
    >>> layer.head_bias.grad
    tensor([20., 20.])
    """

    def __init__(self, network: Network, *, pooling: Named = "none", threads: int = 0) -> None:
        super().__init__()
        self._network = network.clone()
        self.pooling, self.threads = pooling, threads
        self._names = list(network.parameters)
        for name, value in network.parameters.items():
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(torch.from_numpy(value)))

    def _values(self) -> list[Any]:
        return [getattr(self, name.replace(".", "_")) for name in self._names]

    def load(self, values: Any) -> Network:
        """The network with these values of its parameters."""
        self._network.parameters.update({name: _array(value) for name, value in zip(self._names, values)})
        return self._network

    @property
    def network(self) -> Network:
        """A copy of the network with the present parameters: for steps, files and generation.

        >>> import torch, librnn.torch
        >>> librnn.torch.Layer(librnn.Network(3, 8, 2)).network.output_size
        2
        """
        return self.load(self._values()).clone()

    def forward(self, x: Any, state: Optional[Any] = None) -> tuple[Any, Any]:
        values = self._values()
        if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, state, *values)):
            result: tuple[Any, Any] = _Pass.apply(self, x, state, *values)
            return result
        y, final = self.load(values)(_array(x), state=_array(state), pooling=self.pooling, return_state=True)
        return torch.from_numpy(np.asarray(y)), torch.from_numpy(np.asarray(final))

    def extra_repr(self) -> str:
        return repr(self._network)
