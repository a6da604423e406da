"""An occlusion map, and the scores that it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.engine.patches import Pair, Place
from cnnwidgets.incremental.work import Work
from cnnwidgets.outputs.targets import Chosen, Target, resolve

from .cover import Covering
from .display import filled_in, nearest_class
from .estimates import Estimates

NO_REACTION = 1e-5
"""Changes of the score below this share of it are reported: the map then shows little but rounding."""


@dataclass(frozen=True, eq=False)
class Table:
    """What the model said, image by image and place by place.

    Attributes:
        scores: (N, places, K) float32, one column a class, or the only score that is kept. Rows are written once, so
            that results made earlier may share it.
        predicted: (N, places) int64, the class with the highest score; -1 where there is none.
        base: (N, K), the scores of the whole images.
        known: (N, places) bool: measured.
        filled: (N, places) bool: measured, or estimated for good.
        estimates: of each image of which not all places will be measured, how the others were estimated.
        has_classes: whether column k is class k.
    """

    scores: torch.Tensor
    predicted: torch.Tensor
    base: torch.Tensor
    known: torch.Tensor
    filled: torch.Tensor
    estimates: tuple[Estimates | None, ...]
    has_classes: bool

    def columns(self, classes: Chosen) -> tuple[int, ...]:
        """The column of each image's target."""
        return classes if self.has_classes and not callable(classes) else (0,) * len(self.scores)

    def grid(self, columns: Sequence[int], size: Pair) -> torch.Tensor:
        """(N, rows, cols), interpolated for display where there is no value yet."""
        return torch.cat([self.maps(index, size, [column]) for index, column in enumerate(columns)])

    def maps(self, index: int, size: Pair, columns: Sequence[int] | slice = slice(None)) -> torch.Tensor:
        """(K, rows, cols) of image ``index``."""
        scores = self.scores[index][:, columns].T.reshape(-1, *size)
        return filled_in(scores, self.filled[index].view(size))


@dataclass(frozen=True, eq=False)
class Setting:
    """What holds for the maps of all targets of one sweep.

    Attributes:
        covering: which pixels each place covers.
        positions, patch, engine, work: as in :class:`Occlusion`.
        size: rows and columns of places.
        notes: those that hold for every target.
    """

    covering: Covering
    positions: tuple[Place, ...]
    patch: Pair
    size: Pair
    engine: str
    work: Work
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Occlusion(Attribution):
    """An occlusion map, and what was measured for it.

    Attributes:
        values: (N, H, W) float32: the score of the whole image minus the mean score of the patches that cover a pixel.
            Positive: covering it costs the target score. NaN where no patch was put.
        grid: (N, rows, cols) float32, the target's score with the patch at each place: measured where ``known``,
            elsewhere estimated from the places around; NaN for an image of which nothing is known yet.
        predicted: (N, rows, cols) int64, the class with the highest score there, likewise; -1 where there is none.
        known: (N, rows, cols) bool: measured.
        baseline: (N,) float32, the target's score for the whole image; the same as ``scores``.
        positions: (top, left) in pixels of each place, row by row: place (r, c) is ``positions[r * cols + c]``.
        patch: (height, width) in pixels.
        fill: what the patch showed, for a reader: "0", "mean", "a picture"; empty while the sweep runs.
        engine: "incremental" or "full", which ran; the latter if any image needed it.
        work: multiply-adds done for the finished images, how many the full forwards take, and the least possible.
    """

    grid: torch.Tensor
    predicted: torch.Tensor
    known: torch.Tensor
    baseline: torch.Tensor
    positions: tuple[Place, ...]
    patch: Pair
    engine: str
    work: Work
    _table: Table = field()
    _setting: Setting = field()
    fill: str = ""

    @property
    def counts(self) -> dict[int, torch.Tensor]:
        """Class -> at how many places it is ``predicted``, an int64 tensor (N,); the most frequent class first."""
        classes = self.predicted.flatten(1)
        total = Counter(classes[classes >= 0].tolist())
        return {index: (classes == index).sum(1) for index, _ in total.most_common()}

    @property
    def scores_at(self) -> torch.Tensor:
        """(N, rows, cols, classes) float32: the scores of all classes with the patch at each place, as in ``grid``.

        Raises:
            CnnWidgetsError: they were not kept.
        """
        self._need_classes()
        maps = [self._table.maps(index, self._setting.size) for index in range(len(self.grid))]
        return torch.stack(maps).permute(0, 2, 3, 1)

    def for_target(self, target: Target) -> Occlusion:
        """The map of another class, from the same sweep: nothing is run again.

        Args:
            target: a class, one class an image, or None for the predicted class.

        Returns:
            What ``occlusion`` would have returned for it with the same options.

        Raises:
            CnnWidgetsError: the scores of all classes were not kept.
            TargetError: no such class.
        """
        self._need_classes()
        if callable(target) and not isinstance(target, torch.Tensor):
            raise CnnWidgetsError(
                "A function as target needs what the model returns at each place, which is not kept. Pass a class, or "
                "run occlusion(..., target=function)."
            )
        _, classes = resolve(target, self._table.base)
        return replace(occlusion_of(self._table, classes, self._setting), fill=self.fill)

    def _need_classes(self) -> None:
        if not self._table.has_classes:
            why = "the target is a function" if callable(self.target) else "there are too many places and classes"
            raise CnnWidgetsError(f"Only the target's own score was kept, since {why}. Run occlusion for each target.")


def occlusion_of(table: Table, classes: Chosen, setting: Setting) -> Occlusion:
    """The map of one target."""
    columns = table.columns(classes)
    grid = table.grid(columns, setting.size)
    baseline = table.base[torch.arange(len(grid)), torch.tensor(columns)]
    started = table.filled.any(1)[:, None, None].expand_as(grid)
    predicted = [nearest_class(of_image) for of_image in table.predicted.view(grid.shape)]
    return Occlusion(
        values=(baseline.double()[:, None, None] - setting.covering.mean(grid, started)).float(),
        method="occlusion",
        target=classes,
        layer=None,
        scores=baseline,
        notes=(*setting.notes, *_occlusion_notes(table, columns, grid, baseline)),
        grid=grid,
        predicted=torch.stack(predicted),
        known=table.known.view(grid.shape),
        baseline=baseline,
        positions=setting.positions,
        patch=setting.patch,
        engine=setting.engine,
        work=setting.work,
        _table=table,
        _setting=setting,
    )


def _occlusion_notes(table: Table, columns: Sequence[int], grid: torch.Tensor, baseline: torch.Tensor) -> Iterator[str]:
    change = (grid - baseline[:, None, None]).flatten(1).abs().nan_to_num(0.0).amax(1)
    several, places = len(grid) > 1, grid[0].numel()
    partial = not bool(table.filled.all())
    if partial:
        yield f"partial: {int(table.known.sum())} of {grid.numel()} places; the others are interpolated"
    for index, (estimates, column) in enumerate(zip(table.estimates, columns, strict=True)):
        which = f" of image {index}" if several else ""
        if estimates is not None:
            error = estimates.error(table.scores[index, :, column])
            share = f"{100 * error / float(change[index]):.2g} %" if float(change[index]) > 0 else "0 %"
            yield (
                f"approximate: {len(estimates.known)} of {places} places{which} computed, the others estimated from "
                f"them; estimated error {share} of the largest change (root mean square, judged by predicting each "
                "computed place from the others)"
            )
        if not partial and change[index] <= NO_REACTION * baseline[index].abs():
            yield f"covering parts{which} hardly changes the score: by {float(change[index]):.2g} at most"
