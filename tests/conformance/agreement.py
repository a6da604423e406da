"""The tables of docs/conformance.md: made from measurements, and read back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .networks import CASES
from .ours import COMPARED, Cell
from .theirs import LIBRARIES, Row

ALLOWED = {"single": 1e-4, "double": 1e-8}
ROUNDING = 6e-8
"""Half a unit in the last place of float32, in which results come, whatever the model computes in."""
RELAXED = {
    "ablation_cam": ("weights are differences of scores, of which float32 keeps only some digits", 1e-3, ROUNDING),
    "occlusion": ("values are differences of scores, and scores are kept in float32", 1e-4, 1e-5),
}
OFF = 0.01
"""From this difference on, a peer's map is another one."""

_HEAD = """# Conformance

Written by `python -m tests.conformance`; not edited by hand.

Each explainer beside an independent implementation, on networks with seeded random weights (EfficientNet-Lite0: its
ImageNet weights and a photograph) at reduced input size. A cell holds the largest difference between the two maps as a
share of the map's largest value, once in float32 and once in float64. Maps come in float32 whatever the model computes
in, so nothing below 6e-8 can be told apart. Aimed at: 1e-4 in float32, 1e-8 or that rounding in float64.

"""
_LAYERS = """
The methods that explain a layer were compared at `layer`, or, where their formula would magnify rounding there, at the
one after "or". Score-CAM and Ablation-CAM, whose plain version runs the network once for each map, at one of few maps.

"""
_PEERS = """
## Where other libraries differ

The same measure, in float32, for other libraries' maps of the same network, against the same plain implementation.
**Bold**: another map. "–": the library has no such method.

"""


def document(cells: Mapping[tuple[str, str], Cell], networks: Iterable[str], rows: Iterable[Row]) -> str:
    """The whole page, markdown."""
    networks = list(networks)
    lines = [_HEAD + _line(["explainer", "compared with", *networks]), _line(["---"] * (2 + len(networks)))]
    reasons: list[str] = []
    for method, (source, _) in COMPARED.items():
        shown = [_shown(cells[method, network], reasons) for network in networks]
        mark = "*" if method in RELAXED else ""
        lines.append(_line([f"`{method}`{mark}", source, *shown]))
    lines += ["", *(f"\\* `{method}`: {why}.  " for method, (why, *_) in RELAXED.items()), ""]
    lines += [f"{number}. {reason}." for number, reason in enumerate(reasons, 1)]
    lines += [
        _LAYERS + _line(["network", "input", "layer", "of few maps"]),
        _line(["---"] * 4),
        *map(_layers, networks),
    ]
    lines += [_PEERS + _line(["network", "map", "cnnwidgets", *LIBRARIES]), _line(["---"] * (3 + len(LIBRARIES)))]
    for row in rows:
        lines.append(_line([row.network, row.what, _number(row.ours), *(_peer(row.peers[name]) for name in LIBRARIES)]))
    return "\n".join(lines) + "\n"


def _layers(network: str) -> str:
    case = CASES.get(network)
    if case is None:
        return _line([network, "–", "–", "–"])
    layer = f"`{case.layer}`" + (f" or `{case.positive}`" if case.positive else "")
    few = f", {case.channels} of them" if case.channels else ""
    return _line([network, f"{case.size} × {case.size}", layer, f"`{case.narrow}`{few}"])


def read(text: str) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], dict[str, str]]]:
    """The cells of both tables: (explainer, network) -> text; (network, map) -> library -> text."""
    first, second = text.split("## Where other libraries differ")
    first = first.split(_LAYERS)[0]
    (names, *lines), (columns, *more) = _rows(first), _rows(second)
    cells = {
        (line[0].strip("`*"), network): value
        for line in lines
        for network, value in zip(names[2:], line[2:], strict=True)
    }
    peers = {(line[0], line[1]): dict(zip(columns[2:], line[2:], strict=True)) for line in more}
    return cells, peers


def numbers(text: str) -> tuple[float | None, float | None]:
    """The two differences in a cell; None where nothing was compared."""
    found = re.fullmatch(r"(\S+) / (\S+)( \(\d+\))?", text)
    if found is None:
        return None, None
    return tuple(None if part == "–" else float(part) for part in found.groups()[:2])  # type: ignore[return-value]


def allowed(method: str) -> tuple[float, float]:
    """The largest differences that ``method`` may have, in float32 and in float64."""
    if method in RELAXED:
        return RELAXED[method][1:]
    return ALLOWED["single"], max(ALLOWED["double"], ROUNDING)


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[part.strip() for part in line.strip("|").split("|")] for line in lines]


def _line(parts: Iterable[str]) -> str:
    return f"| {' | '.join(parts)} |"


def _shown(cell: Cell, reasons: list[str]) -> str:
    note = ""
    if cell.refused:
        if cell.refused not in reasons:
            reasons.append(cell.refused)
        note = f" ({reasons.index(cell.refused) + 1})"
    if cell.single is None and cell.double is None:
        return f"n/a{note}"
    return f"{_number(cell.single)} / {_number(cell.double)}{note}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return "0" if value == 0 else f"{value:.0e}".replace("e-0", "e-") if value < OFF else f"{value:.2f}"


def _peer(value: float | str | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return f"**{value}**"
    return _number(value) if value < OFF else f"**{_number(value)}**"
