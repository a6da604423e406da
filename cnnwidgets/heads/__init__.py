"""Another head for a network, with which its class activation maps are exact."""

from __future__ import annotations

from .cam_head import with_cam_head

__all__ = ["with_cam_head"]


def __dir__() -> list[str]:
    return list(__all__)
