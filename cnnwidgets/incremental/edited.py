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

from cnnwidgets.core.arguments import checked_batch
from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError, TargetError, is_out_of_memory
from cnnwidgets.core.plain import plain_tensor
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.outputs.scores import class_scores, outputs_of
from cnnwidgets.running.batches_of_one import ONE_BY_ONE, may_be_the_batch
from cnnwidgets.running.forward import fitted
from cnnwidgets.state.preserved import preserved

from . import agreement as checks
from .batching import Batching
from .memo import Memo
from .model import Model, plain
from .patches import Layer, Patch, edits, in_sight, layer, pictures
from .run import WHOLE, ReadsValues, Run
from .values.boxes import Ints
from .values.edits import untouched
from .work import Work

_MOST_VALUES = 2**28  # in a batch of images, however many are asked for


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
        whole: what the model returns for the image, where somebody has run it already.

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
        whole: Any = None,
    ) -> None:
        if engine not in ("auto", "incremental", "full"):
            raise CnnWidgetsError(f'engine is {engine!r}; expected "auto", "incremental" or "full".')
        if isinstance(image, torch.Tensor):
            image = plain_tensor(image, "The image")
        if not isinstance(image, torch.Tensor) or image.dim() != 4 or len(image) != 1:
            got = tuple(image.shape) if isinstance(image, torch.Tensor) else type(image).__name__
            raise InputError(f"The image is {got}; expected a tensor (1, C, H, W). Edits are of one image.")
        self.engine, self.notes, self.work = "full" if engine == "full" else "incremental", (), Work()
        self._threshold = WHOLE
        self._must, self._read = engine == "incremental", read
        self._whole = whole
        self._readout = readout_of(model, None, output).inner()
        self._lock = threading.RLock()
        self._memo = Memo()
        self._most: int | None = None
        self._checked: set[bool] = set()
        self._met = self._repeated = False
        self._image = fitted(model, image.clone())
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
        """As :meth:`scores`, a batch at a time: yields a slice of the edits and their scores.

        Slices that the engine answered before it turned out to be wrong come a second time, run in full.
        """
        return self._batches([layer(self._model.start, patches, tops, lefts, masks)], batch)

    def scores_of(self, edits: Sequence[Sequence[Patch]]) -> torch.Tensor:
        """The scores (B, classes) of edits with any number of patches each; later patches cover earlier ones."""
        side = (self._model.start.shape[2], self._model.start.shape[3])
        edits = [[in_sight(patch, side) for patch in patches] for patches in edits]
        alike: dict[tuple[Any, ...], list[int]] = {}
        for index, patches in enumerate(edits):
            alike.setdefault(tuple(tuple(patch.shape[-2:]) for patch, _, _ in patches), []).append(index)
        engine = self.engine
        scores = self.base.expand(len(edits), -1).clone()
        for shapes, members in alike.items():
            layers = []
            for number in range(len(shapes)):
                patches = [edits[index][number] for index in members]
                stacked = torch.stack([patch.reshape(patch.shape[-3:]) for patch, _, _ in patches])
                tops, lefts = [top for _, top, _ in patches], [left for _, _, left in patches]
                layers.append(layer(self._model.start, stacked, tops, lefts))
            if layers:
                scores[members] = _put_together(self._batches(layers, None), self.base)
        return scores if self.engine == engine else self.scores_of(edits)

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
        batch = checked_batch(batch)
        done, count = 0, len(layers[0].tops)
        size = None if batch is None else min(batch, max(1, _MOST_VALUES // self._model.start.numel()))
        engine = self.engine
        while done < count:
            usual = self._batching.size(count - done, in_full=self.engine == "full")
            now = min(size or usual, self._most or count, count - done)
            enough = True
            try:
                with self._lock, self._entered():
                    found = self._ordered([each.of(np.arange(done, done + now)) for each in layers])
            except ReadsValues:
                self._one_at_a_time(_READS)
                continue
            except _TakesOne:
                self._one_at_a_time(ONE_BY_ONE)
                continue
            except Exception as error:
                if not is_out_of_memory(error) or now == 1:
                    raise
                enough = False
            if not enough:  # outside of the except block, which keeps the failed forward's tensors alive
                size = now // 2
                continue
            yield slice(done, done + now), found
            if self.engine != engine and done:  # what it answered before it failed
                yield from self._batches([each.of(np.arange(done)) for each in layers], batch)
            engine = self.engine
            done += now

    def _one_at_a_time(self, why: str) -> None:
        self._most = 1
        self._note(why)

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
                if len(layers[0].tops) > 1 and self._one_alone(layers):
                    raise _TakesOne from error
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
        return self._of_pictures(pictures(self._model.start, layers))

    def _of_pictures(self, images: torch.Tensor) -> torch.Tensor:
        """(B, classes) of edited images by the whole model, together if it allows that."""
        if self._most == 1 and len(images) > 1:
            return torch.cat([self._of_pictures(image[None]) for image in images])
        try:
            return self._table(self._model.on_pictures(images.clone()), len(images))
        except Exception as error:
            if len(images) == 1 or not may_be_the_batch(error):
                raise
            failed = error
        try:
            self._of_pictures(images[:1])
        except Exception as error:
            if may_be_the_batch(error):
                raise failed from failed.__cause__
            raise
        self._one_at_a_time(ONE_BY_ONE)
        return self._of_pictures(images)

    def _one_alone(self, layers: list[Layer]) -> bool:
        """Whether one edit can be run by the engine, and the model fails for two together."""
        one, two = ([each.of(np.arange(count)) for each in layers] for count in (1, 2))
        try:
            self._incremental(one)
            self._table(self._model.on_pictures(pictures(self._model.start, one)), 1)
        except Exception as error:
            if not may_be_the_batch(error):
                raise
            return False
        try:
            self._table(self._model.on_pictures(pictures(self._model.start, two)), 2)
        except Exception as error:
            if not may_be_the_batch(error):
                raise
            return True
        return False

    def _table(self, outputs: Any, count: int) -> torch.Tensor:
        with reading(self._readout), outputs_of(count):
            table = class_scores(plain(outputs)) if self._read is None else self._read(plain(outputs))
        for note in self._readout.notes if self._read is None else ():
            self._note(note)
        columns = table.shape[1:] if self._base is None else self._base.shape[1:]
        if len(table) != count or table.shape[1:] != columns:
            raise TargetError(f"The model returned scores {tuple(table.shape)} for {count} images.")
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
        full = torch.cat([self._of_pictures(part) for part in parts])
        full = full[1 : 1 + len(some)] if run.meets and not run.reads else full
        apart = checks.difference(found[chosen], full)
        if apart <= checks.limit(self.base, full):
            return True
        by_engine = self.outputs
        self._returned(self._alone())
        self._repeated = True
        if not self._deterministic():
            self._fall_back("the model is not deterministic")
            return False
        self._meet()
        if self._may_be_rounding(apart):
            self._returned(by_engine)
            return True
        self._fall_back(f"the engine's scores differ by {apart:.2g} from those of the full forward")
        return False

    def _may_be_rounding(self, apart: float) -> bool:
        """Whether the whole model's outputs move as much with the layout in memory: some networks magnify rounding."""
        alone, laid = self._compared(self._alone()), self._compared(self._model.otherwise_laid())
        return apart <= checks.MORE_ROUNDING * (checks.outputs_differ(alone, laid) or 0.0)

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
            try:
                together = self._table(self._model.on_pictures(torch.cat(pair)), 2)
            except Exception as error:
                if not may_be_the_batch(error):
                    raise
                return  # it takes one image at a time
            if not any("not deterministic" in note for note in self.notes):
                checks.refuse_if_edits_meet(self.base, self.base, together[at : at + 1])

    def _cannot_run(self, error: Exception) -> None:
        self._fall_back(f"the engine cannot run this model ({type(error).__name__}: {error})", error)

    def _fall_back(self, why: str, error: Exception | None = None) -> None:
        if self._must:
            raise CnnWidgetsError(f'{why[0].upper()}{why[1:]}. Pass engine="auto" or "full".') from error
        self.engine = "full"
        self._memo.clear()
        self.work = Work()
        self._returned(self._alone())  # nothing that the engine computed is left
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
        if self.engine == "incremental":
            self._begin_engine()
        else:
            self._returned(self._run_whole())
        self._stamp = self._model.stamp()

    def _run_whole(self) -> Any:
        """What the whole model returns for the image; the first time, the caller may know it already."""
        outputs, self._whole = self._whole, None
        with reading(self._readout):
            outputs = self._alone() if outputs is None else outputs
            # Which of several outputs holds the scores is told by what made them, in a run of the whole model.
            if self._read is None and not self._readout.asked:
                self._readout.settle(outputs, 1)
        return outputs

    def _begin_engine(self) -> None:
        """The unedited image by the engine, which keeps the values that edits will need, and by the whole model."""
        run = Run(1, self._memo, self.work, self._threshold)
        try:
            outputs = plain(self._model.on_edits(run, untouched(run, self._model.start)))
            self._batching.expect(self._memo.values())
        except Cancelled:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            self._run_whole()  # if this fails too, it is the model's error
            self._cannot_run(error)
            return
        finally:
            self._memo.end_of_run(edits=False)
        self._returned(outputs)
        alone = self._run_whole()
        apart = checks.outputs_differ(self._compared(outputs), self._compared(alone))
        if apart is None:
            return
        self._repeated = True
        noise = checks.outputs_differ(self._compared(alone), self._compared(self._alone()))
        if noise is not None:
            self._note(checks.NOT_DETERMINISTIC.format(noise))
            self._fall_back("the model is not deterministic")
            return
        if not self._may_be_rounding(apart):
            self._fall_back(f"the engine's scores of the image differ by {apart:.2g} from those of the full forward")

    def _compared(self, outputs: Any) -> Any:
        """What of the model's outputs the scores are made of, as far as it is known."""
        if self._read is not None:
            return outputs
        with reading(self._readout):
            return class_scores(outputs, batch=1)

    def _returned(self, outputs: Any) -> None:
        self.outputs, self._base = outputs, None


class _TakesOne(Exception):
    """The model takes one image at a time, and the engine can run it so."""


_READS = "the model's code decides by values computed from the image: edits are run one at a time"


def _put_together(batches: Iterator[tuple[slice, torch.Tensor]], base: torch.Tensor) -> torch.Tensor:
    """(B, classes) of slices and their scores; what comes later counts."""
    parts = list(batches)
    if not parts:
        return base[:0]
    scores = torch.cat([torch.empty_like(part) for _, part in parts])[: max(where.stop for where, _ in parts)]
    for where, part in parts:
        scores[where] = part
    return scores
