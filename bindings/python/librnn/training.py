"""Training: options by name, runs that can be interrupted, their history, and the trainer."""

import ctypes
import math
import os
import signal
import threading
from ctypes import byref, c_size_t, c_void_p
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

from . import _abi
from ._arrays import Batch, address, floats, make_batch
from ._library import Handle, Named, check, fill, lib, number, together

if TYPE_CHECKING:
    from .network import Network, Path
    from .tape import Tape


@dataclass(frozen=True)
class Progress:
    """What a callback gets after an update or a validation; see rnn_progress_t."""

    event: str  # "update" or "validation"
    epoch: int
    update: int
    total_updates: int
    loss: float
    validation_loss: float
    gradient_norm: float
    learning_rate: float
    steps_per_second: float
    skipped_updates: int


Callback = Callable[[Progress], Any]


def _progress(struct: Any) -> Progress:
    names = [name for name, _ in struct._fields_ if name not in ("struct_size", "event")]
    event = "validation" if struct.event == _abi.RNN_EVENT_VALIDATION else "update"
    return Progress(event=event, **{name: getattr(struct, name) for name in names})


@dataclass(frozen=True)
class Evaluation:
    """The loss over sequences: a mean, weighted by `weight` in all; accuracy is NaN but for classes."""

    loss: float
    weight: float
    accuracy: float


@dataclass
class History:
    """What a run reported.

    loss             of the batch of each reported update
    updates          the numbers of these updates
    validation_loss  of each validation, which came after `validation_updates`
    """

    updates: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation_updates: list[int] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)

    def add(self, progress: Progress) -> None:
        if progress.event == "validation":
            self.validation_updates.append(progress.update)
            self.validation_loss.append(progress.validation_loss)
        else:
            self.updates.append(progress.update)
            self.loss.append(progress.loss)

    def plot(self, axes: Any = None) -> Any:
        """Draw the learning curve by matplotlib, and return the axes."""
        if axes is None:
            from matplotlib import pyplot

            axes = pyplot.figure().add_subplot()
        axes.plot(self.updates, self.loss, label="training")
        if self.validation_loss:
            axes.plot(self.validation_updates, self.validation_loss, marker="o", label="validation")
        axes.set_xlabel("updates")
        axes.set_ylabel("loss")
        axes.legend()
        return axes


class _Interrupt:
    """While a run lasts, ctrl-C asks it to stop, and is raised after it: in the middle of a callback it would be lost.
    Where Python's own handler is not in place, or in another thread, it is left as it is."""

    def __init__(self) -> None:
        self.asked = False
        self._own = (threading.current_thread() is threading.main_thread()
                     and signal.getsignal(signal.SIGINT) is signal.default_int_handler)

    def _ask(self, number: int, frame: Optional[FrameType]) -> None:
        self.asked = True

    def __enter__(self) -> "_Interrupt":
        if self._own:
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *failure: Any) -> None:
        if self._own:
            signal.signal(signal.SIGINT, signal.default_int_handler)


class Run:
    """The progress function of a run: it keeps the history, calls the caller's callback, and stops where that, an
    exception in it or ctrl-C says so."""

    def __init__(self, callback: Optional[Callback], report_every: int, bar: bool) -> None:
        if report_every < 1:
            raise ValueError(f"report_every is {report_every}; it must be 1 or more")
        self.history = History()
        self._callback, self._every = callback, report_every
        self._failure: Optional[BaseException] = None
        self._interrupt = _Interrupt()
        self._bar: Any = _make_bar() if bar else None
        self.function = _abi.rnn_progress_function_t(self.report)

    def report(self, struct: Any, user: Optional[int]) -> int:
        try:
            progress = _progress(struct.contents)
            if progress.event == "validation" or progress.update % self._every == 0:
                self.history.add(progress)
                self._show(progress)
                if self._callback is not None and self._callback(progress):
                    return 1
            return int(self._interrupt.asked)
        except BaseException as failure:  # it cannot pass through the library: it is raised after the run
            self._failure = failure
            return 1

    def _show(self, progress: Progress) -> None:
        if self._bar is None:
            return
        self._bar.total = progress.total_updates or None
        shown = {"loss": f"{progress.loss:.4g}"}
        if not math.isnan(progress.validation_loss):
            shown["validation"] = f"{progress.validation_loss:.4g}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(progress.update - self._bar.n)

    def __call__(self, train: Callable[[], int]) -> History:
        """Train, and then raise what stopped it. The weights are those of the last update."""
        try:
            with self._interrupt:
                status = train()
        finally:
            if self._bar is not None:
                self._bar.close()
        if self._failure is not None:
            raise self._failure
        if self._interrupt.asked:
            raise KeyboardInterrupt
        check(status)
        return self.history


def _make_bar() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError("bar=True needs tqdm (Debian: python3-tqdm)") from None
    return tqdm(unit="update")


class Options:
    """rnn_train_options_t, and what it points to."""

    RESERVED = ("validation", "progress", "user", "report_every", "groups", "group_count", "class_weights",
                "collective")

    def __init__(self, network: "Network", options: dict[str, Any]) -> None:
        options = dict(options)
        self.struct = _abi.rnn_train_options_t()
        self._kept: list[Any] = []
        groups, weights = options.pop("groups", None), options.pop("class_weights", None)
        if wrong := [name for name in self.RESERVED if name in options]:
            raise TypeError(f"training has no option {wrong[0]!r}")
        fill(self.struct, options, "training")
        if weights is not None:
            kept = floats("class_weights", weights, [network.output_size])
            self._kept.append(kept)
            self.struct.class_weights = address(kept)
        if groups:
            self._set_groups(groups)

    def _set_groups(self, groups: Sequence[dict[str, Any]]) -> None:
        array = (_abi.rnn_parameter_group_t * len(groups))()
        for element, group in zip(array, groups):
            if not isinstance(group, dict):
                raise TypeError(f"groups has {group!r}; it must be a list of dictionaries: pattern, frozen, ...")
            element.struct_size = ctypes.sizeof(_abi.rnn_parameter_group_t)
            fill(element, group, "a group")
        self._kept.append(array)
        self.struct.group_count = len(groups)
        self.struct.groups = ctypes.cast(array, ctypes.POINTER(_abi.rnn_parameter_group_t))

    def set_validation(self, batch: Batch) -> None:
        self._kept.append(batch)
        self.struct.validation = ctypes.pointer(batch.struct)

    def set_progress(self, run: Run) -> None:
        self._kept.append(run)
        self.struct.progress = run.function


def _validation(network: "Network", validation: Any, pooling: int) -> Batch:
    if not isinstance(validation, tuple) or len(validation) not in (2, 3):
        raise TypeError("validation must be a tuple (X, y) or (X, y, weights)")
    x, y, *weights = validation
    return make_batch(x, y, network.input_size, network.output_size, pooling, *weights)


def fit(network: "Network", x: Any, y: Any, *, validation: Any, callback: Optional[Callback], report_every: int,
        bar: bool, weights: Any, resets: Any, pooling: Named, options: dict[str, Any]) -> History:
    settings, run = Options(network, options), Run(callback, report_every, bar)
    pooled = number("pooling", pooling)
    data = make_batch(x, y, network.input_size, network.output_size, pooled, weights, resets)
    if validation is not None:
        settings.set_validation(_validation(network, validation, pooled))
    settings.set_progress(run)
    with network._long_call() as handle:
        return run(lambda: int(lib.rnn_train(handle, byref(data.struct), byref(settings.struct))))


def evaluate(network: "Network", x: Any, y: Any, *, weights: Any, resets: Any, pooling: Named,
             options: dict[str, Any]) -> Evaluation:
    settings, result = Options(network, options), _abi.rnn_evaluation_t()
    data = make_batch(x, y, network.input_size, network.output_size, number("pooling", pooling), weights, resets)
    network._call(lib.rnn_evaluate, byref(data.struct), byref(settings.struct), byref(result))
    return Evaluation(loss=result.loss, weight=result.weight, accuracy=result.accuracy)


def _forward_to(runs: list[Run]) -> Any:
    """A progress function for whichever run lasts."""
    return _abi.rnn_progress_function_t(lambda struct, user: runs[0].report(struct, user) if runs else 0)


class Trainer(Handle):
    """Weights in training with their optimiser's state and the position in the data: one update at a time, and runs
    that stop and resume to the same bits. The network itself does not change; see sync.

    network     it starts from its weights
    validation  (X, y) or (X, y, weights), for run
    callback    called after updates and validations of run; true stops it. It may call network, sync, save and
                set_learning_rate
    pooling     of validation: "none", or a target for each sequence: "last", "mean", "max"
    options     as of Network.fit, except weights and resets

    >>> x, y = np.zeros((4, 5, 3), np.float32), np.ones((4, 5, 2), np.float32)
    >>> net = librnn.Network(3, 8, 2)
    >>> trainer = librnn.Trainer(net, learning_rate=0.01)
    >>> losses = [trainer.update(x, y).loss for i in range(20)]
    >>> losses[-1] < losses[0]
    True
    >>> trainer.sync(net)
    """

    _in_use = "the trainer is in a run; in a callback there are only network, sync, save and set_learning_rate"

    def __init__(self, network: "Network", *, validation: Any = None, callback: Optional[Callback] = None,
                 report_every: int = 1, bar: bool = False, pooling: Named = "none", **options: Any) -> None:
        self._sizes = network.input_size, network.output_size
        self._kind = type(network)
        self._settings = Options(network, options)
        pooled = number("pooling", pooling)
        if validation is not None:
            self._settings.set_validation(_validation(network, validation, pooled))
        # The library keeps one function for all runs; each run has a Run of its own.
        self._make_run: Callable[[], Run] = lambda: Run(callback, report_every, bar)
        self._runs: list[Run] = []  # the one that lasts, or none
        self._settings.struct.progress = _forward_to(self._runs)
        handle = c_void_p()
        network._call(lib.rnn_trainer_create, byref(self._settings.struct), byref(handle))
        self._hold(handle, lib.rnn_trainer_destroy)

    def update(self, x: Any, y: Any, *, weights: Any = None, resets: Any = None, pooling: Named = "none") -> Progress:
        """Do one update from all the sequences given. A batch of as many sequences as the one before goes on from the
        states in which these ended; see reset.

        x, y, weights, resets, pooling  as of Network.fit
        """
        data = make_batch(x, y, *self._sizes, number("pooling", pooling), weights, resets)
        progress = _abi.rnn_progress_t()
        self._call(lib.rnn_trainer_update, byref(data.struct), byref(progress))
        return _progress(progress)

    def run(self, x: Any, y: Any, *, weights: Any = None, resets: Any = None, pooling: Named = "none") -> History:
        """Go on with the whole job until the options' epochs are done, validation finds no progress, the callback or
        ctrl-C stops it. The data must be the same at each call.

        >>> net = librnn.Network(3, 8, 2)
        >>> trainer = librnn.Trainer(net, epochs=3, callback=lambda progress: progress.update == 2)
        >>> len(trainer.run(np.zeros((4, 5, 3)), np.ones((4, 5, 2))).loss)
        2
        """
        data = make_batch(x, y, *self._sizes, number("pooling", pooling), weights, resets)
        run = self._make_run()
        with self._long_call() as handle:
            self._runs[:] = [run]
            try:
                return run(lambda: int(lib.rnn_trainer_run(handle, byref(data.struct))))
            finally:
                self._runs.clear()

    def reset(self) -> None:
        """Forget the states that update carries over."""
        self._call(lib.rnn_trainer_reset)

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the updates to come; a callback may call this."""
        self._call_inside(lib.rnn_trainer_set_learning_rate, float(rate))

    def network(self) -> "Network":
        """A new network over the present weights, in the initial state."""
        handle = c_void_p()
        self._call_inside(lib.rnn_trainer_network, byref(handle))
        return self._kind._own(handle)

    def sync(self, stream: "Network") -> None:
        """Let `stream` use the present weights; its state stays."""
        inside = self._owner == threading.get_ident()
        with together(stream, *([] if inside else [self])):
            check(lib.rnn_trainer_sync(self._handle, stream._handle))

    def apply(self, tape: "Tape") -> Progress:
        """Do one update with the gradients accumulated in a tape, which stay as they are."""
        progress = _abi.rnn_progress_t()
        with together(self, tape):
            check(lib.rnn_trainer_apply(self._handle, tape._handle, byref(progress)))
        return _progress(progress)

    def save(self, path: "Path") -> None:
        """Save all that a resumed run needs."""
        self._call_inside(lib.rnn_trainer_save, os.fsencode(path))

    def load(self, path: "Path") -> None:
        """Load what save saved, into a trainer of the same architecture and options."""
        self._call(lib.rnn_trainer_load, os.fsencode(path))

    @property
    def optimizer_bytes(self) -> int:
        """How many bytes the optimiser's state takes."""
        size = c_size_t()
        self._call(lib.rnn_trainer_optimizer_bytes, byref(size))
        return size.value
