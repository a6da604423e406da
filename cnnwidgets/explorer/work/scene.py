"""A photograph, what the network says of it, and what that was computed from, to notice when it has changed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.engine.all_layers import Observation
from cnnwidgets.explorer.tasks import Task
from cnnwidgets.incremental.scaling import Factors
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.pictures.frame import WholePhotograph
from cnnwidgets.pictures.picture import Picture
from cnnwidgets.state.fingerprint import Fingerprint
from cnnwidgets.tracing.architecture import Architecture

_ALL = 1 << 20  # numbers of an image that are all looked at
_STEP = 64  # and of more, one in so many


@dataclass(frozen=True)
class Version:
    """The network and the image at one moment."""

    network: Fingerprint
    image: Hashable

    def same(self, other: Version) -> bool:
        """Whether both are as they were."""
        return self.image == other.image and self.network.same(other.network)

    def change_to(self, other: Version) -> str:
        """A note on what is different now."""
        subject = "The network's weights have"
        if self.image != other.image:
            subject = "The image has"
        elif self.network.structure != other.network.structure:
            subject = "The network's modules, hooks or attributes have"
        return f"{subject} changed since this picture was made: everything was computed again."


def changed_meanwhile() -> CnnWidgetsError:
    """In place of what autograd says of an optimizer that stepped between a forward and its backward."""
    return CnnWidgetsError(
        "The network's weights changed while this was computed, as in training. Ask again when they hold still."
    )


def image_mark(image: Any) -> Hashable:
    """Changes when an array, a tensor or a file does; of anything else only its identity is looked at.

    Raises nothing: what is no image is refused by who reads it.
    """
    try:
        if isinstance(image, torch.Tensor) and image.layout == torch.strided:
            numbers = _sampled_values(image.detach(), image.numel(), image.is_contiguous())
            return zlib.crc32(numbers.cpu().contiguous().view(torch.uint8).numpy().tobytes())
        if isinstance(image, np.ndarray):
            return zlib.crc32(_sampled_values(image, image.size, image.flags.c_contiguous).tobytes())
        if isinstance(image, str | os.PathLike):
            file = Path(image).stat()
            return file.st_mtime_ns, file.st_size
    except Exception:
        return id(image)
    return id(image)


def _sampled_values(image: Any, count: int, contiguous: bool) -> Any:
    if count <= _ALL:
        return image.reshape(-1)
    if not contiguous:
        raise ValueError("Looking at it would copy it.")
    return image.reshape(-1)[::_STEP]


@dataclass(frozen=True, eq=False)
class Scene:
    """A photograph, and what one forward and one backward of the model said about it and one target.

    ``first`` was made when the photograph was opened and holds the maps; ``now`` belongs to the target.
    """

    name: str
    picture: Picture
    first: Observation
    now: Observation
    version: Version
    architecture: Architecture
    asleep: bool = False
    """Whether the maps have been let go of: tensors of their shapes, without content, stand in their places."""
    task: Task = field(default_factory=Task)
    seconds: float = 0.0
    """How long the look at it took: a forward and a backward, at least."""
    whole: WholePhotograph | None = None
    """The photograph before it was cropped; None: it was not, or nobody can tell how."""
    switches: dict[str, Factors] = field(default_factory=dict)
    """Layer -> what its channels are multiplied by in the network that looked; empty: it had all of them."""
    switched_network: nn.Module | None = None
    """The network that looked, where something is switched."""
    unswitched: torch.Tensor | None = None
    """(classes,) raw outputs of the network with all its channels, where something is switched."""

    @property
    def photograph(self) -> str:
        """The photograph's name for titles, with how much of it the network sees where that is not all."""
        return self.name if self.whole is None else f"{self.name}, cropped to {100 * self.whole.share:.0f} %"

    @property
    def maps(self) -> dict[str, torch.Tensor]:
        """Layer -> maps (1, C, h, w)."""
        return self.first.maps

    @property
    def logits(self) -> torch.Tensor:
        """(classes,) raw outputs."""
        if self.first.outputs is None:  # every task reads a table
            raise CnnWidgetsError("The model returned no scores.")
        return self.first.outputs[0]

    @property
    def kind(self) -> Kind:
        """What the numbers in ``logits`` are."""
        return self.first.kind

    @property
    def logits_of_all(self) -> torch.Tensor:
        """(classes,) raw outputs of the network with all its channels."""
        return self.logits if self.unswitched is None else self.unswitched

    @property
    def predicted(self) -> int:
        """The class with the highest score, with all channels on: switches do not change the question."""
        return int(self.logits_of_all.nan_to_num(-torch.inf).argmax())

    @property
    def first_class(self) -> int:
        """The class that is explained where nobody chose one."""
        return self.predicted if self.task.first is None else self.task.first

    @property
    def target(self) -> int | Callable[[Any], torch.Tensor]:
        """What is explained: a class, or a function of what the model returns."""
        targets = self.now.chosen
        return targets if callable(targets) else int(targets[0])

    @property
    def target_class(self) -> int | None:
        """The class explained; None where it is a function."""
        target = self.target
        return None if callable(target) else target

    def label(self, index: int) -> str:
        """The name of a class."""
        return self.task.label(index)

    @property
    def labels(self) -> list[str] | None:
        """The names of all columns of the table of scores; None: "class 0", "class 1"."""
        if type(self.task) is Task and self.task.labels is None:
            return None
        return [self.label(index) for index in range(len(self.logits))]

    def looks_like(self, other: Scene) -> bool:
        """Whether both hold the same numbers, bit for bit."""
        ours, theirs = self.first, other.first
        if not torch.equal(self.picture.tensor, other.picture.tensor) or not same_numbers(ours.outputs, theirs.outputs):
            return False
        if self.asleep or other.asleep:
            return True
        same_layers = ours.maps.keys() == theirs.maps.keys()
        return same_layers and all(same_numbers(maps, theirs.maps[name]) for name, maps in ours.maps.items())

    def sleeping(self) -> Scene:
        """The same without the content of the maps, which is most of it."""
        stand_ins = {id(maps): torch.zeros(()).expand(maps.shape) for maps in self.maps.values()}
        first = replace(self.first, maps={name: stand_ins[id(maps)] for name, maps in self.maps.items()})
        return replace(self, first=first, now=first if self.now is self.first else self.now, asleep=True)

    def with_note(self, note: str) -> Scene:
        """The same with one more thing that the reader must know."""
        return replace(self, picture=replace(self.picture, notes=(*self.picture.notes, note)))


def same_numbers(values: torch.Tensor | None, others: torch.Tensor | None) -> bool:
    """Whether both hold the same, or both are missing."""
    if values is None or others is None:
        return values is others
    same_shape = values.shape == others.shape
    return values is others or (same_shape and torch.equal(values.nan_to_num(), others.nan_to_num()))
