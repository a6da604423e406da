"""A saved page, opened from the disk in a browser without a network: alive, and with the numbers of the explainers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

import cnnwidgets as cw
from tests.browser.looks import axe
from tests.explorer import nets

HOSTILE = "</script><img src=x onerror=\"document.title='run'\">"
LABELS = ["ant", "bee", HOSTILE, "dog", "eel"]
TIP = ".cnnw-ho-tip"
STATUS = ".cnnw-explorer-work [role=status]"


@pytest.fixture(scope="module")
def images() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {HOSTILE: torch.rand(1, 3, 48, 48), "dark": torch.rand(1, 3, 48, 48) - 1}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, images: dict[str, torch.Tensor]) -> Path:
    path = tmp_path_factory.mktemp("pages") / "report.html"
    methods = ["grad_cam", "saliency"]
    cw.report(nets.plain(), images, path, labels=LABELS, classes=4, methods=methods, progress=None)
    return path


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=request.param)
    opened.context.set_offline(True)
    requests: list[str] = []
    console: list[str] = []
    opened.on("request", lambda asked: requests.append(asked.url))
    opened.on("console", lambda message: console.append(message.text))
    opened.on("pageerror", lambda error: console.append(str(error)))
    opened.goto(file.as_uri())
    opened.locator(".cnnw-class-scores button[data-class]").first.wait_for()
    yield opened
    assert [url for url in requests if not url.startswith("blob:")] == [file.as_uri()]
    assert console == []
    opened.close()


def caption(page: Page) -> str:
    return page.locator(".cnnw-ho-caption").text_content() or ""


def value_at(page: Page, row: int, column: int) -> list[str]:
    """What stands beside the pointer at a pixel of the picture of 48 × 48."""
    area = page.locator("canvas.cnnw-ho-map")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box
    page.mouse.move(box["x"] + (column + 0.5) / 48 * box["width"], box["y"] + (row + 0.5) / 48 * box["height"])
    return page.locator(f"{TIP} > div").all_text_contents()


def shown(value: float, digits: int = 3) -> str:
    """A number as the page writes it, by Python's own rounding."""
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-3:
        text = re.sub(r"\.?0+e", "e", f"{value:.{digits - 1}e}").replace("e-0", "e-")
    else:
        places = digits - 1 - min(int(np.floor(np.log10(size))), 0)
        text = f"{value:.{places}f}"
    return text.replace("-", "−", 1) if value < 0 else text


def choose_class(page: Page, index: int) -> None:
    page.locator(f".cnnw-class-scores button[data-class='{index}']").click()


def choose_method(page: Page, label: str) -> None:
    page.locator(".cnnw-ho-methods").get_by_role("radio", name=label).click()


def test_layers_classes_and_methods_are_chosen_and_read(page: Page, images: dict[str, torch.Tensor]) -> None:
    image, model = images[HOSTILE], nets.plain()
    order = model(image)[0].argsort(descending=True).tolist()
    assert "Grad-CAM · 4 → " in caption(page)

    choose_class(page, order[1])
    expect(page.locator(f"button[data-class='{order[1]}']")).to_have_attribute("aria-pressed", "true")
    cam = cw.explainers.grad_cam(model, image, order[1], layer="4").values[0]
    _, place, cell = value_at(page, 21, 30)
    assert place == "row 21, column 30"
    assert cell == f"cell 10, 15 of 24 × 24: {shown(float(cam[10, 15]))}"

    page.locator(".cnnw-ag-node[data-layer='2']").click()
    expect(page.locator(".fm-title")).to_have_text("Feature maps of 2")
    expect(page.locator(".cnnw-ho-caption")).to_have_text(re.compile("Grad-CAM · 2 → "))
    cam = cw.explainers.grad_cam(model, image, order[1], layer="2").values[0]
    assert value_at(page, 5, 40)[-1] == f"cell 2, 20 of 24 × 24: {shown(float(cam[2, 20]))}"

    choose_method(page, "Saliency")
    expect(page.locator(".cnnw-ho-caption")).to_have_text(re.compile("Saliency → "))
    gradient = cw.explainers.saliency(model, image, order[1]).values[0].abs().amax(0)
    for row, column in ((0, 0), (17, 33), (47, 12), (30, 30)):
        assert value_at(page, row, column)[0] == shown(float(gradient[row, column]), digits=2)


def test_it_is_painted_in_the_colours_of_its_scheme(page: Page) -> None:
    painted = """(selector) => { const c = document.querySelector(selector);
      const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; return new Set(d).size }"""
    page.wait_for_timeout(300)
    for selector in ("canvas.cnnw-ho-map", "canvas.cnnw-ho-photo", ".fm-scroll canvas"):
        assert page.evaluate(painted, selector) > 20, selector
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    assert page.evaluate("document.title") != "run"
    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator(".cnnw-class-scores").inner_text()


def test_any_other_class_has_its_class_activation_map(page: Page, images: dict[str, torch.Tensor]) -> None:
    image, model = images[HOSTILE], nets.plain()
    least, most = int(model(image)[0].argmin()), int(model(image)[0].argmax())
    sort, before = page.locator(".fm-menus").get_by_label("Sort").locator("option[value=contribution]"), caption(page)
    expect(sort).to_be_enabled()
    choose_class(page, least)
    expect(page.locator(STATUS)).to_have_text(re.compile("holds one map; another one needs a running kernel"))
    expect(page.locator(f"button[data-class='{least}']")).to_have_attribute("aria-pressed", "true")
    assert caption(page).startswith("CAM · 4 → ")
    weight = model.get_parameter("7.weight")[least].detach()
    expected = torch.einsum("k,khw->hw", weight, model[:5](image)[0].detach())
    for row, column in ((21, 30), (0, 0), (47, 47)):
        value = shown(float(expected[row // 2, column // 2]))
        cell = f"cell {row // 2}, {column // 2} of 24 × 24: {value}"
        assert value_at(page, row, column)[-1] == cell
    expect(page.locator(".cnnw-ho-methods").get_by_role("radio")).to_have_count(1)
    expect(sort).to_be_disabled()  # what a map adds to another class would stand beside it
    page.locator(".cnnw-ag-node[data-layer='1']").click()
    expect(page.locator(".fm-title")).to_have_text("Feature maps of 1")
    choose_class(page, most)
    expect(page.locator(STATUS)).to_have_text("")
    expect(sort).to_be_enabled()
    page.locator(".cnnw-ag-node[data-layer='4']").click()
    assert caption(page) == before


def test_what_is_not_in_the_page_is_said_and_nothing_moves(
    browser: Browser, tmp_path: Path, images: dict[str, torch.Tensor]
) -> None:
    cw.explore(nets.plain(), images[HOSTILE], labels=LABELS).save(
        tmp_path / "a.html", classes=3, methods=["grad_cam", "saliency"], other_classes=False, progress=None
    )
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto((tmp_path / "a.html").as_uri())
    status, before = page.locator(STATUS), caption(page)
    least = nets.plain()(images[HOSTILE])[0].argmin()
    choose_class(page, int(least))
    expect(status).to_have_text(re.compile("needs a running kernel"))
    assert caption(page) == before
    assert page.locator("button[aria-pressed=true][data-class]").get_attribute("data-class") != str(int(least))
    page.locator(".cnnw-ag-node[data-layer='7']").click()
    expect(status).to_have_text("7 gives no maps with height and width.")
    expect(page.locator(".fm-title")).to_have_text("Feature maps of 4")
    choose_method(page, "Saliency")
    expect(status).to_have_text("")
    page.close()


def test_another_photograph_has_its_own_scores(page: Page, images: dict[str, torch.Tensor]) -> None:
    page.locator(".cnnw-explorer-tools select").select_option("dark")
    top = int(nets.plain()(images["dark"])[0].argmax())
    expect(page.locator("button[aria-pressed=true][data-class]")).to_have_attribute("data-class", str(top))
    share = nets.plain()(images["dark"]).softmax(1)[0, top]
    expect(page.locator(f"button[data-class='{top}'] .cnnw-figures")).to_have_text(f"{100 * share:.1f} %")


def test_the_readers_colours_and_the_map_that_is_large_stay(page: Page) -> None:
    page.locator("[data-channel='2']").first.click()
    colours = page.locator(".fm-menus").get_by_label("Colour map")
    colours.select_option("viridis")
    choose_method(page, "Saliency")
    page.locator(".cnnw-ag-node[data-layer='1']").click()
    expect(page.locator(".fm-title")).to_have_text("Feature maps of 1")
    expect(page.locator(".fm-panel")).to_contain_text("Channel 2")
    expect(colours).to_have_value("viridis")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_core_finds_nothing(browser: Browser, file: Path, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(bypass_csp=True, color_scheme=scheme)  # or axe-core could not get in
    page = context.new_page()
    page.goto(file.as_uri())
    page.locator(".cnnw-class-scores button[data-class]").first.wait_for()
    assert axe(page, "html") == []
    context.close()


@pytest.mark.parametrize("width", [1440, 700])
def test_it_lies_well(browser: Browser, file: Path, artefacts: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(file.as_uri())
    page.locator(".cnnw-class-scores button[data-class]").first.wait_for()
    page.wait_for_timeout(300)
    page.screenshot(path=artefacts / f"saved_page_{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
