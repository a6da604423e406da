"""The map over the photograph as a still picture, with its colour bar and what must be known of it."""

from __future__ import annotations

from typing import Any

from cnnwidgets.widgets._still import maps, parts
from cnnwidgets.widgets._still.pushed import arrays_of, content_of

_SIDE = 300


def still(widget: Any, width: int = parts.WIDTH) -> parts.Block | None:
    """What ``widget``, a :class:`HeatmapOverlay`, shows; None: neither photograph nor map."""
    photo, heat = arrays_of(widget, "picture").get("pixels"), arrays_of(widget, "map")
    content = content_of(widget, "map")
    if "values" not in heat:
        if photo is None:
            return None
        message = content.get("message") or "There is no map."
        return parts.column([maps.photograph(photo, _SIDE), parts.text(message)])
    sign = "positive" if content.get("unsigned") else widget.sign
    partial = bool(content.get("partial"))
    scale = maps.scaled(heat["values"], heat.get("magnitude"), sign, 0.0 if partial else widget.clip)
    name = widget.diverging if scale.signed else widget.colormap
    picture = maps.overlay(photo, scale, widget, _SIDE, partial=partial, extent=content.get("extent"))
    bar = [parts.colour_bar(name, scale.ends, widget.unit, picture.width)] if scale.limit else []
    room = width - picture.width - 16
    beside = room if room > 100 else width
    facts = [f"All of its numbers: {maps.number(scale.least)} to {maps.number(scale.largest)}"]
    if "magnitude" in heat:
        facts.append(f"{'largest magnitude' if sign == 'positive' else 'sum'} over {content['channels']} channels")
    if content.get("made"):
        facts.append(content["made"])
    if partial:
        facts.append("The map is not final.")
    side = [parts.text(fact, colour=parts.SOFT, size=12, width=beside) for fact in facts]
    for note in widget.notes:
        warning = note["level"] == "warn"
        said = f"⚠ {note['text']}" if warning else note["text"]
        side.append(parts.text(said, colour=parts.WARN if warning else parts.SOFT, size=12, width=beside))
    under = parts.column([picture, *bar], 4)
    return parts.row([under, parts.column(side)], 16) if room > 100 else parts.column([under, *side])
