"""Photographs to begin with, out of installed packages: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.package_files import package_file

PHOTOGRAPHS = {
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "china": ("sklearn", "datasets/images/china.jpg"),
}


def photographs() -> dict[str, Image.Image]:
    """Name -> RGB PIL image; "chelsea", a cat, comes first.

    Raises:
        CnnWidgetsError: the extra packages are not installed.
    """
    return {name: photograph_named(name) for name in PHOTOGRAPHS}


def photograph_named(name: str) -> Image.Image:
    """One of :data:`PHOTOGRAPHS` in RGB.

    Raises:
        CnnWidgetsError: its package is not installed.
    """
    with Image.open(installed_file(*PHOTOGRAPHS[name])) as image:
        return image.convert("RGB")


def installed_photographs() -> list[str]:
    """Names of those whose package is installed."""
    return [name for name, (package, inside) in PHOTOGRAPHS.items() if package_file(package, inside) is not None]


def installed_file(package: str, inside: str) -> Path:
    """A file of an installed package; raises CnnWidgetsError where it is not there."""
    path = package_file(package, inside)
    if path is None:
        raise missing_extra(f"{package} (its file {inside})")
    return path


def missing_extra(package: str) -> CnnWidgetsError:
    """The error that says which package to install for the demo."""
    return CnnWidgetsError(f"The demo needs {package}, which is not installed. Run: pip install 'cnnwidgets[demo]'")
