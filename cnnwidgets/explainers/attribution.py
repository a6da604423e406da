"""What an explainer returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.outputs.targets import Chosen
from cnnwidgets.tracing.placement import Placement

from .display import drawn_size, figure, png
from .labels import depends_on_class, label_of, unit_of


@dataclass(frozen=True, eq=False, repr=False)
class Attribution:
    """Where the evidence for a score lies, as numbers.

    Attributes:
        values: float32 on the CPU, raw and signed; larger is more evidence for the target. (N, h, w) for the CAM
            family and occlusion, (N, C, H, W) for gradients of the input. Not rectified, scaled or resized.
        method: the explainer's registered name.
        target: the class of each image, N ints; or the callable that was given as target.
        layer: dotted name of the layer explained, or None.
        scores: (N,) float32 on the CPU, the score explained.
        notes: what the reader must know before trusting the map; empty when all went well.
        placement: where the maps lie in the image; None where that is not known, or the maps are the image's size.
        label: the method's name for a reader, "Grad-CAM"; by default as it was registered.
        unit: what ``values`` measure, "gradient of the score"; by default as it was registered, empty if nobody knows.
    """

    values: torch.Tensor
    method: str
    target: Chosen
    layer: str | None
    scores: torch.Tensor
    notes: tuple[str, ...] = ()
    placement: Placement | None = None
    label: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        for name, tensor, dims in (("values", self.values, (3, 4)), ("scores", self.scores, (1,))):
            if not isinstance(tensor, torch.Tensor) or tensor.dtype != torch.float32 or tensor.device.type != "cpu":
                actual = f"{tensor.dtype} on {tensor.device}" if isinstance(tensor, torch.Tensor) else type(tensor)
                raise CnnWidgetsError(f"Attribution.{name} is {actual}; expected a float32 tensor on the CPU.")
            if tensor.requires_grad:
                raise CnnWidgetsError(f"Attribution.{name} is still in the autograd graph; detach it.")
            if tensor.ndim not in dims:
                expected = "(N,)" if dims == (1,) else "(N, h, w) or (N, C, H, W)"
                raise CnnWidgetsError(f"Attribution.{name} has shape {tuple(tensor.shape)}; expected {expected}.")
        if len(self.values) != len(self.scores):
            raise CnnWidgetsError(f"Attribution has {len(self.values)} maps and {len(self.scores)} scores.")
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "label", self.label or label_of(self.method))
        object.__setattr__(self, "unit", self.unit or unit_of(self.method))

    def heatmap(
        self, signed: bool = False, size: int | tuple[int, int] | None = None, outside: float = 0.0
    ) -> torch.Tensor:
        """The maps scaled for display, each image by itself.

        Args:
            signed: False: the positive part over its largest value, in [0, 1]. True: the values over the largest
                magnitude, in [-1, 1], so that 0 stays 0. Channels of an input gradient are merged first: unsigned by
                the largest magnitude over channels (Simonyan et al. 2014), signed by their sum.
            size: the image at (H, W), or as a square, with the maps where they lie in it (``placement``), bilinear
                between cells; None: the maps as they are, one number a cell.
            outside: what stands, at ``size``, where the network has cut the image off, so that the maps have no cell.

        Returns:
            (N, H, W) float32. A map of zeros stays zero; NaN and infinite values are NaN and scale nothing.

        Example:
            >>> maps = torch.tensor([[[-4.0, 2.0], [1.0, 0.0]]])
            >>> Attribution(maps, "grad_cam", (0,), "conv", torch.zeros(1)).heatmap().tolist()
            [[[0.0, 1.0], [0.5, 0.0]]]
        """
        maps = self._merged(signed)
        largest = maps.abs().nan_to_num(0.0).amax((1, 2), keepdim=True) if maps.numel() else maps
        maps = torch.where(largest > 0, maps / torch.where(largest > 0, largest, 1.0), maps)
        if size is not None:
            height, width = (size, size) if isinstance(size, int) else size
            if height < 1 or width < 1:
                raise CnnWidgetsError(f"size is {size!r}; expected a positive int or (height, width).")
            if self.placement is not None and not self.placement.is_everywhere:
                return self.placement.on(maps, (height, width), outside)
            maps = functional.interpolate(maps[:, None], (height, width), mode="bilinear", align_corners=False)[:, 0]
        return maps

    def plot(self, images: Any = None, *, signed: bool | None = None) -> Any:
        """A matplotlib figure with one map an image and a colour bar in the map's own numbers.

        Args:
            images: what to draw under the maps: (N, C, H, W), or (C, H, W) for one map, as the network was given it;
                one picture a map: what :func:`~cnnwidgets.pictures.picture.load_picture` returns, a PIL image, a path,
                or an array (H, W, 3), of which the centre is drawn, and that said, where it has other proportions
                than what the network was given; or None.
            signed: show negative evidence too; None decides by the values.

        Raises:
            CnnWidgetsError: matplotlib is not installed.
            InputError: not one image a map, or no image.
        """
        if signed is None:
            signed = self._has_signs
        title = " · ".join(filter(None, (self.label, self.layer)))
        titles = [
            f"{title} → {subject}, score {score:.4g}" if subject else title
            for subject, score in zip(self.subjects, self.scores.tolist(), strict=True)
        ]
        return figure(self._merged(signed).numpy(), titles, self.placement, self.notes, images, signed=signed)

    @property
    def subjects(self) -> tuple[str, ...]:
        """What each of the N maps explains, as titles say it: "class 282", or the function's name.

        Empty texts where the method's maps do not depend on the class, as those of Eigen-CAM.
        """
        if not depends_on_class(self.method):
            return ("",) * len(self.scores)
        if isinstance(self.target, tuple):
            return tuple(f"class {index}" for index in self.target)
        return (str(getattr(self.target, "__name__", "target")),) * len(self.scores)

    def _merged(self, signed: bool) -> torch.Tensor:
        """(N, h, w): the positive part, or all if ``signed``; channels merged; NaN where a value is not finite."""
        maps = self.values
        if maps.ndim == 4:
            # amax would let one infinite channel hide the others' NaN, hence the test on all of them.
            broken = ~maps.isfinite().all(1)
            maps = (maps.sum(1) if signed else maps.abs().amax(1)).masked_fill(broken, torch.nan)
        elif not signed:
            maps = maps.masked_fill(~maps.isfinite(), torch.nan).clamp(min=0)
        return maps.masked_fill(~maps.isfinite(), torch.nan)

    @property
    def _has_signs(self) -> bool:
        return bool((self.values < 0).any()) and self.values.ndim == 3

    def __repr__(self) -> str:
        where = f", layer={self.layer!r}" if self.layer else ""
        target = self.target if isinstance(self.target, tuple) else getattr(self.target, "__name__", "callable")
        notes = f", notes={self.notes!r}" if self.notes else ""
        shape = tuple(self.values.shape)
        return f"{type(self).__name__}({self.method}{where}, target={target}, values={shape}{notes})"

    def _repr_png_(self) -> bytes:
        size = drawn_size(self.placement)
        signed = self._has_signs
        return png(self.heatmap(signed=signed, size=size, outside=float("nan")), signed=signed)
