"""An Explorer as a page: a second one, which nobody sees, goes through all choices."""

# ruff: noqa: SLF001 (the second one is driven here as a reader drives the first)

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator, Sequence
from typing import Any

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.progress import ProgressCallback

from .page import ReportPage
from .tour import all_photographs, settle

_LOOKS = {
    "overlay": ("opacity", "colormap", "diverging", "sign", "smooth", "strip_scale"),
    "feature_maps": ("sort", "scale", "colormap", "cell_size", "opacity", "smooth"),
}


class Saving:
    """What an Explorer has in common with nothing else of its kind: it can be saved as a page."""

    def page(
        self,
        layers: Sequence[str] | None = None,
        classes: int | Sequence[int | str] = 5,
        methods: Sequence[str] | None = None,
        *,
        other_classes: bool = True,
        progress: ProgressCallback | bool | None = True,
    ) -> ReportPage:
        """The photograph on show as a page that lives without a kernel; nothing is written yet.

        In it each of the layers, classes and methods can be chosen, with all that is done in the browser: colours,
        opacity, values under the pointer, sorting, saving pictures. What has to be computed is not offered there.

        Args:
            layers: dotted names; by default the blocks of the network, 17 at most.
            classes: how many, from the highest score on; or the classes themselves, by number or name. The class
                explained is always there.
            methods: names of explainers; by default Grad-CAM, saliency, and the one on show.
            other_classes: every other class can be picked, too, with its class activation map (:func:`cam`), where the
                network's head allows; about 200 KB for a thousand classes.
            progress: called with a :class:`~cnnwidgets.core.progress.Step` after each method. True: a tqdm bar.

        Returns:
            The page, with its size; its ``save(path)`` writes it.

        Raises:
            LayerNotFound, NotSpatial, TargetError, InputError: there is no such layer, class or method.
            CnnWidgetsError: a method failed on this network; says why.

        Example:
            >>> e = cw.explore(model, "photo.jpg")  # doctest: +SKIP
            >>> e.page(methods=["grad_cam"])  # doctest: +SKIP
            ReportPage(2.1 MB: 17 layers, 5 classes, 1 method)
        """
        with _second(self) as second:
            return all_photographs(second, layers, classes, methods, progress, other_classes)

    def save(
        self,
        path: str | os.PathLike[str],
        network: Any = None,
        *,
        layers: Sequence[str] | None = None,
        classes: int | Sequence[int | str] = 5,
        methods: Sequence[str] | None = None,
        other_classes: bool = True,
        progress: ProgressCallback | bool | None = True,
    ) -> ReportPage:
        """Write :meth:`page` to ``path``, and return it: its size, and what is in it.

        A file of that name is replaced when all is computed and written; an error or an interrupt leaves it as it was.

        Args:
            path: of the file, "report.html".
            network: only None.
            layers, classes, methods, other_classes, progress: as of :meth:`page`.

        Raises:
            CnnWidgetsError: as of :meth:`page`, or the file cannot be written.
        """
        if network is not None:
            raise InputError("A page cannot hold a network that runs in it: leave network out.")
        page = self.page(layers, classes, methods, other_classes=other_classes, progress=progress)
        page.save(path)
        return page


@contextlib.contextmanager
def _second(explorer: Any) -> Iterator[Any]:
    """Another Explorer of the same network and photograph, with the same settings and switches."""
    session = explorer._open_session()
    picture = explorer.picture
    fresh = type(session)(
        session.original,
        {picture: session.images[picture]},
        labels=session.labels,
        preprocess=session.preprocess,
        **session.output_hints,
    )
    fresh.settings, fresh.of_demo = copy.deepcopy(session.settings), session.of_demo
    second = type(explorer)(fresh, explorer._requests._requested_target)
    try:
        for widget, traits in _LOOKS.items():
            for trait in traits:
                setattr(getattr(second, widget), trait, getattr(getattr(explorer, widget), trait))
        if list(explorer.region) != list(second.region):
            second.region = list(explorer.region)
        switching, other = second._panels.switching, explorer._panels.switching
        if other.off or other.scales:
            switching.off, switching.scales = copy.deepcopy(other.off), dict(other.scales)
            switching.refresh()
        settle(second)
        if explorer.layer:
            second.layer = explorer.layer
        second.method = explorer.method
        settle(second)
        yield second
    finally:
        second.cancel()
        second.close()
