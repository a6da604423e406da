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
from .kriging import Estimates

NO_REACTION = 1e-5
"""Changes of the score below this share of it are reported: the map then shows little but rounding."""


@dataclass(eq=False)
class Table:
    """What the model said, image by image and place by place; the sweep goes on writing to it.

    Attributes:
        covering: the places, and the pixels that each covers.
        scores: (N, places, K) float32, one column a class, or the only score that is kept. Rows are written once, so
            that results made earlier may share it.
        predicted: (N, places) int64, the class with the highest score; -1 where there is none.
        base: (N, K), the scores of the whole images.
        known: (N, places) bool: measured.
        filled: (N, places) bool: measured, or estimated for good.
        estimates: of each image of which not all places will be measured, how the others were estimated.
        has_classes: whether column k is class k.
        engine, work: as in :class:`Occlusion`.
        notes: those that hold for every target.
    """

    covering: Covering
    scores: torch.Tensor
    predicted: torch.Tensor
    base: torch.Tensor
    known: torch.Tensor
    filled: torch.Tensor
    estimates: list[Estimates | None]
    has_classes: bool
    engine: str
    work: Work
    notes: tuple[str, ...]

    def now(self) -> Table:
        """A copy, which later answers do not change."""
        copies = {name: getattr(self, name).clone() for name in ("predicted", "base", "known", "filled")}
        return replace(self, **copies, estimates=self.estimates.copy())

    def columns(self, classes: Chosen) -> tuple[int, ...]:
        """The column of each image's target."""
        return classes if self.has_classes and not callable(classes) else (0,) * len(self.scores)

    def maps(self, index: int, columns: Sequence[int] | slice = slice(None)) -> torch.Tensor:
        """(K, rows, cols) of image ``index``, interpolated for display where there is no value yet."""
        shape = self.covering.shape
        return filled_in(self.scores[index][:, columns].T.reshape(-1, *shape), self.filled[index].view(shape))


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
        maps = [self._table.maps(index) for index in range(len(self.grid))]
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
        return replace(occlusion_of(self._table, classes), fill=self.fill)

    def _need_classes(self) -> None:
        if not self._table.has_classes:
            why = "the target is a function" if callable(self.target) else "there are too many places and classes"
            raise CnnWidgetsError(f"Only the target's own score was kept, since {why}. Run occlusion for each target.")


def occlusion_of(table: Table, classes: Chosen) -> Occlusion:
    """The map of one target."""
    columns, covering = table.columns(classes), table.covering
    grid = torch.cat([table.maps(index, [column]) for index, column in enumerate(columns)])
    baseline = table.base[torch.arange(len(grid)), torch.tensor(columns)]
    started = table.filled.any(1)[:, None, None].expand_as(grid)
    predicted = [nearest_class(of_image) for of_image in table.predicted.view(grid.shape)]
    return Occlusion(
        values=(baseline.double()[:, None, None] - covering.mean(grid, started)).float(),
        method="occlusion",
        target=classes,
        layer=None,
        scores=baseline,
        notes=(*table.notes, *_occlusion_notes(table, columns, grid, baseline)),
        grid=grid,
        predicted=torch.stack(predicted),
        known=table.known.view(grid.shape),
        baseline=baseline,
        positions=covering.positions,
        patch=covering.patch,
        engine=table.engine,
        work=table.work,
        _table=table,
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
