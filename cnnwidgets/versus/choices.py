"""What can be chosen in a comparison of two networks, and what each trait accepts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import traitlets

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError, InputError, TargetError
from cnnwidgets.explorer.choices import ChosenClass
from cnnwidgets.explorer.work.layers import layer_with_maps
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.outputs.class_names import class_by_name
from cnnwidgets.widgets._base import WidgetBox
from cnnwidgets.widgets.prediction_board import PredictionBoard

from .side import Sides


class VersusChoices(WidgetBox):
    """The traits of a :class:`NetworkComparison`. What they refuse leaves the view as it is."""

    layer = traitlets.Unicode("", help="Dotted name of the first network's layer on show.")
    layer_b = traitlets.Unicode("", help="That of the second network; it follows `layer`, and `layer` follows it.")
    target = ChosenClass(0, help="The class explained, by its number in the first network; a name or None can be set.")
    method = traitlets.Unicode("grad_cam", help="The explainer that makes the maps: one of explainers.names().")
    picture = traitlets.Unicode("", help="Name of the photograph on show.")
    scale = traitlets.Enum(
        ("shared", "own"),
        "shared",
        help='Maps and their difference in their own numbers, on one scale; or ("own") each in shares of its largest.',
    )
    status = traitlets.Enum(
        ["ready", "busy", "cancelled", "error", "closed"], "ready", help="What the comparison is doing."
    )
    message = traitlets.Unicode("", help="The same for a reader.")

    def __init__(self, sides: Sides, board: PredictionBoard, **traits: Any) -> None:
        self._sides, self._checking = sides, False
        self._lock = threading.RLock()
        self._requested: int | None = None
        super().__init__("network-comparison", board, **traits)

    @contextmanager
    def _unchecked(self) -> Iterator[bool]:
        """While traits are set to what is known to be right, and by nobody's wish; yields whether they were checked."""
        before, self._checking = self._checking, False
        try:
            yield before
        finally:
            self._checking = before

    @traitlets.validate("layer", "layer_b")
    def _check_layer(self, proposal: Any) -> str:
        name = str(proposal["value"])
        side = self._sides[proposal["trait"].name == "layer_b"]
        return layer_with_maps(side.scene, name).name if self._live() else name

    @traitlets.validate("target")
    def _check_target(self, proposal: Any) -> int:
        target = proposal["value"]
        if not self._live():
            return int(target)
        with self._lock:
            self._requested = None if target is None else class_number(self._sides[0].scene, target)
            return self._sides[0].scene.predicted if self._requested is None else self._requested

    @traitlets.validate("method")
    def _check_method(self, proposal: Any) -> str:
        self._live()
        return explainers.info(proposal["value"]).name

    @traitlets.validate("picture")
    def _check_picture(self, proposal: Any) -> str:
        pictures = list(self._sides[0].session.images) if self._live() else [proposal["value"]]
        if proposal["value"] not in pictures:
            raise InputError(f"No photograph {proposal['value']!r}. There are: {', '.join(map(repr, pictures))}.")
        return str(proposal["value"])

    def _live(self) -> bool:
        """Whether values are to be checked: not while the view itself sets them."""
        if self.status == "closed":
            raise CnnWidgetsError("This comparison is closed. Make another with cnnwidgets.compare().")
        return self._checking


def class_number(scene: Scene, target: Any) -> int:
    """The number of a class.

    Raises:
        TargetError: there is no such class.
    """
    if isinstance(target, str):
        return class_by_name(target, scene.labels)
    classes = len(scene.logits)
    if isinstance(target, bool) or not isinstance(target, int | np.integer) or not 0 <= target < classes:
        raise TargetError(f"Class {target!r} is none: there are {classes} classes, 0 to {classes - 1}.")
    return int(target)
