"""The map over the photograph as a still picture, with its colour bar and what must be known of it."""

from __future__ import annotations

from typing import Any

from cnnwidgets.widgets._still import maps, parts
from cnnwidgets.widgets._still.publish import newest_push

_SIDE = 300


def overlay_still(widget: Any, width: int = parts.WIDTH) -> parts.Block | None:
    """What ``widget``, a :class:`HeatmapOverlay`, shows; None: neither photograph nor map."""
    photo = newest_push(widget, "picture").arrays.get("pixels")
    heat, content = newest_push(widget, "map")
    if "values" not in heat:
        if photo is None:
            return None
        message = content.get("message") or "There is no map."
        return parts.column([maps.photograph(photo, parts.px(_SIDE)), parts.paragraph(message)])
    sign = "positive" if content["unsigned"] else widget.sign
    scale = maps.map_scale(heat["values"], heat.get("magnitude"), sign, 0.0 if content["partial"] else widget.clip)
    if widget.limit:
        scale = scale._replace(limit=widget.limit, clipped=scale.limit > widget.limit)
    name = widget.diverging if scale.signed else widget.colormap
    picture = maps.overlay(photo, scale, widget, parts.px(_SIDE), partial=content["partial"], extent=content["extent"])
    bar = [parts.colour_bar(name, scale.ends, widget.unit, parts.drawn_width(picture))] if scale.limit else []
    under = parts.column([picture, *bar], 4)
    room = width - parts.drawn_width(picture) - 16
    beside = room if room > 100 else width
    side = [parts.remark(fact, width=beside) for fact in _facts(heat, content, scale, sign)]
    for note in widget.notes:
        sign_of_note, colour = ("⚠ ", parts.WARN) if note["level"] == "warn" else ("", parts.SOFT)
        side.append(parts.remark(f"{sign_of_note}{note['text']}", colour=colour, width=beside))
    return parts.row([under, parts.column(side)], 16) if room > 100 else parts.column([under, *side])


def _facts(heat: dict[str, Any], content: dict[str, Any], scale: maps.MapScale, sign: str) -> list[str]:
    facts = [f"All of its numbers: {maps.number(scale.least)} to {maps.number(scale.largest)}"]
    if "magnitude" in heat:
        facts.append(f"{'largest magnitude' if sign == 'positive' else 'sum'} over {content['channels']} channels")
    if content.get("made"):
        facts.append(content["made"])
    if content["partial"]:
        facts.append("The map is not final.")
    return facts
