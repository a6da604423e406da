"""What a network does with a photograph, and how all it returns is read as one table of scores."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import ClassVar

import torch

from cnnwidgets.core.errors import InputError
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import Readout, reading

_WHOLE_MAPS = frozenset({"grad_cam", "grad_cam_pp", "xgrad_cam", "score_cam", "ablation_cam", "eigen_cam"})
Region = tuple[int, ...]
"""In pixels of the picture: () all of it, (row, column) the segment there, (top, left, height, width) a box."""


@dataclass(frozen=True)
class Mark:
    """Something in the picture that can be picked: where it lies, its name, and the column that it stands for."""

    box: tuple[float, float, float, float]
    label: str
    index: int


@dataclass(frozen=True, eq=False)
class Task:
    """Classification: a score a class. The base of what else a network may do.

    Scores, bars, maps, sweeps, switches, comparisons and checks all read the table (N, K) that ``output`` makes of what
    the model returns, so none of them has to know the task.

    Attributes:
        outputs: what the numbers of the table are; None: found out.
        output: makes the table; None: found out.
        labels: a name for each column; None: they have none.
        first: the column that is explained where nobody chose one; None: the one with the highest score.
        region: the part of the picture whose scores are in the table.
        inside: (H, W) bool, that part, where it is no box; None: it is one, or all of the picture.
        marks: what can be picked on the picture.
        notes: what the reader must know of how the outputs are read.
        readout: reads what the model returns as the table.
    """

    column: ClassVar[str] = "class"
    """What a column without a name is called."""
    picking: ClassVar[str] = "none"
    """What is picked on the picture: "none", "marks" or "region"."""
    one_wins: ClassVar[bool] = True
    """Whether the column with the highest score is what the network says."""
    columns_stay: ClassVar[bool] = True
    """Whether a column means the same in another photograph."""
    part: ClassVar[str] = ""
    """What of the picture is explained, where that is not all of it."""

    outputs: Kind | None = None
    output: OutputChoice = None
    labels: tuple[str, ...] | None = None
    first: int | None = None
    region: Region = ()
    inside: torch.Tensor | None = field(default=None, repr=False)
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    readout: Readout = field(default_factory=Readout, repr=False)

    def reading(self) -> AbstractContextManager[Readout]:
        """In this block, whatever a model returns is read as this task's table of scores."""
        return reading(self.readout)

    def label(self, index: int) -> str:
        """The name of a column."""
        if self.labels is not None and index < len(self.labels):
            return self.labels[index]
        return f"{self.column} {index}"

    def sentence(self, index: int) -> str:  # noqa: ARG002
        """What is explained where column ``index`` is; empty where its name says all."""
        return ""

    def caution(self, method: str) -> str:
        """What to know of a map by ``method`` of what this task explains; empty where there is nothing."""
        if method not in _WHOLE_MAPS or not (self.marks or self.region):
            return ""
        return (
            "This method gives each feature map one weight for the whole picture, so places outside of the "
            f"{self.part} that look like it are marked, too, whether or not the score depends on them. HiResCAM and "
            "LayerCAM weigh each place."
        )

    def at(self, region: Region) -> Task:
        """The same with another part of the picture.

        Raises:
            InputError: the task has no such parts.
        """
        if region:
            raise InputError(
                f"region is {list(region)}; only a network that gives a score to every place, as in segmentation, has "
                "regions to choose from. Leave it empty."
            )
        return self
