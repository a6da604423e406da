"""The scores of one image's classes, from whatever a model returned."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.plain import is_tensor

from .ranking import Floats


def scores_of(values: Any) -> Floats:
    """``values`` as (classes,) float64.

    Args:
        values: (classes,) or (1, classes), an array, a list, or a tensor on any device and with its graph.

    Raises:
        InputError: it is something else; says what to pass.

    Example:
        >>> scores_of([[0.5, 2]]).tolist()
        [0.5, 2.0]
    """
    if isinstance(values, list | tuple) and any(is_tensor(one) and one.ndim for one in values):
        raise InputError(
            f"The scores are a {type(values).__name__} of {len(values)} tensors; expected one number a class. Pass the "
            "one that holds the scores, such as model(x)[0]."
        )
    array = as_array(values, "The scores", "one number a class")
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"The scores are {array.dtype}; expected one real number a class: of several outputs, or an object, pass "
            "the scores alone, model(x)[0] or model(x).logits, say."
        )
    if array.ndim == 2 and len(array) == 1:
        array = array[0]
    if array.ndim == 2 and len(array) > 1:
        raise InputError(
            f"Scores have shape {array.shape}, those of {len(array)} images; expected one number a class, (classes,). "
            "Pass scores[0]."
        )
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"Scores have shape {array.shape}; expected one number a class, (classes,).")
    return array.astype(np.float64)
