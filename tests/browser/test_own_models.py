""" "What a user does", step 4: networks of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import matplotlib as mpl
import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from torch import nn
from torch.nn import functional

import cnnwidgets as cw
from cnnwidgets.pictures.picture import load_picture
from tests.browser.cells import explore, prepare, run_cell
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble
from tests.canvas import rgba
from tests.explorer import nets

PHOTO = "cw.demo.photographs()['chelsea']"


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    with jupyter.open(jupyter.notebook("own", "", ""), run=False, height=1300, fresh=False) as (page, trouble):
        prepare(page)
        yield ExplorerPage(page), trouble


def _input(model: nn.Module) -> torch.Tensor:
    return load_picture(cw.demo.photographs()["chelsea"], model).tensor


def _layer(model: nn.Module, name: str) -> torch.Tensor:
    """(C, h, w), copied by a plain hook."""
    kept: list[torch.Tensor] = []
    hook = model.get_submodule(name).register_forward_hook(lambda _, __, output: kept.append(output.clone()))
    with torch.no_grad():
        model(_input(model))
    hook.remove()
    return kept[-1][0]


def _shown(e: ExplorerPage, channel: int) -> np.ndarray:
    return rgba(e.maps.locator(f'[data-channel="{channel}"] canvas'))[..., :3].astype(float)


def _painted(one: torch.Tensor) -> np.ndarray:
    """What the panel paints for one map: inferno from its minimum to its maximum."""
    scaled = ((one - one.min()) / (one.max() - one.min())).numpy()
    return np.round(mpl.colormaps["inferno"](scaled)[..., :3] * 255)


def _check_one_map(e: ExplorerPage, maps: torch.Tensor) -> None:
    spread = maps.amax((1, 2)) - maps.amin((1, 2))
    channel = int(spread[:12].argmax())  # of the first rows, which are on the screen
    assert spread[channel] > 0
    expected, shown = _painted(maps[channel]), _shown(e, channel)
    assert shown.shape == expected.shape
    assert np.abs(shown - expected).max() <= 8


def _select(e: ExplorerPage, layer: str) -> None:
    e.node(layer).locator(".cnnw-ag-box").click()
    e.wait_for_maps_of(layer)
    expect(e.node(layer)).to_have_attribute("aria-selected", "true")
    e.wait_for_trait("layer", layer)


def test_resnet50(e: ExplorerPage) -> None:
    explore(e.page, f"cw.explore(nets.resnet50(), {PHOTO}, labels=[f'thing {{i}}' for i in range(1000)])")
    e.wait_until_complete()
    assert e.trait("layer") == "layer4"
    expect(e.scores).to_contain_text("thing ")
    model = nets.resnet50()
    _select(e, "layer1")
    _check_one_map(e, _layer(model, "layer1"))
    _select(e, "layer4")
    _check_one_map(e, _layer(model, "layer4"))
    expect(e.maps).to_contain_text("2048 channels")


def test_resnet50s_conv1_is_in_a_folded_node(e: ExplorerPage) -> None:
    run_cell(e.page, 1, "e.layer = 'conv1'")
    e.wait_for_maps_of("conv1")
    _check_one_map(e, _layer(nets.resnet50(), "conv1"))
    selected = e.graph.locator('[aria-selected="true"]')
    expect(selected).to_have_count(1)
    expect(selected).to_contain_text("Conv 7×7")  # the node is named by its output, "relu"
    expect(selected).to_be_in_viewport()


def test_the_next_cell_moves_the_view(e: ExplorerPage) -> None:
    run_cell(e.page, 1, "e.layer = 'layer3'")
    e.wait_for_maps_of("layer3")
    expect(e.node("layer3")).to_have_attribute("aria-selected", "true")
    expect(e.graph.locator('[aria-selected="true"]')).to_have_count(1)
    _check_one_map(e, _layer(nets.resnet50(), "layer3"))
    run_cell(e.page, 1, "e.channel, e.target = 5, 7")
    e.wait_for_trait("status", "ready")
    expect(e.overlay).to_contain_text("thing 7 (7)")
    expect(e.maps.locator('[data-channel="5"]')).to_have_attribute("aria-selected", "true")
    expect(e.maps).to_contain_text("Channel 5")
    run_cell(e.page, 1, "e.method = 'saliency'")
    expect(e.overlay.get_by_role("radio", name="Saliency")).to_be_checked()
    expect(e.overlay).to_contain_text("Saliency → thing 7 (7)")


def test_an_unknown_layer_is_an_error_in_the_cell_and_the_view_stays(e: ExplorerPage) -> None:
    run_cell(e.page, 1, "e.layer = 'layer5'")
    output = e.page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea")
    expect(output).to_contain_text(re.compile(r"LayerNotFound: No layer 'layer5'. Closest: .*'layer4'"))
    assert e.trait("layer") == "layer3" == e.maps.get_attribute("data-painted")
    run_cell(e.page, 1, "")


def _functional(x: torch.Tensor) -> torch.Tensor:
    net = nets.Functional()
    with torch.no_grad():
        maps = functional.max_pool2d(functional.conv2d(x, net.first, padding=1).relu(), 2)
        return functional.conv2d(maps, net.second, padding=1)[0]


def _pooled(x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return functional.max_pool2d(nets.Pooled().conv1(x).relu(), 2)[0]


@pytest.mark.parametrize(
    ("call", "layer", "clicked", "maps"),
    [
        ("nets.mobilenet()", "blocks.2.0", "blocks.1", lambda: _layer(nets.mobilenet(), "blocks.2.0")),
        ("nets.Branching()", "dark", "stem", lambda: _layer(nets.Branching(), "dark")),
        ("nets.Functional()", "conv2d_1", "relu", lambda: _functional(_input(nets.Functional()))),
        ("nets.Pooled()", "max_pool2d", "max_pool2d_1", lambda: _pooled(_input(nets.Pooled()))),
        ("nets.in_place()", "2", "1", lambda: _layer(nets.in_place(), "2")),
    ],
    ids=["timm", "control flow", "functional", "pooled by functions", "in-place ReLU"],
)
def test_it_works_the_same_with(
    e: ExplorerPage, call: str, layer: str, clicked: str, maps: Callable[[], torch.Tensor]
) -> None:
    explore(e.page, f"cw.explore({call}, {PHOTO})")
    e.wait_until_complete()
    run_cell(e.page, 1, f"e.layer = {layer!r}")
    e.wait_for_maps_of(layer)
    _check_one_map(e, maps())
    expect(e.graph.locator('[aria-selected="true"]')).to_have_count(1)
    _select(e, clicked)
    before = e.painted_id()
    e.choose_method("Saliency")
    e.wait_for_new_map(before)
    e.wait_until_ready()
    assert e.trait("status") == "ready"
    expect(e.bar.get_by_role("alert")).to_have_count(0)
