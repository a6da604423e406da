"""Files that installed packages carry: data sets and weights that need no download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def package_file(package: str, inside: str) -> Path | None:
    """A file of an installed package, without importing it, which for some takes seconds; None: it is not there.

    Example:
        >>> package_file("cnnwidgets", "py.typed").name, package_file("no_such_package", "x")
        ('py.typed', None)
    """
    spec = find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec is not None else []
    return next((path for folder in folders if (path := Path(folder) / inside).is_file()), None)
