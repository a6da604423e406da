"""What the cascading randomisation of a network's weights has measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from cnnwidgets.core.arrays import dataframe
from cnnwidgets.explainers.attribution import Attribution


@dataclass(frozen=True, eq=False, repr=False)
class Stage:
    """The map when all layers from the output down to ``layer`` have random weights.

    Attributes:
        layer: dotted name of the layer nearest to the input that was randomised in this stage.
        layers: the layers randomised in this stage; those of the stages before stay random.
        values: the map, as in :class:`~cnnwidgets.explainers.attribution.Attribution`.
        scores: (N,) the target's score now.
        magnitude: (N,) float64, Spearman's rank correlation of absolute values with the original's.
        signed: (N,) the same of signed values.
        structure: (N,) SSIM of absolute values, each map over its largest.
        problem: why the map says nothing, such as being constant; or empty.
    """

    layer: str
    layers: tuple[str, ...]
    values: torch.Tensor
    scores: torch.Tensor
    magnitude: torch.Tensor
    signed: torch.Tensor
    structure: torch.Tensor
    problem: str = ""

    @property
    def similarity(self) -> torch.Tensor:
        """(N,) the larger of the two rank correlations, so that a map that only lost its sign is not called another.

        NaN where neither is known.
        """
        return torch.fmax(self.magnitude, self.signed)

    def __repr__(self) -> str:
        return f"Stage({self.layer!r}, similarity={[round(value, 3) for value in self.similarity.tolist()]})"


@dataclass(frozen=True, eq=False, repr=False)
class Randomisation:
    """What :func:`~cnnwidgets.checks.randomised` measured.

    Attributes:
        original: the map of the network as it is, computed with the same options as the others.
        stages: in the order in which layers were randomised, from the output to the input.
        total: how many stages there are when all are done.
        notes: what the reader must know; empty when all went well.
    """

    original: Attribution
    stages: tuple[Stage, ...]
    total: int
    notes: tuple[str, ...] = ()

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame``, a row a stage and image: its layer, score, and likeness to the original map."""
        rows = [
            (number, stage, image) for number, stage in enumerate(self.stages, 1) for image in range(len(stage.scores))
        ]
        columns: dict[str, list[Any]] = {
            "stage": [number for number, _, _ in rows],
            "layer": [stage.layer for _, stage, _ in rows],
            "image": [image for _, _, image in rows],
        }
        for name in ("scores", "magnitude", "signed", "structure", "similarity"):
            columns[name.removesuffix("s")] = [float(getattr(stage, name)[image]) for _, stage, image in rows]
        return dataframe({**columns, "problem": [stage.problem for _, stage, _ in rows]})

    @property
    def complete(self) -> bool:
        """Whether all stages are done."""
        return len(self.stages) == self.total

    @property
    def last(self) -> Stage | None:
        """The last stage whose similarity is known for some image, or None."""
        return next((stage for stage in reversed(self.stages) if bool(stage.similarity.isfinite().any())), None)

    @property
    def similarity(self) -> float:
        """Of the map after the last stage to the original, the mean over images; NaN if there is none to compare."""
        return float(self.last.similarity.nanmean()) if self.last is not None else float("nan")

    @property
    def halfway(self) -> Stage | None:
        """The stage in which the upper half of the network is random, if its similarity is known.

        Only the first layers are as they were learned: a map that still looks the same shows what those see, such as
        edges, and not how the network decides.
        """
        middle = self.total // 2
        if middle >= len(self.stages) or not bool(self.stages[middle].similarity.isfinite().any()):
            return None
        return self.stages[middle]

    @property
    def unmoved(self) -> bool:
        """Whether no map differs from the original, not even by rounding."""
        same = (torch.equal(stage.values, self.original.values) for stage in self.stages)
        return bool(self.stages) and all(same)

    def __repr__(self) -> str:
        stages = f"{len(self.stages)} of {self.total} stages"
        notes = f", notes={self.notes!r}" if self.notes else ""
        return f"Randomisation({self.original.method}, {stages}, similarity={self.similarity:.3f}{notes})"
