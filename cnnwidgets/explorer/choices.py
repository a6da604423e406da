"""What can be chosen in an Explorer: traits that can be read, set and observed, and what each accepts."""

from __future__ import annotations

import contextlib
import operator
from typing import Any

import ipywidgets
import traitlets

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError, InputError, TargetError
from cnnwidgets.outputs.class_names import class_by_name
from cnnwidgets.snapshots.picture import still_explorer
from cnnwidgets.widgets._page_state import PageState
from cnnwidgets.widgets._still.parts import Block
from cnnwidgets.widgets._still.publish import StillPicture, title

from .panels.host import PanelHost
from .sentences import model_title
from .work.layers import layer_with_maps
from .work.scene import Scene
from .work.session import Session

PANELS = ("look", "filters", "hide", "compare")


class ChosenClass(traitlets.Int):  # type: ignore[type-arg]  # no type arguments before traitlets 5.10
    """A class; what stands for one (None, a name, a number of numpy's or torch's) is read by who owns the trait."""

    def validate(self, obj: Any, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        with contextlib.suppress(TypeError):
            value = operator.index(value)
        return super().validate(obj, value)


class Choices(PageState, StillPicture, ipywidgets.Box):
    """The traits of an Explorer. What they refuse leaves the view as it is."""

    layer = traitlets.Unicode("", help="Dotted name of the layer whose feature maps are shown.")
    channel = traitlets.Int(None, allow_none=True, help="The feature map shown large; None: none.")
    target = ChosenClass(
        0,
        help="The class that is explained. Set it to a class or its name, or to None: the one with the highest score, "
        "of this photograph and of others.",
    )
    region = traitlets.List(
        traitlets.Int(),
        help="The part of the picture whose scores are explained, of a network that scores every place: [top, left, "
        "height, width] in its pixels, [row, column] for the segment there, [] for all of it.",
    )
    method = traitlets.Unicode("grad_cam", help="The explainer that makes the overlay: one of explainers.names().")
    picture = traitlets.Unicode("", help="Name of the photograph: one of `pictures`.")
    panel = traitlets.Enum(
        PANELS,
        "look",
        help='The middle panel: "look" explains, "filters" tells what the selected filter looks for, "hide" hides '
        'parts of the image, "compare" compares maps.',
    )
    status = traitlets.Enum(
        ["ready", "busy", "cancelled", "error", "closed"], "ready", help="What the Explorer is doing."
    )
    message = traitlets.Unicode("", help="The same for a reader: the work and the time left, or what went wrong.")

    def __init__(self, host: PanelHost) -> None:
        self._host = host
        super().__init__()

    @property
    def _scene(self) -> Scene:
        return self._host.scene

    @property
    def _session(self) -> Session:
        return self._host.session

    @property
    def pictures(self) -> list[str]:
        """Names of the photographs to choose from."""
        return list(self._open_session().images)

    @traitlets.validate("layer")
    def _check_layer(self, proposal: Any) -> str:
        name = str(proposal["value"])
        if not self._live():
            return name
        name = layer_with_maps(self._scene, name).name
        if name == self.layer:
            self._same_layer(name)  # traitlets tells nobody of a value that stays
        return name

    @traitlets.validate("channel")
    def _check_channel(self, proposal: Any) -> int | None:
        channel: int | None = proposal["value"]
        if self._live() and channel is not None:
            if not self.layer:
                raise InputError(f"No channel {channel}: this network has no layer whose output is a stack of maps.")
            channels = self._scene.maps[self.layer].shape[1]
            if not 0 <= channel < channels:
                raise InputError(f"No channel {channel}: layer {self.layer!r} has {channels}, 0 to {channels - 1}.")
        return channel

    @traitlets.validate("target")
    def _check_target(self, proposal: Any) -> int:
        target = proposal["value"]
        live = self._live()
        if target is None:
            self._follow_top()
            return self._scene.first_class
        if isinstance(target, str):
            return class_by_name(target, self._scene.labels)
        if live:
            classes = len(self._scene.logits)
            if not 0 <= target < classes:
                raise TargetError(f"Class {target} is out of range: there are {classes} classes, 0 to {classes - 1}.")
        return int(target)

    @traitlets.validate("region")
    def _check_region(self, proposal: Any) -> list[int]:
        region: list[int] = proposal["value"]
        if self._live():
            self._scene.task.at(tuple(region))  # refuses what is none
        return region

    @traitlets.validate("method")
    def _check_method(self, proposal: Any) -> str:
        self._live()
        return explainers.info(proposal["value"]).name

    @traitlets.validate("picture")
    def _check_picture(self, proposal: Any) -> str:
        name = str(proposal["value"])
        if self._live() and name not in self._open_session().images:
            raise InputError(f"No photograph {name!r}. There are: {', '.join(map(repr, self.pictures))}.")
        return name

    def _live(self) -> bool:
        """Whether values are to be checked: not while the view itself sets them."""
        with self._host.lock:  # not between two steps of the worker's own setting
            self._open_session()
            return self._host.checking

    def _open_session(self) -> Session:
        if self.status == "closed":
            raise CnnWidgetsError("This Explorer is closed. Make another with cnnwidgets.explore().")
        return self._session

    def _still(self) -> Block | None:
        return None if self.status == "closed" else still_explorer(self)

    def _still_title(self) -> str:
        return title("Explorer", "", self)

    @property
    def network(self) -> str:
        """Name of the network."""
        return "" if self.status == "closed" else model_title(self._session.model)

    @property
    def photograph(self) -> str:
        """Name of the photograph on show."""
        return self.picture

    def _follow_top(self) -> None:
        """No class is chosen any more."""

    def _same_layer(self, name: str) -> None:
        """The layer on show was asked for again."""
