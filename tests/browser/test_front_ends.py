"""Front ends beside JupyterLab, on the same server: a click goes to Python, and its answer is painted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import Lab, Trouble

CELL = """import torch
import cnnwidgets as cw
from tests.explorer import nets
e = cw.explore(nets.plain(), torch.rand(1, 3, 48, 48), labels=["ant", "bee", "cat", "dog", "eel"])
e"""


# What these front ends say and ask for with no widget on the page: settings and modules that another front
# end on the server has; icons, formulas.
NOISE = ("reading 'schema'", "filebrowser:open-path", "ERR_NAME_NOT_RESOLVED", "RUNTIME-012", "fontawesome", "mathjax")


@contextmanager
def opened(lab: Lab, place: str) -> Iterator[tuple[Page, Trouble]]:
    context = lab.browser.new_context(viewport={"width": 1440, "height": 900})
    page, trouble = context.new_page(), Trouble()
    trouble.watch(page)
    try:
        page.goto(f"{lab.address}/{place}")
        yield page, trouble
    finally:
        context.close()


def assert_alive(page: Page, trouble: Trouble) -> None:
    """Layer, class, method and a large map are chosen by mouse and keyboard; nothing is asked of other hosts."""
    root = page.locator(".cnnw-explorer")
    expect(root.locator(".cnnw-feature-maps .fm-title")).to_have_text("Feature maps of 4", timeout=60_000)
    expect(root).not_to_have_attribute("aria-busy", "true")
    assert root.count() == 1
    root.locator(".cnnw-ag-node[data-layer='1']").click()
    expect(root.locator(".fm-title")).to_have_text("Feature maps of 1")
    expect(root.locator(".cnnw-ho-caption")).to_contain_text("Grad-CAM · 1 → ")
    other = root.locator(".cnnw-class-scores button[aria-pressed=false]").first
    label = other.locator("bdi").inner_text()
    other.focus()
    page.keyboard.press("Enter")
    expect(root.locator(".cnnw-ho-caption")).to_contain_text(label)
    root.locator(".cnnw-ho-methods").get_by_role("radio", name="Saliency").click()
    expect(root.locator(".cnnw-ho-caption")).to_contain_text("Saliency → ")
    root.locator("[data-channel='2']").first.click()
    expect(root.locator(".fm-panel")).to_contain_text("Channel 2")
    expect(root.locator(".cnnw-error")).to_have_count(0)
    own = [text for text in (*trouble.console, *trouble.external, *trouble.failed) if not _is_noise(text)]
    assert own == []


def _is_noise(text: str) -> bool:
    return any(noise in text.lower() or noise in text for noise in NOISE)


def test_notebook_7(jupyter: Lab, artefacts: Path) -> None:
    with opened(jupyter, f"notebooks/{jupyter.notebook('seven', CELL)}") as (page, trouble):
        page.locator(".jp-Cell .cm-content").first.click(timeout=60_000)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(state="attached", timeout=60_000)
        page.keyboard.press("Shift+Enter")
        assert_alive(page, trouble)
        page.screenshot(path=artefacts / "notebook_7.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_voila(jupyter: Lab, artefacts: Path, theme: str) -> None:
    place = f"voila/render/{jupyter.notebook(f'voila_{theme}', CELL)}?theme={theme}"
    with opened(jupyter, place) as (page, trouble):
        assert_alive(page, trouble)
        page.screenshot(path=artefacts / f"voila_{theme}.png")
