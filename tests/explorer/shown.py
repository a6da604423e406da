"""What a widget has sent to its views."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def pushed(widget: Any, kind: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The content and the arrays of the newest push of ``kind``."""
    message, buffers = widget._pushed[kind]
    arrays = {
        header["name"]: np.frombuffer(buffer, header["dtype"])[: int(np.prod(header["shape"]))].reshape(header["shape"])
        for header, buffer in zip(message["arrays"], buffers, strict=False)
    }
    return message, arrays


def shown_map(explorer: Any) -> npt.NDArray[np.float32]:
    """The numbers on the overlay."""
    return pushed(explorer.overlay, "map")[1]["values"]
