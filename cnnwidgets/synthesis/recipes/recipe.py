"""What every recipe says: how images are held, what the network is given of them, and what a step is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch

from cnnwidgets.synthesis.draws import Draws
from cnnwidgets.synthesis.space import InputSpace


class ImageRecipe(ABC):
    """A way to make R images, at one size.

    Args:
        space: what the network is given for a picture.
        sides: (height, width) of what the network is given.
        draws: the images' random numbers.
        images: R.

    Attributes:
        parameters: (R, ...), what the images are held as.
    """

    name: str
    title: str
    """Of the published recipe."""
    side = 128
    """Height and width where nobody says."""
    steps = 512
    least = 8
    """The smallest side in pixels."""
    border = 0
    """Cells at each side of a map that do not count."""
    repeats = 1
    """Changed copies of an image that the network is given at each step."""
    patience: int | None = 32
    """Steps over which an activation must rise for the image to be worked on; None: all steps are made."""
    doubles = False
    """Whether to begin with images of half the size."""

    def __init__(self, space: InputSpace, sides: tuple[int, int], draws: Draws, images: int) -> None:
        self.space, self.sides, self.draws = space, sides, draws
        self.parameters = self.start(range(images)).to(space.device)

    @abstractmethod
    def start(self, rows: Sequence[int]) -> torch.Tensor:
        """The parameters (R, ...) to begin with."""

    @abstractmethod
    def inputs(self, parameters: torch.Tensor) -> torch.Tensor:
        """What the network is given (n, C, H, W) for the images as they are, in float32."""

    def views(self, inputs: torch.Tensor, rows: Sequence[int], step: int) -> torch.Tensor:  # noqa: ARG002
        """``inputs`` (n, C, H, W) of images ``rows``, changed at random, one draw an image."""
        return inputs

    def plain_view(self, inputs: torch.Tensor) -> torch.Tensor:
        """What of ``inputs`` the network is given where nothing is changed."""
        return inputs

    @abstractmethod
    def ascend(self, rows: torch.Tensor, gradients: torch.Tensor) -> None:
        """One step for the images ``rows`` (n,), given the gradients (n, ...) of their activations."""

    @abstractmethod
    def pictures(self, rows: torch.Tensor) -> torch.Tensor:
        """The images ``rows`` to look at, (n, C, H, W) in [0, 1]."""

    def transparency(self, rows: torch.Tensor) -> torch.Tensor | None:  # noqa: ARG002
        """(n, H, W) from 0 to 1, how much each pixel mattered; None where the recipe does not say."""
        return None

    def enlarged_from(self, smaller: ImageRecipe) -> None:
        """Go on from images of half the size."""
        raise NotImplementedError
