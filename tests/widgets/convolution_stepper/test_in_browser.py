"""The built stepper in headless Chromium: the page's numbers are torch's, keys, Play, hand-made kernels, drawing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from torch.nn import functional

from cnnwidgets import ConvolutionStepper
from tests.browser.looks import WRITTEN, axe, too_wide, untold
from tests.widgets.plain_page import Open, colours, frame, pages

RNG = np.random.default_rng(11)
ALL = """async (count) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const values = [];
  for (let at = 0; at < count; at += 1) {
    model.set("position", at);
    await frame();
    values.push(Number(document.querySelector(".st-sum").dataset.value));
  }
  return values;
}"""


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def position(view: Page) -> int:
    frame(view)
    return int(view.locator("#root").get_attribute("data-step") or -1)


def expected(x: Any, kernel: Any, operation: str, **numbers: Any) -> Any:
    image = torch.tensor(x)[None]
    if operation == "max":
        return functional.max_pool2d(image, 2, **numbers)[0, 0]
    if operation == "avg":
        return functional.avg_pool2d(image, 2, **numbers)[0, 0]
    bias = torch.tensor([0.3], dtype=torch.double)
    return functional.conv2d(image, torch.tensor(kernel)[None], bias, **numbers)[0, 0]


@pytest.mark.parametrize(
    ("operation", "numbers"),
    [
        ("conv", {}),
        ("conv", {"stride": 2, "padding": 2, "dilation": 2}),
        ("max", {"stride": 2, "padding": 1}),
        ("avg", {"stride": 1, "padding": 1}),
    ],
)
def test_every_number_of_the_page_is_that_of_torch(opened: Open, operation: str, numbers: Any) -> None:
    x, kernel = RNG.normal(size=(3, 6, 7)) * 1e3, RNG.normal(size=(3, 3, 2))
    bias = 0.3 if operation == "conv" else 0.0
    stepper = ConvolutionStepper(x, kernel if bias else 2, bias=bias, operation=operation, **numbers)
    reference = expected(x, kernel, operation, **numbers).numpy()
    view = opened(stepper, 900)
    values = view.evaluate(ALL, reference.size)
    np.testing.assert_allclose(values, reference.ravel(), rtol=0, atol=1e-6)
    assert np.abs(reference).max() > 100  # in float32 they would differ by more


def test_a_step_as_numbers_colours_and_a_sentence(opened: Open) -> None:
    view = opened(ConvolutionStepper([[1.0, -2.0], [3.0, 4.0]], [[0.5, -1.0]], bias=1.0), 900)
    assert view.get_by_text("Output row 0, column 0: 2.50 (sum of 2 products) + 1.00 (bias) = 3.50").is_visible()
    assert view.get_by_role("img", name="Patch: 1 −2").is_visible()
    assert view.get_by_role("img", name="Products: 0.5 2").is_visible()
    # The input from −4 (blue) to 4 (red): −2 is blue, 4 the end.
    pixels = np.array(colours(view, ".st-stage canvas"))
    height, width, _ = pixels.shape
    right_above, right_below = pixels[height // 4 + 6, width - 8], pixels[height - 8, width - 8]
    assert right_above[2] > right_above[0] + 40
    assert right_below.tolist() == [103, 0, 31]
    # Of the output only the first cell is known.
    output = np.array(colours(view, ".st-stage canvas", 1))
    assert output[-6, 6].tolist() == [255, 255, 255]
    view.evaluate("model.set('position', 1)")
    view.wait_for_timeout(60)
    assert np.array(colours(view, ".st-stage canvas", 1))[-6, 6].tolist() != [255, 255, 255]
    assert view.get_by_text("−2.50 (sum of 2 products) + 1.00 (bias) = −1.50").is_visible()


def test_keys_buttons_slider_and_clicks_move_the_window(opened: Open) -> None:
    view = opened(ConvolutionStepper(np.arange(36.0).reshape(6, 6), np.ones((3, 3))), 900)
    area = view.get_by_role("application", name="Output")
    area.focus()
    for key, at in [("ArrowRight", 1), ("ArrowDown", 5), ("ArrowUp", 1), ("End", 15), ("ArrowDown", 15), ("Home", 0)]:
        view.keyboard.press(key)
        assert position(view) == at, key
    view.keyboard.press("ArrowLeft")
    assert position(view) == 0
    for name, at in [("Next", 1), ("Last", 15), ("Back", 14), ("First", 0)]:
        view.get_by_role("button", name=name, exact=True).click()
        assert position(view) == at, name
    slider = view.get_by_role("slider", name="Step")
    slider.focus()
    view.keyboard.press("ArrowRight")
    assert position(view) == 1
    slider.fill("9")
    assert position(view) == 9
    side = (area.locator("canvas").bounding_box() or {})["width"] / 4
    area.locator("canvas").click(position={"x": 2.5 * side, "y": 3.5 * side})
    assert position(view) == 14
    source = view.get_by_role("application", name="Input").locator("canvas")
    side = (source.bounding_box() or {})["width"] / 6
    source.click(position={"x": 2.5 * side, "y": 1.5 * side})
    assert position(view) == 1  # row 0, column 1: the window whose middle is clicked


def test_play_pauses_ends_and_begins_again(opened: Open) -> None:
    view = opened(ConvolutionStepper(np.ones((3, 4)), [[1.0]], speed="fast"), 900)
    area = view.get_by_role("application", name="Input")
    area.focus()
    view.keyboard.press("Space")
    expect(view.get_by_role("button", name="Pause")).to_be_visible()
    expect(view.locator("#root")).to_have_attribute("data-step", "11")
    expect(view.get_by_role("button", name="Play")).to_be_visible()
    view.get_by_role("button", name="Play").click()
    assert position(view) < 11
    view.get_by_role("button", name="Pause").click()
    at = position(view)
    view.wait_for_timeout(200)
    assert position(view) == at
    view.get_by_role("button", name="Play").click()
    view.evaluate("undo()")
    view.wait_for_timeout(100)
    before = view.evaluate("model.get('position')")
    view.wait_for_timeout(200)
    assert view.evaluate("model.get('position')") == before, "nothing runs on without its view"


def test_with_less_motion_play_fills_in_at_once(opened: Open) -> None:
    view = opened(ConvolutionStepper(np.ones((3, 4)), [[1.0]]), 900)
    view.emulate_media(reduced_motion="reduce")
    view.get_by_role("button", name="Play").click()
    assert position(view) == 11
    assert view.get_by_role("button", name="Pause").count() == 0


def test_numbers_by_hand(opened: Open) -> None:
    view = opened(ConvolutionStepper(np.arange(16.0).reshape(1, 4, 4), [[1.0, 2.0], [3.0, 4.0]]), 900)
    total = view.locator(".st-sum")
    expect(total).to_have_text("34.00")
    view.get_by_label("Weight at row 1, column 1").fill("-1.25")
    expect(total).to_have_text("7.75")  # 34 − 20 − 6.25
    assert view.evaluate("model.get('kernel')") == [[[1, 2], [3, -1.25]]]
    expect(view.get_by_label("Kernel", exact=True).first).to_have_value("your own")
    view.get_by_label("Weight at row 0, column 0").fill("")
    view.keyboard.press("Tab")
    expect(view.get_by_label("Weight at row 0, column 0")).to_have_value("1")
    view.get_by_label("Padding").fill("1")
    view.keyboard.press("Enter")
    expect(view.locator(".st-stage").last).to_contain_text("Output 5 × 5")
    expect(total).to_have_text("0")
    view.get_by_label("Bias").fill("0.5")
    view.keyboard.press("Tab")
    expect(total).to_have_text("0.500")
    view.get_by_label("Dilation").fill("9")
    view.keyboard.press("Tab")
    expect(view.get_by_role("alert")).to_contain_text("10 × 10 with its dilation is larger than the input of 4 × 4")
    assert view.evaluate("model.get('dilation')") == 1
    expect(view.get_by_label("Dilation")).to_have_value("1")
    view.get_by_label("Stride").fill("2")
    view.keyboard.press("Tab")
    expect(view.get_by_role("alert")).to_have_count(0)
    view.get_by_label("Kernel", exact=True).first.select_option("blur")
    assert view.evaluate("model.get('kernel')[0][2]") == [1 / 9] * 3
    view.get_by_label("Operation").select_option("max")
    expect(total).to_have_text("5.00")  # of 0, 1, 4 and 5
    view.get_by_label("Size").fill("2")
    view.keyboard.press("Tab")
    expect(total).to_have_text("0")


def test_drawing_and_samples(opened: Open) -> None:
    view = opened(ConvolutionStepper(np.zeros((2, 8, 8)), np.ones((2, 3, 3))), 900)
    view.get_by_label("Draw").check()
    canvas = view.get_by_role("application", name="Input").locator("canvas")
    box = canvas.bounding_box()
    assert box
    cards = 5  # one other channel, behind
    side = (box["width"] - cards) / 8
    view.mouse.move(box["x"] + 1.5 * side, box["y"] + cards + 1.5 * side)
    view.mouse.down()
    view.mouse.move(box["x"] + 5.5 * side, box["y"] + cards + 1.5 * side, steps=4)
    view.mouse.up()
    assert view.evaluate("sent.at(-1)") | {"id": 0} == {"op": "draw", "id": 0, "rows": 8, "columns": 8}
    values = view.evaluate("[...new Float64Array(sentBuffers.at(-1)[0])]")
    drawn = np.array(values).reshape(2, 8, 8)
    assert (drawn[:, 1, 1:6] == 1).all()
    np.testing.assert_allclose(drawn[:, 0, 2:5], 0.25)
    assert not drawn[:, 3:].any()
    assert float(view.locator(".st-sum").get_attribute("data-value") or 0) == pytest.approx(2 * drawn[0, :3, :3].sum())
    view.get_by_role("button", name="Clear").click()
    assert view.evaluate("[...new Float64Array(sentBuffers.at(-1)[0])].every((value) => value === 0)")
    expect(view.locator(".st-sum")).to_have_text("0")
    view.get_by_label("Sample input").select_option("digit 3")
    assert view.evaluate("sent.at(-1).name") == "digit 3"
    view.get_by_role("button", name="Reset").click()
    assert view.evaluate("[sent.at(-1).op, sent.at(-1).name]") == ["sample", ""]


@pytest.mark.parametrize(("channels", "operation"), [(1, "conv"), (3, "conv"), (40, "conv"), (3, "avg")])
@pytest.mark.parametrize("width", [1100, 640])
def test_it_fits_is_told_and_accessible(opened: Open, channels: int, operation: str, width: int) -> None:
    kernel: Any = RNG.normal(size=(channels, 3, 3)) if operation == "conv" else 2
    view = opened(ConvolutionStepper(RNG.normal(size=(channels, 9, 9)), kernel, operation=operation, padding=1), width)
    root = view.locator("#root")
    assert too_wide(root) == []
    assert untold(root) == []
    assert axe(view, "#root") == []
    if channels > 1:
        (view.get_by_role("radio", name="2") if channels < 9 else view.get_by_label("Input channel").last).first.click()


def test_the_step_on_show_is_saved_with_its_numbers(opened: Open, tmp_path: Path) -> None:
    kernel = np.array([[1.0, 0.0], [-2.0, 0.5]])
    view = opened(ConvolutionStepper(np.arange(16.0).reshape(4, 4), kernel, position=5), 900)
    view.evaluate(WRITTEN)
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    download.value.save_as(tmp_path / "step.png")
    written = " ".join(view.evaluate("written"))
    for words in ("Input", "Patch", "Products", "Output", "Kernel of input channel 0, row by row: 1 0 / −2 0.5"):
        assert words in written
    # Row 1, column 1 of the output: 5 - 2 * 9 + 0.5 * 10.
    assert "−8" in written
    assert Image.open(tmp_path / "step.png").width >= 2 * 360
