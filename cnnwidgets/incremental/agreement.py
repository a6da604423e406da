"""Does what the engine computes equal the full forward, and does the model allow the comparison?"""

from __future__ import annotations

from typing import Any

import torch

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.nested import tensors

SHARE = 1e-4
"""The largest difference allowed, as a share of the score range."""
_ROUNDINGS = 64
MORE_ROUNDING = 4
"""By how much two ways of computing may differ more than two others, where a network magnifies rounding."""


def limit(base: torch.Tensor, scores: torch.Tensor) -> float:
    """The largest difference between two computations of ``scores`` (K, classes) that is taken for rounding."""
    values = torch.cat([base, scores]).double()
    values = values[values.isfinite().all(1)]
    if not len(values):
        return 0.0
    spread = float((values.amax(1) - values.amin(1)).max()) or float(values.abs().max())
    precision = torch.finfo(scores.dtype).eps if scores.dtype.itemsize < 4 else 0.0
    return spread * max(SHARE, _ROUNDINGS * precision)


def difference(scores: torch.Tensor, others: torch.Tensor) -> float:
    """The largest, where not both are the same infinity or not-a-number."""
    one, two = scores.double(), others.double()
    apart = (one - two).abs()
    same = (one == two) | (one.isnan() & two.isnan())
    return float(apart.masked_fill(same, 0.0).nan_to_num(nan=torch.inf).max()) if apart.numel() else 0.0


def outputs_differ(outputs: Any, others: Any) -> float | None:
    """The largest difference between what a model returned in two ways that is no rounding; None: there is none.

    Whole numbers and booleans are not compared: rounding decides between neighbours.
    """
    ones, twos = ([value for value in tensors(each) if value.is_floating_point()] for each in (outputs, others))
    if [value.shape for value in ones] != [value.shape for value in twos]:
        return torch.inf
    for one, two in zip(ones, twos, strict=True):
        finite = (one.isfinite() & two.isfinite()).flatten()
        row, other = one.flatten()[None], two.flatten()[None]
        apart = difference(row, other)
        if apart > 0 and apart > (limit(row[:, finite], other[:, finite]) if bool(finite.any()) else 0.0):
            return apart
    return None


def refuse_if_edits_meet(base: torch.Tensor, alone: torch.Tensor, together: torch.Tensor) -> None:
    """``alone`` and ``together``, (1, classes) each, score one image by itself and in a batch with another.

    Raises:
        CnnWidgetsError: they differ.
    """
    apart = difference(alone, together)
    if apart > limit(base, alone):
        raise CnnWidgetsError(
            f"The images of a batch influence one another in this model, also in evaluation mode: a score differs by "
            f"{apart:.2g} when another image is in the batch (batch normalisation with batch statistics does this). "
            "Edits cannot be compared this way; use the running statistics, as model.eval() does for nn.BatchNorm2d."
        )


NOT_DETERMINISTIC = (
    "the model is not deterministic in evaluation mode: two runs on the same image differ by {:.2g} (dropout left in "
    "training mode does this); differences between edits include that noise"
)
