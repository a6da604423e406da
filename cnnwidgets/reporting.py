"""A page of photographs and a network, in one line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from torch import nn

from .core.progress import ProgressCallback
from .explorer.explore import explore
from .pages.page import ReportPage
from .pages.tour import all_photographs


def report(
    model: nn.Module | None,
    images: Any,
    path: str | os.PathLike[str],
    *,
    layers: Sequence[str] | None = None,
    classes: int | Sequence[int | str] = 5,
    methods: Sequence[str] | None = None,
    other_classes: bool = True,
    progress: ProgressCallback | bool | None = True,
    **options: Any,
) -> ReportPage:
    """Write what ``model`` makes of ``images`` as one file, to be looked into without a kernel and without a network.

    Args:
        model, images: as of :func:`cnnwidgets.explore`; several images make a menu. None: the demo's.
        path: of the file, "report.html". What is there is replaced once all is computed and written.
        layers, classes, methods, other_classes, progress: what goes in, as of :meth:`Explorer.page`; ``classes`` of
            each photograph.
        **options: labels, preprocess, target and others of :func:`cnnwidgets.explore`.

    Returns:
        What was written: its size, and what is in it.

    Raises:
        InputError: images, labels, layers or methods do not fit.
        CnnWidgetsError: the model cannot be looked into or failed, or the file cannot be written.

    Example:
        >>> cw.report(model, "folder/of/photographs", "report.html", classes=3)  # doctest: +SKIP
        ReportPage(4.2 MB: 8 photographs, 17 layers, 3 classes, 2 methods)
    """
    explorer = explore(model, images, **options)
    try:
        page = all_photographs(explorer, layers, classes, methods, progress, other_classes)
    finally:
        explorer.cancel()
        explorer.close()
    page.save(path)
    return page
