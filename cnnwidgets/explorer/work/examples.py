"""The images whose places excite filters: somebody's own, or what is at hand."""

from __future__ import annotations

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.exemplars import Images, demo_crops

from .scene import Scene
from .session import Session

_DEMO = "From {} crops of the demo's photographs: pass examples= for places that mean more."
_OWN = "From the {} in this Explorer's menu: pass examples= for places that mean more."


def examples_of(session: Session, scene: Scene) -> tuple[Images, str]:
    """The images that are searched, and a sentence on where they come from.

    Raises:
        InputError: they cannot be used.
    """
    if session.examples is not None:
        images = Images(session.examples, session.model, session.preprocess)
        count = "" if images.count is None else f" {images.count:,}"
        return images, f"From the{count} images passed as examples."
    return _of_demo(session, scene) or _of_menu(session)


def _of_demo(session: Session, scene: Scene) -> tuple[Images, str] | None:
    """Crops of the demo's photographs; None where they cannot be had as this network takes its images."""
    try:
        images = demo_crops(session.transform)
        if images.first().shape != scene.picture.tensor.shape:
            return None
    except CnnWidgetsError:
        return None
    return images, _DEMO.format(images.count)


def _of_menu(session: Session) -> tuple[Images, str]:
    images = Images(session.images, session.model, session.preprocess)
    count = len(session.images)
    return images, _OWN.format("one image" if count == 1 else f"{count} images")
