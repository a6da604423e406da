"""A page with every widget stays light."""

from __future__ import annotations

from cnnwidgets.widgets._base import STATIC

from .size import LIMIT, bundle_bytes


def test_all_bundles_together_are_under_150_kb() -> None:
    sizes = bundle_bytes()
    folders = {file.parent.name for file in (STATIC.parent / "widgets").glob("*/widget.ts")}
    assert folders, "no widgets found"
    assert {f"{name}.js" for name in folders} <= sizes.keys(), "the frontend is not built: make frontend"
    assert sum(sizes.values()) < LIMIT
