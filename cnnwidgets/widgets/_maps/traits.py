"""What widgets with one photograph share: setting it, and how the maps over it are painted."""

from __future__ import annotations

import numpy.typing as npt
import traitlets

from cnnwidgets.widgets._base import CnnWidget

from .fit import Size
from .pictures import picture_pixels

SEQUENTIAL = ("inferno", "magma", "viridis", "cividis", "gray")
DIVERGING = ("blue-red", "purple-green")
SIGNS = ("positive", "signed", "negative")

CLIP_OF_GRADIENTS = 1.0
"""Percent: without it a few pixels of an input gradient leave all others dark."""


class OverPicture(CnnWidget):
    """A widget that lays something over one photograph."""

    _picture_size: Size | None = None

    def set_picture(self, pixels: npt.ArrayLike) -> None:
        """Show another photograph, (H, W, 3) uint8. Takes the maps away: they explained the one before.

        Raises:
            InputError: not uint8, not three channels, or empty.
        """
        checked = picture_pixels(pixels)
        self._clear_maps()
        self._picture_size = checked.shape[:2]
        self.push("picture", arrays={"pixels": checked})

    def _clear_maps(self) -> None:
        """Take away what belongs to the photograph before."""


class MapsOverPicture(OverPicture):
    """A widget whose maps are painted with colours of the reader's choice."""

    colormap = traitlets.Enum(SEQUENTIAL, "inferno", help="Colours of the positive and the negative part.")
    sign = traitlets.Enum(
        SIGNS,
        "positive",
        help="Which part is shown: max(v, 0), max(-v, 0), or all of it on a scale symmetric around 0.",
    )
    stretch = traitlets.Bool(
        False,
        help="Maps cover all of the picture whatever their shape (unequal strides, a picture squeezed to a square): "
        "one out of proportion is shown, with a note. False: it is refused.",
    ).tag(sync=False)
