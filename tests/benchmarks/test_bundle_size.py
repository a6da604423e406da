"""A page with every widget stays light."""

from __future__ import annotations

from cnnwidgets.widgets._base import STATIC

from .size import LIMIT, LIMIT_OF_ONE, bundle_bytes


def test_bundles_stay_small() -> None:
    sizes = bundle_bytes()
    folders = {file.parent.name for file in (STATIC.parent / "widgets").glob("*/widget.ts")}
    assert folders, "no widgets found"
    assert {f"{name}.js" for name in folders} <= sizes.keys(), "the frontend is not built: make frontend"
    assert sum(sizes.values()) < LIMIT
    assert max(sizes[f"{name}.js"] + sizes.get(f"{name}.css", 0) for name in folders) < LIMIT_OF_ONE
