"""A widget made of several: a box that speaks through one of them, with figures of bqplot below."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets

from ._base import CnnWidget
from ._bqplot import bqplot
from ._page_state import PageState
from ._still.publish import StillPicture


class WidgetBox(PageState, StillPicture, ipywidgets.VBox):
    """A column of widgets, of which ``speaker`` shows what must be said to the reader."""

    network = traitlets.Unicode("", help="Name of the network, for titles; may be empty.")
    photograph = traitlets.Unicode("", help="Name of the photograph, for titles; may be empty.")

    def __init__(self, name: str, speaker: CnnWidget, **traits: Any) -> None:
        self._speaker = speaker
        super().__init__(**traits)
        for css_class in ("cnnw", f"cnnw-{name}"):
            self.add_class(css_class)

    def say_dropped(self, reason: str) -> None:
        """Tell the reader that something from the page was not used."""
        self._speaker.say_dropped(reason)

    def say_failed(self, error: Exception) -> None:
        """Show what went wrong in the answer to the page."""
        self._speaker.say_failed(error)


def panel_figure(marks: list[Any], axes: list[Any], margin: dict[str, int], height: str, **options: Any) -> Any:
    """A bqplot figure as wide as its panel, which does not move."""
    return bqplot.Figure(
        marks=marks,
        axes=axes,
        fig_margin=margin,
        min_aspect_ratio=0.01,
        max_aspect_ratio=100,
        padding_y=0,
        animation_duration=0,
        layout=ipywidgets.Layout(width="100%", min_width="0", height=height),
        **options,
    )


def close_figure(drawing: Any) -> None:
    """Close a figure and everything in it, which bqplot leaves open."""
    own_scales = [scale for scale in (drawing.scale_x, drawing.scale_y) if scale is not None]
    scales = {id(scale): scale for mark in drawing.marks for scale in mark.scales.values()}
    for widget in (*drawing.marks, *drawing.axes, *scales.values(), *own_scales, drawing.layout, drawing):
        widget.close()
