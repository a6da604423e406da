"""An image from a sample, a file, the clipboard, the camera or a drawing, and what is done to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from PIL import Image

from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.pictures.decode import decoded
from cnnwidgets.pictures.files import name_of
from cnnwidgets.pictures.sample_photographs import installed_photographs, photograph_named
from cnnwidgets.widgets._base import CnnWidget
from cnnwidgets.widgets._maps.pictures import is_attribution
from cnnwidgets.widgets._messages import command, maybe, text
from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.maps import photograph
from cnnwidgets.widgets._still.publish import title

from .edits import Pixels, edited

LONGEST_SIDE_KEPT = 1024
"""Pixels: what is larger is shrunk, so that each edit is seen at once."""
_SIDE_SENT = 512
_BLANK = "blank page"
_SIDE_OF_BLANK = 280


class ImageInput(CnnWidget, folder="image_input"):
    """Chooses an image, and edits it, for whoever observes :attr:`image`.

    It comes from the samples, a file (upload or drop: what Pillow reads; more than 9.5 MB are made smaller in the
    browser), the clipboard, the camera (the browser asks first; the picture goes to the kernel alone), or is drawn; it
    is cropped, rotated, made brighter or darker, drawn on, and given noise of a seed. Edits are undone one by one.

    Args:
        image: a PIL image, a path, the bytes of an image file or an array (H, W) or (H, W, 1 | 3 | 4) to begin with;
            None: the first sample.
        samples: name -> image, to choose from; None: the demo's photographs, as far as they are installed, and a blank
            page to draw on.
        **traits: any trait, by name.

    Raises:
        InputError: the image, or an edit, cannot be used; what is on show stays.

    Example:
        >>> picker = ImageInput(np.full((4, 6, 3), 100, np.uint8))
        >>> picker.on_image(lambda image: print(image.shape, image.max()))
        >>> picker.edits = [{"op": "rotate", "degrees": 90}, {"op": "brightness", "amount": 0.2}]
        (6, 4, 3) 151
        >>> picker.edits = []
        (4, 6, 3) 100
    """

    image = traitlets.Any(
        help="(H, W, 3) uint8, the image after all edits. Set it to anything that is an image to begin anew."
    ).tag(sync=False)
    name = traitlets.Unicode("", help="What the image is called: the file's name, the sample's, or where it came from.")
    samples = traitlets.List(traitlets.Unicode(), help="Names of the samples.")
    sample = traitlets.Unicode("", help="The sample that it began with; empty: it came from elsewhere.")
    edits: traitlets.Any = traitlets.Any(
        [], help="What is done to the image, first to last: see `cnnwidgets.widgets.image_input.edits.edited`."
    )
    sides = traitlets.List(traitlets.Int(), help="Height and width of the image, in pixels.")
    notes = traitlets.List(traitlets.Unicode(), help="What had to be decided to read the image.")

    def __init__(self, image: Any = None, samples: Mapping[str, Any] | None = None, **traits: Any) -> None:
        self._original: Pixels = np.full((1, 1, 3), 255, np.uint8)
        self._result: tuple[Any, Pixels] = ([], self._original)
        self._samples: dict[str, Any] = _installed() if samples is None else {str(key): samples[key] for key in samples}
        later = {key: traits.pop(key) for key in ("sample", "edits") if key in traits}  # edits are of the sample
        traits.setdefault("samples", list(self._samples))
        self._own = True  # sets `image` itself, and nobody has asked for it
        super().__init__(**traits)
        self._own = False
        if image is not None:
            self._announce(self._begin(image, traits.get("name", "")))
        elif "sample" not in later:
            later = {"sample": next(iter(self._samples), ""), **later}
        for key, value in later.items():
            setattr(self, key, value)

    def on_image(self, callback: Callable[[Pixels], object]) -> None:
        """Call ``callback`` with (H, W, 3) uint8 after each change of the image."""
        self.observe(lambda change: callback(change["new"]), "image")

    @traitlets.validate("image")
    def _read_image(self, proposal: dict[str, Any]) -> Any:
        return proposal["value"] if self._own else self._begin(proposal["value"])

    @traitlets.validate("sample")
    def _sample_exists(self, proposal: dict[str, Any]) -> str:
        name = str(proposal["value"])
        if name and name not in self._samples and not self._own:
            raise InputError(f"There is no sample {name!r}; there are: {', '.join(self._samples)}.")
        return name

    @traitlets.observe("sample")
    def _sample_chosen(self, change: Any) -> None:
        if change["new"] and not self._own:
            self._begin_sample(change["new"])

    @traitlets.validate("edits")
    def _edits_apply(self, proposal: dict[str, Any]) -> list[Any]:
        edits = proposal["value"]
        if not self._own and self._result[0] != edits:
            # A copy: the caller may add to its list, and set it again.
            self._result = (deepcopy(edits), edited(self._original, edits))
        return deepcopy(list(edits))

    @traitlets.observe("edits")
    def _edits_changed(self, change: Any) -> None:
        if not self._own:
            edits, pixels = self._result
            self._announce(self._show(pixels if edits == change["new"] else edited(self._original, change["new"])))

    @command("upload", buffers=1, name=maybe(text(), "image"))
    def _uploaded(self, name: str, buffers: list[memoryview]) -> None:
        """A file, or a picture of the camera or the clipboard, as a file."""
        self.clear_error()
        try:
            self._announce(self._begin(bytes(buffers[0]), name))
        except InputError as error:
            raise InputError(f"{name}: {error}") from error

    @command("sample", name=text())
    def _sample_asked_for(self, name: str) -> None:
        """The sample from its beginning, also where it is the one on show."""
        self.clear_error()
        if name == self.sample:
            self._begin_sample(name)
        else:
            self.sample = name

    def _begin_sample(self, name: str) -> None:
        source = self._samples[name]
        self._announce(self._begin(source() if callable(source) else source, name, sample=name))

    def _begin(self, image: Any, name: str = "", *, sample: str = "") -> Pixels:
        """Another image, without edits."""
        pixels, notes = _image_pixels(image)
        self._original, self._result = pixels, ([], pixels)
        self._own = True
        try:
            with self.hold_sync():
                self.sample, self.edits, self.notes = sample, [], list(notes)
                self.name = name or _name_of(image)
        finally:
            self._own = False
        return self._show(pixels)

    def _show(self, pixels: Pixels) -> Pixels:
        pixels = np.ascontiguousarray(pixels)
        height, width = pixels.shape[:2]
        sent = Image.fromarray(pixels)
        sent.thumbnail((_SIDE_SENT, _SIDE_SENT), Image.Resampling.BOX)
        self.sides = [height, width]
        self.push("picture", arrays={"pixels": np.asarray(sent)}, edits=list(self.edits))
        return pixels

    def _announce(self, pixels: Pixels) -> None:
        """Tell whoever observes the image."""
        before, self._own = self._own, True
        try:
            self.image = pixels
        finally:
            self._own = before

    def _still(self) -> parts.Block | None:
        return None if self.image is None else photograph(self.image, 300)

    def _still_title(self) -> str:
        return title("Image", self.name, self)


def _image_pixels(image: Any) -> tuple[Pixels, tuple[str, ...]]:
    """``image`` as (H, W, 3) uint8, no side longer than :data:`LONGEST_SIDE_KEPT`, and notes."""
    image = getattr(image, "pixels", image)
    picture = None if is_attribution(image) else decoded(image)
    if picture is None:
        raise InputError(
            f"Got a {type(image).__name__}; expected a PIL image, a path, the bytes of an image file, or an array of "
            "(H, W) or (H, W, 1 | 3 | 4)."
        )
    pixels, notes = picture
    if max(pixels.size) > LONGEST_SIDE_KEPT:
        before = pixels.size
        pixels.thumbnail((LONGEST_SIDE_KEPT, LONGEST_SIDE_KEPT), Image.Resampling.LANCZOS)
        notes = (*notes, f"The image of {before[1]} × {before[0]} pixels is used at {pixels.height} × {pixels.width}.")
    return np.asarray(pixels), notes


def _name_of(image: Any) -> str:
    path = image if isinstance(image, str | Path) else getattr(image, "filename", "")
    return name_of(path) if path else "image"


def _installed() -> dict[str, Any]:
    """Name -> what reads the photograph, which is not done before it is chosen."""
    samples: dict[str, Any] = {name: _reader(name) for name in installed_photographs()}
    return samples | {_BLANK: np.zeros((_SIDE_OF_BLANK, _SIDE_OF_BLANK, 3), np.uint8)}


def _reader(name: str) -> Callable[[], Image.Image]:
    def read() -> Image.Image:
        try:
            return photograph_named(name)
        except (CnnWidgetsError, OSError) as error:
            raise InputError(f"The sample {name!r} cannot be read: {error}") from error

    return read
