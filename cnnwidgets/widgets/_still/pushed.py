"""What a widget sent to its views, read back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def arrays_of(widget: Any, kind: str) -> dict[str, npt.NDArray[Any]]:
    """Arrays of the newest push of ``kind`` by their names; empty: there is none."""
    message, buffers = widget._pushed.get(kind, ({"arrays": []}, []))  # noqa: SLF001
    return {
        header["name"]: np.frombuffer(buffer, header["dtype"]).reshape(header["shape"])
        for header, buffer in zip(message["arrays"], buffers, strict=False)
    }


def content_of(widget: Any, kind: str) -> dict[str, Any]:
    """The rest of that push."""
    content: dict[str, Any] = widget._pushed.get(kind, ({}, []))[0]  # noqa: SLF001
    return content
