"""Which maps of a layer are worth editing."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.errors import CnnWidgetsError


def strongest(maps: torch.Tensor, channels: int | None) -> torch.Tensor:
    """Indices, ascending, of the ``channels`` maps of (K, h, w) that vary most over places; None: of all.

    Raises:
        CnnWidgetsError: ``channels`` is no int of at least 1.
    """
    if channels is None:
        return torch.arange(len(maps))
    checked_count(channels, "channels", alternative=", or None for all", error=CnnWidgetsError)
    spread = maps.flatten(1).double().var(1, correction=0).nan_to_num(torch.inf)
    return spread.topk(min(channels, len(maps))).indices.sort().values.cpu()


def limit_notes(channels: int | None, there: int) -> Iterator[str]:
    """That only some of a layer's maps were looked at."""
    if channels is not None and channels < there:
        yield f"only the {channels} of {there} maps that vary most were used; the others count as 0"
