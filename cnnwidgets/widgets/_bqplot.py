"""Figures of bqplot, which is imported in silence: what it warns of is neither ours nor the reader's to mend."""

from __future__ import annotations

import warnings
from typing import Any

import ipywidgets

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import bqplot

__all__ = ["bqplot", "close_figure", "panel_figure"]


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
