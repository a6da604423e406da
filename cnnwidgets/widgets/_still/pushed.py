"""What a widget sent to its views, read back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Push(NamedTuple):
    """A push's arrays by their names, and the rest of it; both empty where nothing of the kind was pushed."""

    arrays: dict[str, npt.NDArray[Any]]
    content: dict[str, Any]


def newest_push(widget: Any, kind: str) -> Push:
    """The newest push of ``kind``."""
    content, buffers = widget._pushed.get(kind, ({"arrays": []}, []))  # noqa: SLF001
    arrays = {
        header["name"]: np.frombuffer(buffer, header["dtype"]).reshape(header["shape"])
        for header, buffer in zip(content["arrays"], buffers, strict=False)
    }
    return Push(arrays, content)
