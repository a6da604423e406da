"""A still picture beside a live widget, for where no kernel runs: a reopened notebook, GitHub, nbviewer, nbconvert.

JupyterLab shows of each output the richest form only, and of a widget whose kernel is gone an error. So there the
picture is an output of its own after the widget's, which the widgets' style sheet hides while the widget is alive.
Where that style sheet does not reach (Colab, VS Code, Voila), picture and widget are two forms of one output.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from . import parts

NEEDS_KERNEL = "The live widget needs a running kernel: run the cell again."
_PICTURED = f"As it was when the cell ran. {NEEDS_KERNEL}"
_IN_MARIMO = (
    "As it was when the cell ran. marimo cannot run this widget, which is made of several: use JupyterLab, or single "
    "widgets (HeatmapOverlay, FeatureMaps, ArchitectureGraph, Occluder, Comparison), which work in marimo."
)
_MOST_BYTES = 140_000
# Right after the header, so that base.css can tell the picture by its beginning in base64.
_MARK = ("Software", "cnnwidgets still")


class StillPicture:
    """Mixed into an ipywidget, before it; a subclass says in :meth:`_still` what there is to see."""

    def _still(self) -> parts.Block | None:
        """What is on show, without title and frame; None: nothing."""
        return None

    def _still_title(self) -> str:
        """The picture's heading: method, layer, class, photograph, network, as far as they are known."""
        return type(self).__name__

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)  # type: ignore[misc]
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data = {**data, "text/plain": f"{self!r}: {self._still_title()}. {NEEDS_KERNEL}"}
        picture = still_png(self)
        if picture is not None:
            data["image/png"] = base64.b64encode(picture).decode()
        return data, metadata

    def _mime_(self) -> tuple[str, Any]:
        """What marimo asks those widgets for that have no code of their own: boxes of several."""
        picture = still_png(self, _IN_MARIMO)
        return ("text/plain", f"{self._still_title()}. {_IN_MARIMO}") if picture is None else ("image/png", picture)

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        bundle = self._repr_mimebundle_()
        if bundle is None:
            return
        data, metadata = bundle
        picture = None if _of_one_output() else data.pop("image/png", None)
        publish_display_data(data, metadata)  # type: ignore[no-untyped-call]
        if picture is not None:
            publish_display_data({"image/png": picture})  # type: ignore[no-untyped-call]


def title(heading: str, subject: str, widget: Any) -> str:
    """ "Grad-CAM · layer4 → tabby · cat.png · resnet18", without what is not known."""
    return " · ".join(part for part in (heading, subject, widget.photograph, widget.network) if part)


def still_png(widget: StillPicture, sentence: str = _PICTURED) -> bytes | None:
    """PNG of what ``widget`` shows, with its title and a ``sentence``; None where there is nothing, or it fails."""
    try:
        content = widget._still()  # noqa: SLF001
        if content is None:
            return None
        heading = parts.paragraph(widget._still_title(), size=14)  # noqa: SLF001
        return _encoded(parts.framed(parts.column([heading, content, parts.remark(sentence)])))
    except Exception:  # the live widget must be shown, whatever is wrong with its picture
        return None


def _encoded(page: Image.Image) -> bytes:
    """PNG of at most 140 kB: of few colours, and smaller where it has to be."""
    mark = PngImagePlugin.PngInfo()
    mark.add_text(*_MARK)
    while True:
        stream = io.BytesIO()
        # Of Pillow's methods the one that takes milliseconds.
        page.quantize(256, Image.Quantize.FASTOCTREE).save(stream, "png", pnginfo=mark)
        if stream.tell() <= _MOST_BYTES or page.width < 100:
            return stream.getvalue()
        page = page.resize((page.width * 3 // 4, page.height * 3 // 4), Image.Resampling.BILINEAR)


def _of_one_output() -> bool:
    """Whether the front end is one to which a second output would show beside the live widget."""
    if "google.colab" in sys.modules or os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        return True
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "__vsc_ipynb_file__" in getattr(shell, "user_ns", {})


class Push(NamedTuple):
    """A push's arrays by their names, and the rest of it; both empty where nothing of the kind was pushed."""

    arrays: dict[str, npt.NDArray[Any]]
    content: dict[str, Any]


def newest_push(widget: Any, kind: str) -> Push:
    """The newest push of ``kind``."""
    content, buffers = widget._pushed.get(kind, ({"arrays": []}, []))  # noqa: SLF001
    arrays = {
        header["name"]: np.frombuffer(buffer, header["dtype"]).reshape(header["shape"])
        for header, buffer in zip(content["arrays"], buffers, strict=False)
    }
    return Push(arrays, content)
