""" "What a user does", steps 2 and 3: the first notebook, nothing typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, Occlusion
from playwright.sync_api import expect

import cnnwidgets as cw
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble, ask
from tests.canvas import rgba

FIRST = "e = Out[1]"


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    first_cell_only = "import cnnwidgets as cw\n\ncw.explore()"
    with jupyter.open(jupyter.notebook("demo", first_cell_only), height=1300) as (page, trouble):
        explorer = ExplorerPage(page)
        explorer.wait_until_complete()
        ask(page, FIRST)
        expect(explorer.maps.get_by_label("Sort")).to_have_value("maximum")
        ask(page, "e.feature_maps.sort = 'index'")  # so that a channel's number is its place
        yield explorer, trouble


@pytest.fixture
def e(opened: tuple[ExplorerPage, Trouble]) -> Iterator[ExplorerPage]:
    explorer, trouble = opened
    yield explorer
    assert trouble.console == []
    assert trouble.external == []
    assert trouble.failed == []


def colours(name: str, values: np.ndarray) -> np.ndarray:
    """What matplotlib paints for values in [0, 1], uint8 (..., 3)."""
    return np.round(mpl.colormaps[name](values)[..., :3] * 255)


def test_notebook_begins_with_the_one_line() -> None:
    import nbformat

    root = Path(__file__).parent.parent.parent
    book = nbformat.read(root / "notebooks" / "01_explore.ipynb", 4)
    first = next(cell for cell in book.cells if cell.cell_type == "code")
    assert first.source == "import cnnwidgets as cw\n\ncw.explore()"


def test_the_first_view_is_complete(e: ExplorerPage, artefacts: Path) -> None:
    expect(e.scores).to_contain_text("tiger cat")
    expect(e.scores).to_contain_text("37.9 %")
    assert e.trait("status") == "ready"
    assert e.trait("target") == 282
    assert e.trait("method") == "grad_cam"
    assert e.trait("layer") == e.maps.get_attribute("data-painted")
    expect(e.bar).to_contain_text("4.65 M parameters")
    expect(e.graph.locator(".cnnw-ag-network")).to_be_hidden()  # the bar names it
    e.root.screenshot(path=artefacts / "explorer-light.png")


def test_the_overlay_is_captums_grad_cam(e: ExplorerPage, demo: cw.demo.Demo) -> None:
    x = demo.preprocess.apply(demo.images["chelsea"])
    peer = LayerGradCam(demo.model, demo.model.get_submodule(e.trait("layer")))
    cam = peer.attribute(x, target=282).detach()[0]
    canvas = e.overlay.locator("canvas.cnnw-ho-map")
    shown = rgba(canvas)[..., :3].astype(float)
    size = shown.shape[:2]
    smooth = torch.nn.functional.interpolate(cam.clamp(min=0)[None], size, mode="bilinear")[0, 0]
    expected = colours("inferno", (smooth / smooth.max()).numpy())
    assert np.abs(shown - expected).mean() < 3
    assert np.abs(shown - expected).max() < 30


def test_each_feature_map_is_the_models(e: ExplorerPage, demo: cw.demo.Demo) -> None:
    x = demo.preprocess.apply(demo.images["chelsea"])
    with cw.capture(demo.model, e.trait("layer")) as outputs, torch.no_grad():
        demo.model(x)
    maps = outputs[e.trait("layer")][0][0]
    for channel in (3, 4, 11):
        one = maps[channel]
        expected = colours("inferno", ((one - one.min()) / (one.max() - one.min())).numpy())
        shown = rgba(e.maps.locator(f'[data-channel="{channel}"] canvas'))[..., :3].astype(float)
        assert np.abs(shown - expected).max() <= 8, channel


def test_a_click_on_a_layer_shows_its_maps(e: ExplorerPage) -> None:
    e.node("blocks.2").click()
    e.wait_for_maps_of("blocks.2")
    assert e.trait("layer") == "blocks.2"
    expect(e.maps).to_contain_text("40 channels")
    expect(e.maps).to_contain_text("28")


def test_a_click_on_a_map_shows_it_large_with_its_numbers(e: ExplorerPage, demo: cw.demo.Demo, artefacts: Path) -> None:
    e.maps.locator('[data-channel="3"]').click()
    e.wait_for_trait("channel", 3)
    with cw.capture(demo.model, "blocks.2") as outputs, torch.no_grad():
        demo.model(demo.preprocess.apply(demo.images["chelsea"]))
    one = outputs["blocks.2"][0][0, 3]
    text = e.maps.inner_text()
    for name, value in (("minimum", one.min()), ("mean", one.mean()), ("maximum", one.max())):
        assert f"{float(value):.2f}".replace("-", "−") in text, name
    expect(e.maps).to_contain_text("receptive field")
    large = rgba(e.maps.locator("canvas.fm-large"))
    assert large[..., :3].std() > 10
    assert e.maps.locator("svg rect").count() > 10  # the histogram
    e.root.screenshot(path=artefacts / "explorer-channel.png")  # docs/explorer.png is a copy of it


def test_escape_takes_the_large_map_away_and_the_keyboard_brings_another(e: ExplorerPage) -> None:
    cell = e.maps.locator('[data-channel="3"]')
    cell.focus()
    cell.press("Escape")
    e.wait_for_trait("channel", None)
    e.page.keyboard.press("ArrowRight")
    e.page.keyboard.press("Enter")
    e.wait_for_trait("channel", 4)


def test_keys_pressed_in_the_widgets_stay_there(e: ExplorerPage) -> None:
    """In a notebook x cuts the cell, a adds one, and arrows go to the next."""
    cells = e.page.locator(".jp-Cell").count()
    e.overlay.get_by_text("Display").click()
    slider = e.overlay.get_by_label("Opacity").first
    before = slider.input_value()
    upload = e.bar.get_by_role("button", name="Upload")
    for control in (e.node("blocks.0"), e.maps.locator('[data-channel="4"]'), slider, upload):
        control.focus()
        e.page.keyboard.press("a")
        e.page.keyboard.press("x")
    slider.focus()
    e.page.keyboard.press("ArrowLeft")
    e.page.wait_for_timeout(300)
    assert e.page.locator(".jp-Cell").count() == cells
    assert e.root.is_visible()
    assert slider.input_value() != before
    e.page.keyboard.press("ArrowRight")
    e.overlay.get_by_text("Display").click()


def test_a_click_on_a_bar_changes_class_overlay_and_contributions(e: ExplorerPage) -> None:
    before = e.painted_id()
    old = rgba(e.overlay.locator("canvas.cnnw-ho-map"))
    e.scores.locator(".cnnw-track").nth(1).click()
    e.wait_for_trait("target", 285)
    e.wait_for_new_map(before)
    e.wait_until_ready()
    expect(e.overlay).to_contain_text("Egyptian cat (285)")
    expect(e.maps).to_contain_text("Egyptian cat")
    assert (rgba(e.overlay.locator("canvas.cnnw-ho-map")) != old).any()


def test_a_click_beside_a_thin_bar_selects_its_row(e: ExplorerPage) -> None:
    box = e.scores.locator(".cnnw-class-scores-bars").bounding_box()
    assert box
    before = e.painted_id()
    e.page.mouse.click(box["x"] + 20, box["y"] + box["height"] * 3.5 / 6)
    e.wait_for_trait("target", 287)
    e.wait_for_new_map(before)
    e.wait_until_ready()
    expect(e.overlay).to_contain_text("lynx (287)")


def test_any_class_can_be_searched(e: ExplorerPage) -> None:
    box = e.scores.get_by_label("Find a class by name or number")
    box.fill("espresso maker")
    box.press("Enter")
    e.wait_for_trait("target", 550)
    expect(e.scores).to_contain_text("espresso maker")
    e.wait_until_ready()


def test_saliency_follows_the_menu(e: ExplorerPage) -> None:
    before = e.painted_id()
    e.choose_method("Saliency")
    e.wait_for_trait("method", "saliency")
    e.wait_for_new_map(before)
    e.wait_until_ready()
    assert rgba(e.overlay.locator("canvas.cnnw-ho-map")).shape[:2] == (224, 224)


def test_occlusion_fills_in_and_can_be_cancelled(e: ExplorerPage, artefacts: Path) -> None:
    e.class_button("tiger cat").focus()
    e.class_button("tiger cat").press("Enter")
    e.wait_for_trait("target", 282)
    e.wait_until_ready()
    before = e.painted_id()
    e.choose_method("Occlusion")
    expect(e.root).to_have_attribute("aria-busy", "true")
    expect(e.bar).to_contain_text("left", timeout=20_000)
    e.wait_for_new_map(before)
    first = e.painted_id()
    e.wait_for_new_map(first)  # it fills in
    e.root.screenshot(path=artefacts / "explorer-occlusion-running.png")
    e.bar.get_by_role("button", name="Cancel").click()
    e.wait_for_trait("status", "cancelled", seconds=5)
    e.wait_until_ready(5_000)
    expect(e.overlay).to_contain_text("Stopped at")
    expect(e.bar.get_by_role("button", name="Cancel")).to_be_hidden()


def test_a_click_on_a_layer_is_answered_while_occlusion_runs(e: ExplorerPage) -> None:
    e.choose_method("Saliency")
    e.wait_until_ready()
    e.choose_method("Occlusion")
    expect(e.root).to_have_attribute("aria-busy", "true")
    e.node("blocks.0").click()
    e.wait_for_maps_of("blocks.0", timeout=5_000)
    assert e.trait("status") == "busy"
    e.bar.get_by_role("button", name="Cancel").click()
    e.wait_for_trait("status", "cancelled", seconds=5)


def test_a_finished_occlusion_is_captums(e: ExplorerPage, demo: cw.demo.Demo) -> None:
    """On the coarsest grid on which both define the same map; the sweep itself is the one that the view uses."""
    x = demo.preprocess.apply(demo.images["chelsea"])
    peer = Occlusion(lambda images: demo.model(images).softmax(1))
    expected = peer.attribute(x, (3, 56, 56), (3, 56, 56), 0, 282, perturbations_per_eval=8)[0, 0]
    printed = ask(
        e.page,
        "r = cw.explainers.occlusion(e._session.model, e._scene.picture.tensor, 282, patch=56, stride=56)\n"
        "print(r.values[0, ::56, ::56].flatten().tolist())",
    )
    np.testing.assert_allclose(
        np.array(json.loads(printed)).reshape(4, 4),
        expected[::56, ::56].detach().numpy(),
        atol=1e-4,
    )


def test_another_photograph_keeps_the_selection(e: ExplorerPage) -> None:
    e.choose_method("Grad-CAM")
    e.wait_for_trait("status", "ready")
    e.node("blocks.2").click()
    e.wait_for_maps_of("blocks.2")
    before = e.painted_id()
    photo = rgba(e.overlay.locator("canvas.cnnw-ho-photo"))
    e.bar.get_by_label("Photograph").select_option("coffee")
    e.wait_for_trait("picture", "coffee")
    e.wait_for_new_map(before)
    e.wait_for_trait("status", "ready")
    e.wait_until_ready()
    expect(e.scores).to_contain_text("espresso")
    expect(e.scores).to_contain_text("95.")
    assert e.trait("layer") == "blocks.2"
    assert e.trait("channel") == 4
    assert (rgba(e.overlay.locator("canvas.cnnw-ho-photo")) != photo).any()
    assert e.maps.get_attribute("data-painted") == "blocks.2"


def test_an_upload_is_explored_and_a_broken_one_says_why(e: ExplorerPage, demo: cw.demo.Demo, tmp_path: Path) -> None:
    good, broken = tmp_path / "rocket.png", tmp_path / "broken.png"
    demo.images["rocket"].save(good)
    broken.write_bytes(good.read_bytes()[:500])
    chooser = e.bar.locator("input[type=file]")
    chooser.set_input_files(broken)
    expect(e.bar.get_by_role("alert")).to_be_visible()
    assert e.trait("picture") == "coffee"
    chooser.set_input_files(good)
    e.wait_for_trait("picture", "rocket.png")
    e.wait_until_ready()
    expect(e.bar.get_by_role("alert")).to_have_count(0)


def test_reloading_the_page_shows_the_same_view(e: ExplorerPage) -> None:
    ask(e.page, "from IPython.display import display")
    expect(e.maps).to_have_attribute("data-painted", "blocks.2")
    second = ExplorerPage(e.page, index=1)
    e.page.evaluate(
        """async () => {
          const panel = jupyterapp.shell.currentWidget;
          panel.content.activeCellIndex = 0;
          await jupyterapp.commands.execute('notebook:insert-cell-below');
          panel.content.activeCell.model.sharedModel.setSource('e');
          await jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    second.root.scroll_into_view_if_needed()
    second.wait_until_complete()
    assert second.maps.get_attribute("data-painted") == "blocks.2"
    first = rgba(e.overlay.locator("canvas.cnnw-ho-map"))
    assert (rgba(second.overlay.locator("canvas.cnnw-ho-map")) == first).all()
