"""How much of a label fits beside its bar."""

from __future__ import annotations

import unicodedata

# Widths of letters in px at 12 px, those of a wide face (DejaVu Sans): the reader's own is seldom wider.
_NARROW, _CAPITAL, _BROAD, _SQUARE, _USUAL = 5.0, 8.4, 11.7, 12.0, 7.6
_ELLIPSIS = 12.0


def width(text: str) -> float:
    """About how wide ``text`` is, in px."""
    return sum(map(_letter, text))


def ellipsised(name: str, room: float) -> str:
    """``name``, or as much of it as fits into ``room`` px, and an ellipsis.

    Example:
        >>> ellipsised("tiger cat", 120), ellipsised("German short-haired pointer", 120)
        ('tiger cat', 'German short-ha…')
    """
    if width(name) <= room:
        return name
    left, end = room - _ELLIPSIS, 0
    while end < len(name) and (left := left - _letter(name[end])) >= 0:
        end += 1
    return name[:end].rstrip() + "…"


def _letter(letter: str) -> float:
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return _SQUARE
    if letter in "mwMW@%—":
        return _BROAD
    if letter in " !'(),-./:;I[]fijlrt|`":
        return _NARROW
    if letter.isupper() or letter in "#$&*+<=>_~^":
        return _CAPITAL + (1.7 if letter in "+<=>#~^" else 0.0)
    return _USUAL
