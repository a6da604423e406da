"""The built bar over an Explorer's panels in headless Chromium: where its buttons lead, and how far work is."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from cnnwidgets.widgets.explorer_bar import ExplorerBar
from tests.widgets.parity import python_keys, typescript_keys
from tests.widgets.plain_page import Open, frame, pages

# The Explorer's own boxes are ipywidgets: here they are put around the bar, which is then shown anew.
AROUND = """async (width) => {
  undo();
  const root = document.getElementById("root");
  const explorer = document.createElement("div");
  explorer.className = "cnnw cnnw-explorer";
  explorer.style.width = `${width}px`;
  root.replaceWith(explorer);
  explorer.append(root);
  root.style.width = "";
  const grid = document.createElement("div");
  grid.className = "cnnw-explorer-grid";
  for (const [name, height] of [["graph", 480], ["overlay", 900], ["scores", 300], ["maps", 500]]) {
    const area = document.createElement("div");
    area.className = `cnnw-area-${name}`;
    area.style.height = `${height}px`;
    area.textContent = name;
    grid.append(area);
  }
  explorer.append(grid);
  widget.render({ model, el: root });
}"""
TOP = "(name) => Math.round(document.querySelector(`.cnnw-area-${name}`).getBoundingClientRect().top)"


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:

        def around(width: int, **traits: Any) -> Page:
            view = open_page(ExplorerBar(title="net", **traits), width)
            view.evaluate(AROUND, width)
            frame(view)
            return view

        yield around


def test_both_languages_have_the_same_traits() -> None:
    assert typescript_keys("ExplorerBarState") == python_keys(ExplorerBar)


def test_a_button_goes_to_its_panel_where_that_is_out_of_sight(opened: Open) -> None:
    view = opened(800)
    button = view.get_by_role("button", name="Show feature maps")
    assert view.evaluate(TOP, "maps") > 900, "below the overlay, and below the window"
    button.click()
    view.wait_for_function("document.activeElement.className === 'cnnw-area-maps'")
    assert 0 <= view.evaluate(TOP, "maps") <= 900 - 500
    assert button.get_attribute("aria-pressed") == "true"
    assert view.locator(".cnnw-area-maps").is_visible()
    view.keyboard.press("Tab")
    assert view.locator(".cnnw-area-maps").get_attribute("tabindex") is None
    # Hidden and shown again, it is gone to as well.
    view.evaluate("document.querySelector('.cnnw-explorer').classList.add('cnnw-fold-maps')")
    view.evaluate("scrollTo(0, 0)")
    button.click()
    view.wait_for_function("document.activeElement.className === 'cnnw-area-maps'")
    assert 0 <= view.evaluate(TOP, "maps") <= 900 - 500


def test_a_button_hides_a_panel_that_is_seen(opened: Open) -> None:
    view = opened(1100)
    assert view.evaluate(TOP, "graph") < 100
    button = view.get_by_role("button", name="Show architecture")
    button.click()
    view.locator(".cnnw-area-graph").wait_for(state="hidden")
    assert button.get_attribute("aria-pressed") == "false"
    assert view.evaluate("scrollY") == 0
    button.click()
    view.locator(".cnnw-area-graph").wait_for()
    frame(view)
    assert view.evaluate("scrollY") == 0
    assert "cnnw-button" in view.evaluate("document.activeElement.className")


def test_the_progress_of_long_work(opened: Open) -> None:
    view = opened(1000, progress=0.25, progress_text="Occlusion 25 % · 3 s left")
    bar = view.get_by_role("progressbar")
    assert bar.evaluate("bar => bar.value") == 0.25
    assert view.get_by_text("3 s left").is_visible()
    drawn = np.asarray(Image.open(BytesIO(bar.screenshot())).convert("RGB"))
    assert drawn[4, [10, 30, 36, 90]].tolist() == [[11, 107, 203]] * 2 + [[239] * 3] * 2, "a quarter of 130 px"
    view.evaluate("model.set('progress', null)")
    assert not bar.is_visible()
    assert not view.get_by_role("button", name="Cancel").is_visible()
