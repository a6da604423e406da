"""The input pixels that positions of a map see, cut at the border of the image."""

from __future__ import annotations

from .field import Field


def pixel_ranges(field: Field | None, axis: int, positions: int, side: int) -> list[tuple[int, int]]:
    """First pixel, and the one behind the last, that each position along an image axis sees.

    Args:
        field: of the map; None where it could not be followed: every position then sees all of the axis.
        axis: 0 for the image's rows, 1 for its columns.
        positions: how many there are along it.
        side: pixels of the image along it.

    Example:
        >>> from .field import of_input
        >>> pixel_ranges(of_input((1, 3, 2, 4)), 1, 4, 4)
        [(0, 1), (1, 2), (2, 3), (3, 4)]
    """
    reach = None if field is None else field.sole_reach(axis)
    if reach is None or reach.is_whole or reach.is_moved or reach.length:
        first, last = reach.bounds if reach is not None and reach.bounds else (0, side - 1)
        return [(first, last + 1)] * positions
    first, last = reach.bounds or (0, side - 1)
    ranges = []
    for position in range(positions):
        low, high = reach.at(position)
        low = min(max(low, first), last)  # a position in the padding sees nothing: the nearest pixel stands for that
        ranges.append((low, max(min(high, last), low) + 1))
    return ranges
