"""What a filter looks for: its kernel, the places that excite it, the image that maximises it, what it matters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget, WidgetBox, nobody_listens
from cnnwidgets.widgets._maps.mosaic import activations, mosaic, pixels_of
from cnnwidgets.widgets._still.publish import title
from cnnwidgets.widgets.cell_sum import CellSum
from cnnwidgets.widgets.convolution_stepper import ConvolutionStepper
from cnnwidgets.widgets.filter_gallery import FilterGallery
from cnnwidgets.widgets.filter_ranking import FilterRanking
from cnnwidgets.widgets.kernel_grid import KernelGrid

from .still import filter_still
from .view import FilterView

_NO_MAP = np.zeros((0, 0))
NO_PLACES = "An image that was made says little without photographs beside it: show_places comes first."


class FilterPanel(WidgetBox):
    """One filter (channel) of a layer: the patches of photographs that excite it, and the image made to maximise it.

    The widget computes nothing. The buttons call ``on_search``, ``on_make`` and ``on_cancel``; answer with
    :meth:`begin`, :meth:`show_progress`, :meth:`show_places` and :meth:`show_image`, or :meth:`stop`. An image that was
    made is refused as long as there are no patches beside it.

    Attributes:
        view: patches and image.
        kernel: the filter's own kernel.
        cell: the sum that made one number of the filter's map.
        stepper: the kernel around that cell, step by step; None until it is asked for.
        ranking: the layer's filters by what they matter for a class, and in groups.
        gallery: images made to maximise the layer's filters, side by side.

    Example:
        >>> from types import SimpleNamespace
        >>> black = np.zeros((5, 5, 3), np.uint8)
        >>> patch = SimpleNamespace(pixels=black, activation=np.ones((2, 2)), value=1.0, image=0)
        >>> panel = FilterPanel()
        >>> panel.show_filter("conv1", 17)
        >>> panel.show_places([patch], source="3 photographs")
        >>> panel
        FilterPanel(layer='conv1', channel=17)
    """

    busy = traitlets.Bool(False, help="Something is being computed for this panel.")

    on_search: Callable[[], object] = nobody_listens
    on_make: Callable[[], object] = nobody_listens
    on_cancel: Callable[[], object] = nobody_listens

    def __init__(self, **traits: Any) -> None:
        self.view, self.kernel = FilterView(), KernelGrid()
        self.cell, self.ranking, self.gallery = CellSum(), FilterRanking(), FilterGallery()
        self._places = 0
        self.stepper: ConvolutionStepper | None = None
        super().__init__("filter-panel", self.view, children=self._parts, **traits)
        self.view.on_search = lambda: self.on_search()
        self.view.on_make = lambda: self.on_make()
        self.view.on_cancel = lambda: self.on_cancel()
        traitlets.link((self, "busy"), (self.view, "busy"))
        for part in self._parts:
            traitlets.dlink((self, "network"), (part, "network"))
        for part in (self.cell, self.ranking):  # the others do not depend on the photograph
            traitlets.dlink((self, "photograph"), (part, "photograph"))
        self.forbid("Click a feature map to see what its filter looks for.")

    def __repr__(self) -> str:
        return f"FilterPanel(layer={self.view.layer!r}, channel={self.view.channel})"

    @property
    def _parts(self) -> list[CnnWidget]:
        stepper = [] if self.stepper is None else [self.stepper]
        return [self.view, self.kernel, self.cell, *stepper, self.ranking, self.gallery]

    def forbid(self, why: str, layer: str = "") -> None:
        """There is no filter to look at; ``why`` is a sentence."""
        self._show(layer, None, why)

    def show_filter(self, layer: str, channel: int) -> None:
        """Another filter; what was shown of the one before is taken away."""
        self._show(layer, int(channel), "")

    def show_kernel(self, kernel: Any = None, layer: str = "", why: str = "") -> None:
        """Show the filter's kernel.

        Args:
            kernel: (C, kh, kw), or (C, kd, kh, kw), or (C, k); None: there is none.
            layer: the convolution that it is of.
            why: a sentence on why there is none.

        Raises:
            InputError: the kernel has another shape.
        """
        if kernel is not None:
            self.kernel.show(as_array(kernel, "The kernel")[None], layer)
        self.view.no_kernel = "" if kernel is not None else why or "This layer has no kernels."

    def show_stepper(self, stepper: ConvolutionStepper | None) -> None:
        """Show ``stepper`` under the sum of the cell, in place of the one before, which is closed; None: none."""
        before, self.stepper = self.stepper, stepper
        self.children = self._parts
        if before is not None:
            before.layout.close()
            before.close()

    def begin(self, job: str, text: str = "") -> None:
        """Something is being computed: ``job`` is "places" or "image"."""
        with self.view.hold_sync():
            self.view.job = job
            self.show_progress(0.0, text)

    def show_progress(self, share: float, text: str) -> None:
        """How far it is: a share from 0 to 1, and what is being done."""
        with self.view.hold_sync():
            self.view.progress, self.view.progress_text = min(max(share, 0.0), 1.0), text

    def finish(self) -> None:
        """Nothing is being computed any more."""
        with self.view.hold_sync():
            self.view.job, self.view.progress, self.view.progress_text = "", None, ""

    def stop(self, sentence: str) -> None:
        """It was stopped; what is done stays on show, with ``sentence``."""
        kind = "image" if self.view.job == "image" else "places"
        self.finish()
        self.view.push("stopped", job=kind, message=sentence)

    def show_places(
        self,
        crops: Iterable[Any],
        *,
        source: str | None = None,
        names: Sequence[str] | None = None,
        notes: Sequence[str] = (),
        partial: bool = False,
    ) -> None:
        """Show the patches that excite the filter most.

        Args:
            crops: those of an ``Exemplars``, the one that excites it most first; anything with ``pixels`` (h, w, 3)
                uint8, ``value``, ``image`` (its index), ``activation`` (rows, columns) or None and, where these do not
                cover the patch, ``box`` and ``extent``.
            source: where they come from; None: as before.
            names: of the images; None: their indices.
            notes: sentences to be read beside them.
            partial: the search goes on, or was stopped.

        Raises:
            InputError: the names are not as many as the patches.
        """
        crops = list(crops)
        texts = [f"image {crop.image}" for crop in crops] if names is None else list(names)
        if len(texts) != len(crops):
            raise InputError(f"There are {len(crops)} patches and {len(texts)} names; expected as many.")
        maps = [_NO_MAP if crop.activation is None else as_array(crop.activation, "The activation") for crop in crops]
        self._places = len(crops)
        if source is not None:
            self.view.source = source
        self.view.forget("stopped")
        self.view.push(
            "places",
            arrays={
                **mosaic([pixels_of(crop.pixels) for crop in crops]),
                **activations(maps),
                "extents": np.array([_extent_in_patch(crop) for crop in crops], np.float32).reshape(-1, 4),
                "values": np.array([crop.value for crop in crops], np.float32),
            },
            names=texts,
            notes=list(dict.fromkeys([*notes, *(note for crop in crops for note in getattr(crop, "notes", ()))])),
            partial=partial,
        )

    def show_sentence(self, sentence: str) -> None:
        """Say whether colour, shape or texture excites the filter."""
        self.view.sentence = sentence

    def show_image(
        self,
        image: Any,
        *,
        peak: float = np.nan,
        largest: float = np.nan,
        dead: bool = False,
        alike: float | None = None,
        about: str = "",
        notes: Sequence[str] = (),
        partial: bool = False,
    ) -> None:
        """Show the image that was made to maximise the filter.

        Args:
            image: (C, H, W) floats from 0 to 1, or (H, W, 3) uint8.
            peak: the activation of its most active cell.
            largest: the largest activation of any photograph.
            dead: nothing wakes the filter: no picture is shown.
            alike: how the layer processes it: 1 as photographs that excite this filter, 0 as those that excite others;
                NaN where that cannot be told, None where nobody asked.
            about: how it was made, with size and seed.
            notes: sentences to be read beside it.
            partial: it is still being made, or was stopped.

        Raises:
            InputError: it is no image, or there are no patches of photographs to see it beside.
        """
        if not self._places and not dead:
            raise InputError(NO_PLACES)
        self.view.forget("stopped")
        self.view.push(
            "image",
            arrays={} if dead else mosaic([pixels_of(image)]),
            peak=_number_or_none(peak),
            largest=_number_or_none(largest),
            dead=dead,
            alike=None if alike is None or dead else _number_or_none(alike),
            compared=alike is not None,
            about=about,
            notes=list(notes),
            partial=partial,
        )

    def show_error(self, error: BaseException) -> None:
        """Show an error in the widget; what is done stays."""
        self.finish()
        self.view.show_error(error)

    def clear_error(self) -> None:
        """Take the error away."""
        self.view.clear_error()

    _still = filter_still

    def _still_title(self) -> str:
        subject = "" if self.view.channel is None else f"{self.view.channel} of {self.view.layer}"
        return title("Filter", subject, self.view)

    def close(self) -> None:
        """Close the parts and let go of the callbacks."""
        self.on_search = self.on_make = self.on_cancel = nobody_listens
        super().close()

    def _show(self, layer: str, channel: int | None, hint: str) -> None:
        view = self.view
        self._places = 0
        for kind in ("places", "image", "stopped"):
            view.take_back(kind)
        with view.hold_sync():
            self.finish()
            view.layer, view.channel, view.hint = layer, channel, hint
            view.sentence = ""


def _number_or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _extent_in_patch(crop: Any) -> tuple[float, ...]:
    """Top, left, bottom and right of what the activation covers, in shares of the patch."""
    if getattr(crop, "extent", None) is None:
        return (0, 0, 1, 1)
    top, left, bottom, right = crop.box
    sides = (bottom - top, right - left)
    return tuple((edge - (top, left)[at % 2]) / sides[at % 2] for at, edge in enumerate(crop.extent))
