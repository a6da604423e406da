"""The few classes whose scores are worth a bar, before and after; and what a sweep has measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.arrays import as_array, real
from cnnwidgets.core.errors import InputError
from cnnwidgets.outputs.class_names import class_names
from cnnwidgets.outputs.kinds import COMPETING, Kind
from cnnwidgets.widgets.class_scores.ranking import are_shares, class_shares, highest_first

TOP = 5


def score_rows(
    before: Any, after: Any, labels: Sequence[str] | None, target: int | None, kind: Kind | None = None
) -> dict[str, Any]:
    """What the bars show, as JSON.

    Rows do not move while a patch is dragged: they are the best classes of the whole picture, the target, and the
    class predicted now if it is neither.

    Args:
        before, after: (classes,) scores as the model returns them; shown as probabilities.
        labels: one name a class, or None.
        target: the class explained, or None.
        kind: what the scores are; None: see :func:`~cnnwidgets.widgets.class_scores.ranking.class_shares`.

    Raises:
        InputError: the scores are no (classes,), or the labels do not fit.

    Example:
        >>> score_rows([0.0, 0.0], [0.0, 0.0], ["cat", "dog"], 1)["rows"]
        [[0, 'cat', 0.5, 0.5], [1, 'dog', 0.5, 0.5]]
    """
    logits = [_class_numbers(before), _class_numbers(after)]
    count = logits[0].size
    if logits[1].size != count or count == 0:
        raise InputError(f"There are {count} scores before and {logits[1].size} after; expected one a class in both.")
    labels = None if labels is None else class_names(labels)
    if labels is not None and len(labels) != count:
        raise InputError(f"There are {len(labels)} labels for {count} classes; pass one name a class.")
    if target is not None and not 0 <= target < count:
        raise InputError(f"target {target} is out of range; there are {count} classes, 0 to {count - 1}.")
    shares = [class_shares(scores, kind) for scores in logits]
    best, now = highest_first(logits[0])[:TOP], highest_first(logits[1])[0]
    first = best[0]
    explained = first if target is None else target
    rows = dict.fromkeys([*best, explained, now])

    def name(index: int) -> str:
        return labels[index] if labels is not None else f"class {index}"

    return {
        "rows": [[index, name(index), finite(shares[0][index]), finite(shares[1][index])] for index in rows],
        "target": explained,
        "first": first,
        # Of independent classes and of numbers, the highest is not what the network says.
        "now": now if kind is None or kind in COMPETING else first,
        "unit": "probability" if are_shares(count, kind) else "score",
    }


def finite(value: float) -> float | None:
    """``value``; None, which JSON has, for NaN and infinity."""
    return float(value) if math.isfinite(value) else None


def _class_numbers(values: Any) -> Any:
    array = as_array(values, "The scores")
    if array.dtype.kind not in "biuf":
        raise InputError(f"The scores are {type(values).__name__} of {array.dtype}; expected one number a class.")
    return array.astype(np.float64).reshape(-1)


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
