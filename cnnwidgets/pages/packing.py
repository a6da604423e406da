"""Arrays and what is said of them as one compressed text; ``unpack.ts`` reads it."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

STEP = 5
"""Levels of a map that a page does not tell from each other."""
# A code's room for mantissas, of as many digits: with two of them the lower byte is the mantissa.
_ROOM = {2: 1 << 8, 3: 1 << 10}
_NEGATIVE = 1 << 15
# From here on the page shows more than three digits.
_MOST = 9.994
# NUL, carriage return and "<" do not come through HTML as they are.
_STAND_INS = {0: "À", 13: "Á", 60: "Â"}


class Arrays:
    """Arrays in the order in which they came, each content once."""

    def __init__(self) -> None:
        self.headers: list[dict[str, Any]] = []
        self._bytes: list[bytes] = []
        self._numbers: dict[tuple[str, bytes, int], int] = {}

    def add(self, array: npt.NDArray[Any], cuts: Sequence[int] = (), *, digits: int = 0, stride: int = 0) -> list[int]:
        """Keep ``array``, in pieces that end before the places ``cuts`` of it; returns the numbers of the pieces.

        Args:
            digits: each number is read by itself, and two or three digits of it are all that is shown; 0: it is not.
            stride: of bytes the difference to the one so many places before is kept, as of pixels, which are alike.
        """
        pieces = np.split(np.ascontiguousarray(array).reshape(-1), list(cuts))
        return [self._piece(piece, digits, stride) for piece in pieces if piece.size or len(pieces) == 1]

    def payload(self, content: dict[str, Any]) -> str:
        """``content`` and all arrays as text: gzip of the length of the JSON, the JSON, the arrays."""
        text = json.dumps({**content, "arrays": self.headers}, allow_nan=False, ensure_ascii=False).encode()
        blob = b"".join([len(text).to_bytes(4, "little"), text, *self._bytes])
        return as_text(gzip.compress(blob, 9, mtime=0))

    def _piece(self, piece: npt.NDArray[Any], digits: int, stride: int) -> int:
        key = (piece.dtype.name, hashlib.sha256(piece.tobytes()).digest(), digits)
        if key not in self._numbers:
            self._numbers[key] = len(self.headers)
            codes = decimal_codes(piece, digits) if digits and piece.dtype == np.float32 else None
            stored, exponent = (piece, None) if codes is None else codes
            header = {"dtype": piece.dtype.name, "count": piece.size} | ({"stride": stride} if stride else {})
            self.headers.append(header | ({} if exponent is None else {"exponent": exponent, "digits": digits}))
            if stride:
                stored = np.concatenate([piece[:stride], piece[stride:] - piece[:-stride]])
            self._bytes.append(_planes(stored))
        return self._numbers[key]


def as_text(blob: bytes) -> str:
    """``blob`` as text for UTF-8 and HTML, seven bits a letter: 17 % longer, where base64 is 33 %.

    >>> as_text(b"ab")
    '0X@'
    """
    bits = np.unpackbits(np.frombuffer(blob, np.uint8))
    sevens = np.pad(bits, (0, -bits.size % 7)).reshape(-1, 7)
    return np.packbits(np.pad(sevens, ((0, 0), (1, 0)))).tobytes().decode("ascii").translate(_STAND_INS)


def coarse_levels(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Levels of maps in steps of five: half the bytes, while each stays in its bar of the histogram.

    The lowest and the highest of a map and what is not finite (255) stay as they are.

    >>> coarse_levels(np.uint8([0, 1, 4, 5, 12, 253, 254, 255])).tolist()
    [0, 2, 2, 7, 12, 252, 254, 255]
    """
    kept = (levels == 0) | (levels >= 254)
    return np.where(kept, levels, levels // STEP * STEP + STEP // 2).astype(np.uint8)


def _planes(values: npt.NDArray[Any]) -> bytes:
    """The first bytes of all values, then the second ones: what is alike stands together."""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little.view(np.uint8).reshape(values.size, values.itemsize).T).tobytes()


def decimal_codes(values: npt.NDArray[np.float32], digits: int) -> tuple[npt.NDArray[np.uint16], int] | None:
    """``values`` rounded to two or three ``digits``, as uint16, and an exponent; None: they have to be kept whole.

    A code of 0 is 0; else it is, from the lowest bit on, the mantissa less the smallest one and plus 1, the decades
    above the exponent, and the sign in the highest bit. What is not finite, too large, or spans more decades than there
    is room for is not kept so.

    >>> codes, exponent = decimal_codes(np.float32([0, 1.234, -0.0999, 9.5e-3]), 3)
    >>> codes.tolist(), exponent
    ([0, 3096, 34692, 851], -5)
    """
    sizes = np.abs(values.astype(np.float64))
    if not np.isfinite(sizes).all() or sizes.max(initial=0) > _MOST:
        return None
    nonzero, least, room = sizes > 0, 10 ** (digits - 1), _ROOM[digits]
    decades = np.floor(np.log10(np.where(nonzero, sizes, 1.0))).astype(np.int64) - (digits - 1)
    # Powers of ten up to 22 are exact, so that ties fall as they do in the page.
    mantissas = np.floor(sizes * np.power(10.0, -decades) + 0.5).astype(np.int64)
    for wrong, by in ((mantissas >= 10 * least, 1), (mantissas < least, -1)):
        moved = decades + by
        again = np.floor(sizes * np.power(10.0, -moved) + 0.5).astype(np.int64)
        decades, mantissas = np.where(wrong & nonzero, moved, decades), np.where(wrong & nonzero, again, mantissas)
    lowest = int(decades[nonzero].min(initial=0))
    above = decades - lowest
    outside = (above >= _NEGATIVE // room) | (mantissas >= 10 * least) | (mantissas < least)
    if outside[nonzero].any():
        return None
    codes = np.where(nonzero, room * above + mantissas - least + 1, 0)
    return (codes + np.where(values < 0, _NEGATIVE, 0)).astype(np.uint16), lowest
