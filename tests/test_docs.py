"""The pages of the documentation name what is public, and their code runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import cnnwidgets as cw

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "api").glob("*.md"))
ROOMS = (
    "checks",
    "concepts",
    "demo",
    "exemplars",
    "explainers",
    "heads",
    "incremental",
    "kernels",
    "learn",
    "switches",
    "synthesis",
)


def entries() -> list[str]:
    """The dotted paths that the pages show."""
    return [path for page in PAGES for path in re.findall(r"^::: ([\w.]+)$", page.read_text(), re.MULTILINE)]


def test_each_public_name_has_one_entry() -> None:
    own = [f"cnnwidgets.{name}" for name in cw.__all__ if name not in (*ROOMS, "__version__")]
    rooms = [
        f"cnnwidgets.{room}.{name}"
        for room in ("checks", "concepts", "exemplars", "heads", "incremental", "kernels", "learn")
        for name in getattr(cw, room).__all__
    ]
    # The methods themselves are listed by the build, a family at a time.
    helpers = set(cw.explainers.__all__) - set(cw.explainers.names()) - {"every_layer", "targets"}
    expected = [*own, *rooms, *(f"cnnwidgets.explainers.{name}" for name in helpers)]
    assert sorted(set(expected) - set(entries())) == []
    assert len(entries()) == len(set(entries()))


def test_each_family_of_explainers_has_a_place() -> None:
    text = "".join(page.read_text() for page in PAGES)
    families = {cw.explainers.info(name).family for name in cw.explainers.names()}
    assert sorted(re.findall(r"^::: explainers of the family (\w+)$", text, re.MULTILINE)) == sorted(families)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # pages save pictures
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, names)  # noqa: S102 (our own pages)


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"version: {cw.__version__}\n" in citation
