"""How the outputs of one model are read: which tensor holds the scores, and what its numbers are.

Both are decided once a call, at the first score that is asked for: a batch of edits whose logits happen to look like
probabilities must not switch it.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, TargetError
from cnnwidgets.core.interrupts import Deferral, careful
from cnnwidgets.core.network import Network

from .choice import OutputChoice, asked_for, at, leaves, listed, picked
from .kinds import Decision, Kind, checked_kind, decided
from .origins import Origins, from_graph, graph_tail

_tails: weakref.WeakKeyDictionary[nn.Module, dict[tuple[str, ...], str | None]] = weakref.WeakKeyDictionary()
"""What made a network's outputs, by the operations that ended the graph: watching every operation takes a third of a
pass, so it is done once."""
_MOST_TAILS = 8


@dataclass(eq=False)
class Readout:
    """What somebody said of a model's outputs, and what was decided since.

    Attributes:
        outputs: what the numbers are; None: find out. See :data:`~cnnwidgets.outputs.kinds.Kind`.
        output: which output holds the scores; None: find out.
        classes: how many classes have names; None: nobody knows.
        base: the module that it is for, looked at through wrappers; None: for any.
        path: the way to the tensor of scores, once it was looked for.
        kind: what the numbers are, once a score was asked for.
        notes: what to say about how both were found out.
        choice: what to say of which output was taken, where several might be; part of ``notes``, but with a function.
        table: (N, K), out of the graph: the scores that were asked for first; None where there are none.
        explained: the class of each image in ``table``; None where it is not a class.
        is_read: whether a score was asked for.
        around: the readout of a call that this one is part of, which learns what is decided.
        by_function: the target is a function of all that the model returns: which output holds scores matters little.
    """

    outputs: Kind | None = None
    output: OutputChoice = None
    classes: int | None = None
    base: nn.Module | None = None
    kind: Kind | None = None
    notes: tuple[str, ...] = ()
    choice: str = ""
    table: torch.Tensor | None = None
    explained: tuple[int, ...] | None = None
    is_read: bool = False
    by_function: bool = False
    around: Readout | None = field(default=None, repr=False)
    path: tuple[Any, ...] | None = None
    _origins: Origins | None = field(default=None, repr=False)
    _unwatched: Callable[[], Any] | None = field(default=None, repr=False)
    _outputs: list[weakref.ref[torch.Tensor]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if self.outputs is not None:
            checked_kind(self.outputs)
        if self.output is not None and (
            isinstance(self.output, bool) or not (isinstance(self.output, int | str) or callable(self.output))
        ):
            raise TargetError(
                f"output is {self.output!r}; expected the index or the name of one of the model's outputs, or a "
                "function of what the model returns."
            )

    def alike(self, base: nn.Module | None) -> Readout:
        """One for another module that returns the same; nothing is decided yet."""
        return Readout(self.outputs, self.output, self.classes, base)

    def inner(self) -> Readout:
        """One for a part of the same call: what is decided holds for both, the first scores are its own."""
        part = self.alike(self.base)
        part.kind, part.notes, part.explained, part.choice = self.kind, self.notes, self.explained, self.choice
        part.path, part.around = self.path, self
        return part

    def watched(self, forward: Callable[[torch.Tensor], Any], x: torch.Tensor) -> Any:
        """``forward(x)``; what makes the outputs is watched until it is known what they are."""
        if self.kind is not None or self.is_read:
            return forward(x)
        self._origins = self._unwatched = None
        tails = _tails.get(self.base) if self.base is not None and not callable(self.output) else None
        if tails and torch.is_grad_enabled():
            self._keep(forward, x)
            raw = forward(x)
        else:
            with Origins() as self._origins:
                raw = forward(x)
            self._remember(raw, raw)
        self._outputs = [weakref.ref(leaf.tensor) for leaf in leaves(raw)]
        return raw

    @careful  # else an interrupt may leave torch with its functions out of everybody's sight
    def _keep(self, forward: Callable[[torch.Tensor], Any], x: torch.Tensor) -> None:
        """Keep what another pass would need."""
        with torch._C.DisableTorchFunction():  # noqa: SLF001 (nobody who follows the pass is to see it)
            kept = x.detach().clone().requires_grad_(x.is_floating_point())
        self._unwatched = lambda: forward(kept.clone())

    @careful
    def _remember(self, raw: Any, watched: Any) -> None:
        """Keep what made ``watched``, for outputs that end such a graph as ``raw`` does."""
        with torch._C.DisableTorchFunction():  # noqa: SLF001
            tail = graph_tail(raw)
            if tail and self.base is not None and self._origins is not None and isinstance(watched, torch.Tensor):
                tails = _tails.setdefault(self.base, {})
                tails[tail] = self._origins.of(watched)
                while len(tails) > _MOST_TAILS:
                    tails.pop(next(iter(tails)))

    def _look_again(self, raw: Any) -> None:
        """Find out what made ``raw``, whose pass was not watched: by the end of its graph, else by another pass."""
        run_again, self._unwatched = self._unwatched, None
        tails = _tails.get(self.base, {}) if self.base is not None else {}
        if run_again is None:
            return
        tail = graph_tail(raw)
        if tail in tails:
            self._origins = Origins()
            self._origins.tell(raw, tails[tail])
            return
        try:
            with torch.no_grad(), Origins() as self._origins:
                watched = run_again()
        except Exception:  # its forward works with gradients itself
            with torch.enable_grad(), Origins() as self._origins:
                watched = run_again()
        for leaf, other in zip(leaves(raw), leaves(watched), strict=False):
            self._origins.stand_for(leaf.tensor, other.tensor)
        self._remember(raw, watched)

    def tensor(self, raw: Any, batch: int | None = None) -> torch.Tensor:
        """The tensor of scores in what the model returned.

        Raises:
            TargetError: there is none, or not what ``output`` says.
        """
        inside = raw
        if callable(self.output):
            return self._by_function(self.output, raw)
        if self.output is not None:
            inside = asked_for(raw, self.output)
            if isinstance(inside, torch.Tensor):
                return inside
        if self.path is not None:
            with suppress(KeyError):
                remembered = at(inside, self.path)
                if isinstance(remembered, torch.Tensor):
                    return remembered
        origins = self._knows(raw) or Origins()
        pick = picked(leaves(inside), origins, batch=batch, classes=self.classes)
        if pick is None:
            raise TargetError(
                f"The model returned {_described(raw)}; expected a tensor of scores, or a tuple, a dict or an object "
                "that holds one. Wrap the model in a module that returns its scores, or pass output= a function that "
                "takes them out."
            )
        self.path = pick.leaf.path
        self.choice = pick.note
        self._note("" if self.by_function else pick.note)
        return pick.leaf.tensor

    def settle(self, raw: Any, batch: int) -> None:
        """Decide which tensor it is, and watch no more: nobody will ask what its numbers are."""
        self.tensor(raw, batch)
        self.is_read, self._origins, self._unwatched, self._outputs = True, None, None, []

    def decide(self, raw: Any, table: torch.Tensor) -> Kind:
        """What the numbers in ``table`` (N, K) are, the scores in ``raw``; decided once.

        Raises:
            TargetError: it is not what ``outputs`` says.
        """
        if self.kind is None:
            if self.outputs is not None:
                decision = Decision(checked_kind(self.outputs, table.shape[1]))
            else:
                decision = decided(table, self.origin(raw, table))
            self.kind = decision.kind
            self._note(decision.note)
            self._origins, self._unwatched, self._outputs = None, None, []
            if self.around is not None and self.around.kind is None:
                self.around.kind, self.around.notes, self.around.path = self.kind, self.notes, self.path
                self.around.choice = self.choice
        return self.kind

    def _by_function(self, function: Callable[[Any], Any], raw: Any) -> torch.Tensor:
        name = getattr(function, "__name__", None) or type(function).__name__
        origins = self._knows(raw)
        try:
            with nullcontext() if origins is None else origins:
                scores = function(raw)
        except CnnWidgetsError:
            raise
        except Exception as error:
            if isinstance(error, MemoryError | torch.OutOfMemoryError):
                raise
            raise TargetError(
                f"output={name} raised {type(error).__name__}: {error}. It was given what the model returned, "
                f"{_described(raw)}, and must return a tensor of scores (N, K)."
            ) from error
        if not isinstance(scores, torch.Tensor):
            raise TargetError(f"output={name} returned {type(scores).__name__}; expected a tensor of scores (N, K).")
        return scores

    def _knows(self, raw: Any) -> Origins | None:
        """What was seen of the forward pass that returned ``raw``; None if it was another one."""
        if self._origins is None and self._unwatched is None:
            return None
        alive = [reference() for reference in self._outputs]
        same = [leaf.tensor for leaf in leaves(raw)]
        fits = len(alive) == len(same) and all(map(operator.is_, alive, same))
        if fits and self._origins is None:
            self._look_again(raw)
        return self._origins if fits else None

    def origin(self, raw: Any, table: torch.Tensor) -> str | None:
        """What made ``table``, which lies in what the model returned or is computed from it."""
        origins = self._knows(raw)
        return from_graph(table) if origins is None else origins.of(table)

    def _note(self, note: str) -> None:
        if note:
            self.notes = tuple(dict.fromkeys([*self.notes, note]))


_in_force: ContextVar[Readout | None] = ContextVar("readout", default=None)


def current() -> Readout:
    """The readout in force; outside of any, one that knows nothing yet."""
    return _in_force.get() or Readout()


def watched(base: nn.Module, x: torch.Tensor, forward: Callable[[torch.Tensor], Any] | None = None) -> Any:
    """``base(x)``, or ``forward(x)`` in its place, watched where a readout for it has nothing to go by yet."""
    readout, forward = _in_force.get(), forward or base
    return forward(x) if readout is None or readout.base is not base else readout.watched(forward, x)


@careful
@contextmanager
def reading(readout: Readout) -> Iterator[Readout]:
    """Read what models return by ``readout`` in this block."""
    with Deferral():
        token = _in_force.set(readout)
        try:
            yield readout
        finally:
            _in_force.reset(token)


def readout_of(model: nn.Module, outputs: Any = None, output: Any = None) -> Readout:
    """The readout of ``model``: what the options say; else that in force, if it is for this model.

    Raises:
        TargetError: an option is not what it may be.
    """
    base, around = Network.of(model).base, _in_force.get()
    if outputs is None and output is None and around is not None and around.base in (None, base):
        return around if around.base is base else around.alike(base)
    return Readout(outputs, output, None, base)


def _described(raw: Any) -> str:
    if leaves(raw):
        return listed(raw) if not isinstance(raw, torch.Tensor) else f"a tensor of shape {tuple(raw.shape)}"
    if isinstance(raw, dict):
        return f"a {type(raw).__name__} with keys {list(raw)[:6]}"
    if isinstance(raw, list | tuple):
        return f"a {type(raw).__name__} of {[type(item).__name__ for item in raw[:6]]}"
    return f"a {type(raw).__name__}"
