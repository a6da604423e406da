"""The graph as a list of its nodes, for a still picture."""

from __future__ import annotations

from typing import Any

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.publish import newest_push

_MOST = 24


def graph_still(widget: Any) -> parts.Block | None:
    """The nodes and folded groups that ``widget``, an :class:`ArchitectureGraph`, shows, in execution order."""
    nodes = [node for node in newest_push(widget, "layout").content.get("nodes", ()) if node["kind"] != "join"]
    lines = []
    for node in nodes[:_MOST]:
        shape = " × ".join(map(str, node["shape"]))
        is_selected = widget.selected and widget.selected in (node.get("layer"), *node.get("members", ()))
        line = "  ·  ".join(part for part in (node["title"], node["detail"], shape) if part)
        indent = "    " * (node["level"] - 1)
        lines.append(parts.remark(indent + line, colour=parts.ACCENT if is_selected else parts.INK, most=1))
    if len(nodes) > _MOST:
        lines.append(parts.remark(f"… and {len(nodes) - _MOST} more"))
    return parts.column(lines, 2) if lines else None
