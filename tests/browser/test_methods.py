"""Many methods beside each other: the strip of layers, the menu, the check, the comparison, filters switched off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from playwright.sync_api import expect
from torch import nn

import cnnwidgets as cw
from tests.browser.cells import explore, prepare
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble, ask
from tests.browser.looks import axe, texts, too_wide
from tests.canvas import rgba


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    with jupyter.open(jupyter.notebook("methods", "", ""), run=False, width=1440, height=1300, fresh=False) as (
        page,
        trouble,
    ):
        prepare(page)
        # As in older front ends: with subshells a kernel that sleeps answers beside it, sooner or later.
        page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.commsOverSubshells = 'disabled'")
        explore(page, "cw.explore()")
        explorer = ExplorerPage(page)
        explorer.wait_until_complete()
        yield explorer, trouble


def _tab(e: ExplorerPage, name: str) -> None:
    e.root.get_by_role("tab", name=name).click()


def test_the_strip_paints_another_layer_while_the_kernel_is_busy(
    e: ExplorerPage, demo: cw.demo.Demo, tmp_path: Path
) -> None:
    wanted = "blocks.4"
    awake = tmp_path / "awake"
    # A kernel that sleeps cannot answer: what is painted comes from the strip.
    e.page.evaluate(
        """(code) => {
          const {kernel} = jupyterapp.shell.currentWidget.sessionContext.session;
          window.slept = false;
          const future = kernel.requestExecute({code, store_history: false});
          future.done.then(() => { window.slept = true; });
        }""",
        f"import os, time\nwhile not os.path.exists({str(awake)!r}): time.sleep(0.05)",
    )
    try:
        e.overlay.get_by_role("radio", name=wanted, exact=True).click()
        expect(e.overlay).to_have_class(re.compile("is-early"))  # painted from the strip
        shown = rgba(e.overlay.locator("canvas.cnnw-ho-map"))[..., :3].astype(float)
        assert not e.page.evaluate("window.slept")
    finally:
        awake.touch()
    peer = LayerGradCam(demo.model, demo.model.get_submodule(wanted))
    cam = peer.attribute(demo.preprocess.apply(demo.images["chelsea"]), target=282).detach().clamp(min=0)
    smooth = nn.functional.interpolate(cam, shown.shape[:2], mode="bilinear")[0, 0]
    import matplotlib as mpl

    expected = np.round(mpl.colormaps["inferno"]((smooth / smooth.max()).numpy())[..., :3] * 255)
    assert np.abs(shown - expected).mean() < 3
    e.page.wait_for_function("window.slept", timeout=20_000)
    e.wait_until_ready()
    assert ask(e.page, "print(e.overlay.layer)") == wanted


def test_the_menu_has_families_and_a_line_for_each_method(e: ExplorerPage) -> None:
    e.overlay.get_by_role("button", name="More methods").click()
    menu = e.overlay.get_by_role("listbox")
    for heading in ("Gradients", "Class activation maps"):
        expect(menu).to_contain_text(heading)
    expect(menu).to_contain_text(cw.explainers.info("guided_backprop").question)
    e.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    before = e.painted_id()
    e.choose_method("Guided backprop")
    e.wait_for_new_map(before)
    assert e.trait("method") == "guided_backprop"
    expect(e.overlay).to_contain_text("largest values")  # the clip is said


def test_an_explainer_registered_in_a_cell_is_in_the_menu_at_once(e: ExplorerPage) -> None:
    code = """
@cw.explainers.register("mine", family="ours", question="Is it bright?", replace=True)
def mine(model, images, target=None):
    return images.mean(1)
"""
    assert ask(e.page, code) == ""
    before = e.painted_id()
    e.choose_method("Mine")
    e.wait_for_new_map(before)
    e.wait_until_ready()
    assert (e.trait("method"), e.trait("status")) == ("mine", "ready")
    assert ask(e.page, "cw.explainers.unregister('mine'); e.method = 'grad_cam'") == ""
    e.wait_until_ready()


def test_check_this_map(e: ExplorerPage, artefacts: Path) -> None:
    check = e.root.locator(".cnnw-map-check")
    assert ask(e.page, "e.method, e.layer, e.target = 'grad_cam', 'bn2', 282") == ""
    expect(e.overlay.locator(".cnnw-ho-caption")).to_have_text("Grad-CAM · bn2 → tiger cat (282)")
    e.wait_until_ready()
    check.get_by_role("button", name="Check this map").click()
    expect(check.get_by_role("button", name="Cancel")).to_be_visible()
    expect(check.locator(".mc-badge")).to_be_visible(timeout=90_000)
    expect(check).to_contain_text("Insertion")
    e.wait_until_ready()
    # It loses to one of the four random orders.
    expect(check.locator(".mc-badge")).to_have_text("not passed: ahead of 3 of 4 random orders")
    expect(check.locator(".mc-badge")).to_have_attribute("data-level", "warn")
    expect(check.locator(".mc-sentence")).to_contain_text("Not passed: the map changes when")
    e.root.screenshot(path=artefacts / "check.png")
    e.class_button("Egyptian cat").press("Enter")
    expect(check.locator(".mc-badge")).to_be_hidden()  # another map: it has not been checked
    e.class_button("tiger cat").press("Enter")
    expect(check).to_contain_text("not passed")  # this one has
    e.wait_until_ready()


def test_methods_beside_layers(e: ExplorerPage, demo: cw.demo.Demo, artefacts: Path) -> None:
    _tab(e, "Compare")
    expect(e.overlay).to_be_hidden()
    compare = e.root.locator(".cnnw-comparison")
    # It begins by itself, unless the machine is so busy that it is expected to take long: two methods of three layers,
    # and one of the input.
    e.page.wait_for_timeout(2000)
    if not compare.get_attribute("data-filled"):
        compare.get_by_role("button", name="Compare", exact=True).click()
    e.page.wait_for_function("(e) => e.dataset.filled === '7'", arg=compare.element_handle(), timeout=60_000)
    e.wait_until_ready()
    assert e.trait("comparison.chosen_layers") == ["blocks.2", "blocks.4", "bn2"]
    expect(e.maps).to_be_hidden()
    assert (compare.bounding_box() or {"width": 0})["width"] > 700, "the room of the feature maps"
    e.node("blocks.3").locator(".cnnw-ag-box").click()
    compare.get_by_role("button", name="Add blocks.3", exact=True).click()
    e.page.wait_for_function("(e) => e.dataset.filled === '9'", arg=compare.element_handle(), timeout=60_000)
    e.wait_until_ready()
    assert e.trait("comparison.chosen_layers") == ["blocks.2", "blocks.3", "blocks.4", "bn2"]
    expect(compare.locator("[data-cell]")).to_have_count(9)
    expect(compare.get_by_role("button", name="Add blocks.3")).to_be_hidden()
    for canvas in compare.locator("[data-cell] canvas:visible").all():
        assert np.ptp(rgba(canvas)[..., :3].max(-1)) > 100, "none is dark"
    e.root.screenshot(path=artefacts / "compare.png")
    assert too_wide(compare) == []


@pytest.mark.parametrize("tab", ["Where did it look?", "Hide a part", "Compare"])
def test_each_panel_can_be_read(e: ExplorerPage, tab: str) -> None:
    _tab(e, tab)
    e.page.wait_for_timeout(200)
    middle = e.root.locator(".cnnw-area-overlay")
    assert too_wide(middle) == []
    small = [text for text in texts(middle) if text["size"] < 10 or text["cut"]]
    assert small == []
    assert axe(e.page, ".cnnw-area-overlay") == []


def test_a_filter_is_switched_off(e: ExplorerPage, demo: cw.demo.Demo) -> None:
    _tab(e, "Where did it look?")
    e.node("blocks.2").click()
    e.wait_for_maps_of("blocks.2")
    cell = e.maps.locator("[data-channel]").first
    channel = int(cell.get_attribute("data-channel") or -1)
    cell.click()
    e.maps.get_by_role("button", name="Switch off", exact=True).click()
    expect(e.maps).to_contain_text("1 map switched off: tiger cat 37.9 % → ")
    e.wait_until_ready()
    model = demo.model

    def without(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[:, channel] = 0
        return output

    hook = model.get_submodule("blocks.2").register_forward_hook(without)
    with torch.no_grad():
        share = float(model(demo.preprocess.apply(demo.images["chelsea"])).softmax(1)[0, 282])
    hook.remove()
    expect(e.maps).to_contain_text(f"tiger cat 37.9 % → {100 * share:.1f} %")
    expect(e.scores).to_contain_text(f"{100 * share:.1f} %")
    e.maps.get_by_role("button", name="Switch all on").click()
    expect(e.scores).to_contain_text("37.9 %")
