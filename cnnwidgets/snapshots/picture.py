"""An Explorer as a still picture: the map, the bars of the classes, the first feature maps."""

from __future__ import annotations

import io
from typing import Any

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets.feature_maps.still import maps_still
from cnnwidgets.widgets.heatmap_overlay.still import overlay_still

_LEFT, _RIGHT, _MAPS = 300, 284, 20
_TIMES = 2  # a snapshot is looked at enlarged, and printed


def still_explorer(explorer: Any) -> parts.Block:
    """What ``explorer`` has beside each other: overlay and class bars, and below them the maps of the layer."""
    beside = [
        _headed(explorer.overlay, overlay_still(explorer.overlay, _LEFT), _LEFT),
        _headed(explorer.scores, explorer.scores._still(_RIGHT), _RIGHT),  # noqa: SLF001
    ]
    below = _headed(explorer.feature_maps, maps_still(explorer.feature_maps, _MAPS), parts.WIDTH)
    summary = parts.remark(explorer._view.bar.summary)  # noqa: SLF001
    return parts.column([summary, parts.row([block for block in beside if block], 16), *([below] if below else [])])


def _headed(widget: Any, content: parts.Block | None, width: int) -> parts.Block | None:
    """``content`` under the widget's title."""
    if content is None:
        return None
    return parts.column([parts.paragraph(widget._still_title(), width=width), content])  # noqa: SLF001


def snapshot_png(explorer: Any) -> bytes:
    """PNG of what :func:`still_explorer` shows and of the tab on show, under its title, at twice the size."""
    behind_tabs = {"filters": explorer.filters, "hide": explorer.occluder, "compare": explorer.comparison}
    tab = behind_tabs.get(explorer.panel)
    with parts.enlarged_by(_TIMES):
        heading = parts.paragraph(explorer._still_title(), size=14)  # noqa: SLF001
        panel = None if tab is None else _headed(tab, tab._still(), parts.WIDTH)  # noqa: SLF001
        blocks = [heading, still_explorer(explorer), *([] if panel is None else [panel])]
        page = parts.framed(parts.column(blocks))
    stream = io.BytesIO()
    page.save(stream, "png")
    return stream.getvalue()
