"""Each widget by itself in a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.cells import prepare, run_cell
from tests.browser.lab import Lab, Trouble, answers, ask
from tests.browser.looks import axe, too_wide
from tests.canvas import rgba


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[Page, Trouble]]:
    with jupyter.open(jupyter.notebook("alone", ""), run=False, fresh=False) as (page, trouble):
        prepare(page)
        yield page, trouble


@pytest.fixture
def page(opened: tuple[Page, Trouble]) -> Iterator[Page]:
    yield opened[0]
    trouble = opened[1]
    assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])


def _alone(page: Page, source: str, name: str, ready: str) -> None:
    """Show the widget in the only cell; its root has its classes, fits, and axe has nothing to say."""
    run_cell(page, 0, f"w = {source}\nw")
    root = page.locator(f".jp-OutputArea .cnnw.{name}").first
    root.locator(ready).first.wait_for(state="attached")
    assert page.locator(".cnnw-explorer").count() == 0
    assert too_wide(root) == []
    assert axe(page, f".{name}") == []


def test_architecture_graph(page: Page) -> None:
    made = "cw.ArchitectureGraph(cw.trace(nets.plain(), torch.rand(1, 3, 24, 24)))"
    _alone(page, made, "cnnw-architecture-graph", "[data-layer]")
    page.locator('[data-layer="4"] .cnnw-ag-box').click()
    expect(page.locator('[data-layer="4"]')).to_have_attribute("aria-selected", "true")
    assert ask(page, "print(w.selected)") == "4"


def test_feature_maps(page: Page) -> None:
    made = "cw.FeatureMaps(np.arange(48.0).reshape(3, 4, 4), layer='conv')"
    _alone(page, made, "cnnw-feature-maps", '[data-channel="2"] canvas')
    shown = rgba(page.locator('[data-channel="2"] canvas'))[..., :3].astype(int).sum(-1)
    assert (np.diff(shown.flatten()) >= 0).all()  # inferno grows brighter with the values
    page.locator('[data-channel="1"]').click()
    expect(page.locator(".cnnw-feature-maps")).to_contain_text("Channel 1")
    assert ask(page, "print(w.channel)") == "1"


def test_heatmap_overlay(page: Page) -> None:
    made = "cw.HeatmapOverlay(np.full((32, 32, 3), 90, np.uint8), np.eye(4), caption='a caption', unit='units')"
    _alone(page, made, "cnnw-heatmap-overlay", "canvas.cnnw-ho-map")
    root = page.locator(".cnnw-heatmap-overlay")
    expect(root).to_contain_text("a caption")
    expect(root).to_contain_text("units")
    photo = rgba(root.locator("canvas.cnnw-ho-photo"))[..., :3]
    assert (photo == 90).all()
    root.get_by_text("Display").click()
    root.get_by_role("radio", name="Signed").click()
    page.wait_for_timeout(100)
    assert ask(page, "print(w.sign)") == "signed"


def test_class_scores(page: Page) -> None:
    _alone(page, "cw.ClassScores([0.0, 2.0], labels=['cat', 'dog'])", "cnnw-class-scores", "button[data-class]")
    root = page.locator(".cnnw-class-scores").first
    expect(root).to_contain_text("88.1 %")  # e² / (1 + e²)
    root.locator("button[data-class]").nth(1).click()
    expect(root.locator('button[data-class="0"]')).to_have_attribute("aria-pressed", "true")
    assert ask(page, "print(w.target)") == "0"
    root.get_by_label("What the bars show").select_option("logit")
    expect(root).to_contain_text("2.00")


def test_exercise(page: Page) -> None:
    _alone(page, "cw.Exercise('1 + 1?', {'11': 'Side by side.', '2': 'Added.'}, '2')", "cnnw-exercise", "input")
    root = page.locator(".cnnw-exercise")
    root.get_by_label("11").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")  # JupyterLab's own keys leave it alone
    expect(root.get_by_role("status")).to_have_text("✗ Not so. Side by side.")
    assert ask(page, "print(w.selected)") == "11"


def test_convolution_stepper(page: Page) -> None:
    made = "cw.ConvolutionStepper(np.arange(16.0).reshape(4, 4), [[1.0, 2.0], [3.0, 4.0]])"
    _alone(page, made, "cnnw-convolution-stepper", ".st-sum[data-value]")
    root = page.locator(".cnnw-convolution-stepper")
    expect(root.locator(".st-sum")).to_have_text("34.00")
    root.get_by_label("Weight at row 1, column 1").fill("0.5")
    root.get_by_role("application", name="Output").focus()
    page.keyboard.press("End")
    expect(root.locator(".st-sum")).to_have_text("81.50")  # 10 + 22 + 42 + 7.5
    # The page sends what changed meanwhile when the kernel has answered to the weight.
    assert answers(page, "print(w.position, w.output[-1, -1])", "8 81.5")
    root.get_by_label("Draw").check()
    box = root.get_by_role("application", name="Input").locator("canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 8, box["y"] + box["height"] / 8)
    page.mouse.down()
    page.mouse.up()
    expect(root).to_have_attribute("data-painted", re.compile("."))
    page.wait_for_timeout(300)
    assert ask(page, "print(w.image[0, 0, 0], w.image[0, 3, 3])") == "15.0 15.0"
    assert ask(page, "w.show(np.ones((2, 5, 5)), np.ones((2, 3, 3)), padding=1); print(w.output[0, 0])") == "8.0"
    expect(root.locator(".st-sum")).to_have_text("8.00")
    expect(root).to_contain_text("Input 2 × 5 × 5")


def test_image_input(page: Page) -> None:
    made = "cw.ImageInput(np.full((30, 40, 3), 100, np.uint8)); w.on_image(lambda image: sizes.append(image.shape))"
    assert ask(page, "sizes = []") == ""
    _alone(page, made, "cnnw-image-input", ".ii-canvas")
    root = page.locator(".cnnw-image-input")
    root.get_by_role("button", name="Turn left").click()
    expect(root).to_contain_text("40 × 30 pixels")
    root.get_by_role("slider", name="Brightness").fill("20")
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector(".ii-canvas");
          return canvas.getContext("2d").getImageData(0, 0, 1, 1).data[0] === 151;
        }"""
    )
    assert ask(page, "print(w.image.shape, w.image.max(), sizes[0])") == "(40, 30, 3) 151 (40, 30, 3)"
    root.get_by_role("button", name="Reset").click()
    expect(root).to_contain_text("30 × 40 pixels")
