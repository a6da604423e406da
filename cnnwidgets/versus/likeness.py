"""Where two checkpoints of one architecture part: how alike what each layer gives is."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cnnwidgets.explorer.work.scene import Scene

_SAME = 1e-6  # relative: what two runs of one network may differ by
_MOST_PLACES = 4096  # of a map: more tell little, and take long


@dataclass(frozen=True)
class Likeness:
    """How alike a layer's maps are in two networks.

    Attributes:
        layer: its dotted name.
        apart: ||B - A|| over the larger of ||A|| and ||B||, 0 to 2; NaN where one is not finite.
        cka: linear CKA over the places of the map (Kornblith et al. 2019), 0 to 1; NaN where a map is constant.
    """

    layer: str
    apart: float
    cka: float

    @property
    def same(self) -> bool:
        """Whether there is no difference but that of rounding."""
        return self.apart <= _SAME


def likenesses(first: Scene, second: Scene) -> list[Likeness]:
    """Of every layer with maps in both, in the order in which they run; what hands on the same maps comes once."""
    layers = {id(first.maps[name]): name for name in reversed(first.first.order) if name in first.maps}
    names = [name for name in first.first.order if name in layers.values() and name in second.maps]
    return [likeness_of(name, first.maps[name][0], second.maps[name][0]) for name in names]


def likeness_of(layer: str, first: torch.Tensor, second: torch.Tensor) -> Likeness:
    """Of two stacks of maps (C, h, w) of one shape.

    Example:
        >>> likeness_of("conv", torch.eye(2)[None], 3 * torch.eye(2)[None])
        Likeness(layer='conv', apart=0.666666666666666..., cka=1.0)
    """
    a, b = first.double(), second.double()
    largest = max(float(a.norm()), float(b.norm()))
    apart = 0.0 if torch.equal(first, second) else float((b - a).norm()) / largest
    return Likeness(layer, apart, linear_cka(first, second))


def linear_cka(first: torch.Tensor, second: torch.Tensor) -> float:
    """Linear centred kernel alignment of two stacks (C, h, w) and (D, h, w), whose places are the examples."""
    step = -(-first[0].numel() // _MOST_PLACES)
    x, y = (maps.flatten(1)[:, ::step].T.double() for maps in (first, second))
    x, y = x - x.mean(0), y - y.mean(0)
    if max(x.shape[1], y.shape[1]) > len(x):  # the smaller products
        grams = x @ x.T, y @ y.T
        across, own = float((grams[0] * grams[1]).sum()), [float(gram.norm()) for gram in grams]
    else:
        across, own = float((y.T @ x).norm() ** 2), [float((v.T @ v).norm()) for v in (x, y)]
    return across / (own[0] * own[1]) if own[0] * own[1] > 0 else float("nan")


def first_to_part(layers: list[Likeness]) -> Likeness | None:
    """The first in order that differs; None: none does."""
    return next((layer for layer in layers if not layer.same), None)
