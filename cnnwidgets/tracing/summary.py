"""The table that ``Architecture.summary()`` prints, as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

from .layers import LayerInfo

_HEADER = ("Layer (type)", "Output shape", "Params", "MACs", "Receptive field")
_LEFT = (True, True, False, False, False)


def text_table(layers: Sequence[LayerInfo], totals: Sequence[str], width: int = 100) -> str:
    """A line a layer, aligned, and the totals below."""
    rows = _table_rows(layers)
    first, *others = (max(map(len, column)) for column in zip(_HEADER, *rows, strict=True))
    first = min(first, max(24, width - sum(others) - 2 * len(others)))
    widths = [first, *others]
    total = sum(widths) + 2 * len(others)
    lines = ["─" * total, _aligned(_HEADER, widths), "═" * total]
    lines += [
        _aligned((_cut(layer.name, layer.type, first), *rest), widths)
        for (_, *rest), layer in zip(rows, layers, strict=True)
    ]
    lines += ["─" * total, *totals, "─" * total]
    return "\n".join(lines)


def page(name: str, layers: Sequence[LayerInfo], totals: Sequence[str]) -> str:
    """The same table as HTML; names are text, whatever is in them."""
    head = "".join(_html_cell("th", value, left) for value, left in zip(_HEADER, _LEFT, strict=True))
    body = "".join(
        "<tr>" + "".join(_html_cell("td", value, left) for value, left in zip(row, _LEFT, strict=True)) + "</tr>"
        for row in _table_rows(layers)
    )
    lines = "<br>".join(html.escape(line) for line in totals)
    return (
        '<div style="max-height:30em;overflow:auto"><table>'
        f"<caption>{html.escape(name)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div><p>{lines}</p>"
    )


def macs(count: int) -> str:
    """``1.81 GMACs``.

    Example:
        >>> macs(1_814_073_344), macs(289)
        ('1.81 GMACs', '289 MACs')
    """
    return f"{in_units(count)}MACs"


def in_units(count: int) -> str:
    """``1.81 G``; of a number below a thousand it ends with the space before the unit."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} "


def _table_rows(layers: Sequence[LayerInfo]) -> list[tuple[str, ...]]:
    return [
        (
            f"{layer.name} ({layer.type})" if layer.name else layer.type,
            str(tuple(layer.output_shape)) if layer.output_shape else "-",
            f"{layer.params:,}",
            f"{layer.macs:,}",
            _field(layer),
        )
        for layer in layers
    ]


def _field(layer: LayerInfo) -> str:
    """What a unit sees, before the border cuts it; of a layer used several times the first and the last call's."""
    # Attention and the like that are no maps have no field, though one can be told for each of their calls.
    if layer.receptive_field is None and None not in layer.fields:
        sides = ["-"]
    else:
        sides = list(dict.fromkeys(_sides(field) for field in layer.fields)) or [_sides(layer.receptive_field)]
    text = sides[0] if len(sides) == 1 else f"{_sides(layer.fields[0])}…{_sides(layer.fields[-1])}"
    return f"{text} ({layer.calls}×)" if layer.calls > 1 else text


def _sides(field: tuple[int | None, int | None] | None) -> str:
    if field is None:
        return "-"
    if field == (None, None):
        return "whole image"
    return "×".join("all" if side is None else str(side) for side in field)


def _cut(name: str, kind: str, width: int) -> str:
    """Name and type in ``width`` characters: of a long name the end stays, which tells layers apart."""
    # A line break in a name would break the table.
    name, kind = (text.replace("\n", " ").replace("\r", " ") for text in (name, kind))
    full = f"{name} ({kind})" if name else kind
    if len(full) <= width:
        return full
    room = width - len(kind) - 4
    return f"…{name[-room:]} ({kind})" if room >= 6 else full[: width - 1] + "…"


def _aligned(values: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        value.ljust(width) if left else value.rjust(width)
        for value, width, left in zip(values, widths, _LEFT, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _html_cell(tag: str, value: str, left: bool) -> str:
    return f'<{tag} style="text-align:{"left" if left else "right"}">{html.escape(value)}</{tag}>'
