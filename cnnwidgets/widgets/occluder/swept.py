"""What a sweep has measured, checked and ready for the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.arrays import as_array, real
from cnnwidgets.core.errors import InputError

from .scores import finite

Arrays = dict[str, npt.NDArray[Any]]


def swept(
    drop: Any,
    predicted: Any,
    tops: Any,
    lefts: Any,
    *,
    names: Mapping[int, str],
    measured: Any = None,
    scores: Any = None,
    classes: Sequence[int] = (),
    baseline: Any = (),
) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and content of a "sweep" message; see :meth:`Occluder.show_sweep`.

    Raises:
        InputError: the shapes do not fit.
    """
    arrays: Arrays = {"drop": _array(drop, np.float32), "predicted": _array(predicted, np.int32)}
    arrays |= {"tops": _array(tops, np.int32), "lefts": _array(lefts, np.int32)}
    size = arrays["tops"].size, arrays["lefts"].size
    if arrays["drop"].shape != size or arrays["predicted"].shape != size:
        raise InputError(
            f"The drop has shape {arrays['drop'].shape} and the classes {arrays['predicted'].shape}; "
            f"expected (tops, lefts) = {size} for both."
        )
    arrays["known"] = _array(np.isfinite(arrays["drop"]) if measured is None else measured, np.uint8)
    if arrays["known"].shape != size:
        raise InputError(f"known has shape {arrays['known'].shape}; expected {size}.")
    content: dict[str, Any] = {"classes": [], "baseline": []}
    content["names"] = {str(int(index)): str(name) for index, name in names.items()}
    if scores is not None:
        before = [finite(value) for value in np.asarray(baseline, dtype=np.float64).reshape(-1).tolist()]
        arrays["scores"] = _array(scores, np.float32)
        if arrays["scores"].shape != (*size, len(classes)) or len(before) != len(classes):
            raise InputError(
                f"There are scores of shape {arrays['scores'].shape} and {len(before)} of the whole picture for "
                f"{len(classes)} classes; expected {(*size, len(classes))} and {len(classes)}."
            )
        content |= {"classes": [int(index) for index in classes], "baseline": before}
    return arrays, content


def _array(values: Any, kind: Any) -> npt.NDArray[Any]:
    array = real(as_array(values, "A sweep's array"), "A sweep's array", "of its places")
    return np.ascontiguousarray(array, dtype=kind)
