"""Which call of a layer is explained where nobody said, and what to say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnwidgets.tracing.layouts.layouts import Layout
from cnnwidgets.tracing.layouts.rules import INDEPENDENT, SHIFTED

_NOTHING, _ELSEWHERE, _PART, _IMAGE = range(4)
_WHY = {
    _NOTHING: "{calls} do{es} not depend on the image",
    _ELSEWHERE: "{calls} give{s} maps that lie elsewhere",
    _PART: "{calls} see{s} a part of the image",
}


def rank(layout: Layout) -> int:
    """The larger, the rather a call that returned this is to be explained; the last of the largest is.

    A call that the image has no part in (a fixed reference), or whose maps lie elsewhere than the image (a mirror
    image of it), must not stand for the layer where another one does not.
    """
    if layout.why_not == INDEPENDENT:
        return _NOTHING
    if (layout.why_not or "").startswith(SHIFTED) or (layout.mapped and layout.placement is None and layout.sure):
        return _ELSEWHERE
    return _PART if layout.placement is not None and not layout.placement.is_everywhere else _IMAGE


def preferred(layouts: Sequence[Layout], *, several: bool = False) -> int:
    """Which of a layer's calls, from 0, is to be explained; ``several``: of those with maps of more than one place."""
    among = [index for index, layout in enumerate(layouts) if layout.mapped or not several]
    return max(among, key=lambda index: (rank(layouts[index]), index))


def call_notes(name: str, index: int, layouts: Sequence[Layout]) -> Iterator[str]:
    """Which call of a layer used several times this is, and why it is not the last."""
    if len(layouts) < 2:
        return
    reasons = []
    if index == preferred(layouts):
        for worse, why in _WHY.items():
            such = [later for later in range(index + 1, len(layouts)) if rank(layouts[later]) == worse]
            if such:
                single = len(such) == 1
                reasons.append(why.format(calls=_call_numbers(such), es="es" * single, s="s" * single))
    because = f": {', and '.join(reasons)}" if reasons else ""
    yield f"layer {name!r} is called {len(layouts)} times; showing call {index + 1}{because}"


def _call_numbers(indices: list[int]) -> str:
    if len(indices) == 1:
        return f"call {indices[0] + 1}"
    if indices == list(range(indices[0], indices[-1] + 1)):
        return f"calls {indices[0] + 1} to {indices[-1] + 1}"
    return f"calls {', '.join(str(index + 1) for index in indices)}"
