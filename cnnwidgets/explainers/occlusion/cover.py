"""Which pixels the patches of an occlusion map cover, and what the scores say of each pixel."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from cnnwidgets.core.errors import InputError
from cnnwidgets.explainers.engine.patches import Pair, cover


def mask_of(shape: Any, patch: Pair) -> torch.Tensor | None:
    """Which pixels of a patch are replaced: (h, w) bool, or None for all of them.

    Args:
        shape: "square"; "disc", the ellipse that touches the patch's sides; or a mask (h, w) of booleans.
        patch: (height, width).

    Raises:
        InputError: no such shape, a mask of another size or type than the patch's, or one that replaces nothing.

    Example:
        >>> mask_of("disc", (4, 4)).int()
        tensor([[0, 1, 1, 0],
                [1, 1, 1, 1],
                [1, 1, 1, 1],
                [0, 1, 1, 0]], dtype=torch.int32)
    """
    if isinstance(shape, str):
        if shape == "square":
            return None
        if shape == "disc":
            down, across = (((torch.arange(side, dtype=torch.float64) + 0.5) * 2 / side - 1).abs() for side in patch)
            return down[:, None] ** 2 + across**2 <= 1
        raise InputError(f'shape is {shape!r}; expected "square", "disc", or a mask (height, width) of booleans.')
    try:
        mask = torch.as_tensor(shape).cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f'shape is {shape!r}; expected "square", "disc", or a mask of booleans.') from error
    if mask.dtype != torch.bool:
        raise InputError(f"The mask given as shape is {mask.dtype}; expected booleans, True where the patch is seen.")
    if tuple(mask.shape) != patch:
        raise InputError(
            f"The mask given as shape has shape {tuple(mask.shape)}; the patch is {patch[0]}x{patch[1]} pixels "
            "(height x width). Pass patch=(height, width) of the mask."
        )
    if not bool(mask.any()):
        raise InputError("The mask given as shape holds no True: the patch would replace nothing.")
    return mask.clone()


class Covering:
    """The pixels under each place of a grid of patches.

    Args:
        tops: of the rows of places, in pixels.
        lefts: of the columns.
        patch: (height, width).
        mask: (h, w) bool, or None for the whole patch.
        size: (H, W) of the image.

    Attributes:
        shape: rows and columns of places.
        positions: top and left of each place, row by row.
    """

    def __init__(
        self, tops: Sequence[int], lefts: Sequence[int], patch: Pair, mask: torch.Tensor | None, size: Pair
    ) -> None:
        self.patch, self.mask, self.shape = patch, mask, (len(tops), len(lefts))
        self.positions = tuple(itertools.product(tops, lefts))
        self._tops, self._lefts = torch.tensor(tops), torch.tensor(lefts)
        self._down, self._across = cover(list(tops), patch[0], size[0]).double(), cover(list(lefts), patch[1], size[1])
        self._inner = size[0] - patch[0] + 1, size[1] - patch[1] + 1

    def in_strides(self, stride: Pair) -> torch.Tensor:
        """(rows, cols, 2) float64: where each place is."""
        down, across = self._tops.double() / stride[0], self._lefts.double() / stride[1]
        return torch.cartesian_prod(down, across).view(*self.shape, 2)

    def missed(self) -> int:
        """How many pixels no place covers."""
        return int((self._spread(torch.ones(1, *self.shape)) == 0).sum())

    def mean(self, grid: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        """For each pixel, the mean of ``grid`` over the measured places whose patch covers it; NaN where there is none.

        Args:
            grid: (N, rows, cols).
            measured: (N, rows, cols) bool.

        Returns:
            (N, H, W) float64. A place whose score is not finite makes the pixels under it NaN, and no others.

        Example:
            >>> covering = Covering([0], [0, 1], (1, 2), None, (1, 3))
            >>> covering.mean(torch.tensor([[[1.0, 3.0]]]), torch.ones(1, 1, 2, dtype=torch.bool))[0, 0]
            tensor([1., 2., 3.], dtype=torch.float64)
        """
        broken = measured & ~grid.isfinite()
        total = self._spread(grid.masked_fill(~measured | broken, 0.0))
        # 0 / 0 where nothing is measured: NaN. Sums of ones are rounded only in the transposed convolution.
        mean = total / self._spread(measured).round()
        return mean.masked_fill(self._spread(broken).round() > 0, torch.nan)

    def _spread(self, places: torch.Tensor) -> torch.Tensor:
        """(N, H, W): for each pixel, the sum of ``places`` (N, rows, cols) over those that cover it."""
        if self.mask is None:
            return self._down.T @ places.double() @ self._across.double()
        corners = torch.zeros(len(places), 1, *self._inner, dtype=torch.float64)
        corners[:, 0, self._tops[:, None], self._lefts] = places.double()
        return functional.conv_transpose2d(corners, self.mask[None, None].double())[:, 0]
