"""Scores of one image under many edits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError
from cnnwidgets.core.forward import fitted, is_out_of_memory
from cnnwidgets.core.output_choice import OutputChoice, leaves
from cnnwidgets.core.outputs import class_scores, outputs_of
from cnnwidgets.core.readout import reading, readout_of
from cnnwidgets.core.state import preserved

from . import checks
from .batching import Batching
from .boxes import Ints
from .memo import Memo
from .model import Model, plain
from .pictures import Layer, edits, layer, pictures
from .run import WHOLE, ReadsValues, Run
from .value import untouched
from .work import Work

Patch = tuple[torch.Tensor, int, int]
"""A patch (C, h, w), and its top and left."""


class Edited:
    """One image whose values in the model are kept, so that edits of it are scored by computing only what changes.

    The model's own forward runs on a tensor that stands for many edits: the values of the unedited image, computed
    once, and for each edit the window that differs (after Nakandala et al. 2019, "Incremental and approximate
    inference for faster occlusion-based deep CNN explanations", for any model). The first scores are compared with the
    full forward.

    Args:
        model: any module that returns scores. It is run in evaluation mode and left as it was.
        image: (1, C, H, W), preprocessed.
        engine: "auto" falls back to running each edit in full, with a note, where the model does not allow more;
            "incremental" raises instead; "full" always runs each edit in full.
        layer: dotted name of a layer (or the module): edits then are of its output, whatever precedes it runs once.
        call: which call of that layer, if it is called several times.
        read: what to take of the model's output, ``outputs -> (B, K)``; None: its class scores.
        output: which of several outputs holds the class scores: an index, a name, or ``raw -> (B, K)``; None: found
            out, and said in ``notes`` where it is not plain.

    Attributes:
        outputs: what the model returns for the unedited image.
        base: (1, classes), its scores.
        engine: "incremental" or "full", the one that runs.
        notes: what the reader of the scores must know.
        work: multiply-adds done, and how many there had to be.

    Raises:
        InputError: the image or a patch does not fit.
        CnnWidgetsError: the model failed, or the images of a batch influence one another.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = net[0].weight.data.fill_(1.0), net[2].weight.data.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
        >>> with Edited(net, torch.ones(1, 1, 2, 2)) as edited:
        ...     edited.scores(torch.zeros(1, 1, 1), tops=[0, 1], lefts=[0, 1])
        tensor([[9.],
                [6.]])
    """

    def __init__(
        self,
        model: nn.Module,
        image: torch.Tensor,
        *,
        engine: str = "auto",
        layer: str | nn.Module | None = None,
        call: int = -1,
        read: Callable[[Any], torch.Tensor] | None = None,
        output: OutputChoice = None,
    ) -> None:
        if engine not in ("auto", "incremental", "full"):
            raise CnnWidgetsError(f'engine is {engine!r}; expected "auto", "incremental" or "full".')
        if not isinstance(image, torch.Tensor) or image.dim() != 4 or len(image) != 1:
            got = tuple(image.shape) if isinstance(image, torch.Tensor) else type(image).__name__
            raise InputError(f"The image is {got}; expected a tensor (1, C, H, W). Edits are of one image.")
        self.engine, self.notes, self.work = "full" if engine == "full" else "incremental", (), Work()
        self._threshold = WHOLE
        self._must, self._read = engine == "incremental", read
        self._readout = readout_of(model, None, output).inner()
        self._lock = threading.RLock()
        self._memo = Memo()
        self._most: int | None = None
        self._checked: set[bool] = set()
        self._met = self._repeated = False
        self._image = fitted(model, image.detach().clone())
        self._batching = Batching(self._image)
        self._model = Model(model, self._image, layer, call)
        self._stamp: Any = None
        self._base: torch.Tensor | None = None
        with self._entered():
            pass
        if read is None:
            _ = self.base  # a model without class scores fails here

    engine: str
    notes: tuple[str, ...]
    outputs: Any

    @property
    def base(self) -> torch.Tensor:
        """(1, classes), the scores of the unedited image."""
        if self._base is None:
            self._base = self._table(self.outputs, 1)
        return self._base

    def scores(
        self, patches: Any, tops: Any, lefts: Any, masks: Any = None, *, batch: int | None = None
    ) -> torch.Tensor:
        """The scores of B edits, (B, classes), in the precision of the model's output.

        Args:
            patches: (B, C, h, w), or (C, h, w) for all places.
            tops, lefts: (B,) whole numbers; a patch may reach over the edge of the image.
            masks: (h, w) or (B, h, w) bool, True where the patch replaces the image; None: everywhere.
            batch: edits at a time; None: by the engine. Halved when memory runs out.
        """
        return _put_together(self.batches(patches, tops, lefts, masks, batch=batch), self.base)

    def batches(
        self, patches: Any, tops: Any, lefts: Any, masks: Any = None, *, batch: int | None = None
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """As :meth:`scores`, a batch at a time: yields a slice of the edits and their scores."""
        return self._batches([layer(self._model.start, patches, tops, lefts, masks)], batch)

    def scores_of(self, edits: Sequence[Sequence[Patch]]) -> torch.Tensor:
        """The scores (B, classes) of edits with any number of patches each; later patches cover earlier ones."""
        alike: dict[tuple[Any, ...], list[int]] = {}
        for index, patches in enumerate(edits):
            alike.setdefault(tuple(tuple(patch.shape[-2:]) for patch, _, _ in patches), []).append(index)
        found = self.base.expand(len(edits), -1).clone()
        for shapes, members in alike.items():
            layers = []
            for number in range(len(shapes)):
                chosen = [edits[index][number] for index in members]
                stacked = torch.stack([patch.reshape(patch.shape[-3:]) for patch, _, _ in chosen])
                tops, lefts = [top for _, top, _ in chosen], [left for _, _, left in chosen]
                layers.append(layer(self._model.start, stacked, tops, lefts))
            if layers:
                found[members] = _put_together(self._batches(layers, None), self.base)
        return found

    def edits(self, patches: Any, tops: Any, lefts: Any, masks: Any = None) -> torch.Tensor:
        """(B, C, H, W): the edited images themselves (or layer outputs)."""
        return pictures(self._model.start, [layer(self._model.start, patches, tops, lefts, masks)])

    def close(self) -> None:
        """Free what is kept of the image's values; scores can still be asked for."""
        with self._lock:
            self._memo.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _batches(self, layers: list[Layer], batch: int | None) -> Iterator[tuple[slice, torch.Tensor]]:
        if batch is not None and (not isinstance(batch, int) or isinstance(batch, bool) or batch < 1):
            raise InputError(f"batch is {batch!r}; expected an int of at least 1, or None.")
        done, count = 0, len(layers[0].tops)
        size = batch
        while done < count:
            usual = self._batching.size(count - done, in_full=self.engine == "full")
            now = min(size or usual, self._most or count, count - done)
            enough = True
            try:
                with self._lock, self._entered():
                    found = self._ordered([each.of(np.arange(done, done + now)) for each in layers])
            except ReadsValues:
                self._one_at_a_time()
                continue
            except Exception as error:
                if not is_out_of_memory(error) or now == 1:
                    raise
                enough = False
            if not enough:  # outside of the except block, which keeps the failed forward's tensors alive
                size = now // 2
                continue
            yield slice(done, done + now), found
            done += now

    def _one_at_a_time(self) -> None:
        self._most = 1
        self._note("the model's code decides by values computed from the image: edits are run one at a time")

    def _ordered(self, layers: list[Layer]) -> torch.Tensor:
        """Neighbours next to each other: their windows are cut alike, and copied together."""
        order: Ints = np.lexsort((layers[0].tops, layers[0].lefts))
        found = self._scores([each.of(order) for each in layers])
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return found[torch.from_numpy(back).to(found.device)]

    def _scores(self, layers: list[Layer]) -> torch.Tensor:
        if self.engine == "incremental":
            try:
                run, found = self._incremental(layers)
            except (Cancelled, ReadsValues):
                raise
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                found = self._full(layers)  # if this fails too, it is the model's error
                self._cannot_run(error)
                return found
            alone = len(found) == 1
            if alone not in self._checked:
                self._checked.add(alone)
                if not self._agrees(layers, found, run):
                    return self._full(layers)
            return found
        found = self._full(layers)
        if not self._repeated:
            self._repeated = True
            self._deterministic()
        if len(found) > 1 and not self._met:
            self._met = True
            self._meet()
        return found

    def _incremental(self, layers: list[Layer]) -> tuple[Run, torch.Tensor]:
        run = Run(len(layers[0].tops), self._memo, self.work, self._threshold)
        start = edits(run, self._model.start, layers)
        try:
            found = self._table(self._model.on_edits(run, start), run.count)
            self._batching.learn(run)
            return run, found
        finally:
            self._memo.end_of_run()

    def _full(self, layers: list[Layer]) -> torch.Tensor:
        count = len(layers[0].tops)
        if self._most == 1 and count > 1:
            return torch.cat([self._full([each.of(np.array([index])) for each in layers]) for index in range(count)])
        return self._table(self._model.on_pictures(pictures(self._model.start, layers)), count)

    def _table(self, outputs: Any, count: int) -> torch.Tensor:
        with reading(self._readout), outputs_of(count):
            table = class_scores(plain(outputs)) if self._read is None else self._read(plain(outputs))
        for note in self._readout.notes if self._read is None else ():
            self._note(note)
        return table

    def _agrees(self, layers: list[Layer], found: torch.Tensor, run: Run) -> bool:
        """Compare two edits, or the only one, with the full forward."""
        count = len(found)
        chosen = [0, count // 2] if count > 1 else [0]
        some = pictures(self._model.start, [each.of(np.array(chosen)) for each in layers])
        if run.reads or (count == 2 and not run.meets):  # in batches of another size than those of the engine
            parts = [some[at : at + 1] for at in range(len(some))]
        elif run.meets:  # in a model whose images meet, such neighbours move the scores
            unlike = [self._unlike()] * (3 if count == len(some) + 3 else 2)
            parts = [torch.cat([self._unlike(), some, *unlike])]
        else:
            parts = [some]
        full = torch.cat([self._table(self._model.on_pictures(part.clone()), len(part)) for part in parts])
        full = full[1 : 1 + len(some)] if run.meets and not run.reads else full
        apart = checks.difference(found[chosen], full)
        if apart <= checks.limit(self.base, full):
            return True
        self._returned(self._alone())
        self._repeated = True
        if not self._deterministic():
            self._fall_back("the model is not deterministic")
            return False
        self._meet()
        self._fall_back(f"the engine's scores differ by {apart:.2g} from those of the full forward")
        return False

    def _deterministic(self) -> bool:
        """Whether another run in full gives the scores of the image again."""
        again = self._table(self._alone(), 1)
        apart = checks.difference(self.base, again)
        if apart <= checks.limit(self.base, again):
            return True
        self._note(checks.NOT_DETERMINISTIC.format(apart))
        return False

    def _alone(self) -> Any:
        """What the model returns for the unedited image, run in full."""
        return self._model.on_pictures(self._model.start.clone())

    def _unlike(self) -> torch.Tensor:
        """Another image, very different from this one."""
        start = self._model.start
        return 1 - 2 * start.flip(-1)

    def _meet(self) -> None:
        for at in (0, 1):  # some look at what stands before only
            pair = [self._unlike(), self._unlike()]
            pair[at] = self._model.start
            together = self._table(self._model.on_pictures(torch.cat(pair)), 2)
            if not any("not deterministic" in note for note in self.notes):
                checks.refuse_if_edits_meet(self.base, self.base, together[at : at + 1])

    def _cannot_run(self, error: Exception) -> None:
        self._fall_back(f"the engine cannot run this model ({type(error).__name__}: {error})", error)

    def _fall_back(self, why: str, error: Exception | None = None) -> None:
        if self._must:
            raise CnnWidgetsError(f'{why[0].upper()}{why[1:]}. Pass engine="auto" or "full".') from error
        self.engine = "full"
        self._memo.clear()
        self._note(f"{why}; every edit is run in full")

    def _note(self, note: str) -> None:
        self.notes = tuple(dict.fromkeys([*self.notes, note]))

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """The model in evaluation mode, without gradients, and the image's values up to date."""
        with torch.inference_mode(False), torch.no_grad(), preserved(self._model.module, evaluate=True):
            self._begin()
            yield

    def _begin(self) -> None:
        """The unedited image; again if the model has changed since."""
        stamp = self._model.stamp()
        if stamp == self._stamp:
            return
        self._memo.clear()
        self._checked.clear()
        self._met = self._repeated = False
        self._model.find_start()
        self._returned(self._unedited() if self.engine == "incremental" else self._alone())
        self._settle()
        self._stamp = self._model.stamp()

    def _settle(self) -> None:
        """Which of several outputs holds the scores is told by what made them, in a run of the whole model."""
        if self._read is None and not self._readout.asked:
            with reading(self._readout):
                self._readout.settle(self._alone() if len(leaves(self.outputs)) > 1 else self.outputs, 1)

    def _unedited(self) -> Any:
        """What the model returns for the unedited image; the values that edits will need are kept on the way."""
        run = Run(1, self._memo, self.work, self._threshold)
        try:
            outputs = plain(self._model.on_edits(run, untouched(run, self._model.start)))
            self._batching.expect(self._memo.values())
            return outputs
        except Cancelled:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            outputs = self._alone()  # if this fails too, it is the model's error
            self._cannot_run(error)
            return outputs
        finally:
            self._memo.end_of_run(edits=False)

    def _returned(self, outputs: Any) -> None:
        self.outputs, self._base = outputs, None


def _put_together(batches: Iterator[tuple[slice, torch.Tensor]], base: torch.Tensor) -> torch.Tensor:
    found = [scores for _, scores in batches]
    return torch.cat(found) if found else base[:0]
