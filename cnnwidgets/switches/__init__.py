"""A network without some of its channels, and what its score says of each."""

from __future__ import annotations

from .ranking import ChannelRanking, rank_channels
from .without import without

__all__ = ["ChannelRanking", "rank_channels", "without"]


def __dir__() -> list[str]:
    return list(__all__)
