"""The graph as a list of its nodes, for a still picture."""

from __future__ import annotations

from typing import Any

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.pushed import content_of

_MOST = 24


def still(widget: Any) -> parts.Block | None:
    """The nodes and folded groups that ``widget``, an :class:`ArchitectureGraph`, shows, in execution order."""
    nodes = [node for node in content_of(widget, "layout").get("nodes", ()) if node["kind"] != "join"]
    lines = []
    for node in nodes[:_MOST]:
        shape = " × ".join(map(str, node["shape"]))
        chosen = widget.selected and widget.selected in (node.get("layer"), *node.get("members", ()))
        said = "  ·  ".join(part for part in (node["title"], node["detail"], shape) if part)
        around = "    " * (node["level"] - 1)
        lines.append(parts.text(f"{around}{said}", colour=parts.ACCENT if chosen else parts.INK, size=12, most=1))
    if len(nodes) > _MOST:
        lines.append(parts.text(f"… and {len(nodes) - _MOST} more", colour=parts.SOFT, size=12))
    return parts.column(lines, 2) if lines else None
