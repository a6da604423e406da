"""Scores of one image under many edits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from cnnwidgets.core.arguments import checked_batch
from cnnwidgets.core.errors import CnnWidgetsError, as_sentence, is_out_of_memory
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.running.batches_of_one import may_be_the_batch
from cnnwidgets.running.forward import fitted

from .agreement import SelfCheck, outputs_differ
from .batching import Batching, put_together
from .edited_model import EditedModel, ordinary
from .engine import Engine, EngineFailed
from .patches import Patch, PatchEdits, alike, checked_image, patch_layer
from .score_reader import ScoreReader
from .values.edits import untouched
from .work import Work

_MOST_VALUES = 2**28  # in a batch of images, however many are asked for
_NOISY = "the model is not deterministic"


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
        image = fitted(model, checked_image(image).clone())
        self.engine = "full" if engine == "full" else "incremental"
        self._must, self._whole = engine == "incremental", whole
        self._lock = threading.RLock()
        self._batching = Batching(image)
        self._reader = ScoreReader(model, read, output)
        self._engine = Engine(EditedModel(model, image, layer, call), self._reader.table)
        self._check = SelfCheck(self._engine.model, self._reader)
        self._base: torch.Tensor | None = None
        self._checked: set[bool] = set()
        self._met, self._repeated, self._fallback = False, False, ""
        with self._entered():
            if read is None:
                _ = self.base  # a model without class scores fails here

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of the scores must know."""
        notes = [*self._reader.notes, self._check.noise, self._engine.one_by_one, self._fallback]
        return tuple(dict.fromkeys(note for note in notes if note))

    @property
    def work(self) -> Work:
        """Multiply-adds done, and how many there had to be."""
        return self._engine.work

    @property
    def base(self) -> torch.Tensor:
        """(1, classes), the scores of the unedited image."""
        if self._base is None:
            self._base = self._reader.table(self.outputs, 1)
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
        return put_together(self.batches(patches, tops, lefts, masks, batch=batch), self.base)

    def batches(
        self, patches: Any, tops: Any, lefts: Any, masks: Any = None, *, batch: int | None = None
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """As :meth:`scores`, a batch at a time: yields a slice of the edits and their scores.

        Slices that the engine answered before it turned out to be wrong come a second time, run in full.
        """
        return self._batches(PatchEdits([patch_layer(self._start, patches, tops, lefts, masks)]), batch)

    def scores_of(self, edits: Sequence[Sequence[Patch]]) -> torch.Tensor:
        """The scores (B, classes) of edits with any number of patches each; later patches cover earlier ones."""
        engine, scores = self.engine, self.base.expand(len(edits), -1).clone()
        for members, group in alike(self._start, edits):
            scores[members] = put_together(self._batches(group, None), self.base)
        return scores if self.engine == engine else self.scores_of(edits)

    def edits(self, patches: Any, tops: Any, lefts: Any, masks: Any = None) -> torch.Tensor:
        """(B, C, H, W): the edited images themselves (or layer outputs)."""
        return PatchEdits([patch_layer(self._start, patches, tops, lefts, masks)]).images(self._start)

    def close(self) -> None:
        """Free what is kept of the image's values; scores can still be asked for."""
        with self._lock:
            self._engine.memo.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _start(self) -> torch.Tensor:
        """(1, C, H, W), what is edited."""
        return self._engine.model.start

    def _batches(self, edits: PatchEdits, batch: int | None) -> Iterator[tuple[slice, torch.Tensor]]:
        batch = checked_batch(batch)
        start, count = 0, len(edits)
        size = None if batch is None else min(batch, max(1, _MOST_VALUES // self._start.numel()))
        engine = self.engine
        while start < count:
            usual = self._batching.size(count - start, in_full=self.engine == "full")
            length = 1 if self._engine.one_by_one else min(size or usual, count - start)
            scores = None
            try:
                with self._lock, self._entered():
                    scores = self._scores(edits.some(np.arange(start, start + length)))
            except Exception as error:
                if not is_out_of_memory(error) or length == 1:
                    raise
            if scores is None:  # outside of the except block, which keeps the failed forward's tensors alive
                size = length // 2
                continue
            yield slice(start, start + length), scores
            if self.engine != engine and start:  # what it answered before it failed
                yield from self._batches(edits.some(np.arange(start)), batch)
            engine = self.engine
            start += length

    def _scores(self, edits: PatchEdits) -> torch.Tensor:
        if self.engine == "full":
            return self._in_full(edits)
        batch = edits.batch(self._engine.model)
        try:
            scores, run = self._engine.scores(batch)
        except EngineFailed as failure:
            scores = self._engine.in_full(batch)  # if this fails too, it is the model's error
            self._fall_back(_cannot_run(failure.__cause__), failure.__cause__)
            return scores
        self._batching.learn(run)
        is_alone = len(edits) == 1
        if is_alone in self._checked:
            return scores
        self._checked.add(is_alone)
        apart = self._check.distance(self._engine, edits, scores, run, self.base)
        if apart is None or self._is_rounding(apart):
            return scores
        return self._engine.in_full(batch)

    def _is_rounding(self, apart: float) -> bool:
        """Whether scores that are ``apart`` from the whole model's are right; if not, the engine is used no more."""
        by_engine = self.outputs
        self._returned(self._check.alone())
        self._repeated = True
        if not self._check.is_deterministic(self.base):
            self._fall_back(_NOISY)
            return False
        self._check.refuse_if_images_meet(self.base)
        if self._check.may_be_rounding(apart):
            self._returned(by_engine)
            return True
        self._fall_back(f"the engine's scores differ by {apart:.2g} from those of the full forward")
        return False

    def _in_full(self, edits: PatchEdits) -> torch.Tensor:
        scores = self._engine.in_full(edits.batch(self._engine.model))
        if not self._repeated:
            self._repeated = True
            self._check.is_deterministic(self.base)
        if len(scores) > 1 and not self._met:
            self._met = True
            self._check.refuse_if_images_meet(self.base)
        return scores

    def _fall_back(self, why: str, error: BaseException | None = None) -> None:
        if self._must:
            raise CnnWidgetsError(f'{as_sentence(why)} Pass engine="auto" or "full".') from error
        self.engine, self._fallback = "full", f"{why}; every edit is run in full"
        self._engine.give_up()
        self._returned(self._check.alone())  # nothing that the engine computed is left

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """The model in evaluation mode, without gradients, and the image's values up to date."""
        with self._engine.entered():
            if self._engine.is_stale:
                self._engine.memo.clear()
                self._checked, self._met, self._repeated = set(), False, False
                self._engine.model.find_start()
                if self.engine == "incremental":
                    self._begin()
                else:
                    self._returned(self._run_whole())
                self._engine.renew()
            yield

    def _run_whole(self) -> Any:
        """What the whole model returns for the image; the first time, the caller may know it already."""
        outputs, self._whole = self._whole, None
        return self._reader.settled(lambda: self._check.alone() if outputs is None else outputs)

    def _begin(self) -> None:
        """The unedited image by the engine, which keeps the values that edits will need, and by the whole model."""
        run = self._engine.run(1)
        try:
            outputs = ordinary(self._engine.model.on_edits(run, untouched(run, self._start)))
            self._batching.expect(self._engine.memo.values())
        except Exception as error:
            if not may_be_the_batch(error):
                raise
            self._run_whole()  # if this fails too, it is the model's error
            self._fall_back(_cannot_run(error), error)
            return
        finally:
            self._engine.memo.end_of_run(edits=False)
        self._returned(outputs)
        whole = self._run_whole()
        read = self._reader.compared
        apart = outputs_differ(read(outputs), read(whole))
        if apart is None:
            return
        self._repeated = True
        if not self._check.returns_again(whole):
            self._fall_back(_NOISY)
        elif not self._check.may_be_rounding(apart):
            self._fall_back(f"the engine's scores of the image differ by {apart:.2g} from those of the full forward")

    def _returned(self, outputs: Any) -> None:
        self.outputs, self._base, self._reader.columns = outputs, None, None


def _cannot_run(error: BaseException | None) -> str:
    return f"the engine cannot run this model ({type(error).__name__}: {error})"
