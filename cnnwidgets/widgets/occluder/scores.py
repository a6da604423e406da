"""The few classes whose scores are worth a bar, before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnwidgets.core.arrays import as_array
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
